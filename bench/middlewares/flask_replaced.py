"""Sessfast in place of Flask's own session: the same app, one line more."""

from __future__ import annotations

from bench.middlewares.in_flask import FLASK, bare, flask_app
from bench.middlewares.proof import proved
from bench.requests import Action, Call
from sessfast import MemoryStore, __version__
from sessfast.frameworks.flask import Sessfast

NAME = "sessfast for Flask"
VERSION = __version__
FRONT = "wsgi"
LEAVES_OUT = (
    "a session that nobody touches is not kept alive by the visit, and reading one extends its life"
    " at most once in a tenth of it"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    store = MemoryStore()

    def make(action: Action | None, writes: bool) -> object:
        app = flask_app(action)
        Sessfast(app, store=store)
        return app

    return proved(FLASK, make, bare(), size, column, store.clear)
