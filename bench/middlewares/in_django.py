"""How Django's session engines are asked and measured: its SessionMiddleware around a view.

The middleware is called as Django's handler calls it, with a WSGIRequest, and its answer's
headers are listed as the handler lists them. Neither URL resolver, signals nor exception wrappers
run, on either side: they are no session's cost. Parsing the Cookie header is counted, because
nothing in the bare app asks for request.COOKIES.
"""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from typing import Any

import django
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from bench.inputs import SECRET
from bench.middlewares.proof import Spoken
from bench.race import clock
from bench.requests import Action, Call, environ

NEEDS = {"wsgi.input": BytesIO()}
OURS = "sessfast.frameworks.django"


def set_up() -> None:
    """Configure Django, once per process; engines are chosen per app."""
    if settings.configured:
        return
    cache = {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},
    }
    settings.configure(
        SECRET_KEY=SECRET,
        CACHES={"default": cache},
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.sessions"],
        SESSION_ENGINE=OURS,
        USE_TZ=True,
    )
    django.setup(set_prefix=False)


def view(action: Action | None) -> Any:
    """A view that does `action` with request.session; also the bare app."""

    def show(request: Any) -> Any:
        if action is not None:
            action(request.session)
        return HttpResponse(b"ok", content_type="text/plain")

    return show


def django_app(action: Action | None, engine: str, kind: Any = SessionMiddleware) -> Any:
    """The middleware around a view. engine: last part of a module of Django's backends, or ours."""
    middleware = kind(view(action))
    place = engine if engine == OURS else f"django.contrib.sessions.backends.{engine}"
    middleware.SessionStore = import_module(place).SessionStore
    return middleware


def headers(response: Any) -> list[tuple[str, str]]:
    """What Django's handler gives to start_response."""
    cookies = (("Set-Cookie", each.output(header="")) for each in response.cookies.values())
    return [*response.items(), *cookies]


def ask(app: Any, cookie: str) -> list[str]:
    response = app(WSGIRequest(environ(cookie) | NEEDS))
    assert (response.status_code, response.content) == (200, b"ok"), response
    return [value for name, value in headers(response) if name == "Set-Cookie"]


def loop(app: Any, cookie: str) -> Call:
    template = environ(cookie) | NEEDS

    def run(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            response = app(WSGIRequest(dict(template)))
            headers(response)
            for _ in response:
                pass
        return clock() - start

    return run


DJANGO = Spoken(ask, loop)
