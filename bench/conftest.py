"""How races get into pytest-benchmark: each is run once, then played back row by row."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.race import FULL, QUICK, Runner, Times, above, race
from bench.tape import TAPE
from bench.twins import versions

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench-quick", action="store_true", help="fewer and shorter rounds")


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    machine_info["versions"] = versions()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.benchmark(timer=TAPE.clock))


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
            _raced[key] = race(build(), QUICK if quick else FULL)
        times = _raced[key]
        if who not in times:
            pytest.skip(f"no {who} here")
        if minus and who in minus:
            benchmark.extra_info["above"] = above(times[who], times[minus[who]])
        rivals = {rival: ratios(times[rival], times[who]) for rival in times if rival != who}
        benchmark.extra_info["times_slower"] = rivals
        TAPE.play(benchmark, times[who])

    return enter


def ratios(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Median of how many times `slow` takes as long as `fast`, compared round by round."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))
