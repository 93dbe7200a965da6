"""A counter in Pyramid: python examples/pyramid_app.py [PORT]."""

from __future__ import annotations

import sys

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from werkzeug.serving import run_simple

from sessfast.frameworks.pyramid import SessfastSessionFactory

SECRET = "put the output of python -m sessfast genkey here"


def counter(request: Request) -> Response:
    """Count the visits of this visitor."""
    session = request.session
    session["visits"] = session.get("visits", 0) + 1
    return Response(f"Visits: {session['visits']}")


factory = SessfastSessionFactory(secret=SECRET, store="memory://")
with Configurator(session_factory=factory) as config:
    config.add_route("home", "/")
    config.add_view(counter, route_name="home")
    app = config.make_wsgi_app()

if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000, app)
