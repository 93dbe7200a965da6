"""A memory store in front of a shared one: most reads of a process don't leave it.

What another process writes or destroys is seen here at most `seconds` later; what this process
does is seen at once. Writing always goes to the back, with the back's versions, so that a
record read here too late is a conflict there, never a lost update.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec

from sessfast.drivers import calls_of, is_async, made, made_awaited
from sessfast.errors import OptionsError
from sessfast.records import Answer, Conflict
from sessfast.state import Steps
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.memory import MemoryStore

KEPT_VERSIONS = (int, bytes, str)  # types that come back as they were; others are not kept
ABILITIES = ("all", "length", "sweep")

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def tiered(
    front: MemoryStore, back: Any, *, seconds: float = 2.0
) -> TieredStore | AsyncTieredStore:
    """A store over both: a Store, or AsyncStore if `back` is async.

    front:   for this store alone; its clock must be that of `back`
    seconds: how long a record read from `back` is shown without asking it again. As long can a
             session that another process destroyed, or logged out, go on in this one
    OptionsError for what can't work.
    """
    faults = []
    if not isinstance(front, MemoryStore):
        faults.append(f"tiered: front must be a MemoryStore, not {type(front).__name__}")
    if not callable(getattr(back, "update", None)):
        faults.append("tiered: back must be a store with the five verbs: open_store(url) makes one")
    if not seconds > 0:
        faults.append("tiered: seconds must be more than 0")
    if faults:
        raise OptionsError(faults)
    kind = AsyncTieredStore if is_async(back) else TieredStore
    return kind(front, back, seconds)


class Tiers:
    """The verbs as steps that hand out calls of the back.

    Whoever may put a record into the front takes a lease on its sid first; every change revokes
    it, so what was read before a change in this process is not put there after it.
    """

    def __init__(self, front: MemoryStore, back: Any, seconds: float) -> None:
        self.front = front
        self.back = back
        self.seconds = seconds
        self._leases: dict[str, object] = {}  # of the calls under way
        self._lock = threading.Lock()
        for name in ABILITIES:
            if callable(method := getattr(back, name, None)):
                setattr(self, name, method)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.front!r} before {self.back!r}>"

    def __getattr__(self, name: str) -> Any:
        if name == "ready":  # there only if the back has it, and moving
            return self.back.ready
        raise AttributeError(name)

    def _kept(self, sid: str) -> StoredRecord | None:
        """The record as the front knows it."""
        found = self.front.get(sid)
        if found is None:
            return None
        version, expires, blob = _unpack(found[0])
        return blob, version, expires

    def _load(self, sid: str) -> Steps:
        lease = self._lease(sid)
        record = None
        try:
            record = yield "get", (sid,)
        finally:
            self._settle(sid, lease, record)
        return record

    def _write(self, verb: str, sid: str, blob: bytes, ttl: float, *version: Version) -> Steps:
        lease = self._lease(sid)
        record = None
        expires = self.front.clock() + ttl
        try:
            reply = yield verb, (sid, blob, ttl, *version)
            if not isinstance(reply, Answer | Conflict):
                record = blob, reply, expires
        finally:
            self._settle(sid, lease, record, changes=True)
        return reply

    def _change(self, verb: str, sid: str, *arguments: Any) -> Steps:
        lease = self._lease(sid)
        try:
            return (yield verb, (sid, *arguments))
        finally:  # also after a failure: the back may have done it
            self._settle(sid, lease, None, changes=True)

    def _lease(self, sid: str) -> object:
        """Forget what the front has, and announce that we shall know better."""
        lease = object()
        with self._lock:
            self._leases[sid] = lease
            self.front.destroy(sid)
        return lease

    def _settle(
        self, sid: str, lease: object, record: StoredRecord | None, changes: bool = False
    ) -> None:
        """Put what the back said into the front, if nothing has happened to the sid since.

        changes: whether we may have changed the back: what others have read since is worth nothing
        """
        with self._lock:
            is_ours = self._leases.get(sid) is lease
            if is_ours or changes:
                self._leases.pop(sid, None)
                self.front.destroy(sid)
            if is_ours and record is not None:
                self._keep(sid, record)

    def _keep(self, sid: str, record: StoredRecord) -> None:
        blob, version, expires = record
        ttl = self.seconds
        if expires is not None:
            ttl = min(ttl, expires - self.front.clock())
        if ttl > 0 and type(version) in KEPT_VERSIONS:
            try:
                self.front.create(sid, _pack((version, expires, blob)), ttl)
            except (ValueError, OverflowError):
                pass  # too large for the front, or a version too large to be kept

    def _forget(self) -> None:
        with self._lock:
            self._leases.clear()
            self.front.clear()


class TieredStore(Tiers):
    """`tiered` over a sync store."""

    all: Callable[[], Iterator[tuple[str, StoredRecord]]]
    length: Callable[[], int]
    sweep: Callable[[int], int]
    clear: Callable[[], None]

    def __init__(self, front: MemoryStore, back: Any, seconds: float) -> None:
        super().__init__(front, back, seconds)
        self.blocking = bool(getattr(back, "blocking", True))
        self._calls = calls_of(back)
        if callable(getattr(back, "clear", None)):
            self.clear = self._clear

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, as it was at most `seconds` ago, or None."""
        record = self._kept(sid)
        return self._run(self._load(sid)) if record is None else record

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """As the back does."""
        return self._run(self._write("create", sid, blob, ttl))

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """As the back does."""
        return self._run(self._write("update", sid, blob, ttl, version))

    def touch(self, sid: str, ttl: float) -> bool:
        """As the back does."""
        return bool(self._run(self._change("touch", sid, ttl)))

    def destroy(self, sid: str) -> None:
        """Remove the record from both."""
        self._run(self._change("destroy", sid))

    def close(self) -> None:
        """Close both."""
        self.front.close()
        if callable(close := getattr(self.back, "close", None)):
            close()

    def _run(self, steps: Steps) -> Any:
        try:
            return made(self._calls, steps)
        finally:
            steps.close()  # also after KeyboardInterrupt, which no driver throws into them

    def _clear(self) -> None:
        try:
            self.back.clear()
        finally:
            self._forget()


class AsyncTieredStore(Tiers):
    """`tiered` over an async store."""

    all: Callable[[], AsyncIterator[tuple[str, StoredRecord]]]
    length: Callable[[], Awaitable[int]]
    sweep: Callable[[int], Awaitable[int]]
    clear: Callable[[], Awaitable[None]]

    def __init__(self, front: MemoryStore, back: Any, seconds: float) -> None:
        super().__init__(front, back, seconds)
        self._calls = calls_of(back)
        if callable(getattr(back, "clear", None)):
            self.clear = self._clear

    async def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, as it was at most `seconds` ago, or None."""
        record = self._kept(sid)
        return await self._run(self._load(sid)) if record is None else record

    async def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """As the back does."""
        return await self._run(self._write("create", sid, blob, ttl))

    async def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """As the back does."""
        return await self._run(self._write("update", sid, blob, ttl, version))

    async def touch(self, sid: str, ttl: float) -> bool:
        """As the back does."""
        return bool(await self._run(self._change("touch", sid, ttl)))

    async def destroy(self, sid: str) -> None:
        """Remove the record from both."""
        await self._run(self._change("destroy", sid))

    async def close(self) -> None:
        """Close both."""
        self.front.close()
        if callable(close := getattr(self.back, "close", None)):
            await close()

    async def _run(self, steps: Steps) -> Any:
        try:
            return await made_awaited(self._calls, steps)
        finally:
            steps.close()  # also when cancelled, which no driver throws into them

    async def _clear(self) -> None:
        try:
            await self.back.clear()
        finally:
            self._forget()
