"""What stands in for starsessions, with its InMemoryStore: the app says load_session, as there."""

from __future__ import annotations

from bench.inputs import SECRET
from bench.middlewares.in_starsessions import loading
from bench.middlewares.proof import ASGI, proved
from bench.requests import Action, Call, asgi_app
from sessfast import __version__
from sessfast.frameworks.starsessions import InMemoryStore, SessionMiddleware, load_session

NAME = "starsessions, replaced"
VERSION = __version__
FRONT = "asgi"
LEAVES_OUT = (
    "what starsessions does on each request with a session: write it, and send its cookie. A"
    " lifetime that rolls is extended when a tenth of it has passed"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = InMemoryStore()

    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(loading(action, load_session), store, secret=SECRET)

    return proved(ASGI, make, asgi_app(None), size, column, store.sessions.clear)
