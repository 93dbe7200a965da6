"""Sessions in Redis: starsessions' arguments, our store, the records that were there before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessfast.frameworks.starsessions.exceptions import ImproperlyConfigured
from sessfast.frameworks.starsessions.stores import KEPT, Plug, SessionStore, Settings
from sessfast.legacy.starsessions import PREFIX, StoreReader
from sessfast.stores.redis import AsyncRedisStore


class RedisStore(SessionStore):
    """A store in Redis; one of `url` and `connection` is needed.

    connection: a client of redis.asyncio; it stays the caller's
    prefix: of the keys of old records: a str, or a callable(id) that gives the key. A str of your
            own stands before the keys of the new ones, too
    gc_ttl: seconds that a session lives which ends with the browser
    `read`, `write` and `remove` are about the old records.
    """

    def __init__(
        self,
        url: str | None = None,
        connection: Any = None,
        prefix: Callable[[str], str] | str = PREFIX,
        gc_ttl: int = KEPT,
    ) -> None:
        if not (url or connection):
            raise ImproperlyConfigured("RedisStore needs a url, or a connection")
        own = {}
        if isinstance(prefix, str) and prefix != PREFIX:
            own["prefix"] = prefix + "sessfast:"
        self.sessions = AsyncRedisStore(connection or url, **own)
        self.prefix: Callable[[str], str] = (
            (lambda sid: prefix + sid) if isinstance(prefix, str) else prefix
        )
        self.gc_ttl = gc_ttl

    @property
    def _connection(self) -> Any:
        """The client of the running event loop."""
        return self.sessions._here()

    async def read(self, session_id: str, lifetime: int) -> bytes:
        """The octets of an old record; none if there is none."""
        found: bytes | None = await self._connection.get(self.prefix(session_id))
        return found or b""

    async def write(self, session_id: str, data: bytes, lifetime: int, ttl: int) -> str:
        """Write a record as starsessions does."""
        seconds = self.gc_ttl if lifetime == 0 else max(1, ttl)
        await self._connection.set(self.prefix(session_id), data, ex=seconds)
        return session_id

    async def remove(self, session_id: str) -> None:
        """Delete an old record."""
        await self._connection.delete(self.prefix(session_id))

    def plug(self, settings: Settings) -> Plug:
        """Our store, and the reader of the old records."""
        reader = StoreReader(self, settings.lifetime, **settings.options)
        return Plug(self.sessions, (reader,), self.gc_ttl)


__all__ = ["RedisStore"]
