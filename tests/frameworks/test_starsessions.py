"""starsessions and what stands in for it: the same app, one import and a secret apart."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from itsdangerous import TimestampSigner

pytest.importorskip("redis", reason="redis-py is not installed: pip install sessfast[redis]")

import redis

from sessfast import MemoryStore
from sessfast.errors import DecodeError, OptionsError
from sessfast.frameworks import starsessions
from sessfast.frameworks.starsessions import (
    CookieStore,
    ImproperlyConfigured,
    InMemoryStore,
    JsonSerializer,
    Serializer,
    SessionAutoloadMiddleware,
    SessionMiddleware,
    SessionStore,
)
from sessfast.legacy.starsessions import MemoryReader, RedisReader, SignedCookies, StoreReader
from sessfast.testing import FakeClock, peek
from tests.frameworks.incumbents import Talk, request, talking
from tests.frameworks.talk import asgi_call
from tests.stores.servers import url_of

SECRET = "x8Fq2-a secret that is made for the tests alone_91"
KEY = "key"  # as short as incumbents take it
NOW = 1_800_000_000.0
ID = "0123456789abcdef0123456789abcdef"
STORES = ("memory", "own", "redis")


@pytest.fixture
def url() -> str:
    return url_of("redis")


@pytest.fixture
def server(url: str) -> Iterator[Any]:
    with redis.Redis.from_url(url) as client:
        yield client


def replaced(store: str, url: str = "", **settings: Any) -> Any:
    return talking("starsessions", "replacement", store=store, url=url, secret=SECRET, **settings)


def told(app: Talk) -> list[str]:
    """The names of the events since the last time."""
    return [event for event, _ in app.get("/told").json]


# -- the switch ---------------------------------------------------------------------------------


def test_who_is_logged_in_stays_logged_in(url: str, server: Any) -> None:
    """The same cookie, before and after the change; then ours takes its place."""
    with talking("starsessions", "incumbent", url=url, lifetime=3600) as app:
        old = app.get("/write?user=ada&cart=7").cookie
    assert old is not None
    key = "starsessions." + old.partition("=")[2]
    assert server.get(key) is not None
    with replaced("redis", url, lifetime=3600) as app:
        answer = app.get("/show", old)
        assert {"user": "ada", "cart": "7"} == answer.json
        attributes = answer.attributes("session")
        expected = {"path": "/", "max-age": "3600", "httponly": "", "secure": "", "samesite": "Lax"}
        assert expected == {name: attributes[name] for name in attributes if name != "expires"}
        assert "imported" in told(app)
        assert server.get(key) is None
        assert {"user": "ada", "cart": "7"} == app.get("/show", answer.cookie).json
        assert {"user": "ada", "cart": "7"} == app.get("/show", old).json  # its answer got lost
        app.get("/clear", answer.cookie)
        assert {} == app.get("/show", answer.cookie).json
        assert {} == app.get("/show", old).json


def test_signed_cookies_of_the_incumbent_are_taken_over(url: str) -> None:
    with talking("starsessions", "incumbent", store="cookie", key=KEY) as app:
        old = app.get("/write?user=ada").cookie
    with replaced("cookie", url, key=KEY) as app:
        answer = app.get("/show", old)
        assert {"user": "ada"} == answer.json
        assert (answer.cookie or "").startswith("session=s%3A")
        assert {"user": "ada"} == app.get("/show", answer.cookie).json


def test_signing_out_ends_a_signed_cookie_that_was_taken_over(url: str) -> None:
    with talking("starsessions", "incumbent", store="cookie", key=KEY) as app:
        old = app.get("/write?user=ada").cookie
    with replaced("cookie", url, key=KEY) as app:
        assert "0" == app.get("/clear", old).attributes("session")["max-age"]


def test_a_rolling_session_of_the_incumbent_is_read_by_its_last_use(url: str, server: Any) -> None:
    for rolling, expected in ((True, {"u": 1}), (False, {})):
        metadata = {"lifetime": 60, "created": time.time() - 300, "last_access": time.time() - 5}
        sid = secrets.token_hex(16)  # a session that was taken over is found again by its old id
        server.set("starsessions." + sid, json.dumps({"u": 1, "__metadata__": metadata}), ex=60)
        with replaced("redis", url, lifetime=60, rolling=rolling) as app:
            assert expected == app.get("/show", f"session={sid}").json


def test_from_the_end_date_on_old_cookies_mean_nothing(url: str, server: Any) -> None:
    sid = secrets.token_hex(16)
    server.set("starsessions." + sid, b'{"u": 1}', ex=60)
    with replaced("redis", url, until="2020-01-01") as app:
        assert {} == app.get("/show", f"session={sid}").json
        assert {"imported", "legacy_refused"}.isdisjoint(told(app))


# -- what the incumbent is known to get wrong -----------------------------------------------------


@pytest.mark.parametrize("store", STORES)
def test_an_id_that_a_client_chose_is_never_adopted(store: str, url: str) -> None:
    with replaced(store, url) as app:
        for chosen in ("ATTACKERCHOSEN", secrets.token_hex(16)):
            answer = app.get("/write?u=1", f"session={chosen}")
            assert chosen not in (answer.cookie or "")
            assert {} == app.get("/show", f"session={chosen}").json


@pytest.mark.parametrize("store", STORES)
def test_logout_wins_over_a_slow_request(store: str, url: str) -> None:
    with replaced(store, url) as app:
        cookie = app.get("/write?u=1").cookie
        slow, _ = app.together([request("/slow", cookie), request("/clear", cookie)])
        assert 200 == slow.status
        assert {} == app.get("/show", cookie).json


@pytest.mark.parametrize("store", STORES)
def test_parallel_writes_are_both_kept(store: str, url: str) -> None:
    with replaced(store, url) as app:
        cookie = app.get("/write?u=1").cookie
        app.together([request("/meet?a=1", cookie), request("/meet?b=1", cookie)])
        assert {"u": "1", "a": "1", "b": "1"} == app.get("/show", cookie).json


@pytest.mark.parametrize("store", STORES)
def test_a_regenerated_id_leaves_no_way_back(store: str, url: str) -> None:
    """And the id that was told is the one that the session has."""
    with replaced(store, url) as app:
        cookie = app.get("/write?u=1").cookie
        answer = app.get("/regenerate", cookie)
        assert {} == app.get("/show", cookie).json
        assert {"u": "1"} == app.get("/show", answer.cookie).json
        assert answer.json == app.get("/facts", answer.cookie).json[2]


def test_a_read_writes_nothing_and_sends_no_cookie(url: str) -> None:
    with replaced("redis", url) as app:
        cookie = app.get("/write?u=1").cookie
        told(app)
        answer = app.get("/show", cookie)
        assert [] == answer.set_cookie
        assert ["Cookie"] == answer.all("vary")
        assert "saved" not in told(app)
        answer = app.get("/untouched", cookie)
        assert ([], []) == (answer.set_cookie, answer.all("vary"))


def test_a_deleted_cookie_has_the_attributes_that_it_was_set_with(url: str) -> None:
    with replaced("memory", cookie_domain="example.org", cookie_path="/") as app:
        made = app.get("/write?u=1")
        gone = app.get("/clear", made.cookie).attributes("session")
        assert {**made.attributes("session"), "max-age": "0", "expires": gone["expires"]} == gone
        assert "secure" in gone


def test_a_session_that_nobody_loads_costs_redis_nothing(url: str) -> None:
    """And who touches it without load_session() hears what starsessions would say."""
    with replaced("redis", url) as app:
        cookie = app.get("/write?u=1").cookie
        told(app)
        assert 200 == app.get("/untouched", cookie).status
        assert "loaded" not in told(app)
        assert "SessionNotLoadedError" in app.get("/forgets", cookie).body
        assert {"u": "1"} == app.get("/autoloaded", cookie).json
    with replaced("redis", url, prefetch=True) as app:
        assert 200 == app.get("/forgets").status


def test_nested_changes_are_kept_and_metadata_is_never_seen() -> None:
    with replaced("memory") as app:
        cookie = app.get("/nested").cookie
        assert [1, 1] == app.get("/nested", cookie).json
        assert {"cart": [1, 1]} == app.get("/show", cookie).json


def test_a_session_that_was_emptied_is_gone() -> None:
    with replaced("memory") as app:
        cookie = app.get("/write?u=1").cookie
        app.get("/clear", cookie)
        assert "destroyed" in told(app)
        answer = app.get("/clear", cookie)
        assert {} == answer.json
        assert [] == app.get("/clear").set_cookie


# -- bad input ------------------------------------------------------------------------------------


def signed(data: object, key: str = KEY) -> str:
    octets = data if isinstance(data, bytes) else json.dumps(data).encode()
    return TimestampSigner(key).sign(base64.b64encode(octets)).decode()


OLD = {"lifetime": 60, "created": 1.0, "last_access": 1.0}
COOKIES = {
    "forged": signed({"u": 1}, "another key"),
    "truncated": signed({"u": 1})[:-3],
    "no signature": base64.b64encode(b'{"u": 1}').decode(),
    "expired": signed({"u": 1, "__metadata__": OLD}),
    "no JSON": signed(b"\x80\x04}q\x00."),
    "no object": signed([1]),
    "odd metadata": signed({"__metadata__": 7}),
    "metadata without times": signed({"__metadata__": {}}),
    "encrypted": signed(b"gAAAAABl"),
    "an id": ID,
    "empty": "",
    "octets": "\x00\xff",
}


@pytest.mark.parametrize("name", COOKIES)
def test_an_old_cookie_that_is_not_to_be_believed_is_an_event(name: str) -> None:
    events: list[str] = []
    app = SessionMiddleware(
        shows, CookieStore(KEY, MemoryStore()), secret=SECRET,
        observer=lambda event, facts: events.append(event),
    )  # fmt: skip
    answer = ask(app, f"session={COOKIES[name]}")
    assert (200, "{}", []) == (answer["status"], answer["body"], cookies(answer))
    assert (name != "empty") == ("legacy_refused" in events)
    assert "imported" not in events


RECORDS = {
    "encrypted": b"gAAAAABlZmFrZQ==",
    "a pickle": b"\x80\x04}q\x00.",
    "cut off": b'{"u": ',
    "no object": b"[1]",
    "odd metadata": b'{"__metadata__": {"lifetime": true, "created": 1}}',
}


@pytest.mark.parametrize("name", RECORDS)
def test_an_old_record_that_can_t_be_read_is_an_event(name: str) -> None:
    store, events = InMemoryStore(), []
    store.data[ID] = RECORDS[name]
    app = SessionMiddleware(
        shows, store, secret=SECRET, legacy=[MemoryReader(store.data)], until="2100-01-01",
        observer=lambda event, facts: events.append((event, facts.get("reason"))),
    )  # fmt: skip
    assert "{}" == ask(app, f"session={ID}")["body"]
    assert "legacy_refused" in dict(events)
    assert [] == [reason for _, reason in events if ID in str(reason)]
    assert {ID: RECORDS[name]} == store.data


@pytest.mark.parametrize("value", ["", ID.upper(), ID + "0", ID[:-1], "../" + ID, ID + "\n"])
def test_what_starsessions_never_made_is_no_id(value: str) -> None:
    with pytest.raises(DecodeError):
        MemoryReader({}).key(value, NOW)


def test_a_signed_cookie_is_read_by_every_secret_and_until_its_lifetime_is_over() -> None:
    now = float(int(time.time()))
    for keys in ((b"key",), (b"new", b"key"), (b"key", b"new")):
        assert {"u": 1} == SignedCookies(keys).read(signed({"u": 1}), now)
    reader = SignedCookies((b"key",), lifetime=60)
    assert {"u": 1} == reader.read(signed({"u": 1}), now + 55)
    with pytest.raises(DecodeError, match="expired"):
        reader.read(signed({"u": 1}), now + 65)


def test_records_in_redis_are_read_without_await_too(server: Any) -> None:
    reader = RedisReader(server, prefix=lambda sid: f"app:{sid}:old")
    server.set(f"app:{ID}:old", b'{"u": 1}')
    assert {"u": 1} == reader.get(ID)
    reader.destroy(ID)
    assert reader.get(ID) is None


# -- in this process: what the names do -----------------------------------------------------------


class Connection:
    """As much of Starlette's as starsessions' functions use."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    @property
    def session(self) -> Any:
        return self.scope["session"]


def handler(action: Callable[[Connection], Any], loads: bool = True) -> Any:
    """An app that answers what `action` returns, as JSON."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        connection = Connection(scope)
        if loads:
            await starsessions.load_session(connection)
        found = action(connection)
        body = json.dumps(await found if asyncio.iscoroutine(found) else found).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


shows = handler(lambda connection: dict(connection.session))
writes = handler(lambda connection: connection.session.update(u=1))


def ask(app: Any, cookie: str | None = None, path: str = "/") -> Any:
    return asyncio.run(asgi_call(app, request(path, cookie)))


def cookies(answer: Any) -> list[str]:
    return [value for name, value in answer["headers"] if name == "set-cookie"]


def begun(app: Any, **more: Any) -> str:
    """The cookie of a session that holds `u`."""
    inner, app.app = app.app, writes
    made = cookies(ask(app))[0].partition(";")[0]
    app.app = inner
    return made


def made(action: Any = None, store: Any = None, **options: Any) -> tuple[Any, FakeClock]:
    """A middleware whose handler answers what `action` returns."""
    clock = FakeClock(NOW)
    app = shows if action is None else handler(action)
    store = InMemoryStore() if store is None else store
    return SessionMiddleware(app, store, secret=SECRET, clock=clock, **options), clock


def test_the_names_of_starsessions_are_all_there() -> None:
    names = {
        "SessionMiddleware", "SessionAutoloadMiddleware", "Serializer", "JsonSerializer",
        "SessionStore", "InMemoryStore", "CookieStore", "SessionError", "SessionNotLoaded",
        "ImproperlyConfigured", "get_session_id", "generate_session_id", "get_session_handler",
        "regenerate_session_id", "is_loaded", "load_session", "get_session_metadata",
        "get_session_remaining_seconds",
    }  # fmt: skip
    assert names == set(starsessions.__all__)
    assert "RedisStore" == starsessions.RedisStore.__name__
    assert not hasattr(starsessions, "RediStore")


def test_metadata_say_when_a_session_began() -> None:
    app, clock = made(starsessions.get_session_metadata, lifetime=100)
    cookie = begun(app)
    clock.advance(7)
    expected = {"lifetime": 100, "created": NOW, "last_access": NOW + 7}
    assert expected == json.loads(ask(app, cookie)["body"])
    assert {**expected, "created": NOW + 7} == json.loads(ask(app)["body"])


def test_a_session_in_memory_is_always_loaded() -> None:
    app, _ = made(starsessions.is_loaded)
    assert "true" == ask(app)["body"]
    app, _ = made(starsessions.is_loaded, Broken())
    app.app = handler(starsessions.is_loaded, loads=False)
    assert "false" == ask(app)["body"]


def test_a_lifetime_runs_from_the_beginning() -> None:
    """Nothing that the app does extends it, and the cookie says what is left."""
    app, clock = made(starsessions.get_session_remaining_seconds, lifetime=100)
    cookie = begun(app)
    clock.advance(60)
    assert "40" == ask(app, cookie)["body"]
    app.app = handler(lambda connection: connection.session.update(u=2))
    assert "Max-Age=40" in cookies(ask(app, cookie))[0]
    clock.advance(41)
    app.app = shows
    assert "{}" == ask(app, cookie)["body"]


def test_a_rolling_lifetime_begins_anew_with_each_use() -> None:
    """Also where a path is only autoloaded; the browser is told."""
    app, clock = made(starsessions.get_session_remaining_seconds, lifetime=100, rolling=True)
    cookie = begun(app)
    app.app = SessionAutoloadMiddleware(plain, ["/app"])
    for _ in range(3):
        clock.advance(60)
        assert "Max-Age=100" in cookies(ask(app, cookie, "/app/x"))[0]
    clock.advance(60)
    assert [] == cookies(ask(app, cookie, "/elsewhere"))
    clock.advance(60)
    app.app = shows
    assert "{}" == ask(app, cookie)["body"]


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """An app that doesn't look at its session."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_a_browser_session_has_no_end_of_its_own() -> None:
    """Its record is kept for 30 days after the last use, as RedisStore's `gc_ttl` had it."""
    app, clock = made(starsessions.get_session_remaining_seconds)
    cookie = begun(app)
    assert "0" == ask(app, cookie)["body"]
    app.app = shows
    for _ in range(3):
        clock.advance(29 * 86400)
        assert '{"u": 1}' == ask(app, cookie)["body"]
    clock.advance(31 * 86400)
    assert "{}" == ask(app, cookie)["body"]


def test_ids_are_regenerated_at_once_where_nothing_must_be_awaited() -> None:
    seen: list[Any] = []

    def act(connection: Connection) -> None:
        seen.append(starsessions.get_session_id(connection))
        seen.append(starsessions.regenerate_session_id(connection))
        seen.append(starsessions.get_session_id(connection))

    app, _ = made(act)
    cookie = begun(app)
    fresh = cookies(ask(app, cookie))[0].partition(";")[0]
    assert seen[0] != seen[1] == seen[2]
    assert (None, {"u": 1}) == (peek(app, cookie), peek(app, fresh))


def test_the_handler_has_its_usual_names() -> None:
    async def act(connection: Connection) -> Any:
        held = starsessions.get_session_handler(connection)
        await held.load()
        found = [held.is_loaded, held.is_empty, held.initially_empty, held.lifetime]
        sid = held.session_id
        assert sid != held.regenerate_id()
        assert held.session_id == await held.save(7)
        assert 9 == held.metadata["lifetime"]
        await held.destroy()
        return [*found, held.is_empty, starsessions.is_loaded(connection)]

    app, _ = made(act, lifetime=9)
    assert [True, False, False, 9, True, True] == json.loads(ask(app, begun(app))["body"])
    assert 32 == len(starsessions.generate_session_id())


class Reversing(Serializer):
    """Writes what no JSON parser takes."""

    def serialize(self, data: Any) -> bytes:
        return json.dumps(data).encode()[::-1]

    def deserialize(self, data: bytes) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(data[::-1])
        return found


@pytest.mark.parametrize("serializer", [JsonSerializer(), Reversing()])
def test_a_serializer_of_one_s_own_is_used(serializer: Any) -> None:
    """For old records as for new ones; changes inside values are seen as ever."""
    store = InMemoryStore()
    reader = MemoryReader(store.data, deserialize=serializer.deserialize)
    app, _ = made(None, store, serializer=serializer, legacy=[reader])
    store.data[ID] = serializer.serialize({"cart": [{"a": 1}]})
    cookie = cookies(ask(app, f"session={ID}"))[0].partition(";")[0]
    app.app = handler(lambda connection: connection.session["cart"][0].update(b=2))
    ask(app, cookie)
    app.app = shows
    assert {"cart": [{"a": 1, "b": 2}]} == json.loads(ask(app, cookie)["body"])
    app.app = handler(lambda connection: connection.session.update(x={1, 2}))
    with pytest.raises(TypeError, match="serializer"):
        ask(app, cookie)


class Broken(SessionStore):
    """Answers as no store should."""

    async def read(self, session_id: str, lifetime: int) -> bytes:
        return b""

    async def write(self, session_id: str, data: bytes, lifetime: int, ttl: int) -> str:
        return "another id"

    async def remove(self, session_id: str) -> None:
        raise NotImplementedError


def test_a_store_that_names_sessions_itself_is_an_outage() -> None:
    app, _ = made(lambda connection: connection.session.update(u=1), Broken())
    assert (503, []) == ((answer := ask(app))["status"], cookies(answer))


def test_stores_read_and_write_as_starsessions_have_it() -> None:
    async def use(store: SessionStore) -> list[Any]:
        sid = await store.write(ID, b"data", lifetime=60, ttl=60)
        found = [await store.read(sid, 60)]
        await store.remove(sid)
        await store.remove(ID)
        return [*found, await store.read("unknown", 60)]

    for store in (InMemoryStore(), CookieStore(KEY)):
        assert [b"data", b""] == asyncio.run(use(store))


def test_redis_has_starsessions_arguments(url: str, server: Any) -> None:
    async def use(gives_client: bool, **arguments: Any) -> list[Any]:
        if gives_client:
            arguments["connection"] = redis.asyncio.Redis.from_url(url)
        else:
            arguments["url"] = url
        store = starsessions.RedisStore(gc_ttl=500, **arguments)
        await store.write(ID, b"data", lifetime=0, ttl=0)
        found = [await store.read(ID, 60), server.ttl(store.prefix(ID)), store.prefix(ID)]
        reader = StoreReader(store)
        await reader.destroy(ID)
        found.append(await reader.get(ID))
        await store._connection.aclose()
        return found

    for gives_client, arguments, key in (
        (False, {}, f"starsessions.{ID}"),
        (False, {"prefix": "app."}, f"app.{ID}"),
        (True, {"prefix": "k_{}".format}, f"k_{ID}"),
    ):
        assert [b"data", 500, key, None] == asyncio.run(use(gives_client, **arguments))


# -- misconfiguration ------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"secret": None}, "secret is missing: starsessions signs no ids"),
    ({"secret": "short"}, "shorter than 32 bytes"),
    ({"lifetime": -1}, "lifetime must not be negative"),
    ({"encryptor": object()}, "encryptor: records are not encrypted here"),
    ({"cookie_same_site": "none", "cookie_https_only": False}, "same_site"),
    ({"store": CookieStore(KEY)}, "CookieStore(secret_key, store="),
    ({"lifetme": 5}, "lifetme is no option"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_mistake_is_an_error_that_names_the_fix(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError) as error:
        SessionMiddleware(shows, **{"store": InMemoryStore(), "secret": SECRET, **options})
    assert message in str(error.value)


def test_functions_without_the_middleware_say_where_it_belongs() -> None:
    scopes: list[dict[str, Any]] = [{}, {"session": {}}]
    for scope in scopes:
        with pytest.raises(ImproperlyConfigured, match="put sessfast's SessionMiddleware around"):
            starsessions.get_session_id(Connection(scope))
    with pytest.raises(ImproperlyConfigured):
        ask(SessionAutoloadMiddleware(shows))
    with pytest.raises(ImproperlyConfigured, match="url, or a connection"):
        starsessions.RedisStore()


def test_the_secret_of_a_cookie_store_signs_where_no_other_does() -> None:
    with pytest.warns(UserWarning, match="shorter than 32 bytes"):
        app = SessionMiddleware(shows, CookieStore(KEY, "memory://"))
    assert begun(app).startswith("session=s%3A")


def test_outside_of_the_cookie_s_path_there_is_a_session_too() -> None:
    """As in starsessions: one middleware may guard paths that share no cookie."""
    app, _ = made(lambda connection: connection.session.update(u=1), cookie_path="/admin")
    for path in ("/", "/admin/x"):
        assert "Path=/admin;" in cookies(ask(app, None, path))[0]


def test_behind_a_proxy_the_cookie_is_secure_and_believed() -> None:
    """As in starsessions: TLS may end at a proxy that says nothing about it."""
    app, _ = made()
    made_cookie = begun(app)
    assert '{"u": 1}' == ask(app, made_cookie)["body"]
    app.app = writes
    assert "Secure" in cookies(ask(app))[0]
