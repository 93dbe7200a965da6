"""The demo behind the ASGI front."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sessfast.asgi import SCOPE_KEY, Receive, Scope, Send, SessionMiddleware
from sessfast.demo.app import LARGEST_FORM, Demo, Request
from sessfast.demo.journal import Journal
from sessfast.demo.place import Place
from sessfast.demo.settings import settings


def build(
    express: bool = False,
    clock: Callable[[], float] = time.time,
    place: Place | None = None,
    secret: str | None = None,
    **demo: Any,
) -> SessionMiddleware:
    """The whole demo as one ASGI app; secret and store are its own where none are given."""
    journal = Journal(clock)
    options = settings(express, journal, place and place.store, secret)
    app = AsgiDemo(Demo("ASGI", options, journal, clock, place, **demo))
    return SessionMiddleware(app, options, clock=clock)


class AsgiDemo:
    """Scope and messages in, messages out."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        if scope["type"] != "http":
            return
        body = await form_of(receive) if scope["method"] == "POST" else b""
        answer = await self.demo.answer(scope[SCOPE_KEY], request_of(scope, body))
        if answer.set_aside:
            scope[SCOPE_KEY] = None
        headers = [(k.lower().encode(), v.encode("latin-1")) for k, v in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        content = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": content})

    async def live(self, receive: Receive, send: Send) -> None:
        """Answer the server's start and end; the store's connections belong to this event loop."""
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await self.demo.close()
        await send({"type": "lifespan.shutdown.complete"})


def request_of(scope: Scope, body: bytes | None) -> Request:
    """The request that a scope describes."""
    content_type = b"".join(v for name, v in scope["headers"] if name == b"content-type")
    return Request(
        method=scope["method"],
        path=scope["path"] or "/",
        query=scope["query_string"].decode("latin-1"),
        content_type=content_type.decode("latin-1"),
        body=body,
        secure=scope["scheme"] == "https",
    )


async def form_of(receive: Receive) -> bytes | None:
    """The octets of a form, or None where it is too large."""
    body = b""
    while len(body) <= LARGEST_FORM:
        message = await receive()
        if message["type"] != "http.request":
            return b""  # the client went away
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body if len(body) <= LARGEST_FORM else None
