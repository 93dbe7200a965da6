"""Beyond the contract: commands, clients, processes, faults of the server, Node's bytes."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("redis", reason="redis-py is not installed: pip install sessfast[redis]")

import redis
import redis.asyncio

from sessfast import GONE, OptionsError, StoreError
from sessfast.records import Conflict
from sessfast.stores.contract import (
    AsyncStore,
    ClearableStore,
    ClosableStore,
    CountableStore,
    IterableStore,
    Store,
)
from sessfast.stores.redis import AsyncRedisStore, RedisStore, open_redis
from sessfast.testing import FakeClock
from tests.servers import free_port, stop
from tests.stores.processes import count_up_in_processes, share_no_connection_in_a_fork
from tests.stores.servers import own, url_of

NODE = (
    b'{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,'
    b'"path":"/"},"user":"b\xc3\xb3b"}'
)


@pytest.fixture
def url() -> str:
    return url_of("redis")


@pytest.fixture
def raw(url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(url)
    yield client
    client.close()


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}:"


@pytest.fixture
def store(url: str, prefix: str) -> Iterator[RedisStore]:
    opened = RedisStore(url, prefix=prefix, clock=FakeClock())
    yield opened
    opened.clear()
    opened.close()


# -- commands ----------------------------------------------------------------------------------


def commands(raw: Any, prefix: str, act: Any) -> list[str]:
    """The commands for keys with the prefix that `act` sends, without what scripts run."""
    with raw.monitor() as monitor:
        act()
        raw.echo("the end")
        found: list[str] = []
        for each in monitor.listen():
            if "the end" in each["command"]:
                return found
            if prefix in each["command"] and each["client_type"] != "lua":
                found.append(each["command"].split()[0].upper())
    return found


def test_every_verb_is_one_command(store: RedisStore, raw: Any, prefix: str) -> None:
    """Load, save, touch, new, gone: one round trip each."""
    version: Any = store.create("warm", b"", 60)
    store.get("warm")
    store.update("warm", b"", 60, version)

    def all_verbs() -> None:
        version = store.create("a", b"1", 60)
        store.get("a")
        store.get_and_touch("a", 60)
        assert isinstance(store.update("a", b"2", 60, b"x" * 16), Conflict)
        store.update("a", b"2", 60, version)
        store.touch("a", 60)
        store.destroy("a")

    wanted = ["SET", "EVALSHA", "EVALSHA", "EVALSHA", "EVALSHA", "PEXPIRE", "DEL"]
    assert wanted == commands(raw, prefix, all_verbs)


def test_scripts_that_the_server_forgot_are_sent_again(store: RedisStore, raw: Any) -> None:
    """As after a restart or a failover."""
    version = store.create("a", b"1", 60)
    raw.script_flush()
    assert store.update("a", b"2", 60, version) not in {GONE, None}
    raw.script_flush()
    record = store.get("a")
    assert record is not None
    assert record[0] == b"2"


def test_get_and_touch_moves_the_end(store: RedisStore, raw: Any, prefix: str) -> None:
    """In one command, and without a record there is nothing to touch."""
    store.create("a", b"1", 60)
    record = store.get_and_touch("a", 120)
    assert record is not None
    assert (b"1", 1_700_000_120) == (record[0], round(record[2] or 0))
    assert 119_000 < raw.pttl(f"{prefix}a") <= 120_000
    assert store.get_and_touch("b", 120) is None
    assert raw.exists(f"{prefix}b") == 0


def test_an_update_whose_answer_was_lost_counts_as_done(
    store: RedisStore, monkeypatch: Any
) -> None:
    """It is sent again, and meets its own version."""
    version = store.create("a", b"1", 60)
    client = store._here()
    execute = client.execute_command
    lost: list[Any] = []

    def lose_one(*words: Any, **options: Any) -> Any:
        reply = execute(*words, **options)
        if not lost:
            lost.append(words)
            raise redis.ConnectionError("connection reset")
        return reply

    monkeypatch.setattr(client, "execute_command", lose_one)
    new = store.update("a", b"2", 60, version)
    assert (b"2", new) == (store.get("a") or ())[:2]
    assert len(lost) == 1


def test_a_create_whose_answer_was_lost_is_an_error(store: RedisStore, monkeypatch: Any) -> None:
    """A second try would say that the record exists: it isn't made."""
    client = store._here()
    execute = client.execute_command
    sent = []

    def lose_all(*words: Any, **options: Any) -> Any:
        sent.append(words)
        execute(*words, **options)
        raise redis.ConnectionError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(client, "execute_command", lose_all)
        with pytest.raises(StoreError, match="create failed: no connection"):
            store.create("a", b"1", 60)
    assert len(sent) == 1


def test_lives_are_kept_in_milliseconds_and_never_as_zero(
    store: RedisStore, raw: Any, prefix: str
) -> None:
    """Rounded up; and what Redis would refuse is cut."""
    for ttl, at_most in [(1e-9, 1), (1.0001, 1001), (1e300, 100 * 366 * 86_400_000)]:
        store.create("a", b"", 60)
        store.touch("a", ttl)
        assert raw.pttl(f"{prefix}a") <= at_most
        store.destroy("a")


# -- clients -----------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_client_that_was_passed_in_is_used_and_left_open(
    url: str, prefix: str, decode: bool, protocol: int
) -> None:
    """Whatever it makes of answers: blobs are octets."""
    client = redis.Redis.from_url(url, decode_responses=decode, protocol=protocol, socket_timeout=2)
    store = RedisStore(client, prefix=prefix)
    version = store.create("ü", b"\xff\x00", 60)
    assert (b"\xff\x00", version) == (store.get("ü") or ())[:2]
    assert [("ü", version)] == [(sid, record[1]) for sid, record in store.all()]
    assert store.length() == 1
    store.clear()
    store.close()
    assert client.ping()
    client.close()


def test_an_async_client_that_was_passed_in_is_used_and_left_open(url: str, prefix: str) -> None:
    async def use() -> None:
        client = redis.asyncio.Redis.from_url(url, decode_responses=True)
        store = AsyncRedisStore(client, prefix=prefix)
        version = await store.create("a", b"\xff", 60)
        assert [("a", version)] == [(sid, record[1]) async for sid, record in store.all()]
        await store.clear()
        assert await store.length() == 0
        await store.close()
        assert await client.ping()
        await client.aclose()

    asyncio.run(use())


def test_a_client_without_a_timeout_is_warned_of(url: str) -> None:
    """A dead server would hang every request."""
    client = redis.Redis.from_url(url, socket_timeout=None)
    with pytest.warns(UserWarning, match="socket_timeout"):
        RedisStore(client)
    client.close()


FAULTS: list[tuple[Any, dict[str, Any], str]] = [
    ("http://host/", {}, "a Redis URL begins with redis://, "),
    ("redis://:secret@host:port/", {}, "can't use this URL"),
    ("redis+sentinel://host:1", {}, "can't use this URL"),
    ("redis://host/", {"layout": "connect-mongo"}, "layout must be one of native, connect-redis"),
    ("redis://host/", {"prefix": ""}, "prefix must not be empty"),
    ("redis://host/", {"timeout": 0}, "timeout must be more than 0"),
    ("redis://host/", {"max_connections": 0}, "max_connections must be at least 1"),
    (5, {}, "int is neither a URL nor a client of redis-py"),
    (redis.asyncio.Redis(), {}, "to AsyncRedisStore"),
]


@pytest.mark.parametrize(("source", "options", "fault"), FAULTS)
def test_a_wrong_option_is_told_with_its_fix(
    source: Any, options: dict[str, Any], fault: str
) -> None:
    """At construction, and without the password that a URL may hold."""
    with pytest.raises(OptionsError) as raised:
        RedisStore(source, **options)
    assert fault in str(raised.value)
    assert "secret" not in str(raised.value)


def test_options_may_stand_in_the_url(url: str, prefix: str) -> None:
    """Ours are taken out of the query, the rest is redis-py's; keywords win."""
    query = f"?prefix={prefix}&timeout=7&max_connections=3&layout=connect-redis&client_name=x%20y"
    store = open_redis(url + query, timeout=1.5)
    assert isinstance(store, RedisStore)
    pool = store._here().connection_pool
    assert (1.5, 3) == (store.timeout, pool.max_connections)
    assert "x y" == pool.connection_kwargs["client_name"]
    assert prefix.encode() == store.verbs.layout.prefix
    assert "ConnectRedisLayout" in repr(store)
    store.close()
    with pytest.raises(OptionsError, match="timeout must be a number"):
        open_redis(url + "?timeout=soon")


def test_calls_beyond_max_connections_wait_for_one(url: str, prefix: str) -> None:
    """And all get through."""
    store = RedisStore(url, prefix=prefix, max_connections=2)
    with ThreadPoolExecutor(8) as pool:
        assert [None] * 80 == list(pool.map(store.get, ["a"] * 80))
    store.close()

    async def use() -> list[Any]:
        store = AsyncRedisStore(url, prefix=prefix, max_connections=2)
        found = await asyncio.gather(*[store.get("a") for _ in range(80)])
        await store.close()
        return found

    assert [None] * 80 == asyncio.run(use())


def test_each_event_loop_has_connections_of_its_own(url: str, prefix: str) -> None:
    """One store object in two loops, one after the other, as test clients do it."""
    store = AsyncRedisStore(url, prefix=prefix)

    async def use() -> None:
        await store.create("a", b"", 60)
        assert await store.get("a") is not None
        await store.destroy("a")
        await store.close()
        await store.close()

    asyncio.run(use())
    asyncio.run(use())


def test_they_are_stores_with_all_abilities(url: str) -> None:
    """For the type checker, and for those who look at it."""
    store = RedisStore(url)
    abilities: tuple[Store, IterableStore, CountableStore, ClearableStore, ClosableStore] = (
        store, store, store, store, store,
    )  # fmt: skip
    awaited: AsyncStore = AsyncRedisStore(url)
    assert abilities
    assert awaited
    assert store.blocking
    store.close()
    store.close()


def test_sentinel_is_asked_for_the_server(url: str, prefix: str, tmp_path: Path) -> None:
    """redis+sentinel://host:port/service/db, sync and async."""
    port, target = free_port(), url.rpartition("/")[0].rpartition(":")[2]
    settings = tmp_path / "sentinel.conf"
    words = [f"port {port}", "bind 127.0.0.1", f"sentinel monitor mine 127.0.0.1 {target} 1"]
    settings.write_text("\n".join([*words, ""]))
    sentinel = subprocess.Popen(
        ["redis-server", str(settings), "--sentinel"], stdout=subprocess.DEVNULL
    )
    try:
        where = f"redis+sentinel://127.0.0.1:{port}/mine/0"
        store = RedisStore(where, prefix=prefix)
        version: Any = None
        for _ in range(200):
            try:
                version = store.create("a", b"x", 60)
            except StoreError:
                if sentinel.poll() is not None:
                    raise
            else:
                break
        assert (b"x", version) == (store.get("a") or ())[:2]

        async def use() -> Any:
            other = AsyncRedisStore(where, prefix=prefix)
            try:
                return await other.get("a")
            finally:
                await other.close()

        assert (b"x", version) == asyncio.run(use())[:2]
        store.clear()
        store.close()
    finally:
        sentinel.terminate()
        sentinel.wait(10)


# -- processes ---------------------------------------------------------------------------------


def test_a_fork_shares_no_connection(store: RedisStore) -> None:
    """Parent and child go on, each with connections of its own."""
    share_no_connection_in_a_fork(store, 50)
    assert store.length() == 51


def test_two_processes_lose_no_update(url: str, prefix: str, store: RedisStore) -> None:
    """The counter is exact."""
    store.create("a", b"0", 60)
    count_up_in_processes("redis", "open_redis", url, {"prefix": prefix}, "a", 100)
    assert (store.get("a") or (b"",))[0] == b"200"


# -- what the server says ----------------------------------------------------------------------


def test_a_key_of_another_type_is_an_error_without_its_name(
    store: RedisStore, raw: Any, prefix: str
) -> None:
    """WRONGTYPE, by its code; all() passes it by."""
    raw.rpush(f"{prefix}a-list", "x")
    store.create("b", b"", 60)
    for verb, arguments in [("get", ()), ("update", (b"", 60.0, b""))]:
        with pytest.raises(StoreError) as raised:
            getattr(store, verb)("a-list", *arguments)
        assert f"store.{verb} failed: the server answers WRONGTYPE" == str(raised.value)
    assert ["b"] == [sid for sid, _ in store.all()]


def test_a_value_that_is_no_record_is_an_error(store: RedisStore, raw: Any, prefix: str) -> None:
    """Another layout's record is not shown as ours, and not overwritten."""
    raw.set(f"{prefix}a", NODE)
    store.create("b", b"", 60)
    with pytest.raises(StoreError, match="no record of this layout"):
        store.get("a")
    with pytest.raises(StoreError, match="no record of this layout"):
        store.update("a", b"", 60, b"x" * 16)
    assert NODE == raw.get(f"{prefix}a")
    assert ["b"] == [sid for sid, _ in store.all()]


def test_a_replica_and_a_full_server_are_named(tmp_path: Path) -> None:
    """READONLY after a failover, OOM, NOPERM, a wrong password: each in words of ours."""
    running = own("redis", tmp_path / "server")
    raw: Any = redis.Redis.from_url(running.url)
    store = RedisStore(running.url)
    try:
        version = store.create("a", b"", 60)
        raw.config_set("maxmemory", 1)
        with pytest.raises(StoreError, match="create failed: the server's memory is full"):
            store.create("b", b"", 60)
        assert store.get("a") is not None
        raw.config_set("maxmemory", 0)
        raw.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+@connection")
        reader = RedisStore(running.url, username="reader", password="pw")
        with pytest.raises(StoreError, match="touch failed: the user may not run the command"):
            reader.touch("a", 60)
        reader.close()
        stranger = RedisStore(running.url, username="reader", password="wrong")
        with pytest.raises(StoreError, match="refuses user name or password"):
            stranger.get("a")
        stranger.close()
        raw.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        for verb, arguments in [("touch", (60,)), ("update", (b"", 60, version)), ("destroy", ())]:
            with pytest.raises(StoreError) as raised:
                getattr(store, verb)("a", *arguments)
            assert "replica" in str(raised.value) or "READONLY" in str(raised.value)
        assert store.get("a") is not None
    finally:
        store.close()
        raw.close()
        stop(tmp_path / "server")


# -- Node --------------------------------------------------------------------------------------


def test_nodes_layout_has_nodes_bytes(url: str, raw: Any) -> None:
    """`sess:` and the id, plain JSON, whole seconds rounded up."""
    sid = secrets.token_urlsafe(24)
    store = RedisStore(url, layout="connect-redis")
    try:
        version = store.create(f"sess:{sid}", NODE, 59.001)
        assert NODE == raw.get(f"sess:{sid}") == version
        assert 59_000 < raw.pttl(f"sess:{sid}") <= 60_000
        raw.set(f"sess:{sid}", NODE.replace(b"60000", b"70000"), ex=70)  # as Node saves
        reply = store.update(f"sess:{sid}", NODE, 60, version)
        assert isinstance(reply, Conflict)
        assert json.loads(reply.record[0])["cookie"]["originalMaxAge"] == 70_000
        assert NODE == store.update(f"sess:{sid}", NODE, 60, reply.record[1])
    finally:
        raw.delete(f"sess:{sid}")
        store.close()


def test_another_prefix_takes_the_place_of_nodes(url: str, raw: Any, prefix: str) -> None:
    """As the option of connect-redis does; all() tells the sids of our rules again."""
    store = RedisStore(url, layout="connect-redis", prefix=prefix)
    store.create("sess:a", NODE, 60)
    assert NODE == raw.get(f"{prefix}a")
    assert ["sess:a"] == [sid for sid, _ in store.all()]
    store.clear()
    store.close()


@pytest.mark.parametrize("stem", ["a*", "a?", "[ab]", "a\\", "^a-b"])
def test_a_prefix_is_no_pattern(url: str, stem: str) -> None:
    """clear() of `a*` leaves `ab` alone."""
    here = RedisStore(url, prefix=f"test-{stem}:")
    others = [RedisStore(url, prefix=f"test-{other}:") for other in ("ab", "a", "b", "aX", "c-b")]
    for store in (here, *others):
        store.create("x", b"", 60)
    here.clear()
    assert [0, 1, 1, 1, 1, 1] == [store.length() for store in (here, *others)]
    for store in (here, *others):
        store.clear()
        store.close()
