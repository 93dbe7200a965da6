"""Beyond the contract: statements, the table, processes, faults of the server, Node's rows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install sessfast[postgres]")
pytest.importorskip("psycopg_pool", reason="pip install sessfast[postgres]")

import psycopg

from sessfast import GONE, OptionsError, StoreError
from sessfast.records import EXISTS, Conflict
from sessfast.stores.contract import (
    AsyncStore,
    ClearableStore,
    ClosableStore,
    CountableStore,
    IterableStore,
    Store,
    SweepableStore,
)
from sessfast.stores.postgres import AsyncPostgresStore, PostgresStore, open_postgres
from sessfast.stores.postgres_statements import NativeLayout
from sessfast.testing import FakeClock
from tests.stores.processes import count_up_in_processes, share_no_connection_in_a_fork
from tests.stores.servers import url_of

NODE = (
    '{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,'
    '"path":"/"},"user":"bób"}'
)


@pytest.fixture
def url() -> str:
    return url_of("postgres")


@pytest.fixture
def raw(url: str) -> Iterator[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def table(raw: Any) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    yield name
    raw.execute(f"DROP TABLE IF EXISTS {name}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(url: str, table: str, clock: FakeClock) -> Iterator[PostgresStore]:
    opened = PostgresStore(url, table=table, clock=clock)
    opened.create_schema()
    yield opened
    opened.close()


# -- statements --------------------------------------------------------------------------------


def test_every_verb_is_one_statement(store: PostgresStore, monkeypatch: Any) -> None:
    """A conflict and a record that is gone take a second one."""
    sent: list[str] = []
    send = store._send

    def counting(*arguments: Any) -> Any:
        sent.append(arguments[1].split()[0])
        return send(*arguments)

    monkeypatch.setattr(store, "_send", counting)
    version = store.create("a", b"1", 60)
    store.get("a")
    store.get_and_touch("a", 60)
    store.update("a", b"2", 60, version)
    store.touch("a", 60)
    store.destroy("a")
    assert ["INSERT", "SELECT", "UPDATE", "UPDATE", "UPDATE", "DELETE"] == sent
    sent.clear()
    assert store.update("a", b"2", 60, version) is GONE
    assert ["UPDATE", "SELECT"] == sent


def test_get_and_touch_moves_the_end(store: PostgresStore, clock: FakeClock) -> None:
    """In one statement, and without a record there is nothing to touch."""
    store.create("a", b"1", 60)
    clock.advance(30)
    record = store.get_and_touch("a", 60)
    assert record is not None
    assert (b"1", clock() + 60) == (record[0], record[2])
    assert store.get_and_touch("b", 60) is None


def test_a_touch_leaves_the_indexes_alone(store: PostgresStore, raw: Any, table: str) -> None:
    """A HOT update, each of them: so the table has one index and room in its pages."""
    for i in range(20):
        store.create(f"sid{i}", b"x" * 300, 60)
    words = {"sid": "sid7", "now": 1_700_000_001.0, "end": 1_700_000_090.0}
    with raw.transaction():
        for _ in range(3):
            raw.execute(store._sql.touch, words)
        updated, hot = raw.execute(
            "SELECT pg_stat_get_xact_tuples_updated(%(t)s::regclass),"
            " pg_stat_get_xact_tuples_hot_updated(%(t)s::regclass)",
            {"t": table},
        ).fetchone()
    assert (3, 3) == (updated, hot)


def test_what_has_expired_stays_unseen_until_it_is_swept(
    store: PostgresStore, clock: FakeClock, raw: Any, table: str
) -> None:
    """The row is there; no verb shows it, `length` doesn't count it."""
    store.create("a", b"", 60)
    clock.advance(60)
    assert (None, 0, []) == (store.get("a"), store.length(), list(store.all()))
    assert (1,) == raw.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert (1, 0) == (store.sweep(10), store.sweep(10))
    assert (0,) == raw.execute(f"SELECT count(*) FROM {table}").fetchone()


def test_sweep_waits_for_nobody_and_takes_no_row_that_lives_again(
    store: PostgresStore, clock: FakeClock, raw: Any, table: str
) -> None:
    """Rows in somebody's hands are left for the next time."""
    for sid in "abc":
        store.create(sid, b"", 60)
    clock.advance(60)
    with raw.transaction():
        raw.execute(f"UPDATE {table} SET expires = to_timestamp(1800000000) WHERE sid = 'b'")
        assert store.sweep(10) == 2
    assert store.sweep(10) == 0
    assert ["b"] == [sid for sid, _ in store.all()]


@given(sid=st.text(st.characters(exclude_categories=())), other=st.text())
def test_every_sid_has_a_key_of_its_own(sid: str, other: str) -> None:
    """With NUL, backslashes and halves of surrogate pairs; and back again."""
    layout = NativeLayout("x")
    key = layout.key(sid)
    assert sid == layout.sid(key)
    assert "\0" not in key
    assert sid == "" or key.encode()
    assert (sid == other) == (key == layout.key(other))


@pytest.mark.parametrize("sid", ["a\\0b", "a\0b", "\\u00e9", "é", "\ud800", "\\", "\\\\0"])
def test_sids_with_backslashes_come_back(sid: str) -> None:
    """The examples that a random text rarely is."""
    layout = NativeLayout("x")
    assert sid == layout.sid(layout.key(sid))


# -- the table ---------------------------------------------------------------------------------


def test_a_table_that_is_missing_is_named_with_the_fix(url: str, table: str, raw: Any) -> None:
    """No store makes it by itself; create_schema() does, and may be called again."""
    store = PostgresStore(url, table=table)
    for verb, arguments in [("get", ()), ("create", (b"", 60)), ("destroy", ())]:
        with pytest.raises(StoreError) as raised:
            getattr(store, verb)("secret", *arguments)
        assert f'store.{verb} failed: the table "{table}" does not exist: call' in str(raised.value)
        assert "secret" not in str(raised.value)
    store.create_schema()
    store.create_schema()
    assert store.get("a") is None
    raw.execute(f"ALTER TABLE {table} DROP COLUMN version")
    with pytest.raises(StoreError, match="does not have our columns: call"):
        store.get("a")
    store.close()


def test_the_table_may_be_in_a_schema(url: str, raw: Any, clock: FakeClock) -> None:
    """schema.name, each of them quoted."""
    schema = f"Test_{secrets.token_hex(6)}"
    raw.execute(f'CREATE SCHEMA "{schema}"')
    store = PostgresStore(url, table=f"{schema}.Sessions", clock=clock)
    store.create_schema()
    store.create("a", b"", 60)
    assert (1,) == raw.execute(f'SELECT count(*) FROM "{schema}"."Sessions"').fetchone()
    store.close()
    raw.execute(f'DROP SCHEMA "{schema}" CASCADE')


def test_the_schema_is_shown_as_it_is_made(url: str) -> None:
    """For those whose tables are made by others."""
    text = PostgresStore(url).schema_sql()
    assert text.startswith('CREATE TABLE IF NOT EXISTS "sessfast_sessions" (')
    assert "fillfactor = 80" in text
    assert "INDEX" not in text


# -- options -----------------------------------------------------------------------------------

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("http://u:secret@host/", {}, "postgresql://user@host/database"),
    ("postgresql:///x", {"layout": "native2"}, "layout must be one of native, connect-pg-simple"),
    ("postgresql:///x", {"timeout": 0}, "timeout must be more than 0"),
    ("postgresql:///x", {"max_connections": 0}, "max_connections must be at least 1"),
    ("postgresql:///x", {"table": "a;b"}, "table must be a name"),
    ("postgresql:///x", {"table": "a.b.c"}, "table must be a name"),
]


@pytest.mark.parametrize(("conninfo", "options", "fault"), FAULTS)
def test_a_wrong_option_is_told_with_its_fix(
    conninfo: str, options: dict[str, Any], fault: str
) -> None:
    """At construction, and without the password that a URL may hold."""
    with pytest.raises(OptionsError) as raised:
        PostgresStore(conninfo, **options)
    assert fault in str(raised.value)
    assert "secret" not in str(raised.value)


def test_options_may_stand_in_the_url(url: str, table: str, raw: Any) -> None:
    """Ours are taken out of the query, the rest is libpq's; keywords win."""
    query = f"?table={table}&timeout=7&max_connections=3&layout=native&application_name=x%20y"
    store = open_postgres(url + query, timeout=1.5)
    assert isinstance(store, PostgresStore)
    store.create_schema()
    pool = store._pools.here()
    assert (1.5, 3) == (store.timeout, pool.max_size)
    names = raw.execute("SELECT application_name FROM pg_stat_activity").fetchall()
    assert ("x y",) in names
    assert f'<PostgresStore: table "{table}">' == repr(store)
    store.close()
    with pytest.raises(OptionsError, match="timeout must be a number"):
        open_postgres(url + "?timeout=soon")


def test_they_are_stores_with_all_abilities(url: str) -> None:
    """For the type checker, and for those who look at it."""
    store = PostgresStore(url)
    abilities: tuple[
        Store, IterableStore, CountableStore, ClearableStore, SweepableStore, ClosableStore
    ] = (store, store, store, store, store, store)
    awaited: AsyncStore = AsyncPostgresStore(url)
    assert abilities
    assert awaited
    assert store.blocking
    store.close()
    store.close()


# -- processes and loops -----------------------------------------------------------------------


def test_a_fork_shares_no_connection(store: PostgresStore) -> None:
    """Parent and child go on, each with connections of its own."""
    share_no_connection_in_a_fork(store, 20)
    assert store.length() == 21


def test_two_processes_lose_no_update(url: str, table: str) -> None:
    """The counter is exact."""
    store = PostgresStore(url, table=table)
    store.create_schema()
    store.create("a", b"0", 60)
    count_up_in_processes("postgres", "open_postgres", url, {"table": table}, "a", 100)
    assert (store.get("a") or (b"",))[0] == b"200"
    store.close()


def test_each_event_loop_has_connections_of_its_own(url: str, store: PostgresStore) -> None:
    """One store object in two loops, one after the other, as test clients do it."""
    awaited = AsyncPostgresStore(url, table=store.layout.table.strip('"'))

    async def use() -> None:
        found = await asyncio.gather(*[awaited.get(str(i)) for i in range(30)])
        assert [None] * 30 == found
        await awaited.close()
        await awaited.close()

    asyncio.run(use())
    asyncio.run(use())


# -- what the server says ----------------------------------------------------------------------


def test_a_standby_and_a_missing_right_are_named(
    url: str, store: PostgresStore, table: str, raw: Any
) -> None:
    """In words of ours, with the verb."""
    reader = PostgresStore(url, table=table, options="-c default_transaction_read_only=on")
    with pytest.raises(StoreError, match="touch failed: the server is read-only"):
        reader.touch("a", 60)
    assert reader.get("a") is None
    reader.close()
    role = f"test_{secrets.token_hex(6)}"
    raw.execute(f"CREATE ROLE {role} LOGIN")
    try:
        stranger = PostgresStore(url, table=table, user=role)
        with pytest.raises(StoreError, match="get failed: the user may not do this to the table"):
            stranger.get("a")
        stranger.close()
    finally:
        raw.execute(f"DROP ROLE {role}")
    slow = PostgresStore(url, table=table, options="-c statement_timeout=1")
    with raw.transaction():
        raw.execute(f"LOCK TABLE {table}")
        with pytest.raises(StoreError, match="get failed: the server's statement_timeout"):
            slow.get("a")
    slow.close()


# -- Node --------------------------------------------------------------------------------------


@pytest.fixture
def nodes(url: str, table: str, clock: FakeClock) -> Iterator[PostgresStore]:
    opened = PostgresStore(url, layout="connect-pg-simple", table=table, clock=clock)
    opened.create_schema()
    yield opened
    opened.close()


def test_nodes_table_has_nodes_rows(
    nodes: PostgresStore, raw: Any, table: str, clock: FakeClock
) -> None:
    """The bare id, the JSON as it is, the end in whole seconds rounded up."""
    clock.advance(0.25)
    version = nodes.create("sess:abc", NODE.encode(), 60)
    row = raw.execute(f"SELECT sid, sess::text, expire::text FROM {table}").fetchone()
    assert ("abc", NODE, "2023-11-14 22:14:21") == row
    assert version == NODE.encode()
    changed = NODE.replace("60000", "70000")
    raw.execute(f"UPDATE {table} SET sess = %s", [changed])  # as Node saves
    reply = nodes.update("sess:abc", NODE.encode(), 60, version)
    assert Conflict((changed.encode(), changed.encode(), 1_700_000_061.0)) == reply
    assert ["sess:abc"] == [sid for sid, _ in nodes.all()]
    assert nodes.update("sess:abc", NODE.encode(), 60, changed.encode()) == NODE.encode()


def test_a_row_of_nodes_is_read_in_its_time_zone(
    url: str, nodes: PostgresStore, table: str, raw: Any, clock: FakeClock
) -> None:
    """`timestamp` without a zone is in that of the database session: the same for both."""
    there = "-c timezone=Asia/Kolkata"
    with psycopg.connect(url, autocommit=True, options=there) as node:
        node.execute(
            f"INSERT INTO {table} VALUES ('abc', %s, to_timestamp(1700000060))".encode(), [NODE]
        )
    store = PostgresStore(url, layout="connect-pg-simple", table=table, clock=clock, options=there)
    assert (NODE.encode(), NODE.encode(), 1_700_000_060.0) == store.get("sess:abc")
    store.close()


def test_what_is_no_json_is_refused_by_nodes_table(nodes: PostgresStore) -> None:
    """A StoreError, and nothing is stored."""
    for blob in (b"\xff", b"{", b""):
        with pytest.raises(StoreError, match="create failed"):
            nodes.create("sess:a", blob, 60)
    assert nodes.length() == 0
    assert nodes.create("sess:a", b"{}", 60) is not EXISTS
