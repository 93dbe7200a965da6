"""Sessions in an LMDB file: for one host and many processes; reads wait for nobody.

Package: lmdb (py-lmdb). A record is one value: end of life and version, then the blob. All
changes are made in write transactions, of which there is one at a time on the host.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import Any, TypeVar

from sessfast.errors import OptionsError, StoreError
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.lmdb_environment import environment
from sessfast.stores.location import boolean, file_options, path_of, unknown_layout, whole

HEAD = Struct(">dQH")  # epoch seconds of the end, version, octets of a long sid that follow
LONGEST_KEY = 400  # octets; LMDB takes 511
LONG = b"\xff"  # begins the key of a sid that is no key by itself; never the first octet of UTF-8
BATCH = 100  # records per page of all()
CLEARED = 1000  # records per transaction of clear()
SWEEP_EVERY, SWEPT = 16, 64  # creates from one small sweep to the next; records that it looks at
MEBIBYTE = 1024 * 1024
Value = bytes | memoryview  # a view is one into the file, until the transaction ends
Result = TypeVar("Result")


class LMDBStore:
    """A `Store` in the folder `path`, which is made if it isn't there.

    durable:     each write waits for the disk, so that a power cut takes back the last one at
                 most. False: writes are many times faster, and the store begins empty when the
                 machine has started anew. The end of a process loses nothing either way
    map_size, max_bytes: bytes of the file to begin with, and to grow to
    max_readers: threads of all processes that may read at the same time
    blocking:    whether an ASGI front uses a thread; False only for a folder in memory
    clock:       epoch seconds
    Every now and then a create also looks at a few records and removes the expired ones.
    OptionsError for what can't work, also if the package isn't installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        durable: bool = True,
        map_size: int = 64 * MEBIBYTE,
        max_bytes: int = 64 * 1024 * MEBIBYTE,
        max_readers: int = 2048,
        blocking: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = str(path)
        self.blocking = blocking
        self.clock = clock
        numbers = {"map_size": map_size, "max_bytes": max_bytes, "max_readers": max_readers}
        faults = [f"lmdb: {name} must be more than 0" for name, n in numbers.items() if not n > 0]
        if not self.path:
            faults.append("lmdb: path must be that of a folder")
        if faults:
            raise OptionsError(faults)
        self._environment = environment(self.path, durable=durable, **numbers)
        self._closed = False
        self._sweeping = threading.Lock()
        self._swept_to = b""
        self._creates = 0

    def __repr__(self) -> str:
        return f"<LMDBStore at {self.path}>"

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        key, now = key_of(sid), self.clock()
        return self._run("get", False, lambda transaction: live(transaction.get(key), now))

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        key, now, version = key_of(sid), self.clock(), secrets.randbits(63)
        value = packed(key, sid, blob, version, now + ttl)

        def work(transaction: Any) -> Created:
            if is_live(transaction.get(key), now):
                return EXISTS
            transaction.put(key, value)
            return version

        reply = self._run("create", True, work)
        if reply is not EXISTS:
            self._creates += 1
            if self._creates % SWEEP_EVERY == 0:
                try:
                    self.sweep(SWEPT)
                except StoreError:
                    pass  # the record is stored; who sweeps next will tell
        return reply

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE."""
        key, now, new = key_of(sid), self.clock(), secrets.randbits(63)
        value = packed(key, sid, blob, new, now + ttl)

        def work(transaction: Any) -> Updated:
            record = live(transaction.get(key), now)
            if record is None:
                return GONE
            if record[1] != version:
                return Conflict(record)
            transaction.put(key, value)
            return new

        return self._run("update", True, work)

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        key, now = key_of(sid), self.clock()

        def work(transaction: Any) -> bool:
            value = transaction.get(key)
            if not is_live(value, now):
                return False
            _, version, size = HEAD.unpack_from(value)
            transaction.put(key, HEAD.pack(now + ttl, version, size) + bytes(value[HEAD.size :]))
            return True

        return self._run("touch", True, work)

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        key = key_of(sid)
        self._run("destroy", True, lambda transaction: transaction.delete(key))

    # -- for tools -------------------------------------------------------------------------

    def all(self) -> Iterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, a batch at a time; no transaction is open between."""
        after = b""
        while True:
            found = self._page("all", after, BATCH)
            now = self.clock()
            for key, value in found:
                record = live(value, now)
                if record is not None:
                    yield sid_of(key, value), record
            if len(found) < BATCH:
                return
            after = found[-1][0]

    def length(self) -> int:
        """How many records there are, with the expired ones that were not swept yet."""
        entries: int = self._run("length", False, lambda transaction: transaction.stat()["entries"])
        return entries

    def clear(self) -> None:
        """Destroy every record."""

        def work(transaction: Any) -> int:
            cursor, count = transaction.cursor(), 0
            while count < CLEARED and cursor.first() and cursor.delete():
                count += 1
            return count

        while self._run("clear", True, work) == CLEARED:
            pass

    def sweep(self, limit: int) -> int:
        """Look at the next `limit` records, remove the expired ones; how many those were."""
        with self._sweeping:
            found = self._page("sweep", self._swept_to, limit, HEAD.size)
            now = self.clock()
            expired = [key for key, head in found if not is_live(head, now)]
            removed = self._remove(expired, now) if expired else 0
            self._swept_to = found[-1][0] if len(found) == limit else b""
            return removed

    def _remove(self, keys: list[bytes], now: float) -> int:
        """Remove those of the records that have expired; one may have been touched meanwhile."""

        def work(transaction: Any) -> int:
            found = ((key, transaction.get(key)) for key in keys)
            return sum(
                transaction.delete(key)
                for key, value in found
                if value is not None and not is_live(value, now)
            )

        return self._run("sweep", True, work)

    def close(self) -> None:
        """Close the file, unless another store in this process uses it. May be called again."""
        if not self._closed:
            self._closed = True
            self._environment.release()

    def _run(self, verb: str, write: bool, work: Callable[[Any], Result]) -> Result:
        if self._closed:
            raise StoreError(verb, "the store is closed")
        return self._environment.run(verb, write, work)

    def _page(
        self, verb: str, after: bytes, limit: int, octets: int | None = None
    ) -> list[tuple[bytes, bytes]]:
        """The next `limit` keys after `after`, with the first `octets` of their values."""

        def work(transaction: Any) -> list[tuple[bytes, bytes]]:
            cursor = transaction.cursor()
            if not (cursor.set_range(after) if after else cursor.first()):
                return []
            if cursor.key() == after and not cursor.next():
                return []
            pairs = islice(cursor.iternext(keys=True, values=True), limit)
            return [(bytes(key), bytes(value[:octets])) for key, value in pairs]

        return self._run(verb, False, work)


def key_of(sid: str) -> bytes:
    """The key of a sid: its UTF-8, or a hash where that is empty or too long for a key."""
    raw = sid.encode("utf-8", "surrogatepass")
    return raw if 0 < len(raw) <= LONGEST_KEY else LONG + hashlib.sha256(raw).digest()


def sid_of(key: bytes, value: bytes) -> str:
    """The sid that `key_of` was given."""
    if key[:1] == LONG:
        size = HEAD.unpack_from(value)[2]
        key = value[HEAD.size : HEAD.size + size]
    return key.decode("utf-8", "surrogatepass")


def packed(key: bytes, sid: str, blob: bytes, version: int, end: float) -> bytes:
    """The value of a record; with the sid in it, where the key doesn't tell it."""
    raw = sid.encode("utf-8", "surrogatepass") if key[:1] == LONG else b""
    return HEAD.pack(end, version, len(raw)) + raw + blob


def is_live(value: Value | None, now: float) -> bool:
    """Whether there is a value, of a record whose end is to come."""
    return value is not None and HEAD.unpack_from(value)[0] > now


def live(value: Value | None, now: float) -> StoredRecord | None:
    """The record in a value, or None where it has expired."""
    if value is None:
        return None
    end, version, size = HEAD.unpack_from(value)
    return (bytes(value[HEAD.size + size :]), version, end) if end > now else None


def open_lmdb(url: str, layout: str | None = None, **options: Any) -> LMDBStore:
    """The store of `lmdb:////absolute/folder`; options from the query, keywords over them."""
    if layout is not None:
        raise unknown_layout("lmdb", layout, ())
    kinds: dict[str, Callable[[str], Any]] = {
        "durable": boolean,
        "blocking": boolean,
        **dict.fromkeys(("map_size", "max_bytes", "max_readers"), whole),
    }
    return LMDBStore(path_of(url), **file_options(url, kinds, options))
