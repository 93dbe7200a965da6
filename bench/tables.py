"""Races of the in-memory tables: 10,000 entries of 200 bytes, visited in shuffled order."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

from bench.peers import CacheOfTuples, DictOfTuples
from bench.race import Runner, clock
from bench.twins import TWINS

ENTRIES = 10_000
BLOB = b"x" * 200
NOW = 1_700_000_000.0
EXPIRES = NOW + 1800.0
KEYS = [f"{n:032}" for n in range(ENTRIES)]
VISITS = random.Random(1).sample(KEYS, ENTRIES)


class Filled:
    """A table that holds all entries, and their present versions."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.table = make()
        self.versions = {key: self.table.create(key, BLOB, EXPIRES, NOW) for key in KEYS}

    def get(self, calls: int) -> float:
        call = self.table.get
        start = clock()
        for key in islice(VISITS, calls):
            call(key, NOW)
        return clock() - start

    def create(self, calls: int) -> float:
        """Into a new table each time."""
        call = self.make().create
        start = clock()
        for key in islice(VISITS, calls):
            call(key, BLOB, EXPIRES, NOW)
        return clock() - start

    def update(self, calls: int) -> float:
        call = self.table.update
        visits = [(key, self.versions[key]) for key in islice(VISITS, calls)]
        start = clock()
        made = [call(key, BLOB, EXPIRES, version, NOW) for key, version in visits]
        took = clock() - start
        self.versions.update(zip(VISITS, made, strict=False))
        return took

    def touch(self, calls: int) -> float:
        call = self.table.touch
        start = clock()
        for key in islice(VISITS, calls):
            call(key, EXPIRES, NOW)
        return clock() - start


OPERATIONS = ("get", "create", "update", "touch")


def table_runners(operation: str) -> list[Runner]:
    """Every table doing one operation."""
    makes: dict[str, Callable[[], Any]] = {
        name: partial(twin.TTLTable, 1_000_000, 1 << 30) for name, twin in TWINS.items()
    }
    makes |= {"dict of tuples": DictOfTuples, "cachetools TTLCache": CacheOfTuples}
    return [
        Runner(name, getattr(Filled(make), operation), most=ENTRIES) for name, make in makes.items()
    ]
