"""What is in the records that Flask-Session keeps, and which one a cookie names.

A cookie is the id of a record, `token_urlsafe` or (before 0.6) a uuid4, perhaps signed. The
record is under the key prefix and that id: MessagePack or JSON in Redis, memcached and SQL, a
pickle in the files of cachelib. Source: flask_session/base.py, cachelib/file.py.
"""

from __future__ import annotations

import hashlib
import re
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from itsdangerous import BadSignature, Signer

from sessfast.errors import DecodeError
from sessfast.legacy.plain_pickle import plain_data

PREFIX = "session:"
SALT = "flask-session"
ID = re.compile(r"[A-Za-z0-9_-]{16,128}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
PICKLE_STARTS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
NOT_READ = "it is a pickle, as Flask-Session wrote before 0.7, and pickles are not read"


class Place(Protocol):
    """Where the records are. A client of Redis or memcached is one as it stands."""

    def get(self, key: str) -> Any:
        """The bytes under a key, or None."""

    def delete(self, key: str) -> Any:
        """Remove them."""


FORMATS: Mapping[str, Callable[[bytes], Any]] = {
    "msgpack": msgspec.msgpack.decode,
    "json": msgspec.json.decode,
    "pickle": plain_data,
}


class FlaskSessionRecords:
    """A RecordReader of Flask-Session's records.

    place:   where they are
    format:  SESSION_SERIALIZATION_FORMAT, "msgpack" or "json"; "pickle" for what cachelib wrote,
             of which plain data is read, and nothing else
    prefix:  SESSION_KEY_PREFIX
    signers: the secrets, where SESSION_USE_SIGNER was on; else none
    """

    name = "flask-session"
    blocking = True

    def __init__(
        self,
        place: Place,
        *,
        format: str = "msgpack",  # noqa: A002  Flask-Session's word
        prefix: str = PREFIX,
        signers: Sequence[bytes] = (),
    ) -> None:
        if format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}")
        self.place = place
        self.decode = FORMATS[format]
        self.prefix = prefix
        self.signer = None
        if signers:
            newest_last = list(reversed(signers))
            self.signer = Signer(newest_last, salt=SALT, key_derivation="hmac")

    def key(self, value: str, now: float) -> str:
        """The key of the record that a cookie's value names."""
        sid = value
        if self.signer is not None:
            try:
                sid = self.signer.unsign(value).decode()
            except (BadSignature, UnicodeError) as error:
                raise DecodeError("no id that one of these secrets signed") from error
        if not ID.fullmatch(sid):
            raise DecodeError("not of the form of Flask-Session's ids")
        return self.prefix + sid

    def get(self, key: str) -> dict[str, Any] | None:
        """The data under a key."""
        found = self.place.get(key)
        if found is None:
            return None
        octets = found.encode() if isinstance(found, str) else bytes(found)
        try:
            data = self.decode(octets)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if isinstance(error, DecodeError):
                raise
            is_pickle = octets.startswith(PICKLE_STARTS)
            raise DecodeError(NOT_READ if is_pickle else "it can't be decoded") from error
        if type(data) is not dict:
            raise DecodeError("it is no dict")
        return data

    def destroy(self, key: str) -> None:
        """Delete the record."""
        self.place.delete(key)


class Table:
    """The records in the table of SESSION_TYPE = "sqlalchemy", by plain SQL.

    library: the module sqlalchemy
    engine:  () -> one of its engines
    table:   `name` or `schema.name`
    """

    def __init__(
        self,
        library: Any,
        engine: Callable[[], Any],
        table: str = "sessions",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not NAME.fullmatch(table):
            raise ValueError(f"{table!r} is no name of a table")
        self.library = library
        self.engine = engine
        self.table = table
        self.clock = clock
        self._get = library.text(f"SELECT data, expiry FROM {table} WHERE session_id = :id")
        self._delete = library.text(f"DELETE FROM {table} WHERE session_id = :id")

    def get(self, key: str) -> bytes | None:
        """The data of a row that has not expired. Where there is no table there are no rows."""
        try:
            with self.engine().connect() as connection:
                row = connection.execute(self._get, {"id": key}).first()
        except self.library.exc.DBAPIError:
            schema, _, name = self.table.rpartition(".")
            if self.library.inspect(self.engine()).has_table(name, schema or None):
                raise
            return None
        if row is None or row[0] is None or row[1] is None:
            return None
        end = row[1] if isinstance(row[1], datetime) else datetime.fromisoformat(row[1])
        if end.replace(tzinfo=UTC).timestamp() <= self.clock():  # naive, and UTC
            return None
        return bytes(row[0])

    def delete(self, key: str) -> None:
        """Remove the row."""
        with self.engine().begin() as connection:
            connection.execute(self._delete, {"id": key})


class Files:
    """The files of cachelib's FileSystemCache: 4 octets of expiry, then a pickle.

    Their names are the hash of the key: SHA-256 since cachelib 0.16, MD5 before it, so that who
    upgraded cachelib has both.
    """

    def __init__(self, folder: str | Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = Path(folder)
        self.clock = clock

    def _paths(self, key: str) -> list[Path]:
        octets = key.encode()
        md5 = hashlib.md5(octets, usedforsecurity=False)
        return [self.folder / h.hexdigest() for h in (hashlib.sha256(octets), md5)]

    def get(self, key: str) -> bytes | None:
        """The pickle in a file that has not expired; 0 is no end."""
        for path in self._paths(key):
            with suppress(FileNotFoundError, NotADirectoryError):
                octets = path.read_bytes()
                if len(octets) <= EXPIRY.size:
                    continue
                (end,) = EXPIRY.unpack_from(octets)
                if end == 0 or end > self.clock():
                    return octets[EXPIRY.size :]
        return None

    def delete(self, key: str) -> None:
        """Remove the files."""
        for path in self._paths(key):
            path.unlink(missing_ok=True)


EXPIRY = struct.Struct("I")  # of this machine's size and order, as cachelib has it
