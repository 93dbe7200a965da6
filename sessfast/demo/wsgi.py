"""The demo behind the WSGI front."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable
from http import HTTPStatus
from typing import Any

from sessfast.demo.app import LARGEST_FORM, Answer, Demo, Request
from sessfast.demo.journal import Journal
from sessfast.demo.place import Place
from sessfast.demo.settings import settings
from sessfast.wsgi import ENVIRON_KEY, Environ, SessionMiddleware, StartResponse


def build(
    express: bool = False,
    clock: Callable[[], float] = time.time,
    place: Place | None = None,
    secret: str | None = None,
    **demo: Any,
) -> SessionMiddleware:
    """The whole demo as one WSGI app; secret and store are its own where none are given."""
    journal = Journal(clock, readable)
    options = settings(express, journal, place and place.store, secret)
    app = WsgiDemo(Demo("WSGI", options, journal, clock, place, **demo))
    return SessionMiddleware(app, options, clock=clock)


class WsgiDemo:
    """Environ in, response out."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = finish(self.demo.answer(environ[ENVIRON_KEY], request_of(environ)))
        if answer.set_aside:
            environ[ENVIRON_KEY] = None
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]


def request_of(environ: Environ) -> Request:
    """The request that an environ describes, its form read."""
    method = environ["REQUEST_METHOD"]
    return Request(
        method=method,
        path=readable(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/",
        query=environ.get("QUERY_STRING", ""),
        content_type=environ.get("CONTENT_TYPE", ""),
        body=form_of(environ) if method == "POST" else b"",
        secure=environ["wsgi.url_scheme"] == "https",
    )


def form_of(environ: Environ) -> bytes | None:
    """The octets of a form, or None where it is too large."""
    given = environ.get("CONTENT_LENGTH") or "0"
    length = int(given) if given.isascii() and given.isdecimal() and len(given) < 20 else 0
    if length > LARGEST_FORM:
        return None
    body: bytes = environ["wsgi.input"].read(length)
    return body


def readable(path: str) -> str:
    """A WSGI path, octets in the guise of Latin-1, as the text that it is (PEP 3333)."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def finish(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of a coroutine in which nothing waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        answer: Answer = done.value
        return answer
    coroutine.close()
    raise RuntimeError("the demo waited for something under WSGI")
