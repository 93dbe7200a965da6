"""Interleaved timing: contestants take turns, so that a machine's drift hits all alike.

A ratio between two figures that were measured minutes apart says more about the machine than
about the code. Here every round times every contestant once, and what is reported are medians
over rounds. The clock is the thread's CPU time, so that a busy neighbour isn't measured, and
turns are short, so that most of them pass undisturbed.
"""

from __future__ import annotations

import gc
import statistics
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

Times = dict[str, list[float]]


class Runner(NamedTuple):
    """One contestant.

    run:  makes that many calls; the seconds of `clock` they took, without its preparations
    most: calls it can make in one go
    """

    name: str
    run: Callable[[int], float]
    most: int = 1_000_000


class Plan(NamedTuple):
    """How long to measure: rounds, and seconds that one contestant's turn should take."""

    rounds: int
    seconds: float


FULL = Plan(rounds=201, seconds=0.003)
QUICK = Plan(rounds=61, seconds=0.0015)

clock = time.thread_time  # seconds of CPU; nothing that is raced here ever waits


def statement(name: str, code: str, /, **names: Any) -> Runner:
    """A contestant that repeats one statement, timed as timeit does (collector off).

    The loop's own 5 to 10 ns stay in: they make fast contestants look a little slower.
    """
    return Runner(name, timeit.Timer(code, timer=clock, globals=names).timeit)


def race(runners: Sequence[Runner], plan: Plan) -> Times:
    """Seconds per call of every contestant, one figure per round, in the order of rounds."""
    with settled():
        calls = {runner.name: calls_for(runner, plan.seconds) for runner in runners}
        times: Times = {runner.name: [] for runner in runners}
        for turn in range(plan.rounds):
            first = turn % len(runners)
            for runner in [*runners[first:], *runners[:first]]:
                count = calls[runner.name]
                times[runner.name].append(runner.run(count) / count)
    return times


def calls_for(runner: Runner, seconds: float) -> int:
    """How many calls take about `seconds`; warms the contestant up by finding out."""
    count = 1
    while True:
        took = runner.run(count)
        if took >= seconds / 4 or count >= runner.most:
            break
        count = min(runner.most, count * (2 if took > seconds / 20 else 5))
    wanted = int(count * seconds / took) if took > 0 else runner.most
    return max(1, min(runner.most, wanted))


@contextmanager
def settled() -> Iterator[None]:
    """The collector stays on, but doesn't walk what was there before (pytest's own objects)."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def above(times: Sequence[float], base: Sequence[float]) -> float:
    """Median of what `times` take longer than `base`, compared round by round."""
    return statistics.median(a - b for a, b in zip(times, base, strict=True))
