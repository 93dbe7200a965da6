"""Sessfast in place of Flask-Session: the same app and settings, another import."""

from __future__ import annotations

from cachelib import SimpleCache

from bench.middlewares.in_flask import FLASK, bare, flask_app
from bench.middlewares.proof import proved
from bench.requests import Action, Call
from sessfast import MemoryStore, __version__
from sessfast.frameworks.flask import Session

NAME = "sessfast for Flask-Session"
VERSION = __version__
FRONT = "wsgi"
LEAVES_OUT = (
    "a session that nobody touches is not kept alive by the visit, and reading one extends its life"
    " at most once in a tenth of it"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    cache, store = SimpleCache(), MemoryStore()

    def make(action: Action | None, writes: bool) -> object:
        app = flask_app(action, SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)
        Session(app, store=store)
        return app

    return proved(FLASK, make, bare(), size, column, store.clear)
