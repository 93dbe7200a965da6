"""What the servers serve: one small app, bare and behind session middlewares.

Each function makes an app. Bare, nothing of a session layer is imported: a bigger heap costs
time of its own. Every route that is measured answers two bytes.

    /         does not look at the session
    /read     session["mark"]: 500 where the session has none, so that no load can lose it unseen
    /write    session["visits"] = n, another n each time
    /login    begins a session of four keys
    /visits   what /write left: how it is checked
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any

from bench.inputs import SECRET, SMALL

OK, MARK = b"ok", "me"
VISITS = count(4)
Handler = Callable[[Any], bytes]


def write(session: Any) -> bytes:
    session["visits"] = next(VISITS)
    return OK


def login(session: Any) -> bytes:
    session.update(SMALL, visits=next(VISITS), mark=MARK)
    return OK


def write_nowhere(session: Any) -> bytes:
    next(VISITS)
    return OK


ROUTES: dict[str, Handler] = {
    "/": lambda session: OK,
    "/read": lambda session: session["mark"].encode(),
    "/write": write,
    "/login": login,
    "/visits": lambda session: b"%d" % session["visits"],
}
BARE: dict[str, Handler] = {
    "/": ROUTES["/"],
    "/read": lambda session: MARK.encode(),
    "/write": write_nowhere,
}


def wsgi(routes: Mapping[str, Handler]) -> Any:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        body = routes[environ["PATH_INFO"]](environ.get("sessfast.session"))
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return app


def asgi(routes: Mapping[str, Handler]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = routes[scope["path"]](scope.get("session"))
        length = str(len(body)).encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def wsgi_bare() -> Any:
    return wsgi(BARE)


def asgi_bare() -> Any:
    return asgi(BARE)


def wsgi_sessfast() -> Any:
    from sessfast import MemoryStore
    from sessfast.wsgi import SessionMiddleware

    return SessionMiddleware(wsgi(ROUTES), secret=SECRET, store=MemoryStore())


def asgi_sessfast() -> Any:
    from sessfast import MemoryStore
    from sessfast.asgi import SessionMiddleware

    return SessionMiddleware(asgi(ROUTES), secret=SECRET, store=MemoryStore())


def asgi_starlette() -> Any:
    """Starlette's middleware keeps the data in the cookie: each /write sends it anew."""
    from starlette.middleware.sessions import SessionMiddleware

    return SessionMiddleware(asgi(ROUTES), SECRET)
