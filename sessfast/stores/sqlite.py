"""Sessions in an SQLite file: for one host and many processes, with nothing to install.

A write-ahead log, so that readers and the one writer don't wait for each other. Compare-and-set
is one UPDATE with the version in its WHERE. There is no index on the end of life, which would
double the cost of each write and touch: the sweep walks through the table in steps.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sessfast.errors import OptionsError, StoreError
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.location import boolean, file_options, path_of, seconds, unknown_layout
from sessfast.stores.node_keys import node_key, our_sid
from sessfast.stores.sqlite_connections import Connections

if TYPE_CHECKING:
    import sqlite3

Result = TypeVar("Result")
BATCH = 100  # records per page of all()
SWEEP_EVERY, SWEPT = 16, 64  # creates from one small sweep to the next; records that it looks at
LOCKED_PAUSE = 0.01  # seconds


class SQLiteStore:
    """A `Store` in the table `table` of the file `path`, which is made if it isn't there.

    timeout: seconds to wait for another writer before a call fails
    durable: True makes each write wait for the disk. Without it a power cut may take the last
             writes back, never damage the file; the end of a process loses nothing either way
    clock:   epoch seconds
    Every now and then a create also looks at a few records and removes the expired ones.
    OptionsError for what can't work.
    """

    blocking: ClassVar[bool] = True

    # The rows as (blob, version, expires), in this class's units; the words in them:
    # :sid :blob :version (the one that update expects) :new (version) :end :now
    _SCHEMA: ClassVar[str] = (
        "CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE,"
        " expires REAL NOT NULL, version INTEGER NOT NULL, blob BLOB NOT NULL)"
    )
    _CREATE: ClassVar[str] = (
        "INSERT INTO {table} (sid, expires, version, blob) VALUES (:sid, :end, :new, :blob)"
        " ON CONFLICT (sid) DO UPDATE SET expires = :end, version = :new, blob = :blob"
        " WHERE expires <= :now"
    )
    _UPDATE: ClassVar[str] = (
        "UPDATE {table} SET expires = :end, version = :new, blob = :blob"
        " WHERE sid = :sid AND version = :version AND expires > :now"
    )
    _ID, _BLOB, _VERSION, _EXPIRES = "id", "blob", "version", "expires"

    def __init__(
        self,
        path: str | Path,
        *,
        table: str = "sessions",
        timeout: float = 5.0,
        durable: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = str(path)
        self.clock = clock
        refuse_faults(self.path, table, timeout)
        self._table = table
        row = f"{self._BLOB}, {self._VERSION}, {self._EXPIRES}"
        live = f"{self._EXPIRES} > :now"
        step = f"FROM {table} WHERE {self._ID} > :after"
        self._create = self._CREATE.format(table=table)
        self._update = self._UPDATE.format(table=table)
        self._get = f"SELECT {row} FROM {table} WHERE sid = :sid AND {live}"
        self._touch = f"UPDATE {table} SET {self._EXPIRES} = :end WHERE sid = :sid AND {live}"
        self._destroy = f"DELETE FROM {table} WHERE sid = :sid"
        order = f"ORDER BY {self._ID} LIMIT :limit"
        self._page = f"SELECT {self._ID}, sid, {row} {step} AND {live} {order}"
        self._ahead = (
            f"SELECT max(id), count(*), total(ends <= :now) FROM"
            f" (SELECT {self._ID} AS id, {self._EXPIRES} AS ends {step} {order})"
        )
        self._sweep = f"DELETE {step} AND {self._ID} <= :last AND {self._EXPIRES} <= :now"
        self._connections = Connections(self.path, self._prepare, timeout=timeout, durable=durable)
        self._error: type[Exception] = self._connections.sqlite.Error
        self._sweeping = threading.Lock()
        self._swept_to = 0
        self._creates = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.path}>"

    # -- the five verbs --------------------------------------------------------------------

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        rows = self._read("get", self._get, {"sid": self._key("get", sid), "now": self._now()})
        return self._record(rows[0]) if rows else None

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        values = self._values("create", sid, blob, ttl)
        if not self._write("create", self._create, values):
            return EXISTS
        self._creates += 1
        if self._creates % SWEEP_EVERY == 0:
            try:
                self.sweep(SWEPT)
            except StoreError:
                pass  # the record is stored; who sweeps next will tell
        return self._version(values)

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE."""
        values = self._values("update", sid, blob, ttl)
        values["version"] = self._expected(version)
        if self._write("update", self._update, values):
            return self._version(values)
        rows = self._read("update", self._get, {"sid": values["sid"], "now": values["now"]})
        return Conflict(self._record(rows[0])) if rows else GONE

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        now = self.clock()
        values = {"sid": self._key("touch", sid), "now": self._time(now)}
        return self._write("touch", self._touch, {**values, "end": self._time(now + ttl)}) > 0

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        self._write("destroy", self._destroy, {"sid": self._key("destroy", sid)})

    # -- for tools -------------------------------------------------------------------------

    def create_schema(self) -> None:
        """Make the table and turn the write-ahead log on; the first call of a process does so."""
        self._read("create_schema", "SELECT 1", {})

    def all(self) -> Iterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, a page at a time; no connection is held between."""
        after = 0
        while True:
            values = {"after": after, "now": self._now(), "limit": BATCH}
            rows = self._read("all", self._page, values)
            for row in rows:
                yield self._sid(row[1]), self._record(row[2:])
            if len(rows) < BATCH:
                return
            after = rows[-1][0]

    def length(self) -> int:
        """How many live records there are; looks through the whole table."""
        statement = f"SELECT count(*) FROM {self._table} WHERE {self._EXPIRES} > :now"
        count: int = self._read("length", statement, {"now": self._now()})[0][0]
        return count

    def clear(self) -> None:
        """Destroy every record of the table."""
        self._write("clear", f"DELETE FROM {self._table}", {})

    def sweep(self, limit: int) -> int:
        """Look at the next `limit` records, remove the expired ones; how many those were."""
        with self._sweeping:
            values = {"after": self._swept_to, "now": self._now(), "limit": limit}
            last, count, expired = self._read("sweep", self._ahead, values)[0]
            removed = 0
            if expired:
                removed = self._write("sweep", self._sweep, {**values, "last": last})
            self._swept_to = last if count == limit else 0
            return removed

    def close(self) -> None:
        """Close the connections. May be called again."""
        self._connections.close()

    # -- one statement ---------------------------------------------------------------------

    def _read(self, verb: str, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """All rows, so that no cursor keeps a snapshot open."""

        def work(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute(statement, values).fetchall()

        return self._run(verb, work)

    def _write(self, verb: str, statement: str, values: dict[str, Any]) -> int:
        """How many rows were written: all of them are in the file now, or none."""

        def work(connection: sqlite3.Connection) -> int:
            with self._connections.writing:
                return connection.execute(statement, values).rowcount

        return self._run(verb, work)

    def _run(self, verb: str, work: Callable[[sqlite3.Connection], Result]) -> Result:
        connections = self._connections
        try:
            with connections.one(verb) as connection:
                return work(connection)
        except (self._error, OSError) as error:
            raise StoreError(verb, f"SQLite: {error}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """The schema, by the first connection of a process; no lock is taken if it is there."""
        known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        if connection.execute(known, (self._table,)).fetchall():
            return
        patience = time.monotonic() + self._connections.timeout
        while not self._made(connection, time.monotonic() > patience):
            time.sleep(LOCKED_PAUSE)

    def _made(self, connection: sqlite3.Connection, is_last: bool) -> bool:
        """Make the schema; whether that worked, which it must if this `is_last` time.

        Who changes the journal does not wait for locks: new workers get in each other's way.
        """
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            connection.execute(self._SCHEMA.format(table=self._table))
        except self._error:
            if is_last:
                raise
            return False
        return True

    # -- what a row holds: the layout's own units ------------------------------------------

    def _key(self, verb: str, sid: str) -> str:
        return sid

    def _sid(self, key: str) -> str:
        return key

    def _time(self, moment: float) -> float:
        return moment

    def _now(self) -> float:
        return self._time(self.clock())

    def _values(self, verb: str, sid: str, blob: bytes, ttl: float) -> dict[str, Any]:
        now = self.clock()
        return {
            "sid": self._key(verb, sid),
            "blob": blob,
            "new": secrets.randbits(63),  # so none returns, also after destroy and create
            "end": self._time(now + ttl),
            "now": self._time(now),
        }

    def _version(self, values: dict[str, Any]) -> Version:
        return values["new"]

    def _expected(self, version: Version) -> Any:
        return version

    def _record(self, row: tuple[Any, ...]) -> StoredRecord:
        return row[0], row[1], row[2]


class ConnectSQLite3Store(SQLiteStore):
    """The table of Node's connect-sqlite3: sid, expired in milliseconds, sess as JSON text.

    The version is the text that was loaded: two requests that write the very same text can't be
    told apart. For SessionOptions.express(), as its sids begin with `sess:` and Node's don't.
    """

    _SCHEMA: ClassVar[str] = "CREATE TABLE IF NOT EXISTS {table} (sid PRIMARY KEY, expired, sess)"
    _CREATE: ClassVar[str] = (
        "INSERT INTO {table} (sid, expired, sess) VALUES (:sid, :end, :blob)"
        " ON CONFLICT (sid) DO UPDATE SET expired = :end, sess = :blob WHERE expired <= :now"
    )
    _UPDATE: ClassVar[str] = (
        "UPDATE {table} SET expired = :end, sess = :blob"
        " WHERE sid = :sid AND sess = :version AND expired > :now"
    )
    _ID, _BLOB, _VERSION, _EXPIRES = "rowid", "sess", "sess", "expired"

    def _key(self, verb: str, sid: str) -> str:
        return node_key(verb, sid)

    def _sid(self, key: str) -> str:
        return our_sid(key)

    def _time(self, moment: float) -> float:
        return float(round(moment * 1000))  # a JavaScript number, which SQLite keeps as REAL

    def _values(self, verb: str, sid: str, blob: bytes, ttl: float) -> dict[str, Any]:
        return {**super()._values(verb, sid, blob, ttl), "blob": blob.decode()}

    def _version(self, values: dict[str, Any]) -> Version:
        return values["blob"].encode()

    def _expected(self, version: Version) -> Any:
        return version.decode()

    def _record(self, row: tuple[Any, ...]) -> StoredRecord:
        blob = row[0] if isinstance(row[0], bytes) else row[0].encode()
        return blob, blob, row[2] / 1000


LAYOUTS: dict[str | None, type[SQLiteStore]] = {
    None: SQLiteStore,
    "connect-sqlite3": ConnectSQLite3Store,
}


def open_sqlite(url: str, layout: str | None = None, **options: Any) -> SQLiteStore:
    """The store of `sqlite:////absolute/path.db`; options from the query, keywords over them."""
    if layout not in LAYOUTS:
        raise unknown_layout("sqlite", layout, LAYOUTS)
    kinds: dict[str, Callable[[str], Any]] = {"table": str, "timeout": seconds, "durable": boolean}
    return LAYOUTS[layout](path_of(url), **file_options(url, kinds, options))


def refuse_faults(path: str, table: str, timeout: float) -> None:
    """OptionsError with everything that can't work."""
    faults = []
    if path in {"", ":memory:"} or path.startswith("file:"):
        faults.append("sqlite: path must be that of a file; MemoryStore() keeps sessions in memory")
    elif not Path(path).parent.is_dir():
        faults.append(f"sqlite: there is no folder {Path(path).parent}: make it first")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", table, re.ASCII):
        faults.append("sqlite: table must be a name of letters, digits and _")
    if not timeout > 0:
        faults.append("sqlite: timeout must be more than 0 seconds")
    if faults:
        raise OptionsError(faults)
