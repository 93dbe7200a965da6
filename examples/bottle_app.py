"""A counter in Bottle: python examples/bottle_app.py [PORT]."""

from __future__ import annotations

import sys

import bottle
from werkzeug.serving import run_simple

from sessfast.wsgi import SessionMiddleware

SECRET = "put the output of python -m sessfast genkey here"
inner = bottle.Bottle()


@inner.get("/")  # type: ignore[untyped-decorator]  # Bottle has no types
def counter() -> str:
    """Count the visits of this visitor."""
    session = bottle.request.environ["sessfast.session"]
    session["visits"] = session.get("visits", 0) + 1
    return f"Visits: {session['visits']}"


app = SessionMiddleware(inner, secret=SECRET, store="memory://")

if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000, app)
