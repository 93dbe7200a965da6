"""Where a session's file is, and what is in it: our own layout, and that of session-file-store."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, ClassVar, NamedTuple, Protocol

from sessfast.errors import StoreError
from sessfast.express_text import iso_text, stringify
from sessfast.stores.adapter import session_of, version_of
from sessfast.stores.contract import StoredRecord
from sessfast.stores.node_keys import node_key, our_sid


class Place(NamedTuple):
    """The files of one sid: its record, a new one before it takes its name, and the lock."""

    record: str
    new: str
    lock: str


class Layout(Protocol):
    """How records are files. A record that can't be read is None: it will never be readable."""

    @property
    def in_place(self) -> bool:
        """Whether a touch overwrites a part of the file, or all of it by a new one."""

    def place(self, verb: str, sid: str) -> Place | None:
        """Where the sid's files are; None where no record can have this sid."""

    def place_of(self, folder: str, name: str) -> Place:
        """Where the files of a record are that `folders` has shown."""

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Each folder of records with the names of those in it."""

    def pack(self, sid: str, blob: bytes, version: int, end: float) -> bytes:
        """A file's content."""

    def unpack(self, content: bytes) -> StoredRecord | None:
        """The record in a file."""

    def sid(self, name: str, content: bytes) -> str:
        """The sid of a file whose content was unpacked."""

    def touched(self, content: bytes, end: float) -> tuple[int, bytes]:
        """What to overwrite for another end, as offset and octets."""

    def version(self, blob: bytes, version: int) -> Any:
        """The version that a record packed from these two has."""


class HashedFiles:
    """Our own layout: `ab/cdef…`, SHA-256 of the sid, in 256 folders with a lock each.

    The end has a check sum of its own, as a touch overwrites these twelve octets alone.
    """

    in_place: ClassVar[bool] = True

    # mark, check sum of the end, end; version, octets of sid and blob; check sum of all but the end
    HEAD = Struct(">4sIdQII")
    MARK = b"SES1"
    END = Struct(">d")
    SUM = Struct(">I")
    TOUCHED = Struct(">Id")
    TOUCHED_AT = 4
    TOUCHED_END = TOUCHED_AT + TOUCHED.size
    NAME = re.compile("[0-9a-f]{62}")

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def place(self, verb: str, sid: str) -> Place | None:
        """Where the sid's files are: nothing of the sid itself is in a path."""
        digest = hashlib.sha256(sid.encode("utf-8", "surrogatepass")).hexdigest()
        return self.place_of(f"{self.folder}/{digest[:2]}", digest[2:])

    def place_of(self, folder: str, name: str) -> Place:
        """In the same folder."""
        return Place(f"{folder}/{name}", f"{folder}/new", f"{folder}/lock")

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """The 256 folders, as far as they are there."""
        for number in range(256):
            shard = f"{self.folder}/{number:02x}"
            yield shard, [name for name in names_in(shard) if self.NAME.fullmatch(name)]

    def pack(self, sid: str, blob: bytes, version: int, end: float) -> bytes:
        """Head, check sum, sid, blob."""
        name = sid.encode("utf-8", "surrogatepass")
        end_sum = zlib.crc32(self.END.pack(end))
        head = self.HEAD.pack(self.MARK, end_sum, end, version, len(name), len(blob))
        rest = zlib.crc32(blob, zlib.crc32(name, zlib.crc32(head[self.TOUCHED_END :])))
        return b"".join((head, self.SUM.pack(rest), name, blob))

    def unpack(self, content: bytes) -> StoredRecord | None:
        """The record, if all of it is there."""
        start = self.HEAD.size + self.SUM.size
        if len(content) < start:
            return None
        mark, end_sum, end, version, name_size, blob_size = self.HEAD.unpack_from(content)
        (rest_sum,) = self.SUM.unpack_from(content, self.HEAD.size)
        if mark != self.MARK or len(content) != start + name_size + blob_size:
            return None
        fixed = zlib.crc32(content[self.TOUCHED_END : self.HEAD.size])
        whole = end_sum == zlib.crc32(self.END.pack(end))
        if not whole or rest_sum != zlib.crc32(memoryview(content)[start:], fixed):
            return None
        return content[start + name_size :], version, end

    def sid(self, name: str, content: bytes) -> str:
        """The sid, which is in the file."""
        start = self.HEAD.size + self.SUM.size
        size = self.HEAD.unpack_from(content)[4]
        return content[start : start + size].decode("utf-8", "surrogatepass")

    def touched(self, content: bytes, end: float) -> tuple[int, bytes]:
        """The end and its check sum."""
        return self.TOUCHED_AT, self.TOUCHED.pack(zlib.crc32(self.END.pack(end)), end)

    def version(self, blob: bytes, version: int) -> Any:
        """The random one that is in the file."""
        return version


class SessionFileStoreFiles:
    """The layout of Node's session-file-store: `<id>.json`, JSON with `__lastAccess` at its end.

    ttl:   seconds that Node gives a session whose cookie has no maxAge (its option `ttl`)
    clock: epoch seconds
    A record ends at `__lastAccess` + originalMaxAge, so that where the rules give it another life
    `__lastAccess` is moved; but not into the future where the cookie leaves the life to `ttl`, or
    it would depend on who wrote last. The app does not see the key. The version is the text
    without these times: two requests that write the very same text can't be told apart.
    """

    in_place: ClassVar[bool] = False

    ID = re.compile(r"[A-Za-z0-9_:-]{1,200}", re.ASCII)
    LAST_ACCESS = "__lastAccess"
    TAIL = re.compile(rb',"__lastAccess":[0-9]+\}\Z')
    END = ".json"

    def __init__(self, folder: str, ttl: float, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.ttl = ttl
        self.clock = clock
        self.locks = f"{folder}/.sessfast"

    def place(self, verb: str, sid: str) -> Place | None:
        """Where the id's files are. None for an id that is no plain name."""
        key = node_key(verb, sid)
        return self.place_of(self.folder, key + self.END) if self.ID.fullmatch(key) else None

    def place_of(self, folder: str, name: str) -> Place:
        """Lock and new file are in a folder of their own, which Node doesn't look into."""
        shard = f"{self.locks}/{hashlib.sha256(name.encode()).hexdigest()[:2]}"
        return Place(f"{folder}/{name}", f"{shard}.new", f"{shard}.lock")

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """The one folder."""
        names = [name for name in names_in(self.folder) if name.endswith(self.END)]
        yield self.folder, [name for name in names if self.ID.fullmatch(name[: -len(self.END)])]

    def pack(self, sid: str, blob: bytes, version: int, end: float) -> bytes:
        """The session with `__lastAccess` behind all else."""
        session = session_of("create", blob)
        accessed = self._accessed(session, end)
        if not session or self.LAST_ACCESS in session or not blob.endswith(b"}"):
            session.pop(self.LAST_ACCESS, None)
            return stringify({**session, self.LAST_ACCESS: accessed})
        return b'%s,"%s":%d}' % (blob[:-1], self.LAST_ACCESS.encode(), accessed)

    def unpack(self, content: bytes) -> StoredRecord | None:
        """The record: what the app stored, byte for byte unless Node has added keys since."""
        try:
            session = session_of("get", content)
        except StoreError:
            return None
        accessed = session.pop(self.LAST_ACCESS, None)
        if type(accessed) not in (int, float):
            return None
        blob, count = self.TAIL.subn(b"}", content)
        end = accessed / 1000 + self._life(session)
        return (blob if count else stringify(session)), version_of(session), end

    def sid(self, name: str, content: bytes) -> str:
        """The sid, from the file's name."""
        return our_sid(name.removesuffix(self.END))

    def touched(self, content: bytes, end: float) -> tuple[int, bytes]:
        """All of it: a new `__lastAccess`, and a new end of its cookie if that has one."""
        session = session_of("touch", content)
        session[self.LAST_ACCESS] = self._accessed(session, end)
        cookie = session.get("cookie")
        if isinstance(cookie, dict) and cookie.get("expires"):
            session["cookie"] = {**cookie, "expires": iso_text(round(end * 1000))}
        return 0, stringify(session)

    def version(self, blob: bytes, version: int) -> Any:
        """The text without its times."""
        return version_of(session_of("update", blob))

    def _accessed(self, session: dict[str, Any], end: float) -> int:
        """The last access, in ms, after which Node lets the session live until `end`."""
        accessed = end - self._life(session)
        if isinstance(session.get("cookie"), dict) and not age_of(session):
            accessed = min(accessed, self.clock())
        return round(accessed * 1000)

    def _life(self, session: dict[str, Any]) -> float:
        """Seconds that Node lets this session live after its last access."""
        return age_of(session) or self.ttl


def age_of(session: dict[str, Any]) -> float:
    """The originalMaxAge of the session's cookie in seconds, 0 where it has none."""
    cookie = session.get("cookie")
    age: Any = cookie.get("originalMaxAge") if isinstance(cookie, dict) else None
    return age / 1000 if type(age) in (int, float) else 0.0


def names_in(folder: str) -> list[str]:
    """What is in a folder, in order; nothing if it isn't there yet."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  (a Path for each name is too much)
    except FileNotFoundError:
        return []
