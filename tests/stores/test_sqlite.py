"""SQLiteStore: the contract on real files, its options, and Node's table."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sessfast import GONE, OptionsError, StoreError, open_store
from sessfast.records import Conflict
from sessfast.stores.contract import (
    ClearableStore,
    ClosableStore,
    CountableStore,
    IterableStore,
    Store,
    SweepableStore,
)
from sessfast.stores.sqlite import ConnectSQLite3Store, SQLiteStore
from sessfast.testing import FakeClock, StoreContract
from tests.stores.embedded import folder

TTL = 600.0
J60 = (
    '{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.123Z","httpOnly":true,'
    '"path":"/"},"user":"bób"}'
)


class TestSQLite(StoreContract):
    """The contract, whole."""

    store_type: ClassVar[type[SQLiteStore]] = SQLiteStore

    def make_store(self, clock: Any) -> SQLiteStore:
        self.folder = folder()
        return self.store_type(Path(self.folder.name) / "sessions.db", clock=clock)

    def teardown_method(self) -> None:
        super().teardown_method()
        self.folder.cleanup()


class TestConnectSQLite3(TestSQLite):
    """The contract for JSON text without version."""

    store_type = ConnectSQLite3Store
    any_octets = False
    unique_versions = False

    def sid(self) -> str:
        return "sess:" + super().sid()


@pytest.fixture
def path() -> Iterator[Path]:
    """A file in memory that isn't there yet."""
    with folder() as place:
        yield Path(place) / "sessions.db"


def rows(path: Path, statement: str) -> list[Any]:
    """What a client of its own sees."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_it_is_a_store_with_all_abilities(path: Path) -> None:
    """For the type checker, and for those who look at it."""
    store = SQLiteStore(path)
    abilities: tuple[
        Store, IterableStore, CountableStore, ClearableStore, SweepableStore, ClosableStore
    ] = (store, store, store, store, store, store)
    assert abilities
    assert store.blocking
    assert f"<SQLiteStore at {path}>" == repr(store)


def test_a_new_file_has_a_schema_a_log_and_one_reader(path: Path) -> None:
    """Made by create_schema, or by the first call; for the owner alone."""
    store = SQLiteStore(path, table="web")
    assert not path.exists()
    store.create_schema()
    store.create_schema()
    assert [("wal",)] == rows(path, "PRAGMA journal_mode")
    assert [("web",)] == rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
    for file in path.parent.iterdir():
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    store.close()


@pytest.mark.parametrize(("durable", "expected"), [(False, 1), (True, 2)])
def test_durable_is_synchronous_full(path: Path, durable: bool, expected: int) -> None:
    """NORMAL is for those who can lose the last moment in a power cut."""
    store = SQLiteStore(path, durable=durable)
    assert [(expected,)] == store._read("get", "PRAGMA synchronous", {})
    store.close()


def test_two_tables_of_a_file_are_two_stores(path: Path) -> None:
    """One sid, two records."""
    first, second = SQLiteStore(path, table="a"), SQLiteStore(path, table="b")
    first.create("sid", b"one", TTL)
    second.create("sid", b"two", TTL)
    first.clear()
    assert (None, b"two") == (first.get("sid"), (second.get("sid") or (b"",))[0])
    first.close()
    second.close()


def test_a_busy_file_is_an_error_after_the_timeout(path: Path) -> None:
    """A reader gets through; a writer waits for `timeout` seconds and no longer."""
    store = SQLiteStore(path, timeout=0.05)
    store.create("sid", b"one", TTL)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.get("sid")
    with pytest.raises(StoreError, match=r"store\.touch failed: SQLite: database is locked"):
        store.touch("sid", TTL)
    other.execute("ROLLBACK")
    other.close()
    assert store.touch("sid", TTL)
    store.close()
    with pytest.raises(StoreError, match=r"store\.get failed: the store is closed"):
        store.get("sid")


def test_connections_are_as_many_as_threads_that_meet(path: Path) -> None:
    """A thousand calls one after another need one."""
    store = SQLiteStore(path)
    for number in range(100):
        store.create(str(number), b"", TTL)
    assert 1 == len(store._connections._idle)
    assert 100 == len(list(store.all()))
    assert 1 == len(store._connections._idle)
    store.close()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"path": ":memory:"}, r"MemoryStore\(\)"),
        ({"path": ""}, "path must be that of a file"),
        ({"path": "/no/such/folder/s.db"}, "there is no folder /no/such/folder"),
        ({"table": "sessions; DROP TABLE users"}, "table must be a name"),
        ({"timeout": 0}, "timeout must be more than 0"),
    ],
)
def test_options_that_cannot_work_are_refused(
    path: Path, options: dict[str, Any], fault: str
) -> None:
    """Before a file is made, each with its fix."""
    with pytest.raises(OptionsError, match=fault):
        SQLiteStore(**{"path": path, **options})
    assert not path.exists()


# -- connect-sqlite3 -------------------------------------------------------------------------


def test_a_row_is_as_connect_sqlite3_writes_it(path: Path) -> None:
    """Its name, its types, its bytes; the end as a number of milliseconds."""
    store = open_store(
        f"sqlite:///{path}", layout="connect-sqlite3", clock=FakeClock(1_700_000_000.123)
    )
    store.create("sess:abc", J60.encode(), 60.0)
    found = "SELECT sid, expired, sess, typeof(expired), typeof(sess) FROM sessions"
    assert [("abc", 1700000060123.0, J60, "real", "text")] == rows(path, found)
    schema = "CREATE TABLE sessions (sid PRIMARY KEY, expired, sess)"
    assert [(schema,)] == rows(path, "SELECT sql FROM sqlite_master WHERE type = 'table'")
    store.close()


def test_a_row_of_connect_sqlite3_is_a_record(path: Path) -> None:
    """Made with Node's own statements, in a file without a log, which stays as it is."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE IF NOT EXISTS sessions (sid PRIMARY KEY, expired, sess)")
    values = ("abc", 1700000060123.0, J60)
    other.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", values)
    clock = FakeClock(1_700_000_000.0)
    store = ConnectSQLite3Store(path, clock=clock)
    record = store.get("sess:abc")
    assert (J60.encode(), J60.encode(), 1_700_000_060.123) == record
    assert [("sess:abc", record)] == list(store.all())
    # Node writes meanwhile: a conflict, with what it wrote
    other.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)", ("abc", 1.8e12, "{}"))
    reply = store.update("sess:abc", b'{"n":1}', TTL, J60.encode())
    assert Conflict((b"{}", b"{}", 1.8e9)) == reply
    assert store.touch("sess:abc", TTL)
    assert [("abc", 1700000600000.0, "{}")] == other.execute("SELECT * FROM sessions").fetchall()
    assert [("delete",)] == other.execute("PRAGMA journal_mode").fetchall()
    other.execute("DELETE FROM sessions")
    assert GONE is store.update("sess:abc", b'{"n":1}', TTL, b"{}")
    store.close()
    other.close()


def test_hashed_sids_are_refused_where_node_looks_for_ids(path: Path) -> None:
    """The error names the option."""
    store = ConnectSQLite3Store(path)
    with pytest.raises(StoreError, match="hash_ids=False"):
        store.create("bhAuA8__XDEO7EBZICgfx23rRqlGkF2l", b"{}", TTL)
    store.close()
