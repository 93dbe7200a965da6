"""Litestar with its server-side sessions, over sessfast.

Written for Litestar's ServerSideSessionConfig; two things differ: the import, and the secret.

python examples/litestar_app.py 8000
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from litestar import Litestar, Request, get
from litestar.response import Redirect

from sessfast.frameworks.litestar import ServerSideSessionConfig


@get("/", media_type="text/plain")
async def home(request: Request[Any, Any, Any]) -> str:
    """Count the visits."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    name = request.session.get("user", "nobody")
    return f"Hello {name}, visits: {request.session['visits']}"


@get("/in")
async def sign_in(request: Request[Any, Any, Any], name: str = "ada") -> Redirect:
    """Take a name, and a new id: who had the old one is signed out."""
    session: Any = request.session
    await session.regenerate(keep=True)
    session["user"] = name
    return Redirect("/")


@get("/out")
async def sign_out(request: Request[Any, Any, Any]) -> Redirect:
    """End the session."""
    request.clear_session()
    return Redirect("/")


sessions = ServerSideSessionConfig(secret="an example's secret, and no secret at all: 7Qx")
app = Litestar([home, sign_in, sign_out], middleware=[sessions.middleware])

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(app, host="127.0.0.1", port=port)
