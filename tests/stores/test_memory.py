"""MemoryStore: the contract on both twins, its bounds, and its manners."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import runpy
import weakref
from typing import Any

import pytest

from sessfast import EXISTS, GONE, MemoryStore, hotpath
from sessfast.hotpath import BACKEND, TTLTable, ttltable_py
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


def interpreted() -> type[MemoryStore]:
    """The class as its file says, over the pure table, whatever the backend is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hotpath, "BACKEND", "pure")
        patch.setattr(hotpath, "TTLTable", ttltable_py.TTLTable)
        file = inspect.getsourcefile(importlib.import_module("sessfast.stores.memory"))
        assert file is not None
        made: type[MemoryStore] = runpy.run_path(file)["MemoryStore"]
        return made


INTERPRETED = interpreted()


def store_over(table_type: type[TTLTable], **options: Any) -> MemoryStore:
    """A MemoryStore that keeps its records in a table of this type."""
    store: MemoryStore = type("MemoryStore", (MemoryStore,), {"_table_type": table_type})(**options)
    return store


class TestInterpreted(StoreContract):
    """The contract, whole, by the text of the file over the pure table."""

    def make_store(self, clock: Any) -> MemoryStore:
        return INTERPRETED(clock=clock)


@pytest.mark.skipif(BACKEND == "pure", reason="the backend is pure")
class TestCompiled(StoreContract):
    """The contract, whole, by its compiled twin over the compiled table."""

    def make_store(self, clock: Any) -> MemoryStore:
        return MemoryStore(clock=clock)


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


def test_the_file_and_its_compiled_twin_have_one_face() -> None:
    """The names, kinds and defaults of all parameters, and what help() says."""

    def face(kind: type[MemoryStore], name: str) -> Any:
        thing = kind if name == "__init__" else getattr(kind, name)
        if not callable(thing):
            return inspect.getdoc(thing)
        found = list(inspect.signature(thing).parameters.values())
        kinds = [(each.name, each.kind, each.default) for each in found if each.name != "self"]
        return kinds, inspect.getdoc(thing)

    public = [name for name in dir(INTERPRETED) if not name.startswith("_")]
    assert set(public) <= set(dir(MemoryStore))
    for name in ["__init__", *public]:
        assert face(INTERPRETED, name) == face(MemoryStore, name), name


@pytest.mark.parametrize("kind", [INTERPRETED, MemoryStore])
def test_its_options_are_keywords_with_bounds(kind: type[MemoryStore]) -> None:
    """A million sessions, 256 MiB; a mistake is refused at once."""
    parameters = inspect.signature(kind).parameters
    assert {
        name: (each.kind, each.default) for name, each in parameters.items() if name != "clock"
    } == {
        "max_entries": (inspect.Parameter.KEYWORD_ONLY, 1_000_000),
        "max_bytes": (inspect.Parameter.KEYWORD_ONLY, 256 * 1024 * 1024),
    }
    with pytest.raises(ValueError, match="max_entries"):
        kind(max_entries=0)
    with pytest.raises(ValueError, match="max_bytes"):
        kind(max_bytes=-1)


@pytest.mark.parametrize("kind", [INTERPRETED, MemoryStore])
def test_it_may_be_subclassed_patched_and_watched(
    kind: type[MemoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any class written in Python: a person's own store may begin with it."""

    class Counting(kind):  # type: ignore[valid-type, misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.gets = 0

        def get(self, sid: str) -> Any:
            self.gets += 1
            return super().get(sid)

    clock = FakeClock()
    store = Counting(clock=clock)
    store.create("a", b"one", 60)
    assert store.get(sid="a")[0] == b"one"
    clock.advance(60)
    assert store.get("a") is None
    assert store.gets == 2
    assert weakref.ref(store)() is store
    store.clock = lambda: clock() - 60
    store.create("b", b"two", 60)
    assert store.get("b")[2] == clock()
    monkeypatch.setattr(kind, "length", lambda self: 12345)
    assert kind().length() == 12345


@pytest.mark.parametrize("act", [copy.deepcopy, pickle.dumps])
def test_it_is_not_copied(act: Any) -> None:
    """Two stores that each hold half of the writes would be worse than an error."""
    with pytest.raises(TypeError, match="TTLTable can't be copied"):
        act(MemoryStore())


WRONG: list[tuple[str, tuple[object, ...]]] = [
    ("get", (b"a",)),
    ("create", ("a", "text", 60)),
    ("create", ("a", b"", "60")),
    ("create", (None, b"", 60)),
    ("update", ("a", b"", None, 1)),
    ("update", ("a", b"", 60, "1")),
    ("touch", ("a", "60")),
    ("destroy", (1,)),
]


@pytest.mark.parametrize("kind", [INTERPRETED, MemoryStore])
@pytest.mark.parametrize(("verb", "arguments"), WRONG)
def test_what_is_no_sid_blob_or_number_is_refused(
    kind: type[MemoryStore], verb: str, arguments: tuple[object, ...]
) -> None:
    """TypeError, and the session is as it was."""
    store = kind(clock=FakeClock())
    version = store.create("a", b"one", 60)
    with pytest.raises(TypeError):
        getattr(store, verb)(*arguments)
    assert [("a", (b"one", version, store.clock() + 60))] == list(store.all())


@pytest.mark.parametrize("kind", [INTERPRETED, MemoryStore])
def test_a_clock_that_fails_or_lies_is_not_hidden(kind: type[MemoryStore]) -> None:
    """Its exception comes out of the call; what is no number is a TypeError."""
    store = kind(clock=lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        store.get("a")
    store.clock = lambda: "now"  # type: ignore[assignment, return-value]
    with pytest.raises(TypeError):
        store.create("a", b"", 60)
    store.clock = lambda: 1_700_000_000
    assert store.create("a", b"", 60)


def test_a_blob_that_was_handed_out_stays_what_it_was() -> None:
    """The compiled table hands out what it holds: neither an update nor the end may touch it."""
    store = MemoryStore(clock=FakeClock())
    version = store.create("a", b"one", 60)
    held = store.get("a")
    assert held is not None
    newer = store.update("a", b"two", 60, version)
    assert store.get("a") == (b"two", newer, held[2])
    store.close()
    for i in range(100):
        store.create(str(i), b"xyz", 60)
    assert held[0] == b"one"


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
    """What `sessfast.hotpath` chose; a compiled store takes no other."""
    assert MemoryStore._table_type is hotpath.TTLTable
    assert INTERPRETED._table_type is ttltable_py.TTLTable
    if BACKEND == "compiled":
        with pytest.raises(TypeError):
            store_over(ttltable_py.TTLTable)
