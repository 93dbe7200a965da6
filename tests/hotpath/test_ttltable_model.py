"""Both twins of the table against a model of it, in whatever order hypothesis thinks of."""

from __future__ import annotations

import math
import os
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

STEPS = 60
START = 1_700_000_000.0

keys = st.sampled_from(["", "a", "b", "c", "d", "é", "k" * 40, "\0", "𝄞", "\ud800"])
blobs = st.binary(max_size=30) | st.binary(min_size=180, max_size=200)
spans = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0, 100.0, math.inf])
limits = st.sampled_from([1, 2, 3, 100])

Reply = tuple[str, object]


class Model:
    """What the table promises, in the plainest words: a list from stale to fresh."""

    def __init__(self, entries: int, octets: int, overhead: int) -> None:
        self.max_entries = entries
        self.max_bytes = octets
        self.overhead = overhead
        self.order: list[str] = []
        self.records: dict[str, tuple[bytes, int, float]] = {}
        self.last_version = 0
        self.evictions = 0

    def size(self, key: str, blob: bytes) -> int:
        return len(key.encode()) + len(blob) + self.overhead

    @property
    def nbytes(self) -> int:
        return sum(self.size(key, record[0]) for key, record in self.records.items())

    def remove(self, key: str) -> bool:
        if key not in self.records:
            return False
        del self.records[key]
        self.order.remove(key)
        return True

    def is_live(self, key: str, now: float) -> bool:
        return key in self.records and self.records[key][2] > now

    def look(self, key: str, now: float) -> bool:
        """Whether it is live; if not, it is removed, and if so, it becomes the freshest."""
        live = self.is_live(key, now)
        self.order.sort(key=lambda each: live and each == key)
        if not live:
            self.remove(key)
        return live

    def write(self, key: str, blob: bytes, expires: float, now: float) -> int:
        self.remove(key)
        self.last_version += 1
        self.records[key] = (blob, self.last_version, expires)
        self.order.append(key)
        while len(self.order) > self.max_entries or self.nbytes > self.max_bytes:
            stale = self.order[0]
            self.evictions += self.is_live(stale, now)
            self.remove(stale)
        return self.last_version

    # -- the methods of the table ------------------------------------------------------------

    def get(self, key: str, now: float) -> object:
        return self.records[key] if self.look(check(key), now) else None

    def peek(self, key: str, now: float) -> object:
        return self.records[key] if self.is_live(check(key), now) else None

    def create(self, key: str, blob: bytes, expires: float, now: float) -> int:
        self.check_size(key, blob)
        if self.is_live(key, now):
            return 0
        return self.write(key, blob, expires, now)

    def update(self, key: str, blob: bytes, expires: float, version: int, now: float) -> int:
        self.check_size(key, blob)
        if not self.is_live(key, now):
            self.remove(key)
            return 0
        if self.records[key][1] != version:
            return -1
        return self.write(key, blob, expires, now)

    def touch(self, key: str, expires: float, now: float) -> bool:
        if not self.look(check(key), now):
            return False
        blob, version, _ = self.records[key]
        self.records[key] = (blob, version, expires)
        return True

    def destroy(self, key: str) -> bool:
        return self.remove(check(key))

    def clear(self) -> None:
        self.records.clear()
        self.order.clear()

    def check_size(self, key: str, blob: bytes) -> None:
        if self.size(check(key), blob) > self.max_bytes:
            raise ValueError


def check(key: str) -> str:
    key.encode()
    return key


def outcome(thing: Any, method: str, *arguments: object) -> Reply:
    """What a call returns or raises."""
    try:
        return "returns", getattr(thing, method)(*arguments)
    except ValueError:
        return "raises", ValueError


class Comparison(RuleBasedStateMachine):
    """Every call goes to the model and to the tables; all replies are the same."""

    modules: tuple[ModuleType, ...]
    now = START

    @initialize(entries=st.integers(1, 6), octets=st.integers(1, 900))
    def begin(self, entries: int, octets: int) -> None:
        overhead = self.modules[-1].OVERHEAD
        octets += overhead
        self.model = Model(entries, octets, overhead)
        self.tables = [module.TTLTable(entries, octets) for module in self.modules]

    def same(self, method: str, *arguments: object) -> object:
        """What all of them reply."""
        expected = outcome(self.model, method, *arguments)
        for table in self.tables:
            assert expected == outcome(table, method, *arguments), (method, arguments, table)
        return expected[1]

    def alike(self, method: str, *arguments: object) -> Any:
        """What the tables reply, where the model doesn't know the order of things."""
        replies = [outcome(table, method, *arguments) for table in self.tables]
        assert all(reply == replies[0] for reply in replies), (method, arguments, replies)
        return replies[0][1]

    @rule(key=keys)
    def get(self, key: str) -> None:
        self.same("get", key, self.now)

    @rule(key=keys)
    def peek(self, key: str) -> None:
        self.same("peek", key, self.now)

    @rule(key=keys, blob=blobs, span=spans)
    def create(self, key: str, blob: bytes, span: float) -> None:
        self.same("create", key, blob, self.now + span, self.now)

    @rule(key=keys, blob=blobs, span=spans, off=st.sampled_from([0, 0, 0, 1, -1, 2**64]))
    def update(self, key: str, blob: bytes, span: float, off: int) -> None:
        version = self.model.records[key][1] if key in self.model.records else 1
        self.same("update", key, blob, self.now + span, version + off, self.now)

    @rule(key=keys, span=spans)
    def touch(self, key: str, span: float) -> None:
        self.same("touch", key, self.now + span, self.now)

    @rule(key=keys)
    def destroy(self, key: str) -> None:
        self.same("destroy", key)

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 200.0, -1.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(limit=limits)
    def sweep(self, limit: int) -> None:
        removed = self.alike("sweep", self.now, limit)
        assert removed <= limit
        # a look from long ago shows what has expired too
        lost = [key for key in self.model.records if not self.tables[0].peek(key, -math.inf)]
        assert removed == len(lost)
        for key in lost:
            assert not self.model.is_live(key, self.now)
            self.model.remove(key)

    @rule()
    def sweep_all(self) -> None:
        for _ in range(2 * (len(self.model.records) + 2)):
            self.sweep(100)
        assert all(self.model.is_live(key, self.now) for key in self.model.records)

    @rule(limit=limits)
    def walk(self, limit: int) -> None:
        found, cursor = self.alike("keys", 0, limit, self.now)
        while cursor:
            some, cursor = self.alike("keys", cursor, limit, self.now)
            assert len(some) <= limit
            found = found + some
        live = [key for key in self.model.records if self.model.is_live(key, self.now)]
        assert sorted(live) == sorted(found)

    @rule()
    def clear(self) -> None:
        self.same("clear")

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "tables"):
            for table in self.tables:
                assert (len(self.model.records), self.model.nbytes, self.model.evictions) == (
                    len(table), table.nbytes, table.evictions
                )  # fmt: skip


def run(modules: tuple[ModuleType, ...]) -> None:
    machine = type("Comparison", (Comparison,), {"modules": modules})
    examples = settings().max_examples
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=STEPS)
    )


def test_a_table_is_what_the_model_says(ttltable: ModuleType) -> None:
    """Each twin alone, with its own OVERHEAD."""
    run((ttltable,))


@pytest.mark.skipif(os.environ.get("SESSFAST_PURE") == "1", reason="there is no other twin")
def test_the_twins_agree_with_each_other(twins: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of slots included, in which sweep and keys go."""
    pure, compiled = twins("ttltable")
    monkeypatch.setattr(pure, "OVERHEAD", compiled.OVERHEAD)
    run((pure, compiled))
