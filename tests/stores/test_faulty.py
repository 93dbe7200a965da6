"""FaultyStore and FakeClock: faults and hours on demand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessfast import MemoryStore
from sessfast.drivers import is_async
from sessfast.testing import FakeClock, FaultyStore
from tests.stores.test_memory import AsyncMemoryStore


def test_a_planned_fault_comes_before_the_call_and_then_no_more() -> None:
    """`times` calls of that verb fail and reach nothing; the others don't notice."""
    store = FaultyStore(MemoryStore())
    store.fail("create", times=2)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            store.create("a", b"", 60)
    assert store.get("a") is None
    assert store.create("a", b"", 60) == 1


def test_a_fault_can_come_after_the_call() -> None:
    """As when a server has done its work and the answer is lost; any error, class or object."""
    store = FaultyStore(MemoryStore())
    error = TimeoutError("lost")
    store.fail("create", error=error, after=True)
    store.fail("destroy", error=KeyError)
    with pytest.raises(TimeoutError, match="lost") as raised:
        store.create("a", b"", 60)
    assert raised.value is error
    assert store.get("a") is not None
    with pytest.raises(KeyError):
        store.destroy("a")


def test_an_outage_lasts_until_it_is_over() -> None:
    """down() and up()."""
    store = FaultyStore(MemoryStore())
    store.down()
    for verb, arguments in [("get", ()), ("touch", (60,)), ("destroy", ())]:
        with pytest.raises(ConnectionError, match="down"):
            getattr(store, verb)("a", *arguments)
    store.up()
    assert store.get("a") is None


def test_calls_are_noted_without_the_whole_id() -> None:
    """In order, failed ones too."""
    store = FaultyStore(MemoryStore())
    store.fail("get")
    with pytest.raises(ConnectionError):
        store.get("0123456789abcdef0123")
    store.create("0123456789abcdef0123", b"", 60)
    assert store.calls == [("get", "0123…"), ("create", "0123…")]


def test_it_is_as_async_as_what_it_wraps_and_passes_on_the_rest() -> None:
    """Coroutine functions where the inner store has them, and the inner store's other names."""

    async def use(store: Any) -> None:
        store.fail("touch")
        version = await store.create("a", b"x", 60)
        with pytest.raises(ConnectionError):
            await store.touch("a", 60)
        assert (b"x", version) == (await store.get("a"))[:2]
        store.fail("destroy", after=True)
        with pytest.raises(ConnectionError):
            await store.destroy("a")
        assert await store.length() == 0

    store = FaultyStore(AsyncMemoryStore(FakeClock()))
    assert is_async(store)
    asyncio.run(use(store))
    plain = FaultyStore(MemoryStore(max_entries=7))
    assert not is_async(plain)
    assert (False, 7, False) == (plain.blocking, plain.max_entries, plain.never_fails)
    with pytest.raises(AttributeError):
        _ = plain.no_such_name
    assert repr(plain).startswith("<FaultyStore over <MemoryStore: 0 of")


def test_a_fake_clock_moves_only_when_told() -> None:
    """By seconds, or to a time; it may go back."""
    clock = FakeClock(100.0)
    clock.advance(2.5)
    assert clock() == 102.5
    clock.set(50.0)
    clock.advance(-1)
    assert (49.0, "FakeClock(49.0)") == (clock(), repr(clock))
    assert FakeClock()() == 1_700_000_000.0
