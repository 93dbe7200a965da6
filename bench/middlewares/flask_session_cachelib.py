"""Flask-Session over cachelib's SimpleCache, which is a dict in the process."""

from __future__ import annotations

from importlib.metadata import version

from cachelib import SimpleCache
from flask_session import Session

from bench.middlewares.in_flask import FLASK, bare, flask_app
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "Flask-Session, memory"
VERSION = version("flask-session")
FRONT = "wsgi"
LEAVES_OUT = (
    "the id is not signed; saves overwrite each other, and a logged-out session comes back with a"
    " slow request. By default every request with a session loads it, writes it and sends its"
    " cookie: that is its sliding life, and how nested changes get saved. The cache pickles"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    cache = SimpleCache(threshold=1_000_000)

    def make(action: Action | None, writes: bool) -> object:
        app = flask_app(action, SESSION_TYPE="cachelib", SESSION_CACHELIB=cache)
        Session(app)
        return app

    return proved(FLASK, make, bare(), size, column, cache.clear)
