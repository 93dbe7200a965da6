"""Beyond the contract: keys, lives, servers, processes, Node's items, faults."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessfast import GONE, OptionsError, StoreError
from sessfast.records import Conflict
from sessfast.stores.contract import AsyncStore, ClosableStore, Store
from sessfast.stores.memcached import (
    AsyncMemcachedStore,
    MemcachedStore,
    open_memcached,
    place,
    servers_of,
)
from sessfast.stores.memcached_wire import (
    LAST_SECOND,
    MONTH,
    Commands,
    OutOfStepError,
    ServerRefusedError,
    head,
    seconds,
)
from sessfast.testing import FakeClock
from tests.servers import free_port
from tests.stores.processes import count_up_in_processes, share_no_connection_in_a_fork
from tests.stores.servers import url_of

NODE = (
    b'{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.000Z","httpOnly":true,'
    b'"path":"/"},"user":"b\xc3\xb3b"}'
)
NOW = 1_700_000_000.0


@pytest.fixture
def url() -> str:
    return url_of("memcached")


@pytest.fixture
def prefix() -> str:
    return f"test-{secrets.token_hex(6)}:"


@pytest.fixture
def store(url: str, prefix: str) -> Iterator[MemcachedStore]:
    opened = MemcachedStore(url, prefix=prefix, clock=FakeClock())
    yield opened
    opened.close()


# -- keys and lives ----------------------------------------------------------------------------


@given(sid=st.text(st.characters(exclude_categories=())), other=st.text())
def test_every_sid_has_a_key_that_memcached_takes(sid: str, other: str) -> None:
    """Up to 250 octets without spaces and controls, and no two sids share one."""
    commands = Commands("p:", False, time.time, time.time)
    key = commands.key(sid)
    assert 2 < len(key) <= 250
    assert all(0x21 <= octet <= 0x7E for octet in key)
    assert (sid == other) == (key == commands.key(other))


def test_a_sid_as_it_usually_is_is_its_own_key() -> None:
    """So that an operator can look it up; longer and stranger ones are hashed."""
    commands = Commands("p:", False, time.time, time.time)
    assert b"p:sess:aB-_9" == commands.key("sess:aB-_9")
    assert b"p:" + b"x" * 248 == commands.key("x" * 248)
    for sid in ("x" * 249, "a b", "", "é", "#", "\x7f", "a\n"):
        assert commands.key(sid).startswith(b"p:#")
    stranger = commands.key("é").removeprefix(b"p:").decode()
    assert commands.key(stranger) != commands.key("é")


LIVES: list[tuple[float, int]] = [
    (1e-9, 2),
    (0.5, 2),
    (60, 61),
    (60.5, 62),
    (MONTH - 1, MONTH),
    (MONTH, int(NOW) + MONTH + 1),
    (31 * 86_400, int(NOW) + 31 * 86_400 + 1),
    (1e300, LAST_SECOND),
    (float("inf"), LAST_SECOND),
]


@pytest.mark.parametrize(("ttl", "expected"), LIVES)
def test_a_life_is_rounded_up_and_beyond_30_days_it_is_a_date(ttl: float, expected: int) -> None:
    """Never 0, which would be for ever; never a date in 1970, which would be at once."""
    assert expected == seconds(ttl, NOW)


@pytest.mark.parametrize("days", [29.9, 30, 31, 400])
def test_the_server_keeps_long_lives(store: MemcachedStore, days: float) -> None:
    """On both sides of the 30 days; its clock and ours may be a second apart."""
    store.create("a", b"", days * 86_400)
    record = store.get("a")
    assert record is not None
    assert abs((record[2] or 0) - NOW - days * 86_400) <= 3
    assert store.touch("a", (days + 5) * 86_400)
    assert store.get("a") is not None
    store.destroy("a")


def test_get_and_touch_moves_the_end(store: MemcachedStore) -> None:
    """In one command, and without a record there is nothing to touch."""
    version = store.create("a", b"1", 60)
    record = store.get_and_touch("a", 600)
    assert record is not None
    assert (b"1", version) == record[:2]
    assert 599 <= (record[2] or 0) - NOW <= 601
    assert store.get_and_touch("b", 60) is None
    store.destroy("a")


def test_every_verb_is_one_request(store: MemcachedStore, monkeypatch: Any) -> None:
    """A conflict takes a second one."""
    sent: list[bytes] = []
    exchange = store._connections[0].exchange

    def counting(request: bytes, *rest: Any) -> Any:
        sent.append(request[:2])
        return exchange(request, *rest)

    monkeypatch.setattr(store._connections[0], "exchange", counting)
    version: Any = store.create("a", b"1", 60)
    store.get("a")
    new = store.update("a", b"2", 60, version)
    store.touch("a", 60)
    assert [b"ms", b"mg", b"ms", b"mg"] == sent
    sent.clear()
    assert Conflict((b"2", new, NOW + 61)) == store.update("a", b"3", 60, version)
    assert [b"ms", b"mg"] == sent
    sent.clear()
    store.destroy("a")
    assert store.update("a", b"3", 60, new) is GONE
    assert [b"md", b"ms"] == sent


# -- Node --------------------------------------------------------------------------------------


def test_nodes_layout_has_nodes_items(url: str) -> None:
    """The bare id, JSON, and flags 2, without which Node would see a string."""
    sid = secrets.token_urlsafe(24)
    store = MemcachedStore(url, layout="connect-memcached")
    version = store.create(f"sess:{sid}", NODE, 60)
    reply = store._ask("test", f"sess:{sid}", f"mg {sid} v f c\r\n".encode())
    assert (NODE, b"2", version) == (reply.value, reply.flags[b"f"], int(reply.flags[b"c"]))
    store._ask("test", f"sess:{sid}", b"ms %b 2 F2 T60\r\n{}\r\n" % sid.encode())  # as Node saves
    assert isinstance(store.update(f"sess:{sid}", NODE, 60, version), Conflict)
    store.destroy(f"sess:{sid}")
    store.close()


# -- servers and options -----------------------------------------------------------------------

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("redis://host", {}, "a memcached URL is memcached://host:port,host:port"),
    ("memcached://", {}, "a memcached URL is"),
    ("memcached://u:secret@host:port", {}, "a memcached URL is"),
    ("memcached://host", {"layout": "x"}, "layout must be one of native, connect-memcached"),
    ("memcached://host", {"timeout": 0}, "timeout must be more than 0"),
    ("memcached://host", {"prefix": "a b"}, "prefix must be up to 100 ASCII characters"),
    ("memcached://host", {"prefix": "é"}, "prefix must be up to 100 ASCII characters"),
]


@pytest.mark.parametrize(("url", "options", "fault"), FAULTS)
def test_a_wrong_option_is_told_with_its_fix(url: str, options: dict[str, Any], fault: str) -> None:
    """At construction, and without the password that a URL may hold."""
    with pytest.raises(OptionsError) as raised:
        MemcachedStore(url, **options)
    assert fault in str(raised.value)
    assert "secret" not in str(raised.value)


def test_options_may_stand_in_the_url() -> None:
    """Keywords win; what is none of ours is refused."""
    store = open_memcached("memcached://a,[::1]:5?prefix=x&timeout=7", timeout=1.5)
    assert (1.5, b"x") == (store.timeout, store.commands.prefix)
    assert [("a", 11211), ("::1", 5)] == [(each.host, each.port) for each in store.servers]
    assert "<MemcachedStore: 2 servers>" == repr(store)
    with pytest.raises(OptionsError, match="no option 'db'"):
        open_memcached("memcached://a?db=1")
    with pytest.raises(OptionsError, match="timeout must be a number"):
        open_memcached("memcached://a?timeout=soon")
    kind = open_memcached("memcached://a", "connect-memcached", asynchronous=True)
    assert isinstance(kind, AsyncMemcachedStore)


def test_keys_are_shared_out_and_stay_where_they_are() -> None:
    """A third of them each; without one server only its own keys move."""
    three = servers_of("memcached://a,b,c", None)
    keys = [f"key{i}".encode() for i in range(3000)]
    where = [place(three, key) for key in keys]
    assert all(900 < where.count(i) < 1100 for i in range(3))
    two = three[:2]
    assert all(place(two, key) == i for key, i in zip(keys, where, strict=True) if i < 2)


def test_a_server_that_is_down_takes_only_its_own_keys_along(url: str, prefix: str) -> None:
    """Their calls fail; no other server is asked, which might know an older record."""
    both = MemcachedStore(f"{url},127.0.0.1:{free_port()}", prefix=prefix)
    outcomes = []
    for i in range(40):
        try:
            both.create(f"sid{i}", b"", 60)
            outcomes.append("stored")
        except StoreError:
            outcomes.append("failed")
    assert {"stored", "failed"} == set(outcomes)
    both.close()


def test_they_are_stores(url: str) -> None:
    """For the type checker; memcached can neither list nor count what it holds."""
    store = MemcachedStore(url)
    abilities: tuple[Store, ClosableStore] = (store, store)
    awaited: AsyncStore = AsyncMemcachedStore(url)
    assert abilities
    assert awaited
    assert store.blocking
    assert not hasattr(store, "all")
    store.close()
    store.close()


# -- processes and loops -----------------------------------------------------------------------


def test_a_fork_shares_no_connection(store: MemcachedStore) -> None:
    """Parent and child go on, each with connections of its own."""
    share_no_connection_in_a_fork(store, 50)


def test_two_processes_lose_no_update(url: str, prefix: str, store: MemcachedStore) -> None:
    """The counter is exact."""
    store.create("a", b"0", 60)
    count_up_in_processes("memcached", "open_memcached", url, {"prefix": prefix}, "a", 100)
    assert (store.get("a") or (b"",))[0] == b"200"


def test_each_event_loop_has_connections_of_its_own(url: str, prefix: str) -> None:
    """One store object in two loops, one after the other, as test clients do it."""
    store = AsyncMemcachedStore(url, prefix=prefix)

    async def use() -> None:
        assert [None] * 40 == await asyncio.gather(*[store.get(str(i)) for i in range(40)])
        await store.close()
        await store.close()

    asyncio.run(use())
    asyncio.run(use())


# -- what the server says ----------------------------------------------------------------------


def test_a_record_that_is_too_large_is_named(store: MemcachedStore) -> None:
    """And the connection, on which more may come, is not used again."""
    with pytest.raises(StoreError, match="create failed: the record is too large"):
        store.create("a", bytes(1_100_000), 60)
    assert store.get("a") is None


def test_a_wrong_password_and_none_are_named() -> None:
    """In words of ours, with the verb."""
    url = url_of("memcached_auth")
    host = url.rpartition("@")[2]
    for account, words in [("tester:no@", "refuses user name"), ("", "wants a user name")]:
        store = MemcachedStore(f"memcached://{account}{host}")
        with pytest.raises(StoreError, match=words):
            store.get("a")
        store.close()


def test_another_kind_of_server_is_noticed() -> None:
    """A wrong port is no outage: the error says what it is."""
    host = url_of("redis").partition("//")[2].partition("/")[0]
    store = MemcachedStore(f"memcached://{host}")
    with pytest.raises(StoreError, match="what answers is no memcached"):
        store.get("a")
    store.close()


@given(line=st.binary(max_size=60) | st.sampled_from([b"VA 5 c1", b"VA x", b"HD c1 t-1", b""]))
def test_any_first_line_is_an_answer_or_one_of_two_errors(line: bytes) -> None:
    """Whatever a server sends."""
    try:
        code, size, _ = head(line)
    except (ServerRefusedError, OutOfStepError):
        return
    assert (code == b"VA") == (size >= 0)
