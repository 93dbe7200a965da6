"""A counter with Beaker's session object: python examples/beaker_app.py [PORT]."""

from __future__ import annotations

import sys
from typing import Any

from werkzeug.serving import run_simple

from sessfast.frameworks.beaker import SessionMiddleware

CONFIG = {
    "session.secret": "put the output of python -m sessfast genkey here",
    "session.timeout": "3600",
    "session.auto": "true",
    "session.sessfast.store": "memory://",
}


def counter(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Count the visits of this visitor."""
    session = environ["beaker.session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"Visits: {session['visits']}".encode()]


app = SessionMiddleware(counter, CONFIG)

if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000, app)
