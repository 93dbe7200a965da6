"""How races get into pytest-benchmark: each is run once, then played back row by row."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.race import FULL, QUICK, Runner, Times, above, race
from bench.suites import PROGRESS
from bench.tape import TAPE
from bench.twins import versions

HERE = Path(__file__).parent
BRIEF = QUICK._replace(rounds=21)  # for suites of many rows, or quick runs would not be quick
BROAD = ("curves", "peers")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench-quick", action="store_true", help="fewer and shorter rounds")


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    machine_info["versions"] = versions()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.benchmark(timer=TAPE.clock))


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Any:
    """Tells suites.py how far it is, where that asked for it: `[row, done, of how many]`."""
    if PROGRESS not in os.environ:
        return (yield)
    with os.fdopen(int(os.environ.pop(PROGRESS)), "w", buffering=1) as out:
        session.config.pluginmanager.register(Told(out, session.items))
        return (yield)


class Told:
    """A plugin that writes one line for each row that is begun."""

    def __init__(self, out: Any, items: Sequence[pytest.Item]) -> None:
        self.out = out
        self.places = {item.nodeid: place for place, item in enumerate(items)}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        row = nodeid.rpartition("::")[2].removeprefix("test_")
        told = [row, self.places.get(nodeid, 0), len(self.places)]
        print(json.dumps(told), file=self.out)


@pytest.fixture(scope="session")
def quick(request: pytest.FixtureRequest) -> bool:
    """Whether figures are wanted fast rather than exact."""
    return bool(request.config.getoption("--bench-quick"))


@pytest.fixture(scope="session")
def _raced() -> dict[str, Times]:
    return {}


@pytest.fixture
def contest(benchmark: Any, quick: bool, _raced: dict[str, Times]) -> Callable[..., None]:
    """contest(suite, name, who, build, minus): the row of one contestant of one race.

    build: () -> all contestants; called for the first row only
    minus: which contestant's time is subtracted from whose, for `above` in extra_info
    """

    def enter(
        suite: str,
        name: str,
        who: str,
        build: Callable[[], Sequence[Runner]],
        minus: Mapping[str, str] | None = None,
    ) -> None:
        benchmark.group = f"{suite}: {name}"
        benchmark.extra_info.update(suite=suite, contest=name, who=who)
        if benchmark.disabled:
            only = next((runner for runner in build() if runner.name == who), None)
            if only is None:
                pytest.skip(f"no {who} here")
            benchmark.pedantic(only.run, args=(3,))
            return
        key = f"{suite}: {name}"
        if key not in _raced:
            brief = BRIEF if suite in BROAD else QUICK
            _raced[key] = race(build(), brief if quick else FULL)
        times = _raced[key]
        if who not in times:
            pytest.skip(f"no {who} here")
        if minus and who in minus:
            base = times[minus[who]]
            benchmark.extra_info["above"] = above(times[who], base)
            benchmark.extra_info["above_spread"] = quartiles_apart(times[who], base)
        rivals = {rival: ratios(times[rival], times[who]) for rival in times if rival != who}
        benchmark.extra_info["times_slower"] = rivals
        TAPE.play(benchmark, times[who])

    return enter


def ratios(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Median of how many times `slow` takes as long as `fast`, compared round by round."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def quartiles_apart(times: Sequence[float], base: Sequence[float]) -> float:
    """What lies between the quartiles of the rounds' differences."""
    low, _, high = statistics.quantiles((a - b for a, b in zip(times, base, strict=True)), n=4)
    return high - low
