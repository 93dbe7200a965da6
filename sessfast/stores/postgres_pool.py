"""Connections to PostgreSQL that keep a deadline, in pools that no fork shares.

psycopg waits for an answer as long as the server takes, and on a cancellation goes on waiting
for the end of the query. Here a connection that is late, or whose caller has gone, is closed:
its answer reaches nobody, and the pool makes another.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, TypeVar

import psycopg
import psycopg.waiting
import psycopg_pool
from psycopg import errors
from psycopg.pq import TransactionStatus

from sessfast.errors import StoreError

Result = TypeVar("Result")
Ready = Any
INTERVAL = 0.1  # seconds between two looks at the deadline


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that raises TimeoutError once `deadline` (of monotonic()) has passed."""

    deadline = float("inf")

    def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
        """What the generator of a query returns."""
        return super().wait(within(gen, self.deadline), INTERVAL)


def within(steps: Generator[Any, Ready, Result], deadline: float) -> Generator[Any, Ready, Result]:
    """The steps of a query, as psycopg drives them, until `deadline`."""
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and monotonic() >= deadline:
                steps.close()
                raise TimeoutError
            wanted = steps.send(ready)
    except StopIteration as done:
        result: Result = done.value
        return result


class AbandonableConnection(psycopg.AsyncConnection[Any]):
    """A connection that is closed at once when the task that waits on it is cancelled."""

    async def wait(self, gen: Any, *_: Any, **__: Any) -> Any:
        """What the generator of a query returns."""
        try:
            return await psycopg.waiting.wait_async(gen, self.pgconn.socket, interval=INTERVAL)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class Pools:
    """One pool per process: a child of a fork makes its own and leaves the parent's alone."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.by_process: dict[int, Any] = {}

    def here(self) -> Any:
        """The open pool of this process."""
        pool = self.by_process.get(os.getpid())
        if pool is None:  # without a lock, which a fork might find taken
            pool = self.by_process.setdefault(os.getpid(), self.make())
            pool.open()
        return pool

    def borrow(self, pool: Any, deadline: float) -> Any:
        """A connection that has not been hung up on, as far as one can see from here."""
        while True:
            connection = pool.getconn(max(0.0, deadline - monotonic()))
            if not is_stale(connection):
                return connection
            connection.close()
            pool.putconn(connection)

    def close(self) -> None:
        """Close this process's pool, if there is one."""
        if (pool := self.by_process.pop(os.getpid(), None)) is not None:
            pool.close()


def pool_of(
    conninfo: str, timeout: float, limit: int, asynchronous: bool, more: dict[str, Any]
) -> Any:
    """A pool that is not open yet; it holds no connection until one is asked for.

    timeout: seconds for a connection to be made, after which the next caller tries anew
    """
    kind = psycopg_pool.AsyncConnectionPool if asynchronous else psycopg_pool.ConnectionPool
    connection = AbandonableConnection if asynchronous else BoundedConnection
    return kind(
        conninfo,
        connection_class=connection,
        kwargs={"autocommit": True, "connect_timeout": max(2, round(timeout)), **more},
        min_size=0,
        max_size=limit,
        open=False,
        timeout=timeout,
        reconnect_timeout=timeout,
        name="sessfast",
    )


def is_stale(connection: Any) -> bool:
    """Whether something has come on a connection that nobody asked: most likely its end."""
    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN)
    except psycopg.Error:
        return True
    return bool(poll.poll(0))


def is_busy(connection: Any) -> bool:
    """Whether a query is under way on the connection."""
    return bool(connection.info.transaction_status == TransactionStatus.ACTIVE)


def is_broken(error: psycopg.OperationalError) -> bool:
    """Whether the connection was lost, and not that none could be had."""
    if isinstance(error, psycopg_pool.PoolTimeout):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


# The first that fits says what went wrong; no text of the server is passed on, as it may quote.
WORDS: list[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = [
    (psycopg_pool.PoolTimeout, "no connection to the server in time"),
    (TimeoutError, "no answer in time"),
    (errors.ReadOnlySqlTransaction, "the server is read-only, a standby perhaps"),
    (errors.InsufficientPrivilege, "the user may not do this to the table"),
    (errors.QueryCanceled, "the server's statement_timeout"),
    (psycopg.OperationalError, "no connection to the server"),
]


def failure(verb: str, error: BaseException, table: str) -> StoreError:
    """The StoreError for what psycopg raised."""
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        what = "exist" if isinstance(error, errors.UndefinedTable) else "have our columns"
        return StoreError(
            verb, f"the table {table} does not {what}: call create_schema(), or run schema_sql()"
        )
    for kind, words in WORDS:
        if isinstance(error, kind):
            return StoreError(verb, words)
    return StoreError(verb, f"the server answers {type(error).__name__}")
