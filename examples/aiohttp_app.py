"""aiohttp with sessions of sessfast.

python examples/aiohttp_app.py 8000
"""

from __future__ import annotations

import sys

from aiohttp import web

from sessfast.frameworks.aiohttp import get_session, new_session, setup

routes = web.RouteTableDef()


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    """Count the visits."""
    session = await get_session(request)
    session["visits"] = session.get("visits", 0) + 1
    name = session.get("user", "nobody")
    return web.Response(text=f"Hello {name}, visits: {session['visits']}")


@routes.get("/in")
async def sign_in(request: web.Request) -> web.Response:
    """Take a name, in a new session: who had the old id is signed out."""
    session = await new_session(request)
    session["user"] = request.query.get("name", "ada")
    raise web.HTTPFound("/")


@routes.get("/out")
async def sign_out(request: web.Request) -> web.Response:
    """End the session."""
    session = await get_session(request)
    await session.destroy()
    raise web.HTTPFound("/")


app = web.Application()
app.add_routes(routes)
setup(app, secret="an example's secret, and no secret at all: 7Qx")

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    web.run_app(app, host="127.0.0.1", port=port)
