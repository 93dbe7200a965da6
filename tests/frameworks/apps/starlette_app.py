"""A Starlette app as its users write it; the replacement is another import, and a store."""

from __future__ import annotations

import asyncio
from typing import Any

PROTOCOL = "asgi"
MARKED: list[Any] = []  # events that the replacement told


def build(kind: str, store: str | None = None, **options: Any) -> Any:
    """kind: "incumbent" or "replacement"; options: the middleware's."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route, WebSocketRoute

    if kind == "incumbent":
        from starlette.middleware.sessions import SessionMiddleware
    else:
        from sessfast.frameworks.starlette import SessionMiddleware  # type: ignore[assignment]

        options |= {"store": store, "observer": lambda *event: MARKED.append(event)}

    async def show(request: Any) -> Any:
        return JSONResponse(dict(request.session))

    async def untouched(request: Any) -> Any:
        return PlainTextResponse("ok")

    async def put(request: Any) -> Any:
        request.session.update(await request.json())
        return JSONResponse(dict(request.session))

    async def append(request: Any) -> Any:
        request.session.setdefault("list", [])
        request.session["list"].append(1)
        return PlainTextResponse("ok")

    async def nested(request: Any) -> Any:
        request.session["list"].append(1)
        return PlainTextResponse("ok")

    async def slow(request: Any) -> Any:
        await asyncio.sleep(0)
        request.session[request.query_params["key"]] = 1
        await asyncio.sleep(0.05)
        return PlainTextResponse("ok")

    async def log_out(request: Any) -> Any:
        request.session.clear()
        return PlainTextResponse("ok")

    async def flags(request: Any) -> Any:
        session = request.session
        before = [session.accessed, session.modified]
        session.get("u")
        read = [session.accessed, session.modified]
        session["w"] = 1
        return JSONResponse([before, read, [session.accessed, session.modified]])

    async def events(request: Any) -> Any:
        told = [event for event in MARKED if event[0] != "request"]
        MARKED.clear()
        return JSONResponse(told)

    async def socket(websocket: Any) -> None:
        await websocket.accept()
        await websocket.send_json(dict(websocket.session))
        await websocket.close()

    app = Starlette(
        routes=[
            Route("/", show),
            Route("/untouched", untouched),
            Route("/put", put, methods=["POST"]),
            Route("/append", append),
            Route("/nested", nested),
            Route("/slow", slow),
            Route("/logout", log_out),
            Route("/flags", flags),
            Route("/events", events),
            WebSocketRoute("/socket", socket),
        ]
    )
    app.add_middleware(SessionMiddleware, **options)
    return app
