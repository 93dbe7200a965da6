"""The stores that keep their sessions in files of this machine, each in a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

IN_MEMORY = Path("/dev/shm")  # a file system like another, without the disk: many calls are made

URLS = {
    "sqlite": "sqlite:///{}/sessions.db",
    "connect-sqlite3": "sqlite:///{}/sessions?layout=connect-sqlite3",
    "lmdb": "lmdb:///{}/lmdb?durable=false",
    "lmdb, durable": "lmdb:///{}/lmdb",
    "file": "file:///{}/files",
    "session-file-store": "file:///{}/files?layout=session-file-store",
}

every_store = pytest.mark.parametrize("name", URLS)


def folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder, in memory where there is one."""
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    return tempfile.TemporaryDirectory(dir=place, prefix="sessfast-")


def url_in(path: object, name: str) -> str:
    """The URL of a store in this folder."""
    if name.startswith("lmdb"):
        needs_lmdb()
    return URLS[name].format(path)


def needs_lmdb() -> None:
    """Skip where py-lmdb is missing."""
    if importlib.util.find_spec("lmdb") is None:
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail("lmdb is missing, and SESSFAST_REQUIRE_ALL=1 asks for it: pip install lmdb")
        pytest.skip("lmdb is not installed: pip install lmdb")
