"""An app on Quart's own sessions; in the replacement it says Sessfast(app) besides."""

# mypy: ignore-errors
from __future__ import annotations

import asyncio
import json
from typing import Any

import quart
from quart import request, session, websocket

PROTOCOL = "asgi"
MEETINGS: dict[str, Any] = {}


def build(kind: str, config: dict[str, Any] | None = None, **options: Any) -> Any:
    app = quart.Quart("shop")
    app.secret_key = "the secret of a shop, long enough: 9fQ2-mX"
    app.config.update(config or {})
    events: list[Any] = []
    if kind == "replacement":
        from sessfast.frameworks.quart import Sessfast

        tell = {"observer": lambda event, facts: events.append([event, dict(facts)])}
        Sessfast(app, **options, **tell)

    @app.get("/set")
    async def put() -> str:
        session.get(request.args["key"])
        if "meet" in request.args:
            parties = int(request.args["of"])
            await MEETINGS.setdefault(request.args["meet"], asyncio.Barrier(parties)).wait()
        session[request.args["key"]] = json.loads(request.args.get("value", "1"))
        return ""

    @app.get("/all")
    async def everything() -> str:
        return json.dumps(dict(session), default=repr)

    @app.get("/untouched")
    async def untouched() -> str:
        return "a page"

    @app.get("/cart")
    async def cart() -> str:
        session["cart"] = []
        return ""

    @app.get("/append")
    async def append() -> str:
        session["cart"].append(1)
        return str(len(session["cart"]))

    @app.get("/logout")
    async def logout() -> str:
        session.clear()
        return ""

    @app.get("/regenerate")
    async def regenerate() -> str:
        await app.session_interface.regenerate(session)
        return ""

    @app.get("/stream")
    async def stream() -> Any:
        session["began"] = True
        mine = session._get_current_object()

        async def body() -> Any:
            yield b"a"
            mine["ended"] = True
            yield b"b"

        return body()

    @app.get("/events")
    async def show() -> str:
        told = [each for each in events if each[0] != "request"]
        events.clear()
        return json.dumps(told)

    @app.websocket("/socket")
    async def socket() -> None:
        key = await websocket.receive()
        session[key] = True
        await websocket.send(json.dumps(dict(session)))

    return app
