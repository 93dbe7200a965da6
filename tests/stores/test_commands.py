"""What a request costs a store: how many calls, and on Redis how many commands on the wire.

The table is the promise of docs/performance.md: nothing for a session that nobody touches or
whose cookie is forged, one for a read or a new session, two for a write. One cell is dearer:
where a store is awaited, or works in a thread, the ASGI front fetches before the app runs,
since `session["key"]` can't wait. A valid cookie then costs a load whether the app looks or not,
unless prefetch=False leaves that to the app.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sessfast.asgi
import sessfast.wsgi
from sessfast import open_store
from sessfast.drivers import is_async
from tests.fronts.clients import SECRET
from tests.stores.embedded import folder, url_in
from tests.stores.servers import url_of

Action = Callable[[Any], object]


class Case(NamedTuple):
    """One kind of request.

    cookie:  "none", "valid" or "forged"
    fetched: the calls where the front fetches before the app runs, if they are others
    """

    name: str
    cookie: str
    action: Action | None
    calls: list[str]
    fetched: list[str] | None = None


def write(session: Any) -> None:
    session["visits"] = secrets.randbits(32)


CASES = [
    Case("no cookie, untouched", "none", None, []),
    Case("valid, untouched", "valid", None, [], fetched=["get"]),
    Case("reads a key", "valid", lambda session: session["user"], ["get"]),
    Case("writes a key", "valid", write, ["get", "update"]),
    Case("new session", "none", lambda session: session.update(user="ada"), ["create"]),
    Case("forged cookie", "forged", lambda session: session.get("user"), []),
]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])

# (the front, whether the store is the twin that is awaited, whether the front fetches before the
# app); "asgi" is inline or in a thread
WAYS = {
    "wsgi": (sessfast.wsgi, False, False),
    "asgi": (sessfast.asgi, False, True),
    "asgi, loaded by the app": (sessfast.asgi, False, False),
    "asgi, awaited": (sessfast.asgi, True, True),
    "asgi, awaited, loaded by the app": (sessfast.asgi, True, False),
}
every_way = pytest.mark.parametrize("way", WAYS)


class Stack:
    """A middleware of one front, its store, and an event loop that lives as long."""

    def __init__(self, way: str, store: Any) -> None:
        self.front, _, self.prefetch = WAYS[way]
        self.store = store
        self.action: Action | None = None
        self.runner = asyncio.Runner()
        self.sent: list[tuple[str, str]] = []
        app: Any = self.wsgi_app if self.front is sessfast.wsgi else self.asgi_app
        self.middleware: Any = self.front.SessionMiddleware(
            app, secret=SECRET, store=store, prefetch=self.prefetch
        )

    def close(self) -> None:
        try:
            if is_async(self.store):
                self.runner.run(self.store.close())
            elif callable(close := getattr(self.store, "close", None)):
                close()
        finally:
            self.runner.close()

    def request(self, cookie: str, action: Action | None) -> str:
        """The cookie, `name=value`, that one request brings, or ""."""
        self.action = action
        self.sent.clear()
        if self.front is sessfast.wsgi:
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
            if cookie:
                environ["HTTP_COOKIE"] = cookie
            for _ in self.middleware(environ, self.start_response):
                pass
        else:
            self.runner.run(self.asgi(cookie))
        made = [value for name, value in self.sent if name.lower() == "set-cookie"]
        return made[0].partition(";")[0] if made else ""

    def cookie(self, kind: str) -> str:
        """A Cookie header of this kind; "valid" belongs to a new session."""
        if kind == "none":
            return ""
        made = self.request("", lambda session: session.update(user="ada", visits=3))
        assert made
        return made[:-9] + made[-9:].swapcase() if kind == "forged" else made

    def act(self, session: Any) -> None:
        if self.action is not None:
            self.action(session)

    def wsgi_app(self, environ: Any, start_response: Any) -> list[bytes]:
        self.act(environ["sessfast.session"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        assert status == "200 OK"
        self.sent += headers

    async def asgi(self, cookie: str) -> None:
        headers = [(b"cookie", cookie.encode())] if cookie else []
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        await self.middleware(scope, self.receive, self.send)

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def asgi_app(self, scope: Any, receive: Any, send: Any) -> None:
        if not self.prefetch and self.action is not None:
            await scope["session"].load()
        self.act(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def send(self, message: Any) -> None:
        assert message.get("status", 200) == 200
        pairs = message.get("headers", ())
        self.sent += [(name.decode(), value.decode()) for name, value in pairs]


def expected(case: Case, way: str, kind: str) -> list[str]:
    """The calls of a case, in order."""
    fetches = WAYS[way][2] and kind != "memory"
    return case.fetched if fetches and case.fetched is not None else case.calls


# -- Redis, on the wire ------------------------------------------------------------------------

# what a verb is on the wire; a script is one command, whatever it runs inside
COMMANDS = {"get": "EVALSHA", "create": "SET", "update": "EVALSHA", "touch": "PEXPIRE"}


@contextmanager
def watched(raw: Any, prefix: str) -> Iterator[list[str]]:
    """The commands for keys with the prefix that clients send meanwhile."""
    found: list[str] = []
    with raw.monitor() as monitor:
        yield found
        raw.echo("the end")
        for each in monitor.listen():
            if "the end" in each["command"]:
                break
            if prefix in each["command"] and each["client_type"] != "lua":
                found.append(each["command"].split()[0].upper())


@every_way
@every_case
def test_commands_that_redis_sees(case: Case, way: str) -> None:
    """One command for each call; counted by Redis itself, by MONITOR."""
    redis: Any = pytest.importorskip("redis", reason="pip install sessfast[redis]")
    url, prefix = url_of("redis"), f"test-{secrets.token_hex(6)}:"
    store = open_store(url, prefix=prefix, asynchronous=WAYS[way][1])
    stack = Stack(way, store)
    raw = redis.Redis.from_url(url)
    try:
        stack.request(stack.cookie("valid"), write)  # the scripts are known from now on
        cookie = stack.cookie(case.cookie)
        with watched(raw, prefix) as seen:
            stack.request(cookie, case.action)
        assert [COMMANDS[verb] for verb in expected(case, way, "redis")] == seen
    finally:
        for key in raw.scan_iter(f"{prefix}*"):
            raw.delete(key)
        stack.close()
        raw.close()


def test_a_life_that_is_running_out_costs_one_more() -> None:
    """A read then extends it: the one PEXPIRE that the table above doesn't show."""
    redis: Any = pytest.importorskip("redis", reason="pip install sessfast[redis]")
    url, prefix = url_of("redis"), f"test-{secrets.token_hex(6)}:"
    stack = Stack("wsgi", open_store(url, prefix=prefix))
    raw = redis.Redis.from_url(url)
    try:
        cookie = stack.cookie("valid")
        stack.request(cookie, write)
        (key,) = raw.scan_iter(f"{prefix}*")
        raw.pexpire(key, 60_000)
        with watched(raw, prefix) as seen:
            stack.request(cookie, lambda session: session["user"])
        assert ["EVALSHA", "PEXPIRE"] == seen
    finally:
        for key in raw.scan_iter(f"{prefix}*"):
            raw.delete(key)
        stack.close()
        raw.close()


# -- the others, by a spy ----------------------------------------------------------------------


class Spy:
    """A store around another that writes down which verbs are called."""

    def __init__(self, store: Any) -> None:
        self.inner = store
        self.blocking = store.blocking
        self.calls: list[str] = []

    def get(self, *arguments: Any) -> Any:
        return self._note("get", arguments)

    def create(self, *arguments: Any) -> Any:
        return self._note("create", arguments)

    def update(self, *arguments: Any) -> Any:
        return self._note("update", arguments)

    def touch(self, *arguments: Any) -> Any:
        return self._note("touch", arguments)

    def destroy(self, *arguments: Any) -> Any:
        return self._note("destroy", arguments)

    def close(self) -> Any:
        close = getattr(self.inner, "close", None)
        return None if close is None else close()

    def _note(self, verb: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append(verb)
        return getattr(self.inner, verb)(*arguments)


class AsyncSpy:
    """The same around a store that is awaited."""

    def __init__(self, store: Any) -> None:
        self.inner = store
        self.calls: list[str] = []

    async def get(self, *arguments: Any) -> Any:
        return await self._note("get", arguments)

    async def create(self, *arguments: Any) -> Any:
        return await self._note("create", arguments)

    async def update(self, *arguments: Any) -> Any:
        return await self._note("update", arguments)

    async def touch(self, *arguments: Any) -> Any:
        return await self._note("touch", arguments)

    async def destroy(self, *arguments: Any) -> Any:
        return await self._note("destroy", arguments)

    async def close(self) -> None:
        await self.inner.close()

    async def _note(self, verb: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append(verb)
        return await getattr(self.inner, verb)(*arguments)


EMBEDDED = ("sqlite", "lmdb", "file")
TWINS = ("memcached", "postgres", "redis")
KINDS = [
    (kind, way)
    for kind in ("memory", *EMBEDDED, *TWINS)
    for way in WAYS
    if kind in TWINS or not WAYS[way][1]
]


@contextmanager
def spied(kind: str, way: str) -> Iterator[Stack]:
    """A stack whose store is a spy around a real one."""
    with folder() as place:
        awaited = WAYS[way][1]
        store = opened(kind, Path(place), awaited)
        stack = Stack(way, (AsyncSpy if awaited else Spy)(store))
        try:
            yield stack
        finally:
            stack.close()


def opened(kind: str, place: Path, awaited: bool) -> Any:
    """A real store of this kind; PostgreSQL's table is made."""
    if kind == "memory":
        return open_store("memory://")
    if kind in EMBEDDED:
        return open_store(url_in(place, kind))
    unique = f"test_{secrets.token_hex(6)}"
    if kind == "postgres":
        if importlib.util.find_spec("psycopg_pool") is None:
            missing("psycopg is not installed: pip install sessfast[postgres]")
        url = url_of("postgres")
        made: Any = open_store(url, table=unique)
        made.create_schema()
        made.close()
        return open_store(url, table=unique, asynchronous=awaited)
    if kind == "redis" and importlib.util.find_spec("redis") is None:
        missing("redis-py is not installed: pip install sessfast[redis]")
    return open_store(url_of(kind), prefix=f"{unique}:", asynchronous=awaited)


def missing(what: str) -> None:
    if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
        pytest.fail(f"{what}, and SESSFAST_REQUIRE_ALL=1 asks for it")
    pytest.skip(what)


@pytest.mark.parametrize(("kind", "way"), KINDS, ids=[f"{kind}, {way}" for kind, way in KINDS])
def test_calls_that_a_store_gets(kind: str, way: str) -> None:
    """The same table for every store and front."""
    with spied(kind, way) as stack:
        spy = stack.store
        for case in CASES:
            cookie = stack.cookie(case.cookie)
            spy.calls.clear()
            stack.request(cookie, case.action)
            assert (case.name, expected(case, way, kind)) == (case.name, spy.calls)
