"""Starlette's SessionMiddleware: the data travels in a signed cookie."""

from __future__ import annotations

from importlib.metadata import version

from starlette.middleware.sessions import SessionMiddleware

from bench.inputs import SECRET
from bench.middlewares.proof import ASGI, proved
from bench.requests import Action, Call, asgi_app

NAME = "Starlette, signed cookie"
VERSION = version("starlette")
FRONT = "asgi"
LEAVES_OUT = (
    "no store: sessions can't be revoked or listed, the last response wins, and the data travels"
    " with every request, unencrypted; over 4 KB it sends a cookie that browsers drop. Nested"
    " changes are not seen, and the clock restarts only on a write. HMAC-SHA1, one secret."
    " mark_accessed() is called as its request.session does, so that both sides send Vary"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(asgi_app(action, marks=True), SECRET)

    return proved(ASGI, make, asgi_app(None), size, column)
