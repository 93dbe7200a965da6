"""starsessions with its InMemoryStore, loaded by the handler that wants it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from starsessions import InMemoryStore, SessionMiddleware

from bench.middlewares.proof import ASGI, proved
from bench.requests import Action, Call, asgi_app

NAME = "starsessions, memory"
VERSION = version("starsessions")
FRONT = "asgi"
LEAVES_OUT = (
    "the id is not signed, and an unknown one is adopted; the store never expires anything; saves"
    " overwrite each other, and a logged-out session comes back with a slow request. Writes and"
    " sends a cookie for every loaded session that isn't empty, read or written; no Vary. The"
    " handler calls load() itself, so an untouched session is not loaded"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = InMemoryStore()

    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(loading(action), store)

    return proved(ASGI, make, asgi_app(None), size, column, store.data.clear)


def loading(action: Action | None) -> Any:
    """An app that loads the session before `action`, as `await load_session(request)` does."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if action is not None:
            await scope["session_handler"].load()
            action(scope["session"])
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    return app
