"""A million sessions of 200 bytes in memory: what they weigh, and how long a call can take."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from bench.memory import WHO, in_subprocess
from bench.tape import TAPE
from bench.twins import TWINS

ENTRIES = 1_000_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")
@pytest.mark.parametrize("who", WHO)
def test_store(benchmark: Any, quick: bool, who: str) -> None:
    """The row is the time of a `create`, in chunks; the rest is in extra_info."""
    if who == "compiled" and who not in TWINS:
        pytest.skip("no compiled backend here")
    benchmark.group = "store"
    if benchmark.disabled:
        benchmark.pedantic(in_subprocess, args=(who, 1000))
        return
    figures = in_subprocess(who, ENTRIES // 10 if quick else ENTRIES)
    seconds = figures.pop("create_seconds")
    benchmark.extra_info.update(suite="store", contest="store", who=who, **figures)
    TAPE.play(benchmark, seconds)
