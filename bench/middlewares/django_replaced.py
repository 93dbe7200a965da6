"""Our engine and our middleware in a Django project: both settings changed."""

from __future__ import annotations

from importlib.metadata import version

from bench.middlewares.in_django import DJANGO, OURS, django_app, set_up, view
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "sessfast in Django, engine and middleware"
VERSION = version("django")
FRONT = "wsgi"
LEAVES_OUT = (
    "the id is not signed: Django's cookie is the bare key, and its hash is what is stored. A read"
    " doesn't prolong the life, as in Django. Measured without Django's handler around it"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    set_up()
    from sessfast.frameworks.django import SessionMiddleware
    from sessfast.frameworks.django.settings import current

    def make(action: Action | None, writes: bool) -> object:
        return django_app(action, OURS, SessionMiddleware)

    return proved(DJANGO, make, view(None), size, column, current().store.clear)
