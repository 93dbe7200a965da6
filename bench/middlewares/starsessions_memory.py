"""starsessions with its InMemoryStore, loaded by the handler that wants it."""

from __future__ import annotations

from importlib.metadata import version

from starsessions import InMemoryStore, SessionMiddleware, load_session

from bench.middlewares.in_starsessions import loading
from bench.middlewares.proof import ASGI, proved
from bench.requests import Action, Call, asgi_app

NAME = "starsessions, memory"
VERSION = version("starsessions")
FRONT = "asgi"
LEAVES_OUT = (
    "the id is not signed, and an unknown one is adopted; the store never expires anything; saves"
    " overwrite each other, and a logged-out session comes back with a slow request. Writes and"
    " sends a cookie for every loaded session that isn't empty, read or written; no Vary. The"
    " handler calls load_session() itself, so an untouched session is not loaded"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = InMemoryStore()

    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(loading(action, load_session), store)

    return proved(ASGI, make, asgi_app(None), size, column, store.data.clear)
