"""Sessions in a table of PostgreSQL, for any number of processes and hosts.

The table is never made behind anybody's back: `create_schema()` makes it, `schema_sql()` shows
how. What has expired stays in it, unseen, until `sweep` removes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from functools import partial
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import psycopg
import psycopg.conninfo
import psycopg_pool

from sessfast.errors import OptionsError
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.postgres_pool import (
    Pools,
    failure,
    is_broken,
    is_busy,
    is_stale,
    pool_of,
)
from sessfast.stores.postgres_statements import BATCH, LAYOUTS, Row

FAILURES = (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, OSError)
LONG = 60.0  # seconds that a statement of all, length, clear, sweep may take
OPTIONS_IN_URL = ("layout", "table", "timeout", "max_connections")


class Settings:
    """The options of both stores, checked.

    conninfo: a URL, postgresql://user:password@host:port/database, or libpq's `key=value` words
    layout:   "native", or "connect-pg-simple" to share sessions with Node
    table:    `name` or `schema.name`; None is the layout's own, `sessfast_sessions` or `session`
    timeout:  seconds for one call of the five verbs
    max_connections: of one process; beyond these, calls wait for one
    clock:    epoch seconds
    more:     keywords for psycopg.connect, as sslmode or prepare_threshold
    """

    asynchronous: ClassVar[bool]

    def __init__(
        self,
        conninfo: str,
        *,
        layout: str = "native",
        table: str | None = None,
        timeout: float = 2.0,
        max_connections: int = 10,
        clock: Callable[[], float] = time.time,
        **more: Any,
    ) -> None:
        faults = []
        if layout not in LAYOUTS:
            faults.append(f"store: layout must be one of {', '.join(LAYOUTS)}")
        if not timeout > 0:
            faults.append("store: timeout must be more than 0 seconds")
        if max_connections < 1:
            faults.append("store: max_connections must be at least 1")
        try:
            psycopg.conninfo.conninfo_to_dict(conninfo)
        except psycopg.Error:  # its text may quote the password
            faults.append("store: PostgreSQL can't use this URL: postgresql://user@host/database")
        if faults:
            raise OptionsError(faults)
        make, usual = LAYOUTS[layout]
        self.layout = make(table or usual)
        self.timeout = timeout
        self.clock = clock
        self._make: Callable[[], Any] = partial(
            pool_of, conninfo, timeout, max_connections, self.asynchronous, more
        )
        self._sql = self.layout.sql
        self._swept = ""  # the key that the last sweep came to

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: table {self.layout.table}>"

    def schema_sql(self) -> str:
        """The statements that make the table."""
        return self._sql.schema

    def _words(self, verb: str, sid: str, ttl: float = 0.0) -> dict[str, Any]:
        now = float(self.clock())
        key, end = self.layout.key(sid, verb), float(self.layout.end(now, ttl))
        return {"sid": key, "now": now, "end": end}

    def _found(self, rows: list[Row]) -> StoredRecord | None:
        return self.layout.record(rows[0]) if rows else None

    def _writing(
        self, verb: str, sid: str, blob: bytes, ttl: float, version: Version = None
    ) -> dict[str, Any]:
        words = {**self._words(verb, sid, ttl), "payload": self.layout.payload(verb, blob)}
        if verb == "update":
            words["version"] = self.layout.known(version)
        return words

    def _page(self, after: str) -> dict[str, Any]:
        return {"after": after, "now": float(self.clock()), "limit": BATCH}

    def _pairs(self, rows: list[Row]) -> Iterator[tuple[str, StoredRecord]]:
        for row in rows:
            yield self.layout.sid(row[0]), self.layout.record(row[1:])

    def _sweeping(self, limit: int) -> dict[str, Any]:
        return {"after": self._swept, "now": float(self.clock()), "limit": limit}

    def _have_swept(self, limit: int, rows: list[Row]) -> int:
        last, seen, gone = rows[0]
        self._swept = last if seen == limit else ""
        return int(gone)


class PostgresStore(Settings):
    """A `Store` in PostgreSQL; threads share it, and after a fork a child connects anew.

    A call of the five verbs takes `timeout` seconds at most, getting a connection included.
    """

    blocking: ClassVar[bool] = True
    asynchronous = False

    def __init__(self, conninfo: str, **options: Any) -> None:
        super().__init__(conninfo, **options)
        self._pools = Pools(self._make)

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        return self._found(self._ask("get", self._sql.get, self._words("get", sid)))

    def get_and_touch(self, sid: str, ttl: float) -> StoredRecord | None:
        """The record under `sid`, which lives `ttl` seconds from now: one round trip for both."""
        words = self._words("get", sid, ttl)
        return self._found(self._ask("get", self._sql.get_and_touch, words))

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        words = self._writing("create", sid, blob, ttl)
        rows = self._ask("create", self._sql.create, words, again=False)
        return self.layout.version(rows[0]) if rows else EXISTS

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE; these two take a second round trip."""
        words = self._writing("update", sid, blob, ttl, version)
        rows = self._ask("update", self._sql.update, words, again=False)
        if rows:
            return self.layout.version(rows[0])
        record = self._found(self._ask("update", self._sql.get, words))
        return GONE if record is None else Conflict(record)

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        return bool(self._ask("touch", self._sql.touch, self._words("touch", sid, ttl)))

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        self._ask("destroy", self._sql.destroy, self._words("destroy", sid))

    def all(self) -> Iterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, in the order of sids."""
        after = ""
        while rows := self._ask("all", self._sql.page, self._page(after), LONG):
            yield from self._pairs(rows)
            after = rows[-1][0]

    def length(self) -> int:
        """How many live records there are; counts the table."""
        rows = self._ask("length", self._sql.length, {"now": float(self.clock())}, LONG)
        return int(rows[0][0])

    def clear(self) -> None:
        """Destroy every record."""
        while self._ask("clear", self._sql.clear, {"limit": BATCH}, LONG):
            pass

    def sweep(self, limit: int) -> int:
        """Look at the next `limit` records, remove the expired ones; how many those were."""
        rows = self._ask("sweep", self._sql.sweep, self._sweeping(limit), LONG)
        return self._have_swept(limit, rows)

    def create_schema(self) -> None:
        """Make the table, unless it is there."""
        self._ask("create_schema", self._sql.schema, None, LONG, again=False)

    def close(self) -> None:
        """Close this process's connections."""
        self._pools.close()

    def _ask(
        self, verb: str, sql: str, words: Any, span: float | None = None, again: bool = True
    ) -> list[Row]:
        """The rows of the answer, or as many empty ones as were changed."""
        deadline = monotonic() + (span or self.timeout)
        pool = self._pools.here()
        try:
            try:
                return self._send(pool, sql, words, deadline)
            except psycopg.OperationalError as error:
                if not again or not is_broken(error):
                    raise
                return self._send(pool, sql, words, deadline)
        except FAILURES as error:
            raise failure(verb, error, self.layout.table) from error

    def _send(self, pool: Any, sql: str, words: Any, deadline: float) -> list[Row]:
        connection = self._pools.borrow(pool, deadline)
        try:
            connection.deadline = deadline
            cursor = connection.execute(sql, words, binary=words is not None)
            return cursor.fetchall() if cursor.description else [()] * cursor.rowcount
        finally:
            if is_busy(connection):  # its answer is still to come, and nobody else may get it
                connection.close()
            pool.putconn(connection)


class AsyncPostgresStore(Settings):
    """An `AsyncStore` in PostgreSQL; each event loop gets connections of its own.

    A call of the five verbs takes `timeout` seconds at most. One that is cancelled loses its
    connection, so that its answer can't be taken for another's.
    """

    asynchronous = True

    def __init__(self, conninfo: str, **options: Any) -> None:
        super().__init__(conninfo, **options)
        self._pools: MutableMapping[Any, Any] = WeakKeyDictionary()

    async def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        return self._found(await self._ask("get", self._sql.get, self._words("get", sid)))

    async def get_and_touch(self, sid: str, ttl: float) -> StoredRecord | None:
        """The record under `sid`, which lives `ttl` seconds from now: one round trip for both."""
        words = self._words("get", sid, ttl)
        return self._found(await self._ask("get", self._sql.get_and_touch, words))

    async def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        words = self._writing("create", sid, blob, ttl)
        rows = await self._ask("create", self._sql.create, words, again=False)
        return self.layout.version(rows[0]) if rows else EXISTS

    async def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE; these two take a second round trip."""
        words = self._writing("update", sid, blob, ttl, version)
        rows = await self._ask("update", self._sql.update, words, again=False)
        if rows:
            return self.layout.version(rows[0])
        record = self._found(await self._ask("update", self._sql.get, words))
        return GONE if record is None else Conflict(record)

    async def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        return bool(await self._ask("touch", self._sql.touch, self._words("touch", sid, ttl)))

    async def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        await self._ask("destroy", self._sql.destroy, self._words("destroy", sid))

    async def all(self) -> AsyncIterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, in the order of sids."""
        after = ""
        while rows := await self._ask("all", self._sql.page, self._page(after), LONG):
            for pair in self._pairs(rows):
                yield pair
            after = rows[-1][0]

    async def length(self) -> int:
        """How many live records there are; counts the table."""
        rows = await self._ask("length", self._sql.length, {"now": float(self.clock())}, LONG)
        return int(rows[0][0])

    async def clear(self) -> None:
        """Destroy every record."""
        while await self._ask("clear", self._sql.clear, {"limit": BATCH}, LONG):
            pass

    async def sweep(self, limit: int) -> int:
        """Look at the next `limit` records, remove the expired ones; how many those were."""
        rows = await self._ask("sweep", self._sql.sweep, self._sweeping(limit), LONG)
        return self._have_swept(limit, rows)

    async def create_schema(self) -> None:
        """Make the table, unless it is there."""
        await self._ask("create_schema", self._sql.schema, None, LONG, again=False)

    async def close(self) -> None:
        """Close this event loop's connections."""
        if (pool := self._pools.pop(asyncio.get_running_loop(), None)) is not None:
            await pool.close()

    async def _here(self) -> Any:
        """The open pool of the running event loop."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._pools[loop] = self._make()
        if pool.closed:
            await pool.open()
        return pool

    async def _ask(
        self, verb: str, sql: str, words: Any, span: float | None = None, again: bool = True
    ) -> list[Row]:
        """The rows of the answer, or as many empty ones as were changed."""
        try:
            async with asyncio.timeout(span or self.timeout):
                pool = await self._here()
                try:
                    return await self._send(pool, sql, words)
                except psycopg.OperationalError as error:
                    if not again or not is_broken(error):
                        raise
                    return await self._send(pool, sql, words)
        except FAILURES as error:
            raise failure(verb, error, self.layout.table) from error

    async def _send(self, pool: Any, sql: str, words: Any) -> list[Row]:
        connection = await pool.getconn()
        while is_stale(connection):
            await connection.close()
            await pool.putconn(connection)
            connection = await pool.getconn()
        try:
            cursor = await connection.execute(sql, words, binary=words is not None)
            return await cursor.fetchall() if cursor.description else [()] * cursor.rowcount
        finally:
            await pool.putconn(connection)


def open_postgres(
    url: str, layout: str | None = None, *, asynchronous: bool = False, **options: Any
) -> PostgresStore | AsyncPostgresStore:
    """The store that a URL names.

    `layout`, `table`, `timeout` and `max_connections` may stand in its query; keywords win.
    What else is in the query goes to libpq.
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    found: dict[str, Any] = {name: value for name, value in query if name in OPTIONS_IN_URL}
    if found:
        rest = [(name, value) for name, value in query if name not in OPTIONS_IN_URL]
        url = urlunsplit(parts._replace(query=urlencode(rest, quote_via=quote)))
    for name, kind in (("timeout", float), ("max_connections", int)):
        if name in found:
            try:
                found[name] = kind(found[name])
            except ValueError:
                raise OptionsError([f"store: {name} must be a number"]) from None
    options = {**found, **options}
    if layout is not None:
        options["layout"] = layout
    return AsyncPostgresStore(url, **options) if asynchronous else PostgresStore(url, **options)
