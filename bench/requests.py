"""Whole requests, in-process: what a session costs above the bare app, in six columns.

No server: a loop calls `app(environ, start_response)`, or drives the coroutine of
`app(scope, receive, send)`, which never waits. Every call gets a fresh environ or scope; that
cost is in the bare app too, whose time is measured in turns with the others and subtracted.

    python -m bench.requests     answers orders on stdin: how the other backend is measured
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any, NamedTuple

import starlette.middleware.sessions

import sessfast.asgi
import sessfast.wsgi
from bench.inputs import AFTER, BEFORE, SECRET, SESSIONS
from bench.race import clock
from sessfast import MemoryStore

ROOT = Path(__file__).parent.parent
VISITS = count(4)
Action = Callable[[Any], object]
Call = Callable[[int], float]


def write(session: Any) -> None:
    session["visits"] = next(VISITS)


def begin(session: Any) -> None:
    session["user"] = "ada"


class Column(NamedTuple):
    """One kind of request. cookie: "none", "valid" or "forged"; action: what its handler does."""

    cookie: str
    action: Action | None


COLUMNS = {
    "no cookie, untouched": Column("none", None),
    "valid, untouched": Column("valid", None),
    "reads a key": Column("valid", lambda session: session["user"]),
    "writes a key": Column("valid", write),
    "new session": Column("none", begin),
    "forged cookie": Column("forged", lambda session: session.get("user")),
}
FRONTS = ("wsgi", "asgi")
SIZES = tuple(SESSIONS)


class Cell(NamedTuple):
    """What is measured at once: one column of one front, with sessions of one size."""

    front: str
    size: str
    column: str

    @property
    def name(self) -> str:
        return f"{self.front}, {self.size}, {self.column}"


def header(cookie: str) -> str:
    """A browser's Cookie header: five cookies, ours among them, or four."""
    return "; ".join(filter(None, (BEFORE, cookie, AFTER)))


def forge(cookie: str) -> str:
    """`cookie` with another signature, of the same form."""
    place = len(cookie) - 9
    return cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]


# -- WSGI ------------------------------------------------------------------------------------


def wsgi_app(action: Action | None) -> Any:
    """An app whose handler does `action` with the session, and answers two bytes."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if action is not None:
            action(environ["sessfast.session"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    return app


def environ(cookie: str) -> dict[str, Any]:
    """What a WSGI server hands over, as far as an app can tell."""
    template = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/articles/7",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "example.org",
        "HTTP_ACCEPT": "text/html",
        "HTTP_USER_AGENT": "a browser",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    return {**template, "HTTP_COOKIE": cookie} if cookie else template


def wsgi_loop(app: Any, cookie: str) -> Call:
    template = environ(cookie)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return None

    def run(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            body = app(dict(template), start_response)
            for _ in body:
                pass
        return clock() - start

    return run


def wsgi_cookie(app: Any, cookie: str = "") -> str | None:
    """The Set-Cookie value that one request brings."""
    found: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        found.extend(value for name, value in headers if name.lower() == "set-cookie")

    list(app(environ(cookie), start_response))
    return found[0] if found else None


# -- ASGI ------------------------------------------------------------------------------------


def asgi_app(action: Action | None, marks: bool = False) -> Any:
    """An app whose handler does `action` with the session, and answers two bytes.

    marks: say that the session was accessed, as Starlette's `request.session` does
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if action is not None:
            session = scope["session"]
            if marks:
                session.mark_accessed()
            action(session)
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    return app


def scope(cookie: str) -> dict[str, Any]:
    """What an ASGI server hands over for a GET."""
    headers = [(b"host", b"example.org"), (b"accept", b"text/html"), (b"user-agent", b"a browser")]
    if cookie:
        headers.append((b"cookie", cookie.encode("latin-1")))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/articles/7",
        "raw_path": b"/articles/7",
        "query_string": b"",
        "headers": headers,
        "state": {},
    }


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def asgi_loop(app: Any, cookie: str) -> Call:
    template = scope(cookie)

    async def send(message: Any) -> None:
        pass

    def run(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            try:
                app(dict(template), receive, send).send(None)
            except StopIteration:
                continue
            raise AssertionError("a request waited")
        return clock() - start

    return run


def asgi_cookie(app: Any, cookie: str = "") -> str | None:
    """The Set-Cookie value that one request brings."""
    found: list[str] = []

    async def send(message: Any) -> None:
        pairs = message.get("headers", ())
        found.extend(value.decode() for name, value in pairs if name.lower() == b"set-cookie")

    with suppress(StopIteration):
        app(scope(cookie), receive, send).send(None)
    return found[0] if found else None


# -- who is measured ---------------------------------------------------------------------------


class Front(NamedTuple):
    """How one server protocol is spoken here."""

    app: Callable[..., Any]
    loop: Callable[[Any, str], Call]
    cookie: Callable[..., str | None]
    middleware: Any


SPOKEN = {
    "wsgi": Front(wsgi_app, wsgi_loop, wsgi_cookie, sessfast.wsgi.SessionMiddleware),
    "asgi": Front(asgi_app, asgi_loop, asgi_cookie, sessfast.asgi.SessionMiddleware),
}


def cookie_for(column: Column, front: Front, seeder: Any) -> str:
    """The Cookie header of a column's requests. seeder: an app that begins a session."""
    if column.cookie == "none":
        return header("")
    made = front.cookie(seeder)
    assert made is not None, "the seeding request set no cookie"
    pair = made.partition(";")[0]
    return header(forge(pair) if column.cookie == "forged" else pair)


def bare(cell: Cell) -> Call:
    """The app without any session layer; its requests carry our cookie all the same."""
    front, column = SPOKEN[cell.front], COLUMNS[cell.column]
    return front.loop(front.app(None), cookie_for(column, front, _seeder(cell, MemoryStore())))


def ours(cell: Cell) -> Call:
    """The app behind our middleware, with a MemoryStore of its own."""
    front, column = SPOKEN[cell.front], COLUMNS[cell.column]
    store = MemoryStore()
    cookie = cookie_for(column, front, _seeder(cell, store))
    app = front.middleware(front.app(column.action), secret=SECRET, store=store)
    check(cell, front.cookie, app, cookie)
    loop = front.loop(app, cookie)
    if cell.column != "new session":
        return loop

    def run(calls: int) -> float:
        store.clear()
        return loop(calls)

    return run


def _seeder(cell: Cell, store: Any) -> Any:
    front, data = SPOKEN[cell.front], SESSIONS[cell.size]
    seed = front.app(lambda session: session.update(data))
    return front.middleware(seed, secret=SECRET, store=store)


def starlettes(cell: Cell) -> Call:
    """The same app behind Starlette's SessionMiddleware: the data travels in the cookie."""
    make = starlette.middleware.sessions.SessionMiddleware
    column, data = COLUMNS[cell.column], SESSIONS[cell.size]
    seeder = make(asgi_app(lambda session: session.update(data)), SECRET)
    cookie = cookie_for(column, SPOKEN["asgi"], seeder)
    app = make(asgi_app(column.action, marks=True), SECRET)
    check(cell, asgi_cookie, app, cookie)
    return asgi_loop(app, cookie)


def check(cell: Cell, cookie_of: Callable[..., str | None], app: Any, cookie: str) -> None:
    """Refuse to measure a middleware that doesn't do the column's work."""
    made = cookie_of(app, cookie)
    if cell.column == "new session" and made is None:
        raise AssertionError(f"{cell.name}: no cookie was set")
    if cell.column in ("no cookie, untouched", "valid, untouched", "reads a key") and made:
        raise AssertionError(f"{cell.name}: a cookie was set")


WHO: dict[str, Callable[[Cell], Call]] = {"bare": bare, "ours": ours, "starlette": starlettes}


# -- the other backend -------------------------------------------------------------------------


class Other:
    """A process whose backend is the pure one, and which measures when it is told to."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.requests"],
            cwd=ROOT,
            env={**os.environ, "SESSFAST_PURE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, who: str, cell: Cell) -> Call:
        """A contestant that runs over there."""

        def run(calls: int) -> float:
            orders, answers = self._pipes()
            print(json.dumps([who, cell, calls]), file=orders, flush=True)
            answer = answers.readline()
            if not answer:
                raise RuntimeError("the pure process died: its error is above")
            return float(answer)

        return run

    def close(self) -> None:
        """End the process: it stops where its orders do."""
        orders, answers = self._pipes()
        orders.close()
        self.process.wait()
        answers.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout


@contextmanager
def other_backend() -> Iterator[Other]:
    """The other process, ended when the block is left."""
    other = Other()
    try:
        yield other
    finally:
        other.close()


def serve() -> None:
    """Answer each line `[who, cell, calls]` by the seconds it took."""
    present, calls = None, dict[str, Call]()
    for line in sys.stdin:
        who, parts, number = json.loads(line)
        if present != (cell := Cell(*parts)):
            present, calls = cell, {}  # one cell at a time: old stores would only fill the caches
            gc.collect()
            gc.freeze()
        if who not in calls:
            calls[who] = WHO[who](cell)
        print(calls[who](number), flush=True)


if __name__ == "__main__":
    serve()
