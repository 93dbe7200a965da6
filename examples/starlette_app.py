"""A counter in Starlette: python examples/starlette_app.py [PORT]."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sessfast.frameworks.starlette import SessionMiddleware

SECRET = "put the output of python -m sessfast genkey here"


async def counter(request: Request) -> PlainTextResponse:
    """Count the visits of this visitor."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return PlainTextResponse(f"Visits: {request.session['visits']}")


app = Starlette(
    routes=[Route("/", counter)],
    middleware=[Middleware(SessionMiddleware, secret_key=SECRET, store="memory://")],
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
