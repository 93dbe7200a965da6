"""Flask's own session: the data travels in a signed cookie."""

from __future__ import annotations

from importlib.metadata import version

from bench.middlewares.in_flask import FLASK, bare, flask_app
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "Flask, signed cookie"
VERSION = version("flask")
FRONT = "wsgi"
LEAVES_OUT = (
    "no store: sessions can't be revoked or listed, the last response wins, and the data travels"
    " with every request, unencrypted. Nested changes are not seen unless the app says so. The"
    " cookie is opened whether the view looks or not. HMAC-SHA1. Its JSON keeps tuples, bytes,"
    " dates and UUIDs"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    def make(action: Action | None, writes: bool) -> object:
        return flask_app(action)

    return proved(FLASK, make, bare(), size, column)
