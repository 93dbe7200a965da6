"""An in-memory table of blobs that expire, bounded by entries and octets: the pure twin.

All times are epoch seconds that the caller gives: there is no clock in here. An entry is live
while `now < expires`; one that isn't is never shown, whether or not it still takes room.

Entries live in numbered slots. A freed slot is the next one taken, the newest freed first, so
that `sweep` and `keys` can walk the slots in bounded steps while the table changes under them.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import RLock
from typing import NoReturn

REVISION = 1

# What an entry takes beside the octets of key and blob, counted against max_bytes.
# Measured with a million entries: bench/memory.py.
OVERHEAD = 460

MOST_ENTRIES = 2**32 - 2
MOST_BYTES = 2**62
LARGEST = 2**32 - 1
SMALL = 1024

Record = tuple[bytes, int, float]


class Entry:
    """A record, the octets that it counts for, and its slot."""

    __slots__ = ("record", "size", "slot")

    record: Record
    size: int
    slot: int


class TTLTable:
    """Blobs under text keys, with a version and an end of life each.

    max_entries: 1 to 2**32 - 2
    max_bytes:   1 to 2**62, compared with `nbytes`
    Where either would be exceeded the entries that were not used for longest make room.
    Keys are any str without lone surrogates (ValueError), blobs are bytes (TypeError).
    Versions come from one counter per table, so that no version ever returns.
    Any method may be called from any thread.
    """

    __slots__ = (
        "__weakref__", "_entries", "_evictions", "_free", "_hand", "_largest", "_last_version",
        "_lock", "_max_bytes", "_max_entries", "_nbytes", "_slots",
    )  # fmt: skip

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = bounded("max_entries", max_entries, MOST_ENTRIES)
        self._max_bytes = bounded("max_bytes", max_bytes, MOST_BYTES)
        self._largest = min(self._max_bytes, LARGEST)
        # reentrant: a signal handler or a finalizer may come here in the middle of a call
        self._lock = RLock()
        # from the least to the most recently used
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._slots: list[str | None] = []
        self._free: list[int] = []
        self._hand = 0
        self._nbytes = 0
        self._last_version = 0
        self._evictions = 0

    def __reduce__(self) -> NoReturn:
        raise TypeError("a TTLTable can't be copied or pickled")

    def __repr__(self) -> str:
        return f"<TTLTable of {len(self)} entries, {self._nbytes} bytes>"

    def __len__(self) -> int:
        """How many entries there are, with the expired ones that were not swept yet."""
        return len(self._entries)

    @property
    def nbytes(self) -> int:
        """Octets counted against max_bytes: key, blob and OVERHEAD of every entry."""
        return self._nbytes

    @property
    def evictions(self) -> int:
        """How many live entries were dropped so far to keep the bounds."""
        return self._evictions

    def get(self, key: str, now: float) -> Record | None:
        """(blob, version, expires) of a live entry, or None. It becomes the freshest."""
        if type(key) is not str or not key.isascii():
            key = plain(key)
        # Without the lock, which would cost as much as all the rest: each of these steps is
        # atomic, and a record that is destroyed between two of them was live when we looked.
        entry = self._entries.get(key)
        if entry is None:
            return None
        record = entry.record
        if record[2] > now:  # this way round, an end that is NaN has passed
            try:
                self._entries.move_to_end(key)
            except KeyError:
                pass
            return record
        with self._lock:
            self._live(key, now)  # removes it, unless it has been written meanwhile
        return None

    def peek(self, key: str, now: float) -> Record | None:
        """As `get`, but neither freshens nor removes anything."""
        entry = self._entries.get(plain(key))
        if entry is None:
            return None
        record = entry.record
        return record if record[2] > now else None

    def create(self, key: str, blob: bytes, expires: float, now: float) -> int:
        """The new entry's version (1 or more), or 0 where a live entry has the key.

        Never overwrites. ValueError where the entry alone exceeds max_bytes.
        """
        if type(key) is not str or not key.isascii():
            key = plain(key)
        if type(blob) is not bytes:
            blob = plain_blob(blob)
        expires = expires + 0.0
        size = self._fitting(key, blob)
        with self._lock:
            if key in self._entries and self._live(key, now) is not None:
                return 0
            entry = Entry()
            if self._free:
                entry.slot = self._free.pop()
                self._slots[entry.slot] = key
            else:
                entry.slot = len(self._slots)
                self._slots.append(key)
            self._last_version = version = self._last_version + 1
            entry.record = blob, version, expires
            entry.size = size
            self._entries[key] = entry
            self._nbytes += size
            if self._nbytes > self._max_bytes or len(self._entries) > self._max_entries:
                self._make_room(now)
            return version

    def update(self, key: str, blob: bytes, expires: float, version: int, now: float) -> int:
        """The new version; 0 where no live entry has the key, -1 where its version is another.

        Never creates. ValueError where the entry alone would exceed max_bytes.
        """
        if type(key) is not str or not key.isascii():
            key = plain(key)
        if type(blob) is not bytes:
            blob = plain_blob(blob)
        expires = expires + 0.0
        if not isinstance(version, int):
            raise TypeError("version must be an int")
        size = self._fitting(key, blob)
        with self._lock:
            entry = self._live(key, now)
            if entry is None:
                return 0
            if entry.record[1] != version:
                return -1
            self._last_version = version = self._last_version + 1
            entry.record = blob, version, expires
            self._nbytes += size - entry.size
            entry.size = size
            self._entries.move_to_end(key)
            if self._nbytes > self._max_bytes:
                self._make_room(now)
            return version

    def touch(self, key: str, expires: float, now: float) -> bool:
        """Give a live entry a new end and make it the freshest; False where there is none.

        Blob and version stay.
        """
        if type(key) is not str or not key.isascii():
            key = plain(key)
        expires = expires + 0.0
        with self._lock:
            entry = self._live(key, now)
            if entry is None:
                return False
            blob, version, _ = entry.record
            entry.record = blob, version, expires
            self._entries.move_to_end(key)
            return True

    def destroy(self, key: str) -> bool:
        """Remove the entry; whether there was one, live or not."""
        if type(key) is not str or not key.isascii():
            key = plain(key)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return False
            self._remove(key, entry)
            return True

    def sweep(self, now: float, limit: int) -> int:
        """Look at the next `limit` slots (1 or more) and remove the expired; how many those were.

        Goes on where the last call stopped, and stops at the last slot: a full pass takes at
        most ceil(slots / limit) + 1 calls.
        """
        if limit < 1:
            raise ValueError("limit must be 1 or more")
        removed = 0
        with self._lock:
            start = self._hand
            some = self._slots[start : start + limit]
            stop = start + len(some)
            self._hand = stop if stop < len(self._slots) else 0
            for key in some:
                if key is None:
                    continue
                entry = self._entries.get(key)  # a signal handler may have destroyed it just now
                if entry is not None and not entry.record[2] > now:
                    self._remove(key, entry)
                    removed += 1
        return removed

    def keys(self, cursor: int, limit: int, now: float) -> tuple[list[str], int]:
        """The live keys in `limit` slots (1 or more) from `cursor` on, and the next cursor.

        cursor: 0 to begin; the next cursor is 0 at the end
        The list may be empty before the end. What lives through a whole walk is met once.
        """
        if cursor < 0:
            raise ValueError("cursor must be 0 or more")
        if limit < 1:
            raise ValueError("limit must be 1 or more")
        with self._lock:
            stop = min(cursor + limit, len(self._slots))
            found = [
                key for key in self._slots[cursor:stop]
                if key is not None and self.peek(key, now) is not None
            ]  # fmt: skip
            return found, stop if stop < len(self._slots) else 0

    def clear(self) -> None:
        """Remove every entry. Versions go on counting."""
        with self._lock:
            self._entries.clear()
            self._nbytes = 0
            self._start_anew()

    def _live(self, key: str, now: float) -> Entry | None:
        """The key's entry, or None; an expired one is removed. The lock is held."""
        entry = self._entries.get(key)
        if entry is None or entry.record[2] > now:
            return entry
        self._remove(key, entry)
        return None

    def _remove(self, key: str, entry: Entry) -> None:
        del self._entries[key]
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        """Free the room of an entry that was taken out of the dict."""
        self._nbytes -= entry.size
        self._slots[entry.slot] = None
        self._free.append(entry.slot)
        if not self._entries:
            self._start_anew()

    def _start_anew(self) -> None:
        """An empty table needs no slots: this is how the room of a rush hour is given back."""
        if len(self._slots) > SMALL:
            self._entries = OrderedDict()  # a dict never shrinks by itself
        self._slots.clear()
        self._free.clear()
        self._hand = 0

    def _make_room(self, now: float) -> None:
        while len(self._entries) > self._max_entries or self._nbytes > self._max_bytes:
            _, entry = self._entries.popitem(last=False)
            self._forget(entry)
            self._evictions += entry.record[2] > now

    def _fitting(self, key: str, blob: bytes) -> int:
        """What the entry counts for. ValueError where it would fit in no way."""
        octets = len(key) if key.isascii() else len(key.encode())
        size = octets + len(blob) + OVERHEAD
        if size > self._largest:
            raise ValueError("the entry alone exceeds max_bytes")
        return size


def plain(key: str) -> str:
    """`key` as a plain str. TypeError for what is no str, ValueError for lone surrogates."""
    if not isinstance(key, str):
        raise TypeError("key must be a str")
    try:
        return str.encode(key).decode()
    except UnicodeEncodeError:
        raise ValueError("a key can't hold lone surrogates") from None


def plain_blob(blob: bytes) -> bytes:
    """`blob` as plain bytes. TypeError for what is no bytes."""
    if not isinstance(blob, bytes):
        raise TypeError("blob must be bytes")
    return b"".join((blob,))


def bounded(name: str, value: int, most: int) -> int:
    """`value` if it is an int from 1 to `most`."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int")
    if not 1 <= value <= most:
        raise ValueError(f"{name} must be from 1 to {most}")
    return int(value)
