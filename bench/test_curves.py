"""How the cost of a request grows with its cookies, secrets, data, sessions and attackers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from bench.curves import CURVES, Point, fits, runners
from bench.other import Other, other
from bench.requests import no_floor
from bench.test_requests import MINUS
from sessfast import BACKEND

WHO = ("bare", "floor", "compiled", "pure")
ROWS = [
    (curve, x, who)
    for curve, (_, xs, peer) in CURVES.items()
    for x in xs
    for who in (*WHO, *(["starlette"] if peer else []))
]
LARGE = 1_000_000  # sessions, which a quick run leaves out
TRIAL = 1000  # sessions where nothing is measured


@pytest.fixture(scope="module")
def pure() -> Iterator[Other | None]:
    """Who measures the pure backend, where this process has the compiled one."""
    if BACKEND == "pure":
        yield None
        return
    with other() as process:
        yield process


@pytest.mark.parametrize(("curve", "x", "who"), ROWS)
def test_curve(
    contest: Callable[..., None],
    benchmark: Any,
    quick: bool,
    pure: Other | None,
    curve: str,
    x: int,
    who: str,
) -> None:
    """One contestant at one point; `above` in extra_info is what it costs above the bare app."""
    if curve == "sessions" and x >= LARGE and quick:
        pytest.skip("a quick run fills no store with a million sessions")
    if who == "floor" and (reason := no_floor()):
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    if who == "starlette" and not fits(Point(curve, x)):
        pytest.skip("no browser keeps a cookie as long as Starlette's would be")
    point = Point(curve, min(x, TRIAL) if curve == "sessions" and benchmark.disabled else x)
    benchmark.extra_info.update(curve=curve, x=x, unit=CURVES[curve].unit)
    contest("curves", point.name, who, partial(runners, point, pure), MINUS)
