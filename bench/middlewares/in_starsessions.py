"""The app of starsessions and of what stands in for it: it says load_session() itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bench.requests import Action

Load = Callable[[Any], Awaitable[None]]


class Connection:
    """As much of Starlette's as load_session asks for."""

    __slots__ = ("scope",)

    def __init__(self, scope: Any) -> None:
        self.scope = scope


def loading(action: Action | None, load_session: Load) -> Any:
    """An app that loads the session before `action`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if action is not None:
            await load_session(Connection(scope))
            action(scope["session"])
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    return app
