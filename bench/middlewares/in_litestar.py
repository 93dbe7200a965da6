"""How Litestar's session backends are asked and measured: a whole app, routing included.

The bare app is the same Litestar without the session middleware. An event loop runs, since
Litestar's stores take locks of anyio; a turn's requests follow one another in one task of it.
"""

from __future__ import annotations

import asyncio
import atexit
from functools import cache
from typing import Any

from litestar import Litestar, Request, get

from bench.middlewares.proof import Spoken, set_cookies
from bench.race import clock
from bench.requests import Action, Call, receive, scope


@cache
def event_loop() -> asyncio.Runner:
    """One for the process, closed at its end."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


def litestar_app(action: Action | None, *middleware: Any) -> Any:
    """A Litestar whose one handler does `action` with request.session."""

    async def show(request: Request[Any, Any, Any]) -> str:
        if action is not None:
            action(request.session)
        return "ok"

    handler = get("/articles/7", media_type="text/plain")(show)
    return Litestar([handler], middleware=middleware, openapi_config=None, logging_config=None)


def fresh(template: dict[str, Any]) -> dict[str, Any]:
    """A scope for one request; Litestar keeps what it parsed in a scope's `state`."""
    return {**template, "state": {}}


def ask(app: Any, cookie: str) -> list[str]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    event_loop().run(app(fresh(scope(cookie)), receive, send))
    return set_cookies(sent)


def loop(app: Any, cookie: str) -> Call:
    template = scope(cookie)

    async def send(message: dict[str, Any]) -> None:
        pass

    async def turn(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            await app(fresh(template), receive, send)
        return clock() - start

    def run(calls: int) -> float:
        return event_loop().run(turn(calls))

    return run


LITESTAR = Spoken(ask, loop)
