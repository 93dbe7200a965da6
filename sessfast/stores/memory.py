# cython: binding=False, embedsignature=True, embedsignature.format=clinic
"""Sessions in this process's memory: bounded, swept, thread-safe, gone at a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import ClassVar

from sessfast.hotpath import TTLTable, take_over
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version

SWEPT_PER_WRITE = 4  # a million sessions are looked through once in 250,000 writes
BATCH = 256


class Verbs:
    """What a `MemoryStore` does with its table: all that a request calls. Compiled, a C type."""

    _table: TTLTable
    clock: Callable[[], float]

    @property
    def evictions(self) -> int:
        """How many live sessions were dropped so far to keep the bounds."""
        return self._table.evictions

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        return self._table.get(sid, self.clock())

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS. ValueError where it alone exceeds max_bytes."""
        now = self.clock()
        self._table.sweep(now, SWEPT_PER_WRITE)
        return self._table.create(sid, blob, now + ttl, now) or EXISTS

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE. ValueError as for `create`."""
        now = self.clock()
        self._table.sweep(now, SWEPT_PER_WRITE)
        reply = self._table.update(sid, blob, now + ttl, version, now)
        if reply > 0:
            return reply
        # it may be destroyed between the two calls, and then it is gone
        record = self._table.get(sid, now) if reply else None
        return GONE if record is None else Conflict(record)

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        now = self.clock()
        return self._table.touch(sid, now + ttl, now)

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        self._table.destroy(sid)

    def all(self) -> Iterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, in no order; looking doesn't count as use."""
        cursor = 0
        while True:
            now = self.clock()
            sids, cursor = self._table.keys(cursor, BATCH, now)
            for sid in sids:
                record = self._table.peek(sid, now)
                if record is not None:
                    yield sid, record
            if cursor == 0:
                return

    def length(self) -> int:
        """How many records there are, with the expired ones that were not swept yet."""
        return len(self._table)

    def clear(self) -> None:
        """Destroy every record."""
        self._table.clear()

    def sweep(self, limit: int) -> int:
        """Look at the next `limit` records, remove the expired ones; how many those were."""
        return self._table.sweep(self.clock(), limit)

    def close(self) -> None:
        """Free the memory."""
        self._table.clear()


class MemoryStore(Verbs):
    """A `Store` in memory, for one process: two workers have two stores.

    max_entries: how many sessions it holds at most
    max_bytes:   how many octets, with what a session takes beside its data
    clock:       epoch seconds
    Beyond either bound the sessions that were not used for longest are dropped (`evictions`
    counts them). Every write also removes a few that have expired: no thread is needed.
    """

    blocking: ClassVar[bool] = False
    never_fails: ClassVar[bool] = True

    _table_type: ClassVar[type[TTLTable]] = TTLTable

    def __init__(
        self,
        *,
        max_entries: int = 1_000_000,
        max_bytes: int = 256 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.clock = clock
        self._table = self._table_type(max_entries, max_bytes)

    def __repr__(self) -> str:
        held, octets = len(self._table), self._table.nbytes
        return (
            f"<MemoryStore: {held} of at most {self.max_entries} sessions, "
            f"{octets} of at most {self.max_bytes} bytes>"
        )


take_over(globals())
