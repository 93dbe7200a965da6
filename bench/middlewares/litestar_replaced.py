"""What stands in for Litestar's server-side sessions, in a MemoryStore of ours."""

from __future__ import annotations

from bench.inputs import SECRET
from bench.middlewares.in_litestar import LITESTAR, litestar_app
from bench.middlewares.proof import proved
from bench.requests import Action, Call
from sessfast import MemoryStore, __version__
from sessfast.frameworks.litestar import ServerSideSessionConfig

NAME = "Litestar, replaced"
VERSION = __version__
FRONT = "asgi"
LEAVES_OUT = (
    "what Litestar does on each request: write a session, and send its cookie, untouched ones and"
    " visitors without one included"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = MemoryStore()

    def make(action: Action | None, writes: bool) -> object:
        config = ServerSideSessionConfig(store=store, secret=SECRET)
        return litestar_app(action, config.middleware)

    return proved(LITESTAR, make, litestar_app(None), size, column, store.clear)
