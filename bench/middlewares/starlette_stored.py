"""What stands in for Starlette's SessionMiddleware with sessions on the server."""

from __future__ import annotations

from bench.inputs import SECRET
from bench.middlewares.proof import ASGI, proved
from bench.requests import Action, Call, asgi_app
from sessfast import MemoryStore, __version__
from sessfast.frameworks.starlette import SessionMiddleware

NAME = "sessfast for Starlette, memory"
VERSION = __version__
FRONT = "asgi"
LEAVES_OUT = "nothing: it is the ASGI front itself, with Starlette's keywords"


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = MemoryStore(max_entries=100_000)

    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(asgi_app(action, marks=True), SECRET, store=store)

    return proved(ASGI, make, asgi_app(None), size, column, store.clear)
