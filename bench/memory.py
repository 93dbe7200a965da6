"""A store full of sessions, in a process of its own: `python -m bench.memory WHO [ENTRIES]`.

WHO is compiled or pure (our MemoryStore) or dict (a plain dict of tuples). Prints one JSON
object. The slowest calls are given in CPU time of the thread: a preempted process would
otherwise be measured for its neighbours. Their wall time is beside it.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import random
import subprocess
import sys
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
IDLE_CALLS = 1000
WHO = ("compiled", "pure", "dict")


class Clock:
    """A clock that stands still until it is moved."""

    now = START

    def __call__(self) -> float:
        return self.now


class Store(Protocol):
    """What is filled and swept."""

    def create(self, sid: str, blob: bytes, ttl: float) -> object: ...
    def sweep(self, limit: int) -> int: ...


class DictStore:
    """A dict of tuples behind the verbs of a store."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.table = DictOfTuples()

    def create(self, sid: str, blob: bytes, ttl: float) -> int:
        now = self.clock()
        return self.table.create(sid, blob, now + ttl, now)

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


def measure(who: str, entries: int) -> dict[str, Any]:
    """Fill the store, let everything expire, sweep it empty."""
    clock = Clock()
    store = store_of(who, entries, clock)
    bits = random.Random(1).randbytes
    creates, chunks, done = Stopwatch(), [], 0.0
    size = max(1, entries // CHUNKS)
    gc.collect()
    before = resident()
    for number in range(1, entries + 1):
        key = base64.urlsafe_b64encode(bits(24)).decode()
        creates.time(store.create, key, b"%0200d" % number, TTL)
        if number % size == 0:
            chunks.append((creates.total - done) / size)
            done = creates.total
    gc.collect()
    held = resident() - before
    clock.now += 2 * TTL
    sweeps, removed, turns = Stopwatch(), 0, 0
    while removed < entries:
        removed += sweeps.time(store.sweep, SWEEP_LIMIT)
        turns += 1
        if turns > 10 * entries // SWEEP_LIMIT + 100:
            raise SystemExit(f"the sweep came to an end with {removed} of {entries} removed")
    return {
        "entries": entries,
        "bytes_per_session": held / entries - KEY_SIZE - BLOB_SIZE,
        "create_seconds": chunks,
        "slowest_create": creates.cpu,
        "slowest_create_wall": creates.wall,
        "slowest_sweep": sweeps.cpu,
        "slowest_sweep_wall": sweeps.wall,
        "sweep_seconds": sweeps.total,
        "sweep_calls": turns,
    }


def in_subprocess(who: str, entries: int) -> dict[str, Any]:
    """`measure` in a fresh process with the right backend."""
    env = {**os.environ, "SESSFAST_PURE": "0" if who == "compiled" else "1"}
    command = [sys.executable, "-m", "bench.memory", who, str(entries)]
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int((sys.argv[2:] or ["1000000"])[0]))))
