"""A store that can only read, write and delete octets, as an `AsyncStore`.

Such a store can't tell a new record from an old one, so `create`, `update` and `touch` are a look
and a write here. A lock per session makes that safe within one event loop. Two processes may both
get through: the later one wins, and what was destroyed between the two calls comes back. Write a
store to the contract of `sessfast.stores.contract` where that matters.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

from sessfast.errors import StoreError
from sessfast.hotpath import new_id
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version

PREFIX = "sessfast."  # of keys: what somebody else left there has none


class OverwritingStore:
    """The five verbs over three functions that are awaited.

    read:   (key) -> the octets, or None
    write:  (key, octets, seconds), seconds being a whole number of at least 1
    remove: (key), of what may not be there
    clock:  epoch seconds
    What is written is the end of the record's life in epoch seconds, its version, which is made
    anew by every change, and the record, with a space between; it is UTF-8 text where the record
    is.
    """

    blocking = False

    def __init__(
        self,
        read: Callable[[str], Awaitable[bytes | None]],
        write: Callable[[str, bytes, int], Awaitable[object]],
        remove: Callable[[str], Awaitable[object]],
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.read = read
        self.write = write
        self.remove = remove
        self.clock = clock or time.time
        self.locks: WeakValueDictionary[tuple[Any, str], asyncio.Lock] = WeakValueDictionary()

    async def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        text = await self.read(PREFIX + sid)
        if not text:
            return None
        try:
            end, version, blob = bytes(text).split(b" ", 2)
            expires = float(end)
        except ValueError:
            raise StoreError("get", "the store returned what was not written there") from None
        return None if expires <= self.clock() else (blob, version, expires)

    async def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        async with self._lock(sid):
            if await self.get(sid) is not None:
                return EXISTS
            return await self._write(sid, blob, ttl, new_id().encode())

    async def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE."""
        async with self._lock(sid):
            record = await self.get(sid)
            if record is None:
                return GONE
            if record[1] != version:
                return Conflict(record)
            return await self._write(sid, blob, ttl, new_id().encode())

    async def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        async with self._lock(sid):
            record = await self.get(sid)
            if record is None:
                return False
            await self._write(sid, record[0], ttl, record[1])
            return True

    async def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        async with self._lock(sid):
            await self.remove(PREFIX + sid)

    async def _write(self, sid: str, blob: bytes, ttl: float, version: bytes) -> bytes:
        text = b"%.3f %b %b" % (self.clock() + ttl, version, blob)
        await self.write(PREFIX + sid, text, max(1, math.ceil(ttl)))
        return version

    def _lock(self, sid: str) -> asyncio.Lock:
        key = (asyncio.get_running_loop(), sid)
        lock = self.locks.get(key)
        if lock is None:
            lock = self.locks[key] = asyncio.Lock()
        return lock
