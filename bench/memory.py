"""A store full of sessions, in a process of its own: `python -m bench.memory WHO [ENTRIES [fill]]`.

WHO is compiled or pure (our MemoryStore) or dict (a plain dict of tuples). Prints one JSON
object; with `fill` only what is known once the store is full. The slowest calls are given in CPU
time of the thread: a preempted process would otherwise be measured for its neighbours. Their
wall time is beside it.

The clock is moved by hand: the sessions come within one life time, evenly. Then as many come
again, each followed by a read and a write of a young one, while the first ones expire one after
another. In the end all expire at once, and are swept.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any, Protocol

from bench.peers import DictOfTuples

ROOT = Path(__file__).parent.parent
START = 1_700_000_000.0
TTL = 1800.0
KEY_SIZE = 32
BLOB_SIZE = 200
SWEEP_LIMIT = 1000
CHUNKS = 40
YOUNG = 1000  # sessions that are read and written while others expire
IDLE_CALLS = 1000
WHO = ("compiled", "pure", "dict")


class Clock:
    """A clock that stands still until it is moved."""

    now = START

    def __call__(self) -> float:
        return self.now


class Store(Protocol):
    """What is filled and swept."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any: ...
    def get(self, sid: str) -> Any: ...
    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any: ...
    def length(self) -> int: ...
    def sweep(self, limit: int) -> int: ...


class DictStore:
    """A dict of tuples behind the verbs of a store; now and then a `create` sweeps all of it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.table = DictOfTuples()
        self.swept_at = START + TTL  # nothing can have expired before

    def create(self, sid: str, blob: bytes, ttl: float) -> int:
        now = self.clock()
        if now - self.swept_at > TTL / 10:
            self.swept_at = now
            self.table.sweep(now, 0)
        return self.table.create(sid, blob, now + ttl, now)

    def get(self, sid: str) -> Any:
        return self.table.get(sid, self.clock())

    def update(self, sid: str, blob: bytes, ttl: float, version: int) -> int:
        now = self.clock()
        return self.table.update(sid, blob, now + ttl, version, now)

    def length(self) -> int:
        return len(self.table.entries)

    def sweep(self, limit: int) -> int:
        return self.table.sweep(self.clock(), limit)


def store_of(who: str, entries: int, clock: Clock) -> Store:
    if who == "dict":
        return DictStore(clock)
    from sessfast import BACKEND, MemoryStore  # here: the dict is measured without all that

    if who != BACKEND:
        raise SystemExit(f"the backend of this process is {BACKEND}")
    made: Any = MemoryStore(max_entries=2 * entries, max_bytes=1 << 40, clock=clock)
    return made  # type: ignore[no-any-return]


def resident() -> int:
    """Bytes of memory that this process holds now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Stopwatch:
    """Times single calls. `cpu` and `wall`: the longest, `total`: all of them, in seconds."""

    def __init__(self) -> None:
        self.cpu = self.wall = self.total = 0.0
        self.idle = 0.0
        for _ in range(IDLE_CALLS):
            self.time(int)
        self.idle = self.total / IDLE_CALLS  # what timing costs by itself
        self.cpu = self.wall = self.total = 0.0

    def time(self, function: Any, *arguments: Any) -> Any:
        wall, cpu = perf_counter(), thread_time()
        result = function(*arguments)
        cpu_took, took = thread_time() - cpu, perf_counter() - wall
        self.total += cpu_took - self.idle
        self.cpu = max(self.cpu, cpu_took)
        self.wall = max(self.wall, took)
        return result


def measure(who: str, entries: int, only_fill: bool = False) -> dict[str, Any]:
    """Fill the store; let its sessions expire while others come; let all expire, sweep it empty."""
    clock = Clock()
    store = store_of(who, entries, clock)
    bits = random.Random(1).randbytes
    creates, chunks, done = Stopwatch(), [], 0.0
    size = max(1, entries // CHUNKS)

    def new_key() -> str:
        clock.now += TTL / entries
        return base64.urlsafe_b64encode(bits(24)).decode()

    gc.collect()
    before = resident()
    for number in range(1, entries + 1):
        creates.time(store.create, new_key(), blob_of(number), TTL)
        if number % size == 0:
            chunks.append((creates.total - done) / size)
            done = creates.total
    gc.collect()
    held = resident() - before
    filled = {
        "entries": entries,
        "bytes_per_session": held / entries - KEY_SIZE - BLOB_SIZE,
        "create_seconds": chunks,
        "slowest_create": creates.cpu,
        "slowest_create_wall": creates.wall,
    }
    if only_fill:
        return filled
    mixed = turned_over(store, entries, new_key)
    clock.now += 2 * TTL
    sweeps, left, removed, turns = Stopwatch(), store.length(), 0, 0
    while removed < left:
        removed += sweeps.time(store.sweep, SWEEP_LIMIT)
        turns += 1
        if turns > 20 * entries // SWEEP_LIMIT + 100:
            raise SystemExit(f"the sweep came to an end with {removed} of {left} removed")
    return {
        **filled,
        "mixed_calls": 3 * entries,
        "slowest_mixed": mixed.cpu,
        "slowest_mixed_wall": mixed.wall,
        "mixed_seconds": mixed.total / (3 * entries),
        "slowest_sweep": sweeps.cpu,
        "slowest_sweep_wall": sweeps.wall,
        "sweep_seconds": sweeps.total,
        "sweep_calls": turns,
    }


def turned_over(store: Store, entries: int, new_key: Callable[[], str]) -> Stopwatch:
    """As many sessions more as there are, while those expire.

    new_key: also moves the clock
    """
    calls = Stopwatch()
    young: list[tuple[str, Any]] = []
    pick = random.Random(2).randrange
    for number in range(entries):
        key = new_key()
        version = calls.time(store.create, key, blob_of(number), TTL)
        young[number % YOUNG : number % YOUNG + 1] = [(key, version)]
        place = pick(len(young))
        key, version = young[place]
        if calls.time(store.get, key) is None:
            raise SystemExit("a young session was gone")
        young[place] = key, calls.time(store.update, key, blob_of(number), TTL, version)
    return calls


def blob_of(number: int) -> bytes:
    """Data of BLOB_SIZE bytes."""
    return b"%0200d" % number


def in_subprocess(who: str, entries: int, only_fill: bool = False) -> dict[str, Any]:
    """`measure` in a fresh process with the right backend."""
    env = {**os.environ, "SESSFAST_PURE": "0" if who == "compiled" else "1"}
    command = [sys.executable, "-m", "bench.memory", who, str(entries)]
    command += ["fill"] if only_fill else []
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.memory")
    parser.add_argument("who", choices=WHO)
    parser.add_argument("entries", nargs="?", type=int, default=1_000_000)
    parser.add_argument("fill", nargs="?", choices=["fill"])
    given = parser.parse_args()
    print(json.dumps(measure(given.who, given.entries, given.fill is not None)))
