"""Django's signed_cookies engine: the data travels in a signed cookie."""

from __future__ import annotations

from importlib.metadata import version

from bench.middlewares.in_django import DJANGO, django_app, set_up, view
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "Django, signed cookie"
VERSION = version("django")
FRONT = "wsgi"
LEAVES_OUT = (
    "no store: sessions can't be revoked or listed, the last response wins, and the data travels"
    " with every request, unencrypted. Nested changes are not seen, a read doesn't prolong the"
    " life. HMAC-SHA256; compresses where that makes it shorter. Measured without Django's handler"
    " around it"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    set_up()

    def make(action: Action | None, writes: bool) -> object:
        return django_app(action, "signed_cookies")

    return proved(DJANGO, make, view(None), size, column)
