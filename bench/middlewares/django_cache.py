"""Django's cache engine over its local-memory cache."""

from __future__ import annotations

from importlib.metadata import version

from django.core.cache import cache

from bench.middlewares.in_django import DJANGO, django_app, set_up, view
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "Django, cache engine"
VERSION = version("django")
FRONT = "wsgi"
LEAVES_OUT = (
    "the id is not signed; saves overwrite each other; a save after logout is refused, but the"
    " innocent request gets a 400. Nested changes are not seen, a read doesn't prolong the life,"
    " nothing finds a user's sessions. The cache pickles, and has one lock."
    " Measured without Django's handler around it"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    set_up()

    def make(action: Action | None, writes: bool) -> object:
        return django_app(action, "cache")

    return proved(DJANGO, make, view(None), size, column, cache.clear)
