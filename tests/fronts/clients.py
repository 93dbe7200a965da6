"""One client for two fronts: a test's handler is written once and runs under WSGI and ASGI.

A handler is `async def handler(session)`. Under WSGI its awaits never wait: `io()` passes
on what a sync method returned.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sessfast.asgi
import sessfast.wsgi
from sessfast.testing import FakeClock

SECRET = "a secret of the tests, 32 bytes or more: Zx81-qL0"
Handler = Callable[[Any], Awaitable[object]]

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
OCTETS = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
ATTRIBUTE = (
    r"Domain=[A-Za-z0-9.\-]+|Path=[\x20-\x3a\x3c-\x7e]+"
    r"|Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT|Max-Age=-?\d+"
    r"|HttpOnly|Secure|Partitioned|Priority=(?:Low|Medium|High)|SameSite=(?:Lax|Strict|None)"
)
SET_COOKIE = re.compile(rf"{TOKEN}={OCTETS}(?:; (?:{ATTRIBUTE}))*")


class Reply(NamedTuple):
    """What a client sees of a response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def set_cookie(self) -> str | None:
        """The one Set-Cookie header, checked against its grammar, or None."""
        values = self.all("set-cookie")
        assert len(values) <= 1, values
        for value in values:
            assert SET_COOKIE.fullmatch(value), value
        return values[0] if values else None

    @property
    def cookie(self) -> str | None:
        """What a browser would send back, or None if no cookie was set."""
        return self.set_cookie.partition(";")[0] if self.set_cookie else None


async def io(result: Any) -> Any:
    """What a session's method returned, awaited where it must be."""
    return await result if inspect.isawaitable(result) else result


def finish(coroutine: Coroutine[Any, Any, Any] | Awaitable[Any]) -> Any:
    """The result of a coroutine that never really waits."""
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    raise AssertionError("a sync handler waited")


@contextmanager
def no_new(kind: type) -> Iterator[None]:
    """Fails if objects of `kind` are left behind although the cycle collector didn't run."""
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(item, kind) for item in gc.get_objects())
        yield
        assert before == sum(isinstance(item, kind) for item in gc.get_objects())
    finally:
        gc.enable()


async def nothing(session: Any) -> None:
    """The handler that never looks at its session."""


class Client:
    """A middleware of one front around an app that calls the handler of each request."""

    front = ""

    def __init__(self, clock: FakeClock | None = None, **options: Any) -> None:
        self.clock = clock or FakeClock()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.handler: Handler = nothing
        options.setdefault("secret", SECRET)
        options.setdefault("observer", lambda event, facts: self.events.append((event, facts)))
        given = options.pop("preset", None)
        self.status, self.headers, self.chunks = 200, [("content-type", "text/plain")], [b"ok"]
        self.middleware = self.build(given, options)

    def build(self, given: Any, options: dict[str, Any]) -> Any:
        raise NotImplementedError

    def request(
        self,
        handler: Handler = nothing,
        *,
        cookie: str | None = None,
        path: str = "/",
        method: str = "GET",
        scheme: str = "http",
        headers: Iterable[tuple[str, str]] = (),
    ) -> Reply:
        """The response to one request, whose app runs `handler` before it starts to answer."""
        self.handler = handler
        self.events.clear()
        fields = [*headers, *([("cookie", cookie)] if cookie is not None else [])]
        return self.call(path, method, scheme, fields)

    def call(self, path: str, method: str, scheme: str, fields: list[tuple[str, str]]) -> Reply:
        raise NotImplementedError

    @property
    def reasons(self) -> tuple[str, str]:
        """(read, sent) of the last request, as its one `request` event gives them."""
        facts = [facts for event, facts in self.events if event == "request"]
        assert len(facts) == 1, self.events
        return facts[0]["read"], facts[0]["sent"]

    @property
    def names(self) -> list[str]:
        """The events of the last request, without the closing `request`."""
        return [event for event, _ in self.events if event != "request"]


class WsgiClient(Client):
    front = "wsgi"

    def build(self, given: Any, options: dict[str, Any]) -> Any:
        return sessfast.wsgi.SessionMiddleware(self.app, given, clock=self.clock, **options)

    def app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        finish(self.handler(environ.get("sessfast.session")))
        start_response(f"{self.status} Whatever", list(self.headers))
        return list(self.chunks)

    def environ(
        self, path: str, method: str, scheme: str, fields: list[tuple[str, str]]
    ) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": scheme,
        }
        for name, value in fields:
            key = "HTTP_" + name.upper().replace("-", "_")
            joint = "; " if name == "cookie" else ","
            environ[key] = environ[key] + joint + value if key in environ else value
        return environ

    def call(self, path: str, method: str, scheme: str, fields: list[tuple[str, str]]) -> Reply:
        started: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            started[:] = [int(status.split()[0]), headers]
            return lambda data: None

        body = self.middleware(self.environ(path, method, scheme, fields), start_response)
        try:
            content = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        return Reply(started[0], started[1], content)


class AsgiClient(Client):
    front = "asgi"

    def build(self, given: Any, options: dict[str, Any]) -> Any:
        return sessfast.asgi.SessionMiddleware(self.app, given, clock=self.clock, **options)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await self.handler(scope.get("session"))
        headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    def call(self, path: str, method: str, scheme: str, fields: list[tuple[str, str]]) -> Reply:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": scheme,
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": b"",
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in fields],
        }
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            messages.append(message)

        async def run() -> None:
            await self.middleware(scope, receive, send)

        try:
            run_coroutine = run()
            if getattr(self.middleware.driver, "waits", False):
                asyncio.run(run_coroutine)
            else:
                finish(run_coroutine)
        finally:
            run_coroutine.close()
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in messages[0]["headers"]]
        body = b"".join(message.get("body", b"") for message in messages[1:])
        return Reply(messages[0]["status"], headers, body)


CLIENTS = [WsgiClient, AsgiClient]
