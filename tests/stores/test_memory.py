"""MemoryStore: the contract on both twins, its bounds, and its manners."""

from __future__ import annotations

import importlib
import inspect
import os
from typing import Any

import pytest

from sessfast import EXISTS, GONE, MemoryStore
from sessfast.hotpath import TTLTable, ttltable_py
from sessfast.records import Conflict
from sessfast.stores.contract import (
    ClearableStore,
    ClosableStore,
    CountableStore,
    IterableStore,
    Store,
    SweepableStore,
)
from sessfast.testing import FakeClock, FaultyStore, StoreContract

pure_only = pytest.mark.skipif(os.environ.get("SESSFAST_PURE") == "1", reason="pure run")


def store_over(table_type: type[TTLTable], **options: Any) -> MemoryStore:
    """A MemoryStore that keeps its records in a table of this type."""
    store: MemoryStore = type("MemoryStore", (MemoryStore,), {"_table_type": table_type})(**options)
    return store


class TestOverThePureTable(StoreContract):
    """The contract, whole."""

    def make_store(self, clock: Any) -> MemoryStore:
        return store_over(ttltable_py.TTLTable, clock=clock)


@pure_only
class TestOverTheCompiledTable(StoreContract):
    """The contract, whole."""

    def make_store(self, clock: Any) -> MemoryStore:
        compiled = pytest.importorskip("sessfast.hotpath.ttltable_cy")
        return store_over(compiled.TTLTable, clock=clock)


class TestBehindAFaultyStore(StoreContract):
    """A FaultyStore without faults is the store it wraps."""

    def make_store(self, clock: Any) -> FaultyStore:
        return FaultyStore(MemoryStore(clock=clock))


class AsyncMemoryStore:
    """The same store for those who await."""

    def __init__(self, clock: Any) -> None:
        self.inner = MemoryStore(clock=clock)

    async def get(self, sid: str) -> Any:
        return self.inner.get(sid)

    async def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return self.inner.create(sid, blob, ttl)

    async def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        return self.inner.update(sid, blob, ttl, version)

    async def touch(self, sid: str, ttl: float) -> bool:
        return self.inner.touch(sid, ttl)

    async def destroy(self, sid: str) -> None:
        self.inner.destroy(sid)

    async def all(self) -> Any:
        for pair in self.inner.all():
            yield pair

    async def length(self) -> int:
        return self.inner.length()

    async def clear(self) -> None:
        self.inner.clear()

    async def sweep(self, limit: int) -> int:
        return self.inner.sweep(limit)

    async def close(self) -> None:
        self.inner.close()


class TestAwaited(StoreContract):
    """The contract runs coroutines by itself, and a store may take an await to be made."""

    async def make_store(self, clock: Any) -> AsyncMemoryStore:
        return AsyncMemoryStore(clock)


def test_it_is_a_store_with_all_abilities() -> None:
    """For the type checker, and for those who look at it."""
    store = MemoryStore()
    abilities: tuple[
        Store, IterableStore, CountableStore, ClearableStore, SweepableStore, ClosableStore
    ] = (store, store, store, store, store, store)
    assert abilities
    assert (False, True) == (store.blocking, store.never_fails)


def test_its_options_are_keywords_with_bounds() -> None:
    """A million sessions, 256 MiB; a mistake is refused at once."""
    parameters = inspect.signature(MemoryStore).parameters
    assert {
        name: (each.kind, each.default) for name, each in parameters.items() if name != "clock"
    } == {
        "max_entries": (inspect.Parameter.KEYWORD_ONLY, 1_000_000),
        "max_bytes": (inspect.Parameter.KEYWORD_ONLY, 256 * 1024 * 1024),
    }
    with pytest.raises(ValueError, match="max_entries"):
        MemoryStore(max_entries=0)
    with pytest.raises(ValueError, match="max_bytes"):
        MemoryStore(max_bytes=-1)


def test_the_least_recently_used_session_makes_room() -> None:
    """And `evictions` tells the operator that the store is too small."""
    store = MemoryStore(max_entries=3, clock=FakeClock())
    for sid in "abc":
        store.create(sid, b"", 60)
    store.get("a")
    store.create("d", b"", 60)
    assert sorted("acd") == sorted(sid for sid, _ in store.all())
    assert store.evictions == 1


def test_a_session_larger_than_the_store_is_refused() -> None:
    """ValueError, not an empty store."""
    store = MemoryStore(max_bytes=2000, clock=FakeClock())
    store.create("a", b"x", 60)
    with pytest.raises(ValueError, match="max_bytes"):
        store.create("b", bytes(3000), 60)
    assert store.length() == 1


def test_writing_sweeps_a_little_so_that_expired_sessions_do_not_pile_up() -> None:
    """Without any thread or call to sweep, a steady stream of new sessions keeps its size."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    peak = 0
    for i in range(20_000):
        store.create(str(i), b"", 100)
        clock.advance(1)
        peak = max(peak, store.length())
    assert 100 <= peak <= 200


def test_looking_at_all_sessions_keeps_none_of_them_alive() -> None:
    """An operator's look must not decide which session is dropped next."""
    store = MemoryStore(max_entries=2, clock=FakeClock())
    store.create("old", b"", 60)
    store.create("new", b"", 60)
    assert len(list(store.all())) == 2
    store.create("newest", b"", 60)
    assert store.get("old") is None


def test_a_session_that_is_destroyed_between_two_steps_of_an_update_is_gone() -> None:
    """A conflict whose record has vanished by the time it is fetched is no conflict."""

    class Hasty(TTLTable):
        def update(self, key: str, *arguments: Any) -> int:
            reply = super().update(key, *arguments)
            self.destroy(key)
            return reply

    store = store_over(Hasty, clock=FakeClock())
    store.create("a", b"", 60)
    assert store.update("a", b"", 60, 1000) is GONE
    assert store.create("a", b"", 60) is not EXISTS


def test_a_conflict_has_the_record() -> None:
    """A plain tuple in the order of Record."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    version = store.create("a", b"one", 60)
    reply = store.update("a", b"two", 60, 1000)
    assert Conflict((b"one", version, clock() + 60)) == reply


def test_it_shows_no_session_ids() -> None:
    """repr has numbers only."""
    store = MemoryStore(max_entries=10, max_bytes=5000, clock=FakeClock())
    store.create("secret-id", b"secret data", 60)
    assert "secret" not in repr(store)
    assert repr(store).startswith("<MemoryStore: 1 of at most 10 sessions, ")
    assert repr(store).endswith(" of at most 5000 bytes>")


def test_closing_frees_the_memory() -> None:
    """And may be done again."""
    store = MemoryStore()
    store.create("a", b"", 60)
    store.close()
    store.close()
    assert store.length() == 0


def test_the_table_is_the_chosen_twin() -> None:
    """What `sessfast.hotpath` chose, no other."""
    hotpath = importlib.import_module("sessfast.hotpath")
    assert MemoryStore._table_type is hotpath.TTLTable
