"""SQLite connections: each in the hands of one thread at a time, none across a fork.

A pool rather than one per thread: servers start threads and drop them, also one per request.
"""

from __future__ import annotations

import importlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessfast.errors import StoreError
from sessfast.stores.gate import Gate

if TYPE_CHECKING:
    import sqlite3


class Connections:
    """Connections to one file, opened as they are needed; as many as threads that meet.

    prepare: called with the first connection of each process, for the schema
    timeout: seconds to wait for another writer
    durable: whether a commit waits for the disk
    """

    def __init__(
        self,
        path: str,
        prepare: Callable[[sqlite3.Connection], None],
        *,
        timeout: float,
        durable: bool,
    ) -> None:
        self.path = path
        self.timeout = timeout
        self.durable = durable
        self.closed = False
        self.sqlite: Any = importlib.import_module("sqlite3")  # not every Python has it
        self._prepare = prepare
        self._idle: list[sqlite3.Connection] = []
        weakref.finalize(self, close_all, self._idle)  # for stores that nobody closes
        self._gate = Gate(self._close_idle)
        self._renew()

    def _renew(self) -> None:
        self._pid = os.getpid()
        self._prepared = False
        self._opening = threading.Lock()
        self.writing = threading.Lock()  # SQLite's own waiting is sleeping and asking again

    @contextmanager
    def one(self, verb: str) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else has; after an error it is closed, which undoes all."""
        self._gate.enter()
        try:
            connection = self._take(verb)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
        finally:
            self._gate.leave()

    def _take(self, verb: str) -> sqlite3.Connection:
        if self.closed:
            raise StoreError(verb, "the store is closed")
        if self._pid != os.getpid():  # a fork that Python was not told of
            self._close_idle()
            self._renew()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def close(self) -> None:
        """Close them all, when those in use have come back."""
        with self._gate.alone():
            self.closed = True
            self._close_idle()

    def _open(self) -> sqlite3.Connection:
        with self._opening:
            if not Path(self.path).exists():
                # for the owner alone; SQLite gives the files beside it the same mode
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            connection: sqlite3.Connection = self.sqlite.connect(
                self.path, timeout=self.timeout, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'NORMAL'}")
                if not self._prepared:
                    self._prepare(connection)
                    self._prepared = True
            except BaseException:
                connection.close()
                raise
            return connection

    def _close_idle(self) -> None:
        close_all(self._idle)


def close_all(connections: list[sqlite3.Connection]) -> None:
    """Close and forget them."""
    while connections:
        connections.pop().close()
