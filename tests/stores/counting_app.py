"""The app of test_workers: `/KEY` adds one to a key of the session, tells its value and the pid."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from sessfast.wsgi import SessionMiddleware

SECRET = "not a secret, but as long as one must be"


def count(environ: Any, start_response: Any) -> Iterable[bytes]:
    """`/` tells all counts."""
    session, key = environ["sessfast.session"], environ["PATH_INFO"].strip("/")
    if key:
        session[key] = session.get(key, 0) + 1
        answer = f"{session[key]} {os.getpid()}"
    else:
        answer = " ".join(f"{name}={session[name]}" for name in sorted(session))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer.encode()]


def build(url: str) -> SessionMiddleware:
    """What gunicorn serves, in each of its workers."""
    return SessionMiddleware(count, secret=SECRET, store=url, on_conflict="merge")
