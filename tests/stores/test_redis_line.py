"""One connection for all calls of a loop: every answer meets its own question, whatever happens."""

from __future__ import annotations

import asyncio
import random
import re
import secrets
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

pytest.importorskip("redis", reason="redis-py is not installed: pip install sessfast[redis]")
pytest.importorskip("hiredis", reason="hiredis is not installed: pip install redis[hiredis]")

import redis

from sessfast.errors import StoreError
from sessfast.stores.redis import AsyncRedisStore, open_redis
from tests.servers import stop
from tests.stores.outages import TIMEOUT, Outages
from tests.stores.proxy import Proxy
from tests.stores.servers import own, url_of


@pytest.fixture
def url() -> str:
    return url_of("redis")


@pytest.fixture
def raw(url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(url)
    yield client
    client.close()


def store_at(url: str, **options: Any) -> AsyncRedisStore:
    return AsyncRedisStore(url, prefix=f"test-{secrets.token_hex(6)}:", **options)


def test_all_calls_of_a_loop_go_over_one_connection(url: str) -> None:
    """Also those that come while it is being opened."""

    async def use(url: str) -> list[Any]:
        store = store_at(url)
        sids = [f"sid{n}" for n in range(200)]
        await asyncio.gather(*[store.create(sid, sid.encode(), 60.0) for sid in sids])
        found = await asyncio.gather(*[store.get(sid) for sid in sids])
        await asyncio.gather(*[store.destroy(sid) for sid in sids])
        await store.close()
        return [(sid, record[0]) for sid, record in zip(sids, found, strict=True) if record]

    with Proxy(url) as proxy:
        assert [(f"sid{n}", b"sid%d" % n) for n in range(200)] == asyncio.run(use(proxy.url))
        assert 1 == proxy.accepted


@pytest.mark.parametrize("seed", range(3))
def test_answers_meet_their_questions_while_others_are_cancelled(url: str, seed: int) -> None:
    """A third of all calls is cancelled somewhere; none of their answers gets to another."""
    rolls = random.Random(seed)

    async def look(store: AsyncRedisStore, sid: str) -> bool:
        for _ in range(40):
            task = asyncio.ensure_future(store.get(sid))
            if rolls.random() < 0.33:
                for _ in range(rolls.randrange(4)):
                    await asyncio.sleep(0)
                task.cancel()
            try:
                record = await task
            except asyncio.CancelledError:
                continue
            if record is None or record[0] != sid.encode() * 50:
                return False
        return True

    async def use() -> list[bool]:
        store = store_at(url)
        sids = [f"sid{n}" for n in range(70)]  # more than go in one burst
        for sid in sids:
            await store.create(sid, sid.encode() * 50, 60.0)
        right = await asyncio.gather(*[look(store, sid) for sid in sids])
        await store.clear()
        await store.close()
        return right

    assert [True] * 70 == asyncio.run(use())


def test_answers_meet_their_questions_while_the_connection_breaks(url: str) -> None:
    """Every answer is the right one, or an error; and after the last break all is well."""

    async def look(store: AsyncRedisStore, sid: str, proxy: Proxy) -> list[bool]:
        right = []
        for turn in range(60):
            if sid == "sid0" and turn % 20 == 10:
                proxy.cut()
            try:
                record = await store.get(sid)
            except StoreError:
                continue
            right.append(record is not None and record[0] == sid.encode() * 50)
        return right

    async def use(proxy: Proxy) -> None:
        store = store_at(proxy.url)
        sids = [f"sid{n}" for n in range(40)]
        for sid in sids:
            await store.create(sid, sid.encode() * 50, 60.0)
        for right in await asyncio.gather(*[look(store, sid, proxy) for sid in sids]):
            assert all(right)
            assert len(right) > 40  # most are tried again, and get through
        await store.clear()
        await store.close()

    with Proxy(url) as proxy:
        asyncio.run(use(proxy))


def test_a_silent_server_is_left_though_every_call_was_cancelled_before(url: str) -> None:
    """Who gives up earlier than the store does must not keep a dead connection alive."""

    async def use(proxy: Proxy) -> None:
        store = store_at(proxy.url, timeout=0.3)
        await store.create("a", b"blob", 60.0)
        proxy.hold()
        while proxy.accepted == 1:  # a new connection is made once the old one is given up
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(store.get("a"), 0.05)
        proxy.release()
        assert (b"blob",) == (await store.get("a") or ())[:1]
        await store.destroy("a")
        await store.close()

    with Proxy(url) as proxy:
        asyncio.run(asyncio.wait_for(use(proxy), 10))


def test_one_late_answer_fails_its_own_call_alone(url: str) -> None:
    """Who asked later has its own time; who asks next gets a new connection."""

    async def use(proxy: Proxy) -> None:
        store = store_at(proxy.url, timeout=0.6)
        await store.create("a", b"blob", 60.0)
        proxy.hold()
        early = asyncio.ensure_future(store.get("a"))
        await asyncio.sleep(0.4)
        later = asyncio.ensure_future(store.get("a"))
        with pytest.raises(StoreError, match="no answer in time"):
            await early
        proxy.release()
        for record in (await later, await store.get("a")):
            assert (b"blob",) == (record or ())[:1]
        assert 2 == proxy.accepted
        await store.destroy("a")
        await store.close()

    with Proxy(url) as proxy:
        asyncio.run(use(proxy))


def test_a_server_that_went_away_between_two_calls_is_no_error(url: str) -> None:
    """The broken connection is seen before anything is sent: not even a `create` fails."""

    async def use(proxy: Proxy) -> None:
        store = store_at(proxy.url)
        assert await store.create("a", b"blob", 60.0)
        proxy.cut()
        await asyncio.sleep(0.2)
        assert await store.create("b", b"blob", 60.0)
        await store.clear()
        await store.close()

    with Proxy(url) as proxy:
        asyncio.run(use(proxy))


@pytest.mark.parametrize("said", [b"?what\r\n", b"*1\r\n?what\r\n", b"_\r\n_\r\n_\r\n"])
def test_what_is_no_redis_is_an_error_or_left(said: bytes) -> None:
    """Octets that are no answer, and answers that nobody asked for."""

    async def use() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                asked = len(re.findall(rb"\*\d", data))
                writer.write(said if b"EVALSHA" in data else b"+OK\r\n" * asked)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = store_at(f"redis://127.0.0.1:{port}/?protocol=2", timeout=2.0)
        if b"what" in said:
            with pytest.raises(StoreError, match="no connection to the server"):
                await store.get("a")
        else:
            assert await store.get("a") is None
        assert store._lines is not None
        assert store._lines.here(asyncio.get_running_loop()) is None
        await store.close()
        server.close()

    asyncio.run(use())


def test_a_failed_call_says_what_the_server_said(url: str, raw: redis.Redis) -> None:
    """And the calls around it have their answers."""

    async def use() -> list[Any]:
        store = store_at(url)
        await store.create("a", b"blob", 60.0)
        raw.rpush(store.verbs.layout.key("list"), "x")
        calls = [store.get("a"), store.get("list"), store.get("a")]
        found = await asyncio.gather(*calls, return_exceptions=True)
        await store.clear()
        await store.close()
        return found

    first, second, third = asyncio.run(use())
    assert "store.get failed: the server answers WRONGTYPE" == str(second)
    assert b"blob" == first[0] == third[0]


def test_a_server_that_became_a_replica_is_left(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """After a failover the master is elsewhere: the next call asks anew where."""
    folder = tmp_path_factory.mktemp("redis") / "server"
    running = own("redis", folder)

    async def use() -> None:
        with Proxy(running.url) as proxy, redis.Redis.from_url(running.url) as raw:
            store = store_at(proxy.url)
            version = await store.create("a", b"blob", 60.0)
            raw.execute_command("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(StoreError, match=r"replica|READONLY"):
                await store.update("a", b"new", 60.0, version)
            raw.execute_command("REPLICAOF", "NO", "ONE")
            assert 1 == proxy.accepted
            assert await store.touch("a", 60.0)
            assert 2 == proxy.accepted
            await store.close()

    try:
        asyncio.run(use())
    finally:
        stop(folder)


def test_closing_waits_for_nobody_and_may_be_done_again(url: str) -> None:
    """A call that is under way then is told so."""

    async def use(proxy: Proxy) -> None:
        store = store_at(proxy.url)
        await store.create("a", b"blob", 60.0)
        proxy.hold()
        call = asyncio.ensure_future(store.create("b", b"blob", 60.0))
        await asyncio.to_thread(proxy.asked.wait, 5)
        await store.close()
        with pytest.raises(StoreError, match="no connection to the server"):
            await call
        await store.close()

    with Proxy(url) as proxy:
        asyncio.run(use(proxy))


class TestTheLibrarysConnections(Outages):
    """Where one is set that redis-py alone knows, it does the talking, with the same promises."""

    server: ClassVar[str] = "redis"
    bound: ClassVar[dict[bool, int]] = {False: 2, True: 1}

    def open(self, url: str, asynchronous: bool, timeout: float = TIMEOUT) -> Any:
        store = open_redis(
            url,
            asynchronous=asynchronous,
            timeout=timeout,
            prefix="outage:",
            health_check_interval=300,
        )
        assert getattr(store, "_lines", None) is None
        return store

    def version(self) -> Any:
        return secrets.token_bytes(16)
