"""Sessions as files, one each: to look at, to copy, and to share with Node's session-file-store.

A file is only ever replaced whole, by a rename, so readers need no lock. Writers of one folder
of 256 take its lock, which makes compare-and-set hold between processes.
"""

from __future__ import annotations

import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from sessfast.errors import OptionsError, StoreError
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.file_layouts import HashedFiles, Layout, Place, SessionFileStoreFiles
from sessfast.stores.file_lock import locked
from sessfast.stores.location import boolean, file_options, path_of, seconds, unknown_layout

FIRST_READ, MORE = 16 * 1024, 1024 * 1024  # octets
SWEPT_PER_CREATE = 2, 1  # at most so many records, in so many new folders
LAYOUTS = (None, "session-file-store")
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
WRITE = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


class FileStore:
    """A `Store` in the folder `path`, which is made if it isn't there.

    layout:  None for our own, or "session-file-store"
    ttl:     for that layout: seconds a session without maxAge lives for Node
    timeout: seconds to wait for another writer before a call fails
    durable: True makes each write wait for the disk. Without it a power cut may take the last
             writes back; the end of a process loses nothing either way
    clock:   epoch seconds
    Every create also looks at two more records and removes them if they have expired.
    OptionsError for what can't work.
    """

    blocking: ClassVar[bool] = True

    def __init__(
        self,
        path: str | Path,
        *,
        layout: str | None = None,
        ttl: float = 3600.0,
        timeout: float = 5.0,
        durable: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = str(path)
        self.timeout = timeout
        self.durable = durable
        self.clock = clock
        if layout not in LAYOUTS:
            raise unknown_layout("file", layout, LAYOUTS)
        faults = [] if self.path else ["file: path must be that of a folder"]
        numbers = {"ttl": ttl, "timeout": timeout}
        faults += [f"file: {name} must be more than 0" for name, n in numbers.items() if not n > 0]
        if faults:
            raise OptionsError(faults)
        self.layout: Layout = HashedFiles(self.path)
        if layout is not None:
            self.layout = SessionFileStoreFiles(self.path, ttl, clock)
        self._sweeping = threading.Lock()
        self._ahead: Iterator[Place | None] = iter(())

    def __repr__(self) -> str:
        return f"<FileStore at {self.path}>"

    # -- the five verbs --------------------------------------------------------------------

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        place = self.layout.place("get", sid)
        if place is None:
            return None
        try:
            content = content_of(place.record)
            if content is None:
                return None
            record = self.layout.unpack(content)
            if record is None:  # damaged, or read while it was touched
                with locked(place.lock, self.timeout):
                    record = self._record(place.record)
        except OSError as error:
            raise failure("get", error) from reason(error)
        return record if is_live(record, self.clock()) else None

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        place = self.layout.place("create", sid)
        if place is None:
            raise StoreError("create", "the id is no plain name: this layout can't keep it")
        now, version = self.clock(), secrets.randbits(63)
        content = self.layout.pack(sid, blob, version, now + ttl)
        try:
            with locked(place.lock, self.timeout):
                if is_live(self._record(place.record), now):
                    return EXISTS
                self._write(place, content)
        except OSError as error:
            raise failure("create", error) from reason(error)
        with suppress(StoreError):  # the record is stored; who sweeps next will tell
            self._walk(*SWEPT_PER_CREATE)
        return self.layout.version(blob, version)

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE."""
        place = self.layout.place("update", sid)
        if place is None:
            return GONE
        now, new = self.clock(), secrets.randbits(63)
        content = self.layout.pack(sid, blob, new, now + ttl)
        try:
            with locked(place.lock, self.timeout):
                record = self._record(place.record)
                if record is None or not is_live(record, now):
                    return GONE
                if record[1] != version:
                    return Conflict(record)
                self._write(place, content)
        except OSError as error:
            raise failure("update", error) from reason(error)
        return self.layout.version(blob, new)

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        place, now = self.layout.place("touch", sid), self.clock()
        if place is None:
            return False
        try:
            with locked(place.lock, self.timeout):
                content = content_of(place.record)
                if content is None or not is_live(self.layout.unpack(content), now):
                    return False
                offset, octets = self.layout.touched(content, now + ttl)
                if self.layout.in_place:
                    self._overwrite(place.record, offset, octets)
                else:
                    self._write(place, octets)
        except OSError as error:
            raise failure("touch", error) from reason(error)
        return True

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        place = self.layout.place("destroy", sid)
        if place is None:
            return
        try:
            with locked(place.lock, self.timeout):  # or who is updating would bring it back
                self._remove(place.record)
        except OSError as error:
            raise failure("destroy", error) from reason(error)

    # -- for tools -------------------------------------------------------------------------

    def all(self) -> Iterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, folder by folder."""
        for place in self._places():
            try:
                content = content_of(place.record)
            except OSError as error:
                raise failure("all", error) from reason(error)
            record = None if content is None else self.layout.unpack(content)
            if content is not None and record is not None and is_live(record, self.clock()):
                yield self.layout.sid(place.record.rpartition("/")[2], content), record

    def length(self) -> int:
        """How many records there are, with the expired ones that were not swept yet."""
        return sum(len(names) for _, names in self.layout.folders())

    def clear(self) -> None:
        """Destroy every record."""
        for place in self._places():
            self._remove_if("clear", place, lambda record: True)

    def sweep(self, limit: int) -> int:
        """Look at the next `limit` records, remove the expired ones; how many those were."""
        return self._walk(limit, math.inf)

    def close(self) -> None:
        """Nothing is open between two calls."""

    # -- files -----------------------------------------------------------------------------

    def _places(self) -> Iterator[Place]:
        return (place for place in self._steps() if place is not None)

    def _steps(self) -> Iterator[Place | None]:
        """All records, and None for each folder that was read."""
        for folder, names in self.layout.folders():
            yield None
            for name in names:
                yield self.layout.place_of(folder, name)

    def _walk(self, records: int, folders: float) -> int:
        """Go on to sweep, through at most so many records and folders; how many were removed."""
        removed = 0
        with self._sweeping:
            while records > 0 and folders > 0:
                try:
                    place = next(self._ahead)
                except StopIteration:
                    self._ahead = self._steps()
                    break
                if place is None:
                    folders -= 1
                else:
                    records -= 1
                    removed += self._remove_if("sweep", place, self._is_over)
        return removed

    def _record(self, path: str) -> StoredRecord | None:
        content = content_of(path)
        return None if content is None else self.layout.unpack(content)

    def _is_over(self, record: StoredRecord | None) -> bool:
        return not is_live(record, self.clock())

    def _remove_if(
        self, verb: str, place: Place, is_due: Callable[[StoredRecord | None], bool]
    ) -> bool:
        """Remove a record if `is_due(record)`, also once it is locked; whether that was so."""
        try:
            if not is_due(self._record(place.record)):
                return False
            with locked(place.lock, self.timeout):
                due = os.path.lexists(place.record) and is_due(self._record(place.record))
                if due:
                    self._remove(place.record)
                return due
        except OSError as error:
            raise failure(verb, error) from reason(error)

    def _write(self, place: Place, content: bytes) -> None:
        """Put a whole file in its place. With the lock held, as all have one name for `new`."""
        file = os.open(place.new, WRITE | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(file, rest) :]
            if self.durable:
                os.fsync(file)
        finally:
            os.close(file)
        os.replace(place.new, place.record)  # noqa: PTH105  (a Path costs as much as the call)
        self._sync_folder(place.record)

    def _overwrite(self, path: str, offset: int, octets: bytes) -> None:
        file = os.open(path, WRITE)
        try:
            os.pwrite(file, octets, offset)
            if self.durable:
                os.fsync(file)
        finally:
            os.close(file)

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108
            self._sync_folder(path)

    def _sync_folder(self, path: str) -> None:
        """Make a new or removed name in the folder of `path` outlast a power cut."""
        if self.durable:
            folder = os.open(Path(path).parent, READ | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def content_of(path: str) -> bytes | None:
    """All of a file, or None if it isn't there."""
    try:
        file = os.open(path, READ)
    except FileNotFoundError:
        return None
    try:
        content = os.read(file, FIRST_READ)
        if len(content) < FIRST_READ:
            return content
        parts = [content]
        while part := os.read(file, MORE):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(file)


def is_live(record: StoredRecord | None, now: float) -> bool:
    """Whether there is a record whose end is to come."""
    return record is not None and (record[2] is None or record[2] > now)


def failure(verb: str, error: OSError) -> StoreError:
    """What the caller is told. Raise it from `reason(error)`: a path may hold an id."""
    return StoreError(verb, f"file: {error.strerror or type(error).__name__}")


def reason(error: OSError) -> OSError:
    """The error without its path."""
    return type(error)(error.errno, error.strerror) if error.errno else error


def open_file(url: str, layout: str | None = None, **options: Any) -> FileStore:
    """The store of `file:////absolute/folder`; options from the query, keywords over them."""
    kinds: dict[str, Callable[[str], Any]] = {
        "durable": boolean,
        **dict.fromkeys(("ttl", "timeout"), seconds),
    }
    return FileStore(path_of(url), layout=layout, **file_options(url, kinds, options))
