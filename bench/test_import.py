"""What `import sessfast` costs, above Python itself and above msgspec."""

from __future__ import annotations

import os
import statistics
from operator import truediv
from typing import Any

import pytest

from bench.imports import runners
from bench.race import Plan, Times, above, race
from bench.tape import TAPE

FULL = Plan(rounds=41, seconds=0.0)
QUICK = Plan(rounds=11, seconds=0.0)


@pytest.fixture(scope="module")
def times() -> Times:
    """Filled by the first row that is measured."""
    return {}


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="asks the kernel for a child's CPU time")
@pytest.mark.parametrize("who", ["bare", "msgspec", "compiled", "pure"])
def test_import(benchmark: Any, quick: bool, times: Times, who: str) -> None:
    """A process that imports and ends. `above`: above Python, `above_msgspec`: above both."""
    made = {runner.name: runner for runner in runners()}
    if who not in made:
        pytest.skip(f"no {who} here")
    benchmark.group = "import"
    benchmark.extra_info.update(suite="import", contest="import", who=who)
    if benchmark.disabled:
        benchmark.pedantic(made[who].run, args=(1,))
        return
    if not times:
        times.update(race(list(made.values()), QUICK if quick else FULL))
    if who != "bare":
        benchmark.extra_info["above"] = above(times[who], times["bare"])
    if who in ("compiled", "pure"):
        benchmark.extra_info["above_msgspec"] = above(times[who], times["msgspec"])
    benchmark.extra_info["times_slower"] = {
        rival: statistics.median(map(truediv, times[rival], times[who]))
        for rival in times
        if rival != who
    }
    TAPE.play(benchmark, times[who])
