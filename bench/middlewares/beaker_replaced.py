"""What stands in for Beaker's middleware: the same configuration, the same app."""

from __future__ import annotations

from bench.inputs import SECRET
from bench.middlewares.beaker_memory import saving
from bench.middlewares.proof import WSGI, proved
from bench.requests import Action, Call, wsgi_app
from sessfast import MemoryStore, __version__
from sessfast.frameworks.beaker import SessionMiddleware

NAME = "sessfast for Beaker, memory"
VERSION = __version__
FRONT = "wsgi"
LEAVES_OUT = "lock() and unlock() do nothing: parallel saves are merged. JSON data alone"


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = MemoryStore(max_entries=100_000)

    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(
            saving(action, writes), secret=SECRET, httponly=True, store=store, until="2099-01-01"
        )

    return proved(WSGI, make, wsgi_app(None), size, column, store.clear)
