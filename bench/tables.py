"""Races of the in-memory tables: entries of 200 bytes, visited in random order.

Every key that a call is given is a new str, as if it came in with a request: nobody has its hash
yet, and a dict can't take it for the very key that it holds.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from bench.peers import CacheOfTuples, DictOfTuples
from bench.race import Runner, clock
from bench.twins import TWINS

ENTRIES = 10_000
NOW = 1_700_000_000.0
EXPIRES = NOW + 1800.0
MOST = 4000  # calls in one turn
OPERATIONS = ("get", "create", "update", "touch")


def key_of(number: int) -> str:
    """A new str of 32 characters."""
    return f"{number:032}"


def blob_of(number: int) -> bytes:
    """New bytes: no two entries share them."""
    return b"%0200d" % number


class Filled:
    """A table that holds `entries` entries, and their present versions."""

    def __init__(self, make: Callable[[], Any], entries: int) -> None:
        self.table = make()
        self.entries = entries
        self.random = random.Random(1)
        create = self.table.create
        self.versions = array(
            "Q", (create(key_of(n), blob_of(n), EXPIRES, NOW) for n in range(entries))
        )

    def get(self, calls: int) -> float:
        keys = self._visits(calls)
        call = self.table.get
        start = clock()
        for key in keys:
            call(key, NOW)
        return clock() - start

    def create(self, calls: int) -> float:
        """Beside those that are there; removed again when the time was taken."""
        visits = [(key_of(n), blob_of(n)) for n in range(self.entries, self.entries + calls)]
        call = self.table.create
        start = clock()
        for key, blob in visits:
            call(key, blob, EXPIRES, NOW)
        took = clock() - start
        for key, _ in visits:
            self.table.destroy(key)
        return took

    def update(self, calls: int) -> float:
        numbers = self.random.sample(range(self.entries), calls)
        visits = [(key_of(n), blob_of(n), self.versions[n]) for n in numbers]
        call = self.table.update
        start = clock()
        made = [call(key, blob, EXPIRES, version, NOW) for key, blob, version in visits]
        took = clock() - start
        for number, version in zip(numbers, made, strict=True):
            self.versions[number] = version
        return took

    def touch(self, calls: int) -> float:
        keys = self._visits(calls)
        call = self.table.touch
        start = clock()
        for key in keys:
            call(key, EXPIRES, NOW)
        return clock() - start

    def _visits(self, calls: int) -> list[str]:
        return [key_of(n) for n in self.random.choices(range(self.entries), k=calls)]


def most_calls(operation: str, entries: int) -> int:
    """Calls in one turn: an update finds each version once, and creating is no growing."""
    limit = {"update": entries, "create": entries // 10}.get(operation, MOST)
    return max(1, min(MOST, limit))


def makers(entries: int) -> dict[str, Callable[[], Any]]:
    """How every kind of table is made, with room for `entries` and some more."""
    return {
        **{name: partial(twin.TTLTable, 2 * entries, 1 << 40) for name, twin in TWINS.items()},
        "dict of tuples": DictOfTuples,
        "cachetools TTLCache": partial(CacheOfTuples, 2 * entries),
    }


def table_runners(operation: str, entries: int = ENTRIES) -> list[Runner]:
    """Every table doing one operation."""
    filled = {name: Filled(make, entries) for name, make in makers(entries).items()}
    return [
        Runner(name, getattr(table, operation), most_calls(operation, entries))
        for name, table in filled.items()
    ]


@lru_cache(maxsize=1)  # one size at a time: four operations share a table
def held(who: str, entries: int) -> Filled:
    return Filled(makers(entries)[who], entries)


def operated(who: str, cell: Sequence[Any]) -> Callable[[int], float]:
    """A contestant over there. cell: operation and entries."""
    operation, entries = cell
    run: Callable[[int], float] = getattr(held(who, entries), operation)
    return run


WHO = {name: partial(operated, name) for name in makers(1)}
