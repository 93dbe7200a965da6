"""Our engine under Django's own SessionMiddleware: one setting changed."""

from __future__ import annotations

from importlib.metadata import version

from bench.middlewares.in_django import DJANGO, OURS, django_app, set_up, view
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "sessfast in Django, engine alone"
VERSION = version("django")
FRONT = "wsgi"
LEAVES_OUT = (
    "the id is not signed: Django's cookie is the bare key, and its hash is what is stored. A read"
    " doesn't prolong the life, as in Django; where a session ended meanwhile the request gets a"
    " 400. Most of it is what Django's middleware costs: parsing and writing cookies. Measured"
    " without Django's handler around it"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    set_up()
    from sessfast.frameworks.django.settings import current

    def make(action: Action | None, writes: bool) -> object:
        return django_app(action, OURS)

    return proved(DJANGO, make, view(None), size, column, current().store.clear)
