"""Whole requests in six columns, on both fronts, compiled and pure, beside Starlette's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bench.race import Runner
from bench.requests import (
    COLUMNS,
    SIZES,
    Cell,
    Other,
    bare,
    other_backend,
    ours,
    starlettes,
)
from sessfast import BACKEND

MINUS = {"compiled": "bare", "starlette": "bare", "pure": "pure bare"}
ROWS = [
    *(("wsgi", who) for who in ("bare", "compiled", "pure")),  # Starlette's is ASGI's alone
    *(("asgi", who) for who in ("bare", "compiled", "pure", "starlette")),
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
    with other_backend() as other:
        yield other


def runners(cell: Cell, pure: Other | None) -> list[Runner]:
    """All contestants of one cell; `bare` serves as the zero of the others."""
    made = [Runner("bare", bare(cell), MOST), Runner(BACKEND, ours(cell), MOST)]
    if pure is not None:
        made.append(Runner("pure bare", pure.call("bare", cell), MOST))
        made.append(Runner("pure", pure.call("ours", cell), MOST))
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
    cell = Cell(front, size, column)
    contest("requests", cell.name, who, partial(runners, cell, pure), MINUS)
