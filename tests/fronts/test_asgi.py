"""The ASGI spec where WSGI has no counterpart: websockets, lifespan, streaming, servers."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from sessfast import AsyncSession, HeadersSentError, MemoryStore, SessionNotLoadedError, StoreError
from sessfast.asgi import SessionMiddleware
from sessfast.drivers import Awaited
from sessfast.testing import FakeClock, FaultyStore, seed
from tests.fronts.clients import CLIENTS, SECRET, AsgiClient, io, no_new
from tests.fronts.spy import SpyStore


def wrapped(app: Any, **options: Any) -> SessionMiddleware:
    return SessionMiddleware(app, secret=SECRET, **options)


def scope_of(kind: str = "http", headers: Any = (), **more: Any) -> dict[str, Any]:
    scheme = "ws" if kind == "websocket" else "http"
    return {"type": kind, "scheme": scheme, "path": "/", "headers": list(headers), **more}


async def serve(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that an app sends for one scope."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if scope["type"] == "websocket" else "http.request"}

    async def send(message: Any) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return messages


def cookies(message: dict[str, Any]) -> list[bytes]:
    return [value for name, value in message.get("headers", ()) if name == b"set-cookie"]


def test_lifespan_passes_through() -> None:
    """Only http and websocket scopes get a session."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope))

    asyncio.run(serve(wrapped(app), {"type": "lifespan"}))
    assert seen == [{"type": "lifespan"}]


def test_servers_take_the_middleware_for_an_asgi3_app() -> None:
    """uvicorn asks iscoroutinefunction(app.__call__); a no makes it speak ASGI 2."""
    middleware = wrapped(lambda scope, receive, send: None)
    assert asyncio.iscoroutinefunction(middleware.__call__)
    if hasattr(inspect, "markcoroutinefunction"):
        assert inspect.iscoroutinefunction(middleware.__call__)


def test_several_cookie_headers_are_one() -> None:
    """HTTP/2 splits the Cookie header; the session may be in any part."""
    client = AsgiClient()

    async def write(session: Any) -> None:
        session["a"] = 1

    cookie = client.request(write).cookie
    assert cookie is not None
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(dict(scope["session"]))

    headers = [(b"cookie", b"a=1"), (b"cookie", cookie.encode()), (b"cookie", b"b=2")]
    client.middleware.app = app
    asyncio.run(serve(client.middleware, scope_of(headers=headers)))
    assert found == [{"a": 1}]


def test_a_websocket_gets_its_cookie_with_the_accept() -> None:
    """What was written before accept() is stored and sent with it; save() stores later changes."""
    store = SpyStore(FakeClock())

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session = scope["session"]
        session["a"] = 1
        await send({"type": "websocket.accept"})
        session["a"] = 2
        await session.save()
        session["a"] = 3
        await send({"type": "websocket.close"})

    messages = asyncio.run(serve(wrapped(app, store=store), scope_of("websocket")))
    assert len(cookies(messages[0])) == 1
    assert store.calls == ["create", "update"]


@pytest.mark.parametrize("looks", [True, False])
def test_a_websocket_session_cannot_begin_after_the_accept(looks: bool) -> None:
    """There is no way to tell the browser its id: save() says so."""
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if looks:
            scope["session"].get("a")
        await send({"type": "websocket.accept"})
        scope["session"]["a"] = 2
        with pytest.raises(HeadersSentError, match="cookie"):
            await scope["session"].save()

    asyncio.run(serve(wrapped(app), scope_of("websocket")))


def test_a_websocket_that_is_refused_still_stores_a_known_session() -> None:
    """close before accept: no cookie can go out, but a loaded session keeps its change."""
    clock = FakeClock()
    store = SpyStore(clock)
    client = AsgiClient(clock, store=store)

    async def write(session: Any) -> None:
        session["a"] = 1

    cookie = client.request(write).cookie
    assert cookie is not None
    store.calls.clear()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 2
        await send({"type": "websocket.close"})

    client.middleware.app = app
    scope = scope_of("websocket", [(b"cookie", cookie.encode())])
    messages = asyncio.run(serve(client.middleware, scope))
    assert store.calls == ["get", "update"]
    assert messages == [{"type": "websocket.close"}]


def test_wss_counts_as_secure() -> None:
    """The websocket schemes mean what the http ones do."""
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        await send({"type": "websocket.accept", "headers": [(b"x", b"1")]})

    messages = asyncio.run(serve(wrapped(app), scope_of("websocket", scheme="wss")))
    assert b"; Secure" in cookies(messages[0])[0]
    assert messages[0]["headers"][0] == (b"x", b"1")


class AwaitedStore:
    """A SpyStore whose verbs are awaited, and really give way."""

    def __init__(self, clock: FakeClock) -> None:
        self.inner = SpyStore(clock)

    async def get(self, sid: str) -> Any:
        await asyncio.sleep(0)
        return self.inner.get(sid)

    async def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        await asyncio.sleep(0)
        return self.inner.create(sid, blob, ttl)

    async def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        await asyncio.sleep(0)
        return self.inner.update(sid, blob, ttl, version)

    async def touch(self, sid: str, ttl: float) -> bool:
        await asyncio.sleep(0)
        return self.inner.touch(sid, ttl)

    async def destroy(self, sid: str) -> None:
        await asyncio.sleep(0)
        self.inner.destroy(sid)


class BlockingStore(SpyStore):
    """A store that says it may wait, so that its calls belong in a thread."""

    blocking = True
    never_fails = False


@pytest.mark.parametrize("make", [AwaitedStore, BlockingStore])
def test_stores_that_wait_are_loaded_before_the_app_and_only_for_a_good_cookie(make: Any) -> None:
    """An awaited or blocking store: one get for a signed cookie, none for a forged one."""
    clock = FakeClock()
    store = make(clock)
    spy = getattr(store, "inner", store)
    client = AsgiClient(clock, store=store)

    async def write(session: Any) -> None:
        session["a"] = session.get("a", 0) + 1

    cookie = client.request(write).cookie
    assert cookie is not None
    assert spy.calls == ["create"]
    spy.calls.clear()
    client.request(write, cookie=cookie)
    assert spy.calls == ["get", "update"]
    spy.calls.clear()
    client.request(cookie=cookie[:-2] + "xx")
    client.request()
    assert spy.calls == []


@pytest.mark.parametrize("make", [AwaitedStore, BlockingStore])
def test_what_was_fetched_and_not_touched_is_untouched(make: Any) -> None:
    """Loaded before the app because that must be awaited; no Vary, no touch, its own reason."""
    clock = FakeClock()
    store = make(clock)
    spy = getattr(store, "inner", store)
    client = AsgiClient(clock, store=store)
    cookie = seed(client.middleware, {"a": 1, "list": [1]})
    clock.advance(1000)
    spy.calls.clear()
    reply = client.request(cookie=cookie)
    assert ("untouched", "unchanged") == client.reasons
    assert (["get"], []) == (spy.calls, reply.all("vary"))

    async def look(session: Any) -> None:
        assert dict(session) == {"a": 1, "list": [1]}
        await session.touch()

    assert client.request(look, cookie=cookie).all("vary") == ["Cookie"]
    assert spy.calls == ["get", "get", "touch"]


@pytest.mark.parametrize("make", [AwaitedStore, BlockingStore])
def test_a_store_that_is_down_hurts_only_who_touches_the_session(make: Any) -> None:
    """Pages that don't ask for the session go out; the others are a 503."""
    store = FaultyStore(make(FakeClock()))
    client = AsgiClient(store=store)
    cookie = seed(client.middleware, {"a": 1})
    store.down()
    assert client.request(cookie=cookie).status == 200

    async def look(session: Any) -> None:
        session.get("a")

    assert client.request(look, cookie=cookie).status == 503
    assert client.reasons == ("store-down", "failed")


def test_the_app_cannot_send_past_a_refusal() -> None:
    """A commit that fails is answered 503 at once; the app's page is dropped, its code runs on."""
    finished: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret"})
        finished.append(True)

    store = FaultyStore(SpyStore(FakeClock()))
    store.down()
    messages = asyncio.run(serve(wrapped(app, store=store), scope_of(method="GET")))
    assert [message["type"] for message in messages] == [
        "http.response.start", "http.response.body"
    ]
    assert messages[0]["status"] == 503
    assert (b"retry-after", b"2") in messages[0]["headers"]
    assert cookies(messages[0]) == []
    assert b"secret" not in messages[1]["body"]
    assert finished == [True]


def test_changes_while_a_body_streams_are_committed_before_its_last_chunk() -> None:
    """The client never sees the end of a response whose session isn't stored yet."""
    store = SpyStore(FakeClock())
    order: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session = scope["session"]
        session["list"] = []
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        session["list"].append(1)
        await send({"type": "http.response.body", "body": b"2"})

    async def run() -> None:
        async def send(message: Any) -> None:
            order.append((message["type"], list(store.calls)))

        await wrapped(app, store=store)(scope_of(), None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert order == [
        ("http.response.start", ["create"]),
        ("http.response.body", ["create"]),
        ("http.response.body", ["create", "update"]),
    ]


def test_a_client_that_disconnects_leaves_no_half_saved_session() -> None:
    """A request cancelled in the middle of its save either saved or didn't; the next one works."""
    clock = FakeClock()
    store = AwaitedStore(clock)
    client = AsgiClient(clock, store=store)

    async def write(session: Any) -> None:
        session["a"] = session.get("a", 0) + 1

    cookie = client.request(write).cookie
    assert cookie is not None
    scope = scope_of(headers=[(b"cookie", cookie.encode())], method="GET")

    async def cancelled_after(ticks: int) -> None:
        client.handler = write
        task = asyncio.ensure_future(serve(client.middleware, dict(scope)))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for ticks in (1, 2):
        asyncio.run(cancelled_after(ticks))
    found: list[int] = []

    async def look(session: Any) -> None:
        found.append(session["a"])

    assert client.request(look, cookie=cookie).status == 200
    assert 1 <= found[0] <= 3


def test_two_middlewares_with_different_names_keep_two_sessions() -> None:
    """The inner session is in the usual place, both are there by cookie name."""
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["who"] = "inner"
        scope["sessfast.sessions"]["outer.sid"]["who"] = "outer"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    stack = wrapped(wrapped(app, name="inner.sid"), name="outer.sid")
    messages = asyncio.run(serve(stack, scope_of()))
    names = [cookie.partition(b"=")[0] for cookie in cookies(messages[0])]
    assert names == [b"inner.sid", b"outer.sid"]


def test_no_reference_cycle_is_left_by_a_request() -> None:
    """The session is freed by reference counting alone, without the cycle collector."""
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        scope["session"].cookie.max_age = 60
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    async def run() -> None:
        await serve(wrapped(app), scope_of())
        with no_new(AsyncSession):
            await serve(wrapped(app), scope_of())

    asyncio.run(run())


def test_a_failure_after_the_headers_is_raised_to_the_server() -> None:
    """The server must cut the connection: the client may not take the page for stored."""
    store = FaultyStore(SpyStore(FakeClock()))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        await send({"type": "http.response.start", "status": 200})
        store.down()
        scope["session"]["a"] = 2
        await send({"type": "http.response.body"})

    with pytest.raises(StoreError):
        asyncio.run(serve(wrapped(app, store=store), scope_of()))


@pytest.mark.parametrize("kind", ["awaited", "blocking"])
def test_without_prefetch_a_session_is_loaded_by_the_app(kind: str) -> None:
    """A touch before that says what to do; what is awaited anyway loads by itself."""
    slow: Any = Slow(FakeClock())
    here = AsgiClient(store=Awaited(MemoryStore()) if kind == "awaited" else slow, prefetch=False)

    async def begin(session: Any) -> None:
        await session.load()
        session["a"] = 1

    async def touch_it(session: Any) -> None:
        with pytest.raises(SessionNotLoadedError, match=r"await session.load\(\) first"):
            session.get("a")

    async def read(session: Any) -> None:
        await session.load()
        assert session["a"] == 1

    async def destroy(session: Any) -> None:
        await session.destroy()

    cookie = here.request(begin).cookie
    here.request(touch_it, cookie=cookie)
    assert here.reasons == ("untouched", "unchanged")
    here.request(read, cookie=cookie)
    assert here.reasons == ("loaded", "unchanged")
    assert "Max-Age=0" in str(here.request(destroy, cookie=cookie).set_cookie)
    here.request(read_nothing, cookie=cookie)
    assert here.reasons[0] == "unknown-id"


async def read_nothing(session: Any) -> None:
    await session.load()
    assert session.get("a") is None


class Slow(SpyStore):
    blocking = True


@pytest.mark.parametrize("client", CLIENTS)
def test_loading_what_is_loaded_does_nothing(client: Any) -> None:
    here = client()

    async def load(session: Any) -> None:
        session["a"] = 1
        await io(session.load())
        assert session["a"] == 1

    assert here.request(load).cookie
