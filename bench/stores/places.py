"""Where the stores that are measured keep their data: servers of their own, folders."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.servers.process import cores, pinned
from bench.stores.worker import Kind
from tests.servers import ServerError, start, stop

IN_MEMORY = Path("/dev/shm")  # a disk would be measured, not the code


class MissingError(Exception):
    """A server, program or package is not here; the text is one line."""


@contextmanager
def place_of(kind: Kind) -> Iterator[str]:
    """The URL of a server of its own, or a new folder. MissingError where that can't be had.

    The server is on the first caller's core: one that sleeps on another core takes longer to wake
    than to answer, and what would be measured is the machine.
    """
    if importlib.util.find_spec(kind.needs) is None:
        raise MissingError(f"{kind.needs} is not installed")
    if kind.server:
        with server(kind.server, cores()[0]) as url:
            prepare(kind.server, url)
            yield url
        return
    where = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where, prefix="sessfast-bench-") as folder:
        yield folder


@contextmanager
def server(name: str, core: int) -> Iterator[str]:
    """The URL of a server that was started for this, with all its threads on one core."""
    with tempfile.TemporaryDirectory(prefix="sessfast-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL has a user of its own
        try:
            with pinned(core):
                running = start(name, Path(folder) / name)
        except ServerError as error:
            raise MissingError(str(error).partition("\n")[0]) from None
        try:
            yield running.url
        finally:
            stop(Path(folder) / name)


def prepare(name: str, url: str) -> None:
    """Make what our store needs in a new server."""
    if name == "postgres":
        from sessfast import open_store

        store = open_store(url)
        store.create_schema()
        store.close()
