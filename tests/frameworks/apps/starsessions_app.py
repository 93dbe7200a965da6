"""An app as a user of starsessions writes it: Starlette, Redis or signed cookies."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

PROTOCOL = "asgi"
PACKAGES = {"incumbent": "starsessions", "replacement": "sessfast.frameworks.starsessions"}


def build(
    kind: str,
    store: str = "redis",
    url: str = "",
    key: str = "key",
    secret: str | None = None,
    observer: Any = None,
    rolling: bool = False,
    **options: Any,
) -> Any:
    """The app. The kinds differ in the package, and in `secret`.

    store: "redis" at `url`, "cookie" signed with `key`, whose sessions then are at `url`,
           "memory", or "own"
    """
    from redis.asyncio import Redis
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    sessions: Any = import_module(PACKAGES[kind])
    loaded = sessions.load_session
    events: list[Any] = []
    if secret is not None:
        options["secret"] = secret
    if kind == "replacement":
        options["observer"] = lambda event, facts: events.append([event, dict(facts)])

    class OwnStore(sessions.SessionStore):  # type: ignore[misc]
        def __init__(self) -> None:
            self.held: dict[str, bytes] = {}

        async def read(self, session_id: str, lifetime: int) -> bytes:
            await asyncio.sleep(0)
            return self.held.get(session_id, b"")

        async def write(self, session_id: str, data: bytes, lifetime: int, ttl: int) -> str:
            await asyncio.sleep(0)
            self.held[session_id] = data
            return session_id

        async def remove(self, session_id: str) -> None:
            await asyncio.sleep(0)
            self.held.pop(session_id, None)

    if store == "redis":
        redis_store = import_module(PACKAGES[kind] + ".stores.redis").RedisStore
        made = redis_store(connection=Redis.from_url(url))
    elif store == "cookie":
        made = sessions.CookieStore(key, **({"store": url} if kind == "replacement" else {}))
    else:
        made = {"memory": sessions.InMemoryStore, "own": OwnStore}[store]()
    meeting, left = asyncio.Barrier(2), asyncio.Event()

    async def write(request: Request) -> JSONResponse:
        await loaded(request)
        request.session.update(request.query_params)
        return JSONResponse(dict(request.session))

    async def show(request: Request) -> JSONResponse:
        await loaded(request)
        return JSONResponse(dict(request.session))

    async def untouched(request: Request) -> JSONResponse:
        return JSONResponse({})

    async def forgets(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.session))

    async def autoloaded(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.session))

    async def nested(request: Request) -> JSONResponse:
        await loaded(request)
        request.session.setdefault("cart", []).append(1)
        return JSONResponse(request.session["cart"])

    async def clear(request: Request) -> JSONResponse:
        await loaded(request)
        request.session.clear()
        return JSONResponse({}, background=BackgroundTask(left.set))

    async def regenerate(request: Request) -> JSONResponse:
        await loaded(request)
        return JSONResponse(sessions.regenerate_session_id(request))

    async def facts(request: Request) -> JSONResponse:
        await loaded(request)
        metadata = dict(sessions.get_session_metadata(request))
        left = sessions.get_session_remaining_seconds(request)
        return JSONResponse([metadata, left, sessions.get_session_id(request)])

    async def meet(request: Request) -> JSONResponse:
        await loaded(request)
        request.session.get("u")
        await meeting.wait()
        request.session.update(request.query_params)
        return JSONResponse({})

    async def slow(request: Request) -> JSONResponse:
        await loaded(request)
        request.session["slow"] = True
        await left.wait()
        return JSONResponse({})

    async def told(request: Request) -> JSONResponse:
        found, events[:] = list(events), []
        return JSONResponse(found)

    views = (
        write, show, untouched, forgets, autoloaded, nested, clear, regenerate, facts, meet, slow,
        told,
    )  # fmt: skip
    return Starlette(
        routes=[Route(f"/{view.__name__}", view) for view in views],
        middleware=[
            Middleware(sessions.SessionMiddleware, store=made, rolling=rolling, **options),
            Middleware(sessions.SessionAutoloadMiddleware, paths=["/autoloaded"]),
        ],
    )
