"""Starlette with the sessions of starsessions, over sessfast.

Written for starsessions; two things differ: the package's name, and the secret.

python examples/starsessions_app.py 8000
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sessfast.frameworks.starsessions import (
    InMemoryStore,
    SessionMiddleware,
    load_session,
    regenerate_session_id,
)


async def home(request: Request) -> Response:
    """Count the visits."""
    await load_session(request)
    request.session["visits"] = request.session.get("visits", 0) + 1
    name = request.session.get("user", "nobody")
    return PlainTextResponse(f"Hello {name}, visits: {request.session['visits']}")


async def sign_in(request: Request) -> Response:
    """Take a name, and a new id: who had the old one is signed out."""
    await load_session(request)
    regenerate_session_id(request)
    request.session["user"] = request.query_params.get("name", "ada")
    return RedirectResponse("/")


async def sign_out(request: Request) -> Response:
    """End the session."""
    await load_session(request)
    request.session.clear()
    return RedirectResponse("/")


app = Starlette(
    routes=[Route("/", home), Route("/in", sign_in), Route("/out", sign_out)],
    middleware=[
        Middleware(
            SessionMiddleware,  # type: ignore[arg-type]  # mypy and **keywords don't go together
            store=InMemoryStore(),
            lifetime=3600,
            rolling=True,
            cookie_https_only=False,  # this example has no https
            secret="an example's secret, and no secret at all: 7Qx",
        )
    ],
)

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(app, host="127.0.0.1", port=port)
