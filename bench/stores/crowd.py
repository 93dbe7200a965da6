"""Many requests at once on one core, each with a session in Redis: ours, starsessions', Node's.

No HTTP server: as many lanes as requests are under way at once, each of which calls the app,
waits for its answer, and calls it again. Every lane has a session of its own. What waits is the
event loop, for Redis, which has another core where there is one.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Self

import sessfast.asgi
from bench.inputs import SECRET, SMALL
from bench.requests import VISITS, header, receive, scope

LANES = 64
App = Callable[[Any, Any, Any], Awaitable[None]]


def nothing(session: Any) -> None:
    pass


def read(session: Any) -> None:
    session["user"]


def write(session: Any) -> None:
    session["visits"] = next(VISITS)


ACTIONS: dict[str, Callable[[Any], None]] = {"untouched": nothing, "read": read, "write": write}
COLUMNS = tuple(ACTIONS)


class Took(NamedTuple):
    """Seconds: by the wall, and of this process's CPU."""

    wall: float
    cpu: float


class Crowd:
    """Lanes that load one ASGI app; the event loop is theirs alone.

    wrap:    the session layer around the app
    opening: what a handler awaits before it looks at the session, given the scope; or None
    """

    def __init__(self, wrap: Callable[[App], App], opening: Any = None, close: Any = None) -> None:
        self.wrap, self.opening, self.close_store = wrap, opening, close
        self.loop = asyncio.new_event_loop()
        self.cookies = [self.loop.run_until_complete(self._begin()) for _ in range(LANES)]
        self.apps = {name: wrap(self._app(action)) for name, action in ACTIONS.items()}
        self.scopes = [scope(header(cookie)) for cookie in self.cookies]
        self._prove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.close_store is not None:
            self.loop.run_until_complete(self.close_store())
        self.loop.close()

    def run(self, column: str, calls: int) -> Took:
        """What about so many requests took."""
        return self.loop.run_until_complete(self._run(self.apps[column], calls))

    def _prove(self) -> None:
        """AssertionError where a session isn't kept, or not written."""
        before = [self._seen(cookie) for cookie in self.cookies]
        assert all(each == SMALL for each in before), "a session was not read back"
        self.run("write", LANES)
        after = [self._seen(cookie)["visits"] for cookie in self.cookies]
        assert SMALL["visits"] not in after, "what was written was not there afterwards"

    def _app(self, action: Callable[[Any], None]) -> App:
        opening = self.opening

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if opening is not None and action is not nothing:
                await opening(scope)
            action(scope["session"])
            headers = [(b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"ok"})

        return app

    async def _begin(self) -> str:
        """The cookie, `name=value`, of a new session."""
        found: list[str] = []

        async def send(message: Any) -> None:
            pairs = message.get("headers", ())
            found.extend(v.decode() for k, v in pairs if k.lower() == b"set-cookie")

        app = self.wrap(self._app(lambda session: session.update(SMALL)))
        await app(scope(header("")), receive, send)
        return found[0].partition(";")[0]

    def _seen(self, cookie: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        app = self.wrap(self._app(found.update))
        self.loop.run_until_complete(lane(app, scope(header(cookie)), 1))
        return {name: found[name] for name in SMALL}

    async def _run(self, app: App, calls: int) -> Took:
        laps = max(1, calls // LANES)
        lanes = [lane(app, template, laps) for template in self.scopes]
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*lanes)
        share = calls / (laps * LANES)
        return Took((time.perf_counter() - wall) * share, (time.process_time() - cpu) * share)


async def lane(app: App, template: dict[str, Any], laps: int) -> None:
    for _ in range(laps):
        await app(dict(template), receive, swallow)


async def swallow(message: Any) -> None:
    pass


def sessfast_crowd(url: str) -> Crowd:
    """Ours, with the usual options."""
    from sessfast.stores.redis import AsyncRedisStore

    store = AsyncRedisStore(url, prefix=f"bench-{secrets.token_hex(4)}:")

    def wrap(app: App) -> App:
        return sessfast.asgi.SessionMiddleware(app, secret=SECRET, store=store)

    return Crowd(wrap, close=store.close)


def starsessions_crowd(url: str) -> Crowd:
    """starsessions with its RedisStore, on redis-py as it comes; its handler loads by itself."""
    import redis.asyncio
    from starsessions import SessionMiddleware
    from starsessions.stores.redis import RedisStore

    client = redis.asyncio.Redis.from_url(url)
    store = RedisStore(connection=client, prefix=f"bench-{secrets.token_hex(4)}:")

    def wrap(app: App) -> App:
        layer: App = SessionMiddleware(app, store, lifetime=86_400)
        return layer

    async def opening(scope: Any) -> None:
        await scope["session_handler"].load()

    return Crowd(wrap, opening, client.aclose)
