"""The table in memory under strain: signals, finalizers, threads, memory."""

from __future__ import annotations

import gc
import math
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Twins = Callable[[str], tuple[ModuleType, ModuleType]]

LONG = 10**12
NOW = 1_700_000_000.0
THEN = NOW + 60.0
AFTER = NOW + 61.0


def all_keys(table: Any) -> list[str]:
    """Every live key."""
    found, cursor = table.keys(0, 1000, NOW)
    while cursor:
        more, cursor = table.keys(cursor, 1000, NOW)
        found += more
    return list(found)


# -- interruptions ---------------------------------------------------------------------------


class StopError(Exception):
    """What the signal handler of a test raises."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no setitimer")
def test_a_signal_gets_through_while_a_great_table_is_cleared(twins: Twins) -> None:
    """Its handler may raise, and may use the table; the table is whole, and cleared the rest."""
    table = twins("ttltable")[1].TTLTable(200_000, LONG)
    left: list[int] = []

    def handler(number: int, frame: object) -> None:
        left.append(len(table))
        table.create("from the handler", b"", THEN, NOW)
        raise StopError

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for _ in range(50):
            for i in range(100_000):
                table.create(str(i), b"x", THEN, NOW)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.002)
                table.clear()
            except StopError:
                if 0 < left[-1] < 100_000:  # not a moment before or after
                    break
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert 0 < left[-1] < 100_000
    assert len(table) == left[-1] + 1 == len(all_keys(table))
    assert table.get("from the handler", NOW) is not None
    table.clear()
    assert len(table) == 0


class Meddler:
    """Garbage that uses the table when it is collected, at whatever moment that is."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.itself = self

    def __del__(self) -> None:
        self.table.destroy("k")
        self.table.create("meddled", b"m" * 50, THEN, NOW)
        self.table.get("j", NOW)


def test_a_finalizer_may_use_the_table_in_the_middle_of_a_call(ttltable: ModuleType) -> None:
    """Building a reply can set off a collection: the reply is what was found before."""
    table = ttltable.TTLTable(3, LONG)
    before = gc.get_threshold()
    try:
        for i in range(100):
            table.create("j", b"j", THEN, NOW)
            table.destroy("k")
            version = table.create("k", b"one", THEN, NOW)
            Meddler(table)
            gc.set_threshold(1, 10**6, 10**6)
            record = table.get("k", NOW)
            found, _ = table.keys(0, 10, NOW)
            gc.set_threshold(*before)
            gc.collect(0)
            assert record in ((b"one", version, THEN), None), i
            assert set(found) <= {"j", "k", "meddled"}
    finally:
        gc.set_threshold(*before)
    assert table.peek("meddled", NOW) is not None
    assert len(table) == len(all_keys(table)) <= 3


def test_many_threads_lose_nothing(ttltable: ModuleType) -> None:
    """Eight at once count up under compare-and-set, while others come, go and are swept."""
    table = ttltable.TTLTable(10_000, LONG)
    for i in range(4):
        table.create(f"counter{i}", b"0", math.inf, NOW)
    counted = [0] * 8
    failures: list[BaseException] = []

    def work(number: int) -> None:
        chance = random.Random(number)
        try:
            for i in range(20_000):
                kind = chance.randrange(8)
                key = f"{chance.randrange(300)}"
                if kind < 3:
                    name = f"counter{chance.randrange(4)}"
                    blob, version, _ = table.get(name, NOW)
                    done = table.update(name, b"%d" % (int(blob) + 1), math.inf, version, NOW)
                    counted[number] += done > 0
                elif kind == 3:
                    table.create(key, key.encode() * chance.randrange(9), THEN, NOW)
                elif kind == 4:
                    table.destroy(key)
                elif kind == 5:
                    record = table.get(key, NOW + chance.choice((0, 90)))
                    assert record is None or record[0].replace(key.encode(), b"") == b""
                elif kind == 6:
                    table.sweep(AFTER if i % 50 == 0 else NOW, 8)
                else:
                    table.touch(key, AFTER, NOW)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    total = sum(int(table.get(f"counter{i}", NOW)[0]) for i in range(4))
    assert sum(counted) == total > 0
    keys = all_keys(table)
    assert len(table) == len(keys) == len(set(keys))
    octets = sum(len(key) + len(table.peek(key, NOW)[0]) + ttltable.OVERHEAD for key in keys)
    assert octets == table.nbytes


# -- pauses ----------------------------------------------------------------------------------


def test_the_garbage_collector_has_nothing_to_look_at(ttltable: ModuleType) -> None:
    """Or it would stop a process with a million sessions again and again."""
    table = ttltable.TTLTable(1_000_000, LONG)
    gc.collect()
    before = len(gc.get_objects())
    gc.disable()
    try:
        for i in range(5000):
            version = table.create(str(i), b"x", THEN, NOW)
            if i % 2:
                table.update(str(i), b"y", THEN, version, NOW)
            table.touch(str(i), AFTER, NOW)
            table.get(str(i), NOW)
        assert len(gc.get_objects()) - before < 100
    finally:
        gc.enable()


def test_no_dict_of_the_pure_table_grows_large(twins: Twins) -> None:
    """One that grows is copied whole, 0.15 ms per 4096 entries: so they share, and evenly."""
    table = twins("ttltable")[0].TTLTable(1_000_000, LONG)
    for i in range(100_000):
        table.create(str(i), b"", THEN, NOW)
    sizes = [len(shard) for shard in table._shards]
    assert sum(sizes) == 100_000
    assert max(sizes) < 100_000 / 251 * 1.5


# -- memory ----------------------------------------------------------------------------------

MEASURE = """
import importlib, sys

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024
"""

OVERHEAD_SCRIPT = """
table = importlib.import_module("sessfast.hotpath.ttltable_cy").TTLTable(1_000_000, 1 << 40)
before = resident()
for i in range(200_000):
    table.create(f"{i * 0x9E3779B97F4A7C15:032x}", bytes(200), 100.0, 1.0)
print((resident() - before) / 200_000 - 232)
"""

LEAK_SCRIPT = """
table = importlib.import_module(sys.argv[1]).TTLTable(2_000, 10_000_000)
sizes = []
for turn in range(10):
    for i in range(10_000):
        key = f"{turn}:{i}"
        version = table.create(key, bytes(i % 700), 50.0 + i % 100, 1.0)
        table.update(key, bytes(i % 500), 60.0, version, 1.0)
        table.get(key, 1.0)
        table.touch(key, 70.0, 1.0)
        table.sweep(55.0, 2)
        if i % 3 == 0:
            table.destroy(key)
        for bad in ("\\ud800", None):
            try:
                table.create(bad, b"", 1.0, 1.0)
            except (TypeError, ValueError):
                pass
    table.keys(0, 5000, 1.0)
    if turn % 2:
        table.clear()
    sizes.append(resident())
print((max(sizes[5:]) - max(sizes[:5])) / 1e6)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def measured(script: str, *arguments: str) -> float:
    """What the script prints, run in a process of its own."""
    code = MEASURE + textwrap.dedent(script)
    command = [sys.executable, "-c", code, *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@linux_only
def test_an_entry_takes_less_than_a_hundred_bytes_beside_its_octets(twins: Twins) -> None:
    """Resident memory, of the compiled table; what it counts for is near the truth."""
    compiled = twins("ttltable")[1]
    overhead = measured(OVERHEAD_SCRIPT)
    assert overhead < 100
    assert abs(overhead - compiled.OVERHEAD) < 30


@linux_only
def test_memory_does_not_grow_under_traffic(ttltable: ModuleType) -> None:
    """Ten times ten thousand operations, refused ones included: the second half takes no more."""
    assert measured(LEAK_SCRIPT, ttltable.__name__) < 4
