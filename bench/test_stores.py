"""Stores that wait: a call beside the raw client's, and requests at once on Redis, by the wall.

Turns are taken as everywhere here, but the clock is the wall's: who waits uses no CPU.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest

from bench.race import Plan, Runner, Times, race
from bench.servers.process import cores
from bench.stores.crowd import COLUMNS, LANES, Crowd, sessfast_crowd, starsessions_crowd
from bench.stores.express import ExpressCrowd
from bench.stores.places import MissingError, place_of, server
from bench.stores.worker import KINDS, VERBS, workers

SUITE = "stores"
FULL, QUICK = Plan(rounds=51, seconds=0.02), Plan(rounds=9, seconds=0.005)
WHO = ("sessfast", "raw")
MOST = 2000  # calls in one go: new records are destroyed after it
PEERS = ("sessfast", "starsessions", "connect-redis")
CROWD_FULL, CROWD_QUICK = Plan(rounds=41, seconds=0.0), Plan(rounds=7, seconds=0.0)
LEAST = 10 * LANES  # requests in one turn: who begins or ends alone should not count

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes to cores")
CPU: dict[str, dict[str, float]] = {}  # seconds of each contestant's CPU, by column


def missing(error: MissingError) -> None:
    if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


class Stage:
    """What one race after the other is about; the next one closes what the last has opened."""

    def __init__(self) -> None:
        self.present: object = None
        self.stack = ExitStack()
        self.open: Any = None

    def of(self, what: object, opener: Callable[[ExitStack], Any]) -> Any:
        """What `opener` has opened for `what`."""
        if what != self.present:
            self.close()
            self.open = opener(self.stack)
            self.present = what
        return self.open

    def close(self) -> None:
        self.present = self.open = None
        self.stack.close()


@pytest.fixture
def races(request: pytest.FixtureRequest) -> dict[str, Times]:
    """What `contest` has raced already: a race put in here was run by our own plan."""
    found: dict[str, Times] = request.getfixturevalue("_raced")
    return found


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    try:
        yield made
    finally:
        made.close()


# -- one call ----------------------------------------------------------------------------------


def callers(name: str, number: int, stack: ExitStack) -> dict[str, Any]:
    """Each contestant with its processes, all on the same server or in the same folder."""
    place = stack.enter_context(place_of(KINDS[name]))
    return {who: stack.enter_context(workers(name, who, place, number)) for who in WHO}


@linux
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_call(
    contest: Callable[..., None],
    benchmark: Any,
    quick: bool,
    stage: Stage,
    races: dict[str, Times],
    name: str,
    number: int,
    verb: str,
    who: str,
) -> None:
    """One call of one verb, of one process or of two at once."""
    title = f"{name}, {verb}, {number} process{'es' * (number > 1)}"

    def build() -> list[Runner]:
        found = stage.of((name, number), partial(callers, name, number))
        return [Runner(who, partial(run, verb), MOST) for who, run in found.items()]

    try:
        if not benchmark.disabled and f"{SUITE}: {title}" not in races:
            races[f"{SUITE}: {title}"] = race(build(), QUICK if quick else FULL)
        contest(SUITE, title, who, build)
    except MissingError as error:
        missing(error)


# -- many requests at once ---------------------------------------------------------------------


class Turns:
    """A crowd that takes turns of many requests, and what they used of the CPU."""

    def __init__(self, crowd: Any, column: str) -> None:
        self.crowd, self.column = crowd, column
        self.cpu: list[float] = []

    def run(self, calls: int) -> float:
        number = max(calls, LEAST)
        took = self.crowd.run(self.column, number)
        self.cpu.append(took.cpu / number)
        return float(took.wall / number * calls)


def crowds(stack: ExitStack) -> dict[str, Any]:
    """All contestants that are here, on one core; the server has another, where there is one."""
    before = os.sched_getaffinity(0)
    stack.callback(os.sched_setaffinity, 0, before)
    core, other = cores()
    if find_spec("redis") is None:
        raise MissingError("redis is not installed")
    url = stack.enter_context(server("redis", other))
    os.sched_setaffinity(0, {core})
    found: dict[str, Any] = {"sessfast": stack.enter_context(sessfast_crowd(url))}
    if find_spec("starsessions") is not None:
        made: Crowd = starsessions_crowd(url)
        found["starsessions"] = stack.enter_context(made)
    try:
        found["connect-redis"] = stack.enter_context(ExpressCrowd(url, core))
    except MissingError:
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            raise
    return found


@linux
@pytest.mark.parametrize("who", PEERS)
@pytest.mark.parametrize("column", COLUMNS)
def test_crowd(
    contest: Callable[..., None],
    benchmark: Any,
    quick: bool,
    stage: Stage,
    races: dict[str, Times],
    column: str,
    who: str,
) -> None:
    """Seconds per request, of which many are under way at once; `cpu_us` is our side's CPU."""
    title = f"redis, asgi, {LANES} at once, {column}"
    turns: dict[str, Turns] = {}

    def build() -> list[Runner]:
        found = stage.of("crowd", crowds)
        turns.update({who: Turns(crowd, column) for who, crowd in found.items()})
        return [Runner(who, each.run) for who, each in turns.items()]

    try:
        if not benchmark.disabled and f"{SUITE}: {title}" not in races:
            races[f"{SUITE}: {title}"] = race(build(), CROWD_QUICK if quick else CROWD_FULL)
            CPU[column] = {who: statistics.median(each.cpu) for who, each in turns.items()}
        contest(SUITE, title, who, build)
        benchmark.extra_info["cpu_us"] = CPU.get(column, {}).get(who, 0.0) * 1e6
    except MissingError as error:
        missing(error)
