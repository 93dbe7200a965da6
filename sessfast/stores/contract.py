"""What a store is: five verbs over opaque bytes, and small abilities that it may have besides.

A store needs no base class. Whether it is async is seen from `get`: a coroutine function.
`sessfast.testing.StoreContract` proves a store; docs/writing-a-store.md walks through one.

The words: `sid` is the key, a str that the rules have made (never a cookie's raw text, unless
`hash_ids` is off). `blob` is bytes and must come back as it went in. `ttl` is seconds from now,
more than 0. `version` is the store's own token for compare-and-set, never None, and never one
that this sid had before with another blob. A record is a `sessfast.Record` or a plain tuple in its
order. What went wrong in the backend is raised, as whatever the client raises: only "there is
no such record" is an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any, Literal, Protocol, TypeAlias

from sessfast.records import Answer, Conflict

Version: TypeAlias = Any
StoredRecord: TypeAlias = tuple[bytes, Version, float | None]
Created: TypeAlias = Version | Literal[Answer.EXISTS]
Updated: TypeAlias = Version | Conflict | Literal[Answer.GONE]


class Store(Protocol):
    """A store whose verbs return when they are done."""

    @property
    def blocking(self) -> bool:
        """Whether a verb may wait, for a disk or a server: an ASGI front then uses a thread.

        Read once, when a front is built. A store without this attribute counts as blocking.
        """

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None.

        An expired record is None, whatever the backend still holds.
        """

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """Store a new record: its version, or EXISTS where a live one has the sid.

        Never overwrites a live record. Of two at once, one gets EXISTS.
        """

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """Replace the record that has `version`, and its end of life: its new version.

        Conflict(record), with what is stored now, where the version is another. GONE where there
        is no live record: an update never creates, so that what was destroyed stays so.
        """

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one.

        Never creates, never rewrites the blob, and leaves the version as it is.
        """

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""


class AsyncStore(Protocol):
    """A store whose verbs are coroutine functions; else as `Store`."""

    async def get(self, sid: str) -> StoredRecord | None:
        """As `Store.get`."""

    async def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """As `Store.create`."""

    async def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """As `Store.update`."""

    async def touch(self, sid: str, ttl: float) -> bool:
        """As `Store.touch`."""

    async def destroy(self, sid: str) -> None:
        """As `Store.destroy`."""


# Abilities that a store may have besides; those of an async store are awaited.


class IterableStore(Protocol):
    """Can show what it holds."""

    def all(self) -> Iterator[tuple[str, StoredRecord]] | AsyncIterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, fetched in bounded batches.

        What is stored or destroyed meanwhile may be met or not; everything else is met once.
        """


class CountableStore(Protocol):
    """Can count."""

    def length(self) -> int | Awaitable[int]:
        """How many records there are; expired ones may be counted until they are swept."""


class ClearableStore(Protocol):
    """Can be emptied."""

    def clear(self) -> None | Awaitable[None]:
        """Destroy every record of this store."""


class SweepableStore(Protocol):
    """Can remove what has expired; for backends that don't do so themselves."""

    def sweep(self, limit: int) -> int | Awaitable[int]:
        """Look at up to `limit` more records, remove the expired ones; how many those were.

        Each call goes on where the last one stopped, and begins anew at the end.
        """


class ClosableStore(Protocol):
    """Holds something that should be given back: connections, memory."""

    def close(self) -> None | Awaitable[None]:
        """Give it back. May be called again; no other verb may be called after it."""
