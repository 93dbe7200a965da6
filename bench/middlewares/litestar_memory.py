"""Litestar's server-side sessions in its MemoryStore."""

from __future__ import annotations

from importlib.metadata import version

from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.stores.memory import MemoryStore

from bench.middlewares.in_litestar import LITESTAR, event_loop, litestar_app
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "Litestar, memory"
VERSION = version("litestar")
FRONT = "asgi"
LEAVES_OUT = (
    "the id is not signed, and an unknown one is adopted; saves overwrite each other, and a"
    " logged-out session comes back with a slow request. Every request loads its session, writes"
    " it and sends its cookie, untouched, empty and unknown ones too; no Vary. Its store is awaited"
    " under an asyncio lock, ours answers at once"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = MemoryStore()

    def make(action: Action | None, writes: bool) -> object:
        app = litestar_app(action, ServerSideSessionConfig().middleware)
        app.stores.register("sessions", store, allow_override=True)
        return app

    def clear() -> None:
        event_loop().run(store.delete_all())

    return proved(LITESTAR, make, litestar_app(None), size, column, clear)
