"""Whole requests in six columns, on both fronts: sessfast, the floor, and Starlette's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bench.other import Other, other
from bench.race import Runner
from bench.requests import (
    COLUMNS,
    SIZES,
    Cell,
    bare,
    floor,
    forge,
    no_floor,
    ours,
    starlettes,
)
from sessfast import BACKEND

MINUS = {"floor": "bare", "compiled": "bare", "starlette": "bare", "pure": "pure bare"}
WHO = ("bare", "floor", "compiled", "pure")
ROWS = [
    *(("wsgi", who) for who in WHO),  # Starlette's is ASGI's alone
    *(("asgi", who) for who in (*WHO, "starlette")),
]
MOST = 20_000  # a new session each: the store holds them all until the turn is over

if BACKEND == "pure":
    MINUS["pure"] = "bare"


@pytest.fixture(scope="session")
def pure() -> Iterator[Other | None]:
    """Who measures the pure backend, where this process has the compiled one."""
    if BACKEND == "pure":
        yield None
        return
    with other() as process:
        yield process


def runners(cell: Cell, pure: Other | None) -> list[Runner]:
    """All contestants of one cell; `bare` serves as the zero of the others."""
    made = [Runner("bare", bare(cell), MOST), Runner(BACKEND, ours(cell), MOST)]
    if not no_floor():
        made.append(Runner("floor", floor(cell), MOST))
    if pure is not None:
        made.append(Runner("pure bare", pure.call("requests", "bare", cell), MOST))
        made.append(Runner("pure", pure.call("requests", "ours", cell), MOST))
    if cell.front == "asgi":
        made.append(Runner("starlette", starlettes(cell), MOST))
    return made


@pytest.mark.parametrize(("front", "who"), ROWS)
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("size", SIZES)
def test_request(
    contest: Callable[..., None], pure: Other | None, front: str, size: str, column: str, who: str
) -> None:
    """One request of one kind; `above` in extra_info is what it costs above the bare app."""
    if who == "floor" and (reason := no_floor()):
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    cell = Cell(front, size, column)
    contest("requests", cell.name, who, partial(runners, cell, pure), MINUS)


@pytest.mark.parametrize(
    ("cookie", "forged"),
    [
        ("sid=s%3Aabc.AAAAbbbbCCCCdddd", "sid=s%3Aabc.AAAAbbbACCCCdddd"),
        ("sid=s%3Aabc.AAAAbbb%2FCCCdddd", "sid=s%3Aabc.AAAAbAb%2FCCCdddd"),
        ("sid=s%3Aabc.AAAAbbbACCCCdddd", "sid=s%3Aabc.AAAAbbbBCCCCdddd"),
    ],
)
def test_a_forged_signature_keeps_its_form(cookie: str, forged: str) -> None:
    """It is refused for what it says, after its MAC was computed, never for its escapes."""
    assert forged == forge(cookie)
