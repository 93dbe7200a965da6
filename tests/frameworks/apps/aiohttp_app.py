"""An app as a user of aiohttp-session writes it, on a port of its own."""

from __future__ import annotations

import asyncio
from typing import Any

PROTOCOL = "asgi"  # spoken by Relay, for aiohttp has a server of its own


class Relay:
    """An ASGI app that hands each request to an aiohttp app, which runs in the same loop."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.starting: asyncio.Task[tuple[int, Any]] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.starting is None:
            self.starting = asyncio.create_task(self._started())
        port, client = await self.starting
        query = scope["query_string"].decode()
        url = f"http://127.0.0.1:{port}{scope['path']}?{query}"
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        if scope["type"] == "websocket":
            await self._talk(client, url, headers, receive, send)
            return
        async with client.request(
            scope["method"], url, headers=headers, allow_redirects=False
        ) as response:
            pairs = [(bytes(name).lower(), bytes(value)) for name, value in response.raw_headers]
            body = await response.read()
            await send({"type": "http.response.start", "status": response.status, "headers": pairs})
            await send({"type": "http.response.body", "body": body})

    async def _talk(self, client: Any, url: str, headers: Any, receive: Any, send: Any) -> None:
        await receive()
        async with client.ws_connect(url, headers=headers) as socket:
            pairs = [
                (name.lower().encode(), value.encode())
                for name, value in socket._response.headers.items()
            ]
            await send({"type": "websocket.accept", "headers": pairs})
            while (message := await receive())["type"] == "websocket.receive":
                await socket.send_str(message["text"])
                await send({"type": "websocket.send", "text": (await socket.receive()).data})

    async def _started(self) -> tuple[int, Any]:
        from aiohttp import ClientSession, DummyCookieJar, web

        runner = web.AppRunner(self.app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner.addresses[0][1], ClientSession(cookie_jar=DummyCookieJar())


def build(kind: str, store: str = "redis", url: str = "", **options: Any) -> Any:
    """The app. The kinds differ in the package, and in what `setup` is given.

    store: "redis" at `url`, "memory", or "down"
    """
    from aiohttp import web

    app = web.Application()
    events: list[Any] = []
    if kind == "incumbent":
        from aiohttp_session import get_session, new_session, setup
        from aiohttp_session.redis_storage import RedisStorage
        from redis.asyncio import Redis

        setup(app, RedisStorage(Redis.from_url(url), **options))
    else:
        from sessfast import MemoryStore
        from sessfast.frameworks.aiohttp import get_session, new_session, setup
        from sessfast.testing import FaultyStore

        if store == "redis":
            from redis.asyncio import Redis

            from sessfast.legacy.aiohttp_session import RedisReader

            options = {"legacy": [RedisReader(Redis.from_url(url))], "until": "2100-01-01",
                       "store": url, **options}  # fmt: skip
        elif store == "down":
            faulty = options["store"] = FaultyStore(MemoryStore())

        setup(app, observer=lambda event, facts: events.append([event, dict(facts)]), **options)
    meeting, left = asyncio.Barrier(2), asyncio.Event()
    routes = web.RouteTableDef()

    @routes.get("/write")
    async def write(request: Any) -> Any:
        session = await get_session(request)
        session.update(request.query)
        return web.json_response(dict(session))

    @routes.get("/show")
    async def show(request: Any) -> Any:
        return web.json_response(dict(await get_session(request)))

    @routes.get("/untouched")
    async def untouched(request: Any) -> Any:
        return web.json_response({})

    @routes.get("/nested")
    async def nested(request: Any) -> Any:
        session = await get_session(request)
        session.setdefault("cart", []).append(1)
        session.changed()
        return web.json_response(session["cart"])

    @routes.get("/clear")
    async def clear(request: Any) -> Any:
        session = await get_session(request)
        session.invalidate()
        asyncio.get_running_loop().call_later(0.05, left.set)
        return web.json_response(session.empty)

    @routes.get("/new")
    async def new(request: Any) -> Any:
        session = await new_session(request)
        session["fresh"] = "1"
        return web.json_response(session.new)

    @routes.get("/facts")
    async def facts(request: Any) -> Any:
        session = await get_session(request)
        return web.json_response(
            [session.new, session.identity, session.created, session.empty, session.max_age]
        )

    @routes.get("/month")
    async def month(request: Any) -> Any:
        session = await get_session(request)
        session.max_age = 30 * 86400
        return web.json_response({})

    @routes.get("/redirect")
    async def redirect(request: Any) -> Any:
        (await get_session(request))["seen"] = "1"
        raise web.HTTPFound("/show")

    @routes.get("/stream")
    async def stream(request: Any) -> Any:
        session = await get_session(request)
        session["first"] = "1"
        response = web.StreamResponse()
        await response.prepare(request)
        session["late"] = "1"
        await response.write(b"x")
        await response.write_eof()
        return response

    @routes.get("/socket")
    async def socket(request: Any) -> Any:
        session = await get_session(request)
        session["opened"] = "1"
        made = web.WebSocketResponse()
        await made.prepare(request)
        async for message in made:
            session["said"] = message.data
            await session.save()
            await made.send_str(message.data)
        return made

    @routes.get("/choose")
    async def choose(request: Any) -> Any:
        (await get_session(request)).set_new_identity("mine")

    @routes.get("/meet")
    async def meet(request: Any) -> Any:
        session = await get_session(request)
        session.get("u")
        await meeting.wait()
        session.update(request.query)
        return web.json_response({})

    @routes.get("/slow")
    async def slow(request: Any) -> Any:
        (await get_session(request))["slow"] = True
        await left.wait()
        return web.json_response({})

    @routes.get("/told")
    async def told(request: Any) -> Any:
        found, events[:] = list(events), []
        return web.json_response(found)

    @routes.get("/down")
    async def down(request: Any) -> Any:
        faulty.down()
        return web.json_response({})

    app.add_routes(routes)
    return Relay(app)
