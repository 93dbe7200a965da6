"""Beaker's SessionMiddleware with its memory backend, the id signed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from beaker.container import MemoryNamespaceManager
from beaker.middleware import SessionMiddleware

from bench.inputs import SECRET
from bench.middlewares.proof import WSGI, proved
from bench.requests import Action, Call, wsgi_app

NAME = "Beaker, memory"
VERSION = version("beaker")
FRONT = "wsgi"
LEAVES_OUT = (
    "nothing changed is saved unless the app calls save(), which the writing handlers here do; the"
    " store never expires anything; saves overwrite each other; regenerating an id leaves the old"
    " one valid. By default a read rewrites the whole session with its access time. It locks each"
    " session while it loads or saves; pickles, in base64; HMAC-SHA1"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    def make(action: Action | None, writes: bool) -> SessionMiddleware:
        return SessionMiddleware(
            saving(action, writes), {"session.type": "memory"}, secret=SECRET, httponly=True
        )

    clear = MemoryNamespaceManager.namespaces.dict.clear
    return proved(WSGI, make, wsgi_app(None), size, column, clear)


def saving(action: Action | None, writes: bool) -> Any:
    """An app that calls save() where `action` changes the session, as Beaker wants it."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if action is not None:
            session = environ["beaker.session"]
            action(session)
            if writes:
                session.save()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    return app
