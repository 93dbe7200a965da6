"""tiered(): the contract over stores of both kinds, and what it shows late, and never."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sessfast import GONE, MemoryStore, OptionsError, StoreError
from sessfast.records import Conflict
from sessfast.stores.sqlite import SQLiteStore
from sessfast.stores.tiered import AsyncTieredStore, TieredStore, tiered
from sessfast.testing import FakeClock, FaultyStore, StoreContract
from tests.stores.embedded import folder
from tests.stores.test_memory import AsyncMemoryStore

TTL = 600.0


class TestOverMemory(StoreContract):
    """The contract, whole."""

    def make_store(self, clock: Any) -> Any:
        return tiered(MemoryStore(clock=clock), MemoryStore(clock=clock), seconds=1e6)


class TestOverSQLite(StoreContract):
    """The contract, whole, with a front that holds little."""

    def make_store(self, clock: Any) -> Any:
        self.folder = folder()
        back = SQLiteStore(Path(self.folder.name) / "sessions.db", clock=clock)
        return tiered(MemoryStore(max_entries=3, clock=clock), back, seconds=1e6)

    def teardown_method(self) -> None:
        super().teardown_method()
        self.folder.cleanup()


class TestAwaited(StoreContract):
    """The contract, whole."""

    async def make_store(self, clock: Any) -> Any:
        return tiered(MemoryStore(clock=clock), AsyncMemoryStore(clock), seconds=1e6)


class World:
    """A shared store, this process's store over it, and what the shared one is asked."""

    def __init__(self, seconds: float = 2.0, **front: Any) -> None:
        self.clock = FakeClock()
        self.shared = MemoryStore(clock=self.clock)
        self.back = FaultyStore(self.shared)
        self.front = MemoryStore(clock=self.clock, **front)
        self.store: Any = tiered(self.front, self.back, seconds=seconds)

    def asked(self) -> list[str]:
        """The verbs that went to the back since the last look."""
        verbs = [verb for verb, _ in self.back.calls]
        self.back.calls.clear()
        return verbs


def test_reads_stay_in_the_process_for_some_seconds() -> None:
    """What was written or read here is not asked for again, until they are over."""
    world = World()
    version = world.store.create("sid", b"one", TTL)
    for _ in range(3):
        assert (b"one", version) == world.store.get("sid")[:2]
    assert ["create"] == world.asked()
    world.clock.advance(2.0)
    for _ in range(3):
        assert (b"one", version) == world.store.get("sid")[:2]
    assert ["get"] == world.asked()


def test_what_is_not_there_is_asked_for_each_time() -> None:
    """A session that another process has just made is found at once."""
    world = World()
    assert None is world.store.get("sid")
    world.shared.create("sid", b"one", TTL)
    assert world.store.get("sid")
    assert ["get", "get"] == world.asked()


def test_changes_of_another_process_are_seen_late_and_never_overwritten() -> None:
    """Two seconds late at most; an update on what was read too late is a conflict."""
    world = World()
    old = world.store.create("sid", b"one", TTL)
    new = world.shared.update("sid", b"two", TTL, old)
    assert (b"one", old) == world.store.get("sid")[:2]
    reply = world.store.update("sid", b"three", TTL, old)
    assert isinstance(reply, Conflict)
    assert (b"two", new) == reply.record[:2]
    assert (b"two", new) == world.store.get("sid")[:2]
    world.shared.destroy("sid")
    assert world.store.get("sid")
    assert GONE is world.store.update("sid", b"three", TTL, new)
    assert None is world.store.get("sid")


def test_what_another_process_destroyed_ends_with_the_seconds() -> None:
    """Also for a session that is read all the time."""
    world = World()
    world.store.create("sid", b"one", TTL)
    world.shared.destroy("sid")
    seen = []
    for _ in range(5):
        seen.append(world.store.get("sid") is not None)
        world.clock.advance(0.5)
    assert [True, True, True, True, False] == seen


@pytest.mark.parametrize("after", [True, False])
def test_a_failed_call_leaves_nothing_to_trust(after: bool) -> None:
    """Whether or not the back has done it, the next read asks."""
    for verb, arguments in (("destroy", ()), ("touch", (TTL,)), ("update", (b"two", TTL, 1))):
        world = World()
        world.store.create("sid", b"one", TTL)
        world.back.fail(verb, after=after)
        with pytest.raises(StoreError):
            getattr(world.store, verb)("sid", *arguments)
        world.asked()
        world.store.get("sid")
        assert ["get"] == world.asked()
        assert {} == world.store._leases


def test_an_outage_is_not_hidden_for_longer_than_the_seconds() -> None:
    """Within them reads work; writes fail at once."""
    world = World()
    world.store.create("sid", b"one", TTL)
    world.back.down()
    assert world.store.get("sid")
    with pytest.raises(StoreError):
        world.store.touch("sid", TTL)
    with pytest.raises(StoreError):
        world.store.get("sid")
    assert {} == world.store._leases


class SlowStore(AsyncMemoryStore):
    """Answers a get when it is told to."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.answer.set()

    async def get(self, sid: str) -> Any:
        record = await super().get(sid)
        self.asked.set()
        await self.answer.wait()
        return record


@pytest.mark.parametrize("change", ["destroy", "update", "touch", "clear"])
def test_a_slow_read_does_not_bring_back_what_was_changed_meanwhile(change: str) -> None:
    """It began before, it ends after: its reader gets it, and nobody else."""

    async def scene() -> None:
        clock = FakeClock()
        back = SlowStore(clock)
        store: Any = tiered(MemoryStore(clock=clock), back, seconds=60.0)
        version = await back.create("sid", b"one", TTL)
        back.answer.clear()
        reading = asyncio.create_task(store.get("sid"))
        await back.asked.wait()
        arguments = {"update": ("sid", b"two", TTL, version), "touch": ("sid", 1.0), "clear": ()}
        await getattr(store, change)(*arguments.get(change, ("sid",)))
        back.answer.set()
        assert (b"one", version) == (await reading)[:2]
        clock.advance(1.0)
        expected = {"update": b"two"}.get(change)
        found = await store.get("sid")
        assert expected == (found and found[0])
        assert {} == store._leases

    asyncio.run(scene())


def test_a_cancelled_read_leaves_nothing_behind() -> None:
    """Neither a lease nor a record."""

    async def scene() -> None:
        back = SlowStore(FakeClock())
        store: Any = tiered(MemoryStore(), back)
        back.answer.clear()
        reading = asyncio.create_task(store.get("sid"))
        await back.asked.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert ({}, 0) == (store._leases, store.front.length())

    asyncio.run(scene())


@pytest.mark.parametrize("version", [2**70, (1, 2), 1.5, True])
def test_a_version_that_cannot_be_kept_is_asked_for(version: Any) -> None:
    """It comes back as the back gave it, or not at all from here."""

    class Back(MemoryStore):
        def get(self, sid: str) -> Any:
            return b"one", version, None

    store: Any = tiered(MemoryStore(), Back())
    for _ in range(2):
        assert (b"one", version, None) == store.get("sid")
    assert 0 == store.front.length()


@pytest.mark.parametrize("version", [0, -1, 2**63, b"\xff", "é"])
def test_versions_of_the_usual_types_are_kept(version: Any) -> None:
    """As what they were."""

    class Back(MemoryStore):
        def get(self, sid: str) -> Any:
            return b"one", version, None

    store: Any = tiered(MemoryStore(), Back())
    for _ in range(2):
        assert repr((b"one", version, None)) == repr(store.get("sid"))
    assert 1 == store.front.length()


def test_a_session_too_large_for_the_front_is_only_behind() -> None:
    """No error, no eviction of all others."""
    world = World(max_bytes=2000)
    world.store.create("sid", b"x" * 5000, TTL)
    assert b"x" * 5000 == world.store.get("sid")[0]
    assert 0 == world.front.length()


def test_it_can_do_what_its_back_can() -> None:
    """Optional methods and `ready` are there if the back has them."""

    class Back:
        ready = False
        blocking = False
        get = create = update = touch = destroy = staticmethod(lambda *arguments: None)

    store: Any = tiered(MemoryStore(), Back())
    assert (False, False) == (store.ready, store.blocking)
    assert [] == [name for name in ("all", "length", "clear", "sweep") if hasattr(store, name)]
    store.close()
    whole: Any = tiered(MemoryStore(), MemoryStore())
    assert not hasattr(whole, "ready")
    assert isinstance(whole, TieredStore)
    assert isinstance(tiered(MemoryStore(), AsyncMemoryStore(FakeClock())), AsyncTieredStore)
    assert "<TieredStore: <MemoryStore: 0 of" in repr(whole)


def test_mistakes_are_told_together() -> None:
    """All of them, each with its fix."""
    with pytest.raises(OptionsError) as caught:
        tiered({}, "redis://:PASSWORD@server", seconds=0)  # type: ignore[arg-type]
    assert [
        "tiered: front must be a MemoryStore, not dict",
        "tiered: back must be a store with the five verbs: open_store(url) makes one",
        "tiered: seconds must be more than 0",
    ] == list(caught.value.faults)
