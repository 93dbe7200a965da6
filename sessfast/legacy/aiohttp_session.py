"""How the sessions of aiohttp-session's RedisStorage are read.

The cookie is the id, a uuid4 in 32 hex digits, unsigned. The record's key is `<cookie name>_<id>`,
its JSON `{"created": epoch seconds, "session": {…}}`, `{}` where the session was invalidated.

Nothing reads SimpleCookieStorage: its cookie is plain JSON, and whoever likes can write one.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any

from sessfast.errors import DecodeError

IDS = re.compile("[0-9a-f]{32}")  # of the default key_factory
COOKIE_NAME = "AIOHTTP_SESSION"


class RedisReader:
    """Reads the records of a RedisStorage.

    client: of redis.asyncio; it stays the caller's
    cookie_name, max_age: as the storage had them
    timeout: seconds for a call
    clock:   epoch seconds
    """

    name = "aiohttp-session"
    blocking = False

    def __init__(
        self,
        client: Any,
        cookie_name: str = COOKIE_NAME,
        max_age: float | None = None,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client = client
        self.prefix = cookie_name + "_"
        self.max_age = max_age
        self.timeout = timeout
        self.clock = clock

    def key(self, value: str, now: float) -> str:
        """The id that the cookie holds. DecodeError for another form."""
        if not IDS.fullmatch(value):
            raise DecodeError("it is no id of 32 hex digits")
        return value

    async def get(self, key: str) -> dict[str, Any] | None:
        """The data of a record, or None."""
        async with asyncio.timeout(self.timeout):
            blob = await self.client.get(self.prefix + key)
        if blob is None:
            return None
        try:
            found = json.loads(blob)
        except (ValueError, RecursionError) as error:
            raise DecodeError("it is no JSON") from error
        if found == {}:
            return None
        if not isinstance(found, dict) or not isinstance(found.get("session"), dict):
            raise DecodeError("it holds no session")
        created = found.get("created")
        if not isinstance(created, int | float) or isinstance(created, bool):
            raise DecodeError("it doesn't say when it was created")
        if self.max_age is not None and self.clock() - created > self.max_age:
            return None
        return dict(found["session"])

    async def destroy(self, key: str) -> None:
        """Delete a record."""
        async with asyncio.timeout(self.timeout):
            await self.client.delete(self.prefix + key)
