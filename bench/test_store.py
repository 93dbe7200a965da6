"""Sessions of 200 bytes in memory: what a call costs, what they weigh, how long a call can take.

SESSFAST_BENCH_ENTRIES: the most sessions that are put into a store (default: all sizes below)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.memory import WHO, in_subprocess
from bench.other import Other
from bench.race import Runner
from bench.tables import OPERATIONS, most_calls
from bench.tape import TAPE
from bench.twins import TWINS

ENTRIES = 1_000_000
LARGE = 10_000_000
QUICK = 100_000
TRIAL = 1000
SIZES = (1000, ENTRIES, LARGE)
TABLES = ("compiled", "pure", "dict of tuples")
NEEDED = 2000  # bytes per entry, of all three tables together, and something to spare
LIMIT = int(os.environ.get("SESSFAST_BENCH_ENTRIES", LARGE))

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def skip_too_large(entries: int, quick: bool, needed: int = NEEDED) -> None:
    """Skip what the run, the environment or the machine has no room for."""
    if entries > LIMIT:
        pytest.skip(f"SESSFAST_BENCH_ENTRIES is {LIMIT}")
    if entries > ENTRIES and quick:
        pytest.skip("a quick run fills no store with ten million sessions")
    if entries > ENTRIES and available() < entries * needed:
        pytest.skip(f"needs {entries * needed >> 30} GiB of free memory")


def available() -> int:
    """Bytes of memory that can be had without swapping; 0 where that isn't known."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    found = dict(line.split(":", 1) for line in lines)
    return int(found["MemAvailable"].split()[0]) * 1024


def skip_without(who: str) -> None:
    if who == "compiled" and who not in TWINS:
        pytest.skip("no compiled backend here")


@linux
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("entries", [ENTRIES, LARGE])
def test_store(benchmark: Any, quick: bool, entries: int, who: str) -> None:
    """The row is the time of a `create`, in chunks; the rest is in extra_info.

    With ten million only the memory is measured, and what is known when the store is full.
    """
    skip_without(who)
    only_fill = entries == LARGE
    benchmark.group = "store"
    if benchmark.disabled:
        benchmark.pedantic(in_subprocess, args=(who, TRIAL, only_fill))
        return
    skip_too_large(entries, quick, NEEDED // 2)
    figures = in_subprocess(who, QUICK if quick else entries, only_fill)
    seconds = figures.pop("create_seconds")
    contest = "store, 10000000 entries" if only_fill else "store"
    benchmark.extra_info.update(suite="store", contest=contest, who=who, **figures)
    TAPE.play(benchmark, seconds)


@pytest.fixture(scope="module")
def holders() -> Iterator[dict[str, Other]]:
    """A process for each table, so that three of ten million entries have room."""
    made = {who: Other() for who in TABLES if who in TWINS or who == "dict of tuples"}
    yield made
    for process in made.values():
        process.close()


def runners(holders: dict[str, Other], operation: str, entries: int) -> list[Runner]:
    return [
        Runner(
            who, process.call("tables", who, [operation, entries]), most_calls(operation, entries)
        )
        for who, process in holders.items()
    ]


@linux
@pytest.mark.parametrize("who", TABLES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("entries", SIZES)
def test_table(
    contest: Callable[..., None],
    benchmark: Any,
    quick: bool,
    holders: dict[str, Other],
    entries: int,
    operation: str,
    who: str,
) -> None:
    """One operation of the table under our MemoryStore, keys in random order."""
    skip_without(who)
    if benchmark.disabled:
        entries = TRIAL
    skip_too_large(entries, quick)
    name = f"{operation}, {entries} entries"
    contest("table", name, who, partial(runners, holders, operation, entries))
