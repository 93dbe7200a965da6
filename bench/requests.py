"""Whole requests, in-process: what a session costs above the bare app, in six columns.

No server: a loop calls `app(environ, start_response)`, or drives the coroutine of
`app(scope, receive, send)`, which never waits. Every call gets a fresh environ or scope. The bare
app is the same app, handler included, that finds a plain dict where the others have a session;
its time is measured in turns with theirs and subtracted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import starlette.middleware.sessions

import bench.floor
import sessfast.asgi
import sessfast.wsgi
from bench.inputs import AFTER, BEFORE, SECRET, SESSIONS
from bench.race import clock
from bench.twins import TWINS
from sessfast import MemoryStore

VISITS = count(4)  # the numbers that are written: another one each time
Action = Callable[[Any], object]
Call = Callable[[int], float]
Wrap = Callable[[Any], Any]
WSGI_KEY = "sessfast.session"
SCOPE_KEY = "session"


def write(session: Any) -> None:
    session["visits"] = next(VISITS)


def begin(session: Any) -> None:
    session["user"] = "ada"


def recall(session: Any) -> object:
    return session.get("user")


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
    "forged cookie": Column("forged", recall),
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
    """`cookie` with another signature, of the same form: it differs within the last characters.

    Neither the very last, whose low bits mean nothing, nor a percent escape.
    """
    places = [m.start() for m in re.finditer("%..|.", cookie) if m[0].isalnum()]
    place = places[-9]
    return cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]


# -- WSGI ------------------------------------------------------------------------------------


def wsgi_app(action: Action | None) -> Any:
    """An app whose handler does `action` with the session, and answers two bytes."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if action is not None:
            action(environ[WSGI_KEY])
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


def wsgi_loop(app: Any, cookie: str, session: Any = None) -> Call:
    """Calls `app` as a server would.

    session: what the environs hold at the session's place, before any middleware
    """
    template = environ(cookie)
    if session is not None:
        template[WSGI_KEY] = session

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
            session = scope[SCOPE_KEY]
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


def asgi_loop(app: Any, cookie: str, session: Any = None) -> Call:
    """Calls `app` as a server would.

    session: what the scopes hold at the session's place, before any middleware
    """
    template = scope(cookie)
    if session is not None:
        template[SCOPE_KEY] = session

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
    loop: Callable[..., Call]
    cookie: Callable[..., str | None]
    middleware: Any


SPOKEN = {
    "wsgi": Front(wsgi_app, wsgi_loop, wsgi_cookie, sessfast.wsgi.SessionMiddleware),
    "asgi": Front(asgi_app, asgi_loop, asgi_cookie, sessfast.asgi.SessionMiddleware),
}


def begun(front: Front, wrap: Wrap, data: dict[str, Any]) -> str:
    """The cookie, `name=value`, of a new session that holds `data`."""
    made = front.cookie(wrap(front.app(lambda session: session.update(data))))
    assert made is not None, "the seeding request set no cookie"
    return made.partition(";")[0]


def cookie_for(cell: Cell, wrap: Wrap) -> str:
    """The Cookie header of a cell's requests.

    wrap: the middleware that knows the session
    """
    column = COLUMNS[cell.column]
    if column.cookie == "none":
        return header("")
    pair = begun(SPOKEN[cell.front], wrap, SESSIONS[cell.size])
    return header(forge(pair) if column.cookie == "forged" else pair)


def bare(cell: Cell) -> Call:
    """The app without any session layer; its requests carry our cookie all the same."""
    front, action = SPOKEN[cell.front], COLUMNS[cell.column].action
    cookie = cookie_for(cell, our_wrap(front, MemoryStore()))
    held = None if action is None else dict(SESSIONS[cell.size])
    return front.loop(front.app(action), cookie, held)


def ours(cell: Cell) -> Call:
    """The app behind our middleware, with a MemoryStore of its own."""
    store = MemoryStore()
    return behind(cell, our_wrap(SPOKEN[cell.front], store), store.clear)


def floor(cell: Cell) -> Call:
    """The app behind the all-C prototype, with a compiled TTLTable of its own."""
    table = floor_table()
    return behind(cell, floor_wrap(SPOKEN[cell.front], table), table.clear)


def starlettes(cell: Cell) -> Call:
    """The same app behind Starlette's SessionMiddleware: the data travels in the cookie."""
    return behind(cell, starlette_wrap, lambda: None, marks=True)


def our_wrap(front: Front, store: MemoryStore, secret: Any = SECRET) -> Wrap:
    return partial(front.middleware, secret=secret, store=store)


def starlette_wrap(app: Any) -> Any:
    return starlette.middleware.sessions.SessionMiddleware(app, SECRET)


def no_floor() -> str:
    """Why the floor can't be measured here; "" where it can."""
    if "compiled" not in TWINS:
        return "the floor uses the compiled TTLTable, which was not built"
    return bench.floor.built()[1]


def floor_table() -> Any:
    return TWINS["compiled"].TTLTable(2_000_000, 1 << 40)


def floor_wrap(front: Front, table: Any, secrets: Sequence[str] = (SECRET,)) -> Wrap:
    made, is_asgi = bench.floor.built()[0].Front, front is SPOKEN["asgi"]
    return lambda app: made(app, [secret.encode() for secret in secrets], table, is_asgi)


def behind(cell: Cell, wrap: Wrap, clear: Callable[[], None], marks: bool = False) -> Call:
    """The cell's app behind a middleware, which was seen to do the column's work.

    clear: empties the middleware's store
    """
    front, column = SPOKEN[cell.front], COLUMNS[cell.column]
    app_of = partial(front.app, marks=True) if marks else front.app
    cookie = cookie_for(cell, wrap)
    app = wrap(app_of(column.action))
    check(cell, wrap, app_of, app, cookie)
    loop = front.loop(app, cookie)
    if cell.column != "new session":
        return loop

    def run(calls: int) -> float:
        clear()
        return loop(calls)

    return run


def check(cell: Cell, wrap: Wrap, app_of: Callable[..., Any], app: Any, cookie: str) -> None:
    """Refuse to measure a middleware that doesn't do the column's work."""
    cookie_of = SPOKEN[cell.front].cookie
    seen: list[Any] = []

    def look(session: Any) -> None:
        seen.extend((session.get("user"), session.get("visits")))

    made = cookie_of(app, cookie)
    cookie_of(wrap(app_of(look)), header(made.partition(";")[0]) if made else cookie)
    data = SESSIONS[cell.size]
    expected = {
        "no cookie, untouched": [None, None],
        "new session": ["ada", None],
        "forged cookie": [None, None],
        "writes a key": [data["user"], next(VISITS) - 1],
    }.get(cell.column, [data["user"], data["visits"]])
    if seen != expected:
        raise AssertionError(f"{cell.name}: the next request finds {seen}, not {expected}")
    if cell.column == "new session" and made is None:
        raise AssertionError(f"{cell.name}: no cookie was set")
    if cell.column not in ("new session", "writes a key", "forged cookie") and made:
        raise AssertionError(f"{cell.name}: a cookie was set")


WHO: dict[str, Callable[[Sequence[str]], Call]] = {
    "bare": lambda parts: bare(Cell(*parts)),
    "ours": lambda parts: ours(Cell(*parts)),
}
