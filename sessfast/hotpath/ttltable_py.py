"""An in-memory table of blobs that expire, bounded by entries and octets: the pure twin.

All times are epoch seconds that the caller gives: there is no clock in here. An entry is live
while `now < expires`; one that isn't is never shown, whether or not it still takes room.

Entries live in numbered slots. A freed slot is the next one taken, the newest freed first, so
that `sweep` and `keys` can walk the slots in bounded steps while the table changes under them.

Two things would make single calls wait for long, and shape this file. A dict that grows copies
itself in one go, which takes an OrderedDict of a million entries 0.1 to 0.2 s: a large table has
many of them, its shards. And Python's garbage collector looks at every tuple and list for a
while: an entry is an object that it doesn't see, and no tuple or list is kept per entry.
"""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from heapq import heapreplace
from threading import RLock
from typing import NoReturn

from msgspec import Struct

REVISION = 1

# What an entry takes beside the octets of key and blob, counted against max_bytes.
# Measured with a million entries: bench/memory.py.
OVERHEAD = 380

MOST_ENTRIES = 2**32 - 2
MOST_BYTES = 2**62
LARGEST = 2**32 - 1
SMALL = 1024
TOO_LARGE = "the entry alone exceeds max_bytes"

# How many shards there are where one might grow too large. Prime: the keys of a shard must not
# share bits of their hashes, by which its dict tells them apart. `% 251` stands as a number where
# it is used, as a look at a global costs as much as the division.
SHARDS = 251
ONE_SHARD = 4096

Record = tuple[bytes, int, float]


class Entry(Struct, gc=False, eq=False):
    """What is stored under a key, and when it was last used.

    Key, blob and version never change, so that who holds an entry without the lock sees them
    match; an update makes a new entry.
    """

    key: str
    blob: bytes
    version: int
    expires: float
    slot: int
    used: float


Shard = OrderedDict[str, Entry]

FREE = Entry("", b"", 0, math.inf, 0, math.inf)  # what a free slot holds


class TTLTable:
    """Blobs under text keys, with a version and an end of life each.

    max_entries: 1 to 2**32 - 2
    max_bytes:   1 to 2**62, compared with `nbytes`
    Where either would be exceeded the entries that were not used for longest make room: with
    more than 4096 entries at most by `now`, else by the order of the calls.
    Keys are any str without lone surrogates (ValueError), blobs are bytes (TypeError).
    Versions come from one counter per table, so that no version ever returns.
    Any method may be called from any thread.
    """

    __slots__ = (
        "__weakref__", "_bounds", "_evictions", "_free", "_hand", "_largest", "_last_version",
        "_lock", "_max_bytes", "_max_entries", "_nbytes", "_shards", "_slots",
    )  # fmt: skip

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = bounded("max_entries", max_entries, MOST_ENTRIES)
        self._max_bytes = bounded("max_bytes", max_bytes, MOST_BYTES)
        self._largest = min(self._max_bytes, LARGEST)
        # reentrant: a signal handler or a finalizer may come here in the middle of a call
        self._lock = RLock()
        # each from the least to the most recently used
        self._shards: list[Shard] = new_shards(self._max_entries)
        # a heap of (time, place of a shard): the first of that shard was used then or later
        shards = len({id(shard) for shard in self._shards})
        self._bounds = [(-math.inf, number) for number in range(shards)]
        self._slots: list[Entry] = []
        # an array: a list of a million int objects would take 60 ms to free
        self._free = array("I")
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
        return len(self._slots) - len(self._free)

    @property
    def nbytes(self) -> int:
        """Octets counted against max_bytes: key, blob and OVERHEAD of every entry."""
        return self._nbytes

    @property
    def evictions(self) -> int:
        """How many live entries were dropped so far to keep the bounds."""
        return self._evictions

    # `get` and `touch` do without the lock, which would cost as much as all the rest: each of
    # their steps is atomic. What is destroyed between two of them was live when we looked.

    def get(self, key: str, now: float) -> Record | None:
        """(blob, version, expires) of a live entry, or None. It becomes the freshest."""
        try:
            shard = self._shards[hash(key) % 251]
            entry = shard[key]
        except (KeyError, TypeError):
            text = plain(key)
            return None if type(key) is str else self.get(text, now)
        expires = entry.expires
        if expires > now:  # this way round, an end that is NaN has passed
            entry.used = now
            try:
                shard.move_to_end(key)
            except KeyError:
                pass
            return entry.blob, entry.version, expires
        self._expire(entry, now)
        return None

    def peek(self, key: str, now: float) -> Record | None:
        """As `get`, but neither freshens nor removes anything."""
        entry = self._found(plain(key))
        if entry is None or not entry.expires > now:
            return None
        return entry.blob, entry.version, entry.expires

    def create(self, key: str, blob: bytes, expires: float, now: float) -> int:
        """The new entry's version (1 or more), or 0 where a live entry has the key.

        Never overwrites. ValueError where the entry alone exceeds max_bytes.
        """
        if type(key) is str and key.isascii():
            octets = len(key)
        else:
            key = plain(key)
            octets = len(key.encode())
        if type(blob) is not bytes:
            blob = plain_blob(blob)
        expires = expires + 0.0
        size = octets + len(blob) + OVERHEAD
        if size > self._largest:
            raise ValueError(TOO_LARGE)
        with self._lock:
            shard = self._shards[hash(key) % 251]
            if key in shard:
                entry = shard[key]
                if entry.expires > now:
                    return 0
                self._remove(entry)
                shard = self._shards[hash(key) % 251]  # an empty table begins anew
            self._last_version = version = self._last_version + 1
            slots, free = self._slots, self._free
            if free:
                slot = free.pop()
                entry = Entry(key, blob, version, expires, slot, now)
                shard[key] = slots[slot] = entry
            else:
                shard[key] = entry = Entry(key, blob, version, expires, len(slots), now)
                slots.append(entry)
            self._nbytes += size
            if self._nbytes > self._max_bytes or len(slots) - len(free) > self._max_entries:
                self._make_room(entry)
            return version

    def update(self, key: str, blob: bytes, expires: float, version: int, now: float) -> int:
        """The new version; 0 where no live entry has the key, -1 where its version is another.

        Never creates. ValueError where the entry alone would exceed max_bytes.
        """
        if type(blob) is not bytes:
            blob = plain_blob(blob)
        expires = expires + 0.0
        if type(version) is not int and not isinstance(version, int):
            raise TypeError("version must be an int")
        with self._lock:
            try:
                shard = self._shards[hash(key) % 251]
                entry = shard[key]
            except (KeyError, TypeError):
                text = plain(key)
                self._check_size(text, blob)
                return 0 if type(key) is str else self.update(text, blob, expires, version, now)
            grown = len(blob) - len(entry.blob)
            if grown > 0:
                self._check_size(entry.key, blob)
            if not entry.expires > now:
                self._remove(entry)
                return 0
            if entry.version != version:
                return -1
            self._last_version = version = self._last_version + 1
            slot = entry.slot
            entry = Entry(entry.key, blob, version, expires, slot, now)
            shard[key] = self._slots[slot] = entry
            shard.move_to_end(key)
            if grown:
                self._nbytes += grown
                if self._nbytes > self._max_bytes:
                    self._make_room(entry)
            return version

    def touch(self, key: str, expires: float, now: float) -> bool:
        """Give a live entry a new end and make it the freshest; False where there is none.

        Blob and version stay.
        """
        expires = expires + 0.0
        try:
            shard = self._shards[hash(key) % 251]
            entry = shard[key]
        except (KeyError, TypeError):
            text = plain(key)
            return False if type(key) is str else self.touch(text, expires, now)
        if entry.expires > now:
            # an update in this moment has made another entry, and its end counts, as if it came
            # second; a sweep may still act on the end that it has read
            entry.expires = expires
            entry.used = now
            try:
                shard.move_to_end(key)
            except KeyError:
                return False
            return True
        self._expire(entry, now)
        return False

    def destroy(self, key: str) -> bool:
        """Remove the entry; whether there was one, live or not."""
        key = plain(key)
        with self._lock:
            entry = self._found(key)
            if entry is None:
                return False
            self._remove(entry)
            return True

    def sweep(self, now: float, limit: int) -> int:
        """Look at the next `limit` slots (1 or more) and remove the expired; how many those were.

        Goes on where the last call stopped, and stops at the last slot: a full pass takes at
        most ceil(slots / limit) + 1 calls.
        """
        if limit < 1:
            raise ValueError("limit must be 1 or more")
        slots, start = self._slots, self._hand
        some = slots[start : start + limit]
        stop = start + len(some)
        self._hand = stop if stop < len(slots) else 0
        for entry in some:
            if not entry.expires > now:
                break
        else:
            return 0  # without the lock: nothing was changed that it protects
        with self._lock:
            return sum(self._expire(entry, now) for entry in some)

    def keys(self, cursor: int, limit: int, now: float) -> tuple[list[str], int]:
        """The live keys in `limit` slots (1 or more) from `cursor` on, and the next cursor.

        cursor: 0 to begin; the next cursor is 0 at the end
        The list may be empty before the end. What lives through a whole walk is met once.
        """
        if cursor < 0:
            raise ValueError("cursor must be 0 or more")
        if limit < 1:
            raise ValueError("limit must be 1 or more")
        some = self._slots[cursor : cursor + limit]
        stop = cursor + len(some)
        found = [entry.key for entry in some if entry.expires > now and entry is not FREE]
        return found, stop if stop < len(self._slots) else 0

    def clear(self) -> None:
        """Remove every entry. Versions go on counting."""
        with self._lock:
            for shard in self._shards:
                shard.clear()
            self._nbytes = 0
            self._start_anew()

    def _found(self, key: str) -> Entry | None:
        """The entry of a plain key, live or not."""
        return self._shards[hash(key) % 251].get(key)

    def _expire(self, entry: Entry, now: float) -> bool:
        """Remove an entry if it has expired and is still there; whether it was removed."""
        with self._lock:
            expired = not entry.expires > now and self._found(entry.key) is entry
            if expired:
                self._remove(entry)
            return expired

    def _remove(self, entry: Entry) -> None:
        """Take out an entry that is there. The lock is held."""
        del self._shards[hash(entry.key) % 251][entry.key]
        self._nbytes -= size_of(entry.key, entry.blob)
        self._slots[entry.slot] = FREE
        self._free.append(entry.slot)
        if len(self._free) == len(self._slots):
            self._start_anew()

    def _start_anew(self) -> None:
        """An empty table needs no slots: this is how the room of a rush hour is given back."""
        if len(self._slots) > SMALL:
            self._shards = new_shards(self._max_entries)  # a dict never shrinks by itself
        self._slots.clear()
        del self._free[:]
        self._hand = 0

    def _make_room(self, written: Entry) -> None:
        """Drop the others, as far as it takes, for the entry that was written just now."""
        while len(self) > self._max_entries or self._nbytes > self._max_bytes:
            entry = self._stalest(written)
            self._remove(entry)
            self._evictions += entry.expires > written.used

    def _stalest(self, written: Entry) -> Entry:
        """The entry, not `written`, that was not used for longest: the first of some shard."""
        bounds = self._bounds
        for _ in range(2 * len(bounds)):  # mostly two or three
            bound, number = bounds[0]
            entry = first(self._shards[number])
            if entry is None or entry is written:  # none of this shard was used before now
                heapreplace(bounds, (written.used, number))
            elif entry.used <= bound or len(bounds) == 1:
                return entry
            else:
                heapreplace(bounds, (entry.used, number))
        # the clock was set back
        firsts = [entry for entry in map(first, self._shards) if entry not in (None, written)]
        return min(firsts, key=lambda entry: entry.used)

    def _check_size(self, key: str, blob: bytes) -> None:
        if size_of(key, blob) > self._largest:
            raise ValueError(TOO_LARGE)


def new_shards(max_entries: int) -> list[Shard]:
    """251 empty shards, or 251 times the same one where that is enough."""
    if max_entries <= ONE_SHARD:
        return [OrderedDict[str, Entry]()] * SHARDS
    return [OrderedDict[str, Entry]() for _ in range(SHARDS)]


def first(shard: Shard) -> Entry | None:
    """The least recently used of a shard."""
    while True:
        try:
            return next(iter(shard.values()), None)
        except RuntimeError:  # somebody used one of its entries in this moment
            continue


def size_of(key: str, blob: bytes) -> int:
    """What an entry counts for."""
    return (len(key) if key.isascii() else len(key.encode())) + len(blob) + OVERHEAD


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
