"""Starlette's SessionMiddleware and ours in its place: cookies, data and behaviour."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner

from sessfast import MemoryStore, OptionsError, SessionTooLargeError
from sessfast.errors import EncodeError
from sessfast.frameworks.starlette import SessionMiddleware, StarletteSession, get_session
from sessfast.legacy.starlette import StarletteCookies, dumps, loads
from tests.frameworks.incumbents import Talk, outcomes, request, sources_of, talking
from tests.fronts.clients import finish

SECRET = "as short as some are"
GOLDEN = "eyJ1IjogMX0=.awRRqQ.cjBuoNZl1k0WlaJ5XqfiKurfgAk"  # {"u":1}, key "k"
DATA = {"user": "bób", "n": {"a": [1, 2.5, None, True]}, "empty": ""}
STORES: list[str | None] = [None, "memory://"]


def put(app: Talk, data: dict[str, Any], cookie: str | None = None) -> str:
    """The cookie of a session that has been given data."""
    answer = app.get("/put", cookie, method="POST", body=json.dumps(data))
    assert answer.status == 200, answer
    return answer.cookie or cookie or ""


# -- the change ----------------------------------------------------------------------------------


@pytest.mark.parametrize("store", STORES)
def test_who_was_logged_in_stays_logged_in(store: str | None) -> None:
    """A session of the incumbent goes on after the one-line change, and is replaced."""
    with talking("starlette", "incumbent", secret_key=SECRET) as before:
        old = put(before, DATA)
    with talking("starlette", "replacement", secret_key=SECRET, store=store) as after:
        answer = after.get("/", old)
        assert answer.json == DATA
        new = answer.cookie or old
        assert after.get("/", new).json == DATA
        assert (store is None) == (new == old)
        new = put(after, {"more": 1}, new)
        assert after.get("/", new).json == {**DATA, "more": 1}


def test_without_a_store_one_can_go_back() -> None:
    with talking("starlette", "replacement", secret_key=SECRET) as ours:
        cookie = put(ours, DATA)
    with talking("starlette", "incumbent", secret_key=SECRET) as theirs:
        assert theirs.get("/", cookie).json == DATA


def test_without_a_store_every_octet_is_starlettes() -> None:
    """Header for header, set and cleared, for every keyword."""
    settings: list[dict[str, Any]] = [
        {},
        {"max_age": None},
        {"https_only": True, "same_site": "none", "partitioned": True},
        {"session_cookie": "other", "path": "/a", "domain": ".example.com", "same_site": "strict"},
    ]
    for given_ in settings:
        told = []
        for kind in ("incumbent", "replacement"):
            with talking("starlette", kind, secret_key=SECRET, **given_) as app:
                made = app.get("/put", method="POST", body=json.dumps(DATA), scheme="https")
                name = given_.get("session_cookie", "session")
                value = made.cookies[name]
                assert TimestampSigner(SECRET).unsign(value)
                gone = app.get("/logout", f"{name}={value}", scheme="https")
                heads = [made.set_cookie[0].replace(value.rpartition(".")[0], "")[-90:]]
                told.append([value.partition(".")[0], *heads[0].split("; ")[1:], *gone.set_cookie])
        assert told[0] == told[1]


@pytest.mark.parametrize("store", STORES)
def test_accessed_and_modified_tell_what_the_app_did(store: str | None) -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store=store) as app:
        cookie = put(app, {"u": 1})
        assert app.get("/flags", cookie).json == [[False, False], [True, False], [True, True]]


@pytest.mark.parametrize("store", STORES)
def test_a_websocket_has_the_session(store: str | None) -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store=store) as app:
        cookie = put(app, {"u": 1})
        assert json.loads(app.get("/socket", cookie, method="WEBSOCKET").body) == {"u": 1}


# -- known failures of the incumbent -------------------------------------------------------------


@pytest.mark.parametrize("store", STORES)
def test_a_nested_change_is_kept(store: str | None) -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store=store) as app:
        cookie = put(app, {"list": [1]})
        cookie = app.get("/nested", cookie).cookie or cookie
        assert app.get("/", cookie).json == {"list": [1, 1]}


@pytest.mark.parametrize("store", STORES)
def test_reading_sets_no_cookie_and_varies(store: str | None) -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store=store) as app:
        cookie = put(app, {"u": 1})
        read, untouched = app.get("/", cookie), app.get("/untouched", cookie)
        assert (read.set_cookie, read.all("vary")) == ([], ["Cookie"])
        assert (untouched.set_cookie, untouched.all("vary")) == ([], [])


@pytest.mark.parametrize("store", STORES)
def test_the_cookie_that_ends_a_session_is_as_secure_as_it(store: str | None) -> None:
    options: dict[str, Any] = {"https_only": True, "same_site": "none", "partitioned": True}
    with talking("starlette", "replacement", secret_key=SECRET, store=store, **options) as app:
        cookie = app.get("/put", method="POST", body='{"u": 1}', scheme="https").cookie
        attributes = app.get("/logout", cookie, scheme="https").attributes("session")
        assert {"secure", "httponly", "partitioned"} <= set(attributes)
        assert attributes["samesite"].lower() == "none"
        assert attributes["expires"] == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_parallel_writes_of_different_keys_are_kept() -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store="memory://") as app:
        cookie = put(app, {"u": 1})
        app.together([request(f"/slow?key=k{number}", cookie) for number in range(8)])
        assert app.get("/", cookie).json == {"u": 1, **{f"k{number}": 1 for number in range(8)}}


def test_a_logout_wins_over_a_slow_request() -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store="memory://") as app:
        cookie = put(app, {"u": 1})
        app.together([request("/slow?key=k", cookie), request("/logout", cookie)])
        assert app.get("/", cookie).json == {}


def test_an_id_that_a_client_chose_is_never_adopted() -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store="memory://") as app:
        for chosen in ("ATTACKER", "s%3AATTACKER", "s%3AATTACKER.signature"):
            assert "ATTACKER" not in put(app, {"u": 1}, f"session={chosen}").replace(chosen, "")


def test_a_cookie_that_no_browser_keeps_is_an_error_that_names_the_fix() -> None:
    async def fill(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["text"] = "x" * 5000
        await send({"type": "http.response.start", "status": 200, "headers": []})

    with pytest.warns(UserWarning, match="secret"):
        app = SessionMiddleware(fill, SECRET)
    with pytest.raises(SessionTooLargeError, match=r"SessionMiddleware\(…, store="):
        finish(app({"type": "http", "headers": [], "path": "/"}, None, nothing))  # type: ignore[arg-type]


async def nothing(message: Any) -> None:
    pass


# -- bad input -----------------------------------------------------------------------------------


def signed(data: bytes, key: str = SECRET) -> str:
    return TimestampSigner(key).sign(base64.b64encode(data)).decode()


BAD = {
    "forged": "eyJ1IjogMX0=.awRRqQ.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "truncated": GOLDEN[:-3],
    "a dropped key": signed(b"{}", "another key"),
    "no JSON": signed(b"{"),
    "no dict": signed(b"[1]"),
    "no base64": TimestampSigner(SECRET).sign(b"a").decode(),
    "empty": "",
    "dots": "..",
    "not ASCII": "\xe9.\xe9.\xe9",
    "null": "null",
}


@pytest.mark.parametrize("store", STORES)
def test_an_old_cookie_that_is_not_to_be_believed_is_a_fresh_session(store: str | None) -> None:
    with talking("starlette", "replacement", secret_key=SECRET, store=store) as app:
        for why, value in BAD.items():
            app.get("/events")
            answer = app.get("/", f"session={value}")
            assert (why, answer.status, answer.json) == (why, 200, {})
            told = [event for event, _ in app.get("/events").json]
            if why not in {"empty", "null"}:
                assert told, why


def test_an_expired_cookie_is_a_fresh_session() -> None:
    cookies = StarletteCookies([SECRET.encode()], 100)
    value = cookies.signed(b'{"u": 1}', 1000)
    assert cookies.read(value, 1100) == {"u": 1}
    for now in (1101, 999):
        with pytest.raises(ValueError, match="older than max_age"):
            cookies.read(value, now)


@given(st.text(max_size=80))
def test_no_text_is_an_accident(value: str) -> None:
    with pytest.raises(ValueError, match=r"signed|payload|holds|older"):
        StarletteCookies([b"k"]).read(value, 0)


@pytest.mark.parametrize(
    ("keywords", "fault"),
    [
        ({}, "secret_key is missing: make one with"),
        ({"secret_key": ""}, "secret_key is missing"),
        ({"secret_key": "k", "cookie": {}}, "cookie is Starlette's max_age, path"),
        ({"secret_key": "k", "secret": "k"}, "secret is Starlette's secret_key here"),
        ({"secret_key": "k", "rolling": True}, "rolling needs sessions on the server: give store="),
        ({"secret_key": "k", "legacy": ["starlette"]}, "legacy needs sessions on the server"),
        ({"secret_key": "k", "httponly": True}, "httponly is no option"),
    ],
)
def test_a_wrong_configuration_names_its_fix(keywords: dict[str, Any], fault: str) -> None:
    with pytest.raises(OptionsError, match=fault):
        SessionMiddleware(nothing, **keywords)  # type: ignore[arg-type]


def test_a_session_without_the_middleware_names_the_fix() -> None:
    class Connection:
        scope: dict[str, Any] = {}  # noqa: RUF012

    with pytest.raises(OptionsError, match=r"add_middleware\(SessionMiddleware"):
        get_session(Connection())


@pytest.mark.parametrize("store", [None, MemoryStore()])
def test_the_typed_session_is_the_one_of_the_scope(store: Any) -> None:
    seen: list[StarletteSession] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        class Connection:
            pass

        connection: Any = Connection()
        connection.scope = scope
        seen.append(get_session(connection))
        assert isinstance(scope["session"], dict)

    with pytest.warns(UserWarning, match="secret"):
        middleware = SessionMiddleware(app, SECRET, store=store)
    finish(middleware({"type": "http", "headers": [], "path": "/"}, None, nothing))  # type: ignore[arg-type]
    assert isinstance(seen[0], StarletteSession)


# -- octets --------------------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), TREES, max_size=6))
def test_the_data_is_written_as_json_writes_it(data: dict[str, Any]) -> None:
    assert json.dumps(data).encode() == dumps(data)


@given(st.dictionaries(st.text(), TREES, max_size=6))
def test_the_data_is_read_as_json_reads_it(data: dict[str, Any]) -> None:
    text = json.dumps(data)
    assert repr(json.loads(text)) == repr(loads(text.encode()))


@given(st.dictionaries(st.text(), TREES, max_size=3), st.text(min_size=1, alphabet="abk \xe9"))
def test_each_reads_what_the_other_signed(data: dict[str, Any], key: str) -> None:
    ours, theirs = StarletteCookies([key.encode()], None), TimestampSigner(key)
    text = json.dumps(data)
    assert base64.b64decode(theirs.unsign(ours.signed(text.encode(), 1.8e9))) == text.encode()
    value = theirs.sign(base64.b64encode(text.encode())).decode()
    assert repr(ours.read(value, math.inf)) == repr(json.loads(text))


def test_the_golden_cookie_is_read() -> None:
    assert StarletteCookies([b"k"], None).read(GOLDEN, 0) == {"u": 1}


def test_what_json_can_not_write_is_an_error_with_the_path() -> None:
    with pytest.raises(EncodeError, match="session data at a"):
        dumps({"a": {1}})


# -- Starlette's own tests -----------------------------------------------------------------------

EXCEPTIONS = {  # of the variant with a store: test, why
    "test_partitioned_session": "looks for `partitioned`; ours is `Partitioned`, as RFC 6265bis",
    "test_session_cookie_subpath": "looks for `path=`; ours is `Path=`",
    "test_domain_cookie": "looks for `domain=`; ours is `Domain=`",
}


@pytest.mark.parametrize("variant", ["cookie", "store"])
def test_starlettes_own_tests_pass(variant: str) -> None:
    folder = sources_of("starlette", "starlette")
    command = ["-p", "starlette_plugin", "tests/middleware/test_session.py"]
    found = outcomes("starlette", command, folder, SESSFAST_VARIANT=variant)
    failed = {
        name.rpartition("::")[2].partition("[")[0]
        for name, outcome in found.items()
        if outcome not in {"passed", "skipped"}
    }
    assert failed == (set(EXCEPTIONS) if variant == "store" else set())
    assert len(found) > 20
