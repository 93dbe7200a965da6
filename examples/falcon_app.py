"""A counter in Falcon: python examples/falcon_app.py [PORT]."""

from __future__ import annotations

import sys

import falcon
from werkzeug.serving import run_simple

from sessfast.wsgi import SessionMiddleware

SECRET = "put the output of python -m sessfast genkey here"


class Counter:
    """The page."""

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Count the visits of this visitor."""
        session = request.env["sessfast.session"]
        session["visits"] = session.get("visits", 0) + 1
        response.text = f"Visits: {session['visits']}"


inner = falcon.App()
inner.add_route("/", Counter())
app = SessionMiddleware(inner, secret=SECRET, store="memory://")

if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000, app)
