"""What stands in for Starlette's SessionMiddleware where nothing but the import changes."""

from __future__ import annotations

from bench.inputs import SECRET
from bench.middlewares.proof import ASGI, proved
from bench.requests import Action, Call, asgi_app
from sessfast import __version__
from sessfast.frameworks.starlette import SessionMiddleware

NAME = "sessfast for Starlette, signed cookie"
VERSION = __version__
FRONT = "asgi"
LEAVES_OUT = (
    "no store, as Starlette's: the last response wins, nothing can be revoked; but nested changes"
    " are seen, and a cookie that browsers drop is an error"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(asgi_app(action, marks=True), SECRET)

    return proved(ASGI, make, asgi_app(None), size, column)
