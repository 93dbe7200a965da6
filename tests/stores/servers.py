"""The servers for the store tests: those of scripts/servers, of the environment, or our own.

A test asks `url_of("redis")`. SESSFAST_TEST_REDIS names a server, or one that scripts/servers
has started is used, or one is started for this run and ended with it. Where the program is
missing the test is skipped with one line; with SESSFAST_REQUIRE_ALL=1 it fails.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

from tests.servers import Running, ServerError, folder_of, running_in, start, stop, variable


def url_of(name: str) -> str:
    """The URL of a server of this kind that runs."""
    if url := os.environ.get(variable(name)) or _found(name):
        return url
    return own(name).url


def own(name: str, folder: Path | None = None, port: int | None = None) -> Running:
    """A server that was started for the tests: in `folder`, or the one of the whole run."""
    try:
        return _shared(name) if folder is None else start(name, folder, port)
    except ServerError as error:
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


def _found(name: str) -> str | None:
    running = running_in(folder_of(name))
    return None if running is None else running.url


@lru_cache
def _shared(name: str) -> Running:
    folder = Path(tempfile.mkdtemp(prefix="sessfast-"))
    folder.chmod(0o755)  # PostgreSQL has a user of its own
    parent = os.getpid()

    def end() -> None:
        if os.getpid() == parent:
            stop(folder / name)
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return start(name, folder / name)
