"""An app as a user of Litestar writes it, with its server-side sessions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import Any

PROTOCOL = "asgi"
MODULES = {
    "incumbent": "litestar.middleware.session.server_side",
    "replacement": "sessfast.frameworks.litestar",
}


@dataclass
class User:
    """What `set_session` takes besides dicts."""

    name: str


def build(kind: str, store: str = "memory", url: str = "", **options: Any) -> Any:
    """The app. The kinds differ in one import, and in `secret`.

    store: "memory", "redis" (Litestar's own, at `url`), or "ours", at `url`
    """
    import datetime

    from litestar import Litestar, Request, get
    from litestar.exceptions import NotAuthorizedException
    from litestar.stores.redis import RedisStore

    config_class: Any = import_module(MODULES[kind]).ServerSideSessionConfig
    events: list[Any] = []
    if kind == "replacement":
        options["observer"] = lambda event, facts: events.append([event, dict(facts)])
    stores = {"sessions": RedisStore.with_client(url)} if store == "redis" else None
    if store == "ours":
        options["store"] = url
    config = config_class(**options)
    meeting, left = asyncio.Barrier(2), asyncio.Event()

    async def write(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.session.update(request.query_params)
        return dict(request.session)

    async def show(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return dict(request.session)

    async def untouched() -> dict[str, Any]:
        return {}

    async def nested(request: Request[Any, Any, Any]) -> list[int]:
        request.session.setdefault("cart", []).append(1)
        return list(request.session["cart"])

    async def put(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.set_session({"put": "1"})
        return {}

    async def put_model(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.set_session(User("ada"))
        return {}

    async def put_date(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.session["day"] = datetime.date(2030, 1, 2)
        return {}

    async def put_set(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.session["odd"] = object()
        return {}

    async def clear(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.clear_session()
        asyncio.get_running_loop().call_later(0.05, left.set)
        return {}

    async def refuse(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.clear_session()
        raise NotAuthorizedException

    async def meet(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.session.get("u")
        await meeting.wait()
        request.session.update(request.query_params)
        return {}

    async def slow(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.session["slow"] = True
        await left.wait()
        return {}

    async def skipped(request: Request[Any, Any, Any]) -> bool:
        return "session" in request.scope

    async def told() -> list[Any]:
        found, events[:] = list(events), []
        return found

    views = (
        write, show, untouched, nested, put, put_model, put_date, put_set, clear, refuse, meet,
        slow, told,
    )  # fmt: skip
    return Litestar(
        route_handlers=[
            *(get(f"/{view.__name__}")(view) for view in views),
            get("/skipped", skip_session=True)(skipped),
            get("/excluded/x", name="excluded")(skipped),
        ],
        middleware=[config.middleware],
        stores=stores,
        openapi_config=None,
        logging_config=None,
    )
