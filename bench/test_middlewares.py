"""Other session layers in the six columns, each beside ours in the same turns."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest

from bench.middlewares import PEERS, MissingError, load
from bench.race import Runner
from bench.requests import COLUMNS, SIZES, Call, Cell, bare, ours

WHO = ("peer", "peer bare", "sessfast", "bare")
MINUS = {"peer": "peer bare", "sessfast": "bare"}
WARM_UP = 3
MOST = 20_000  # a new session each: the stores hold them all until the turn is over


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Small sessions alone in quick runs; one race's rows follow one another."""
    quick = metafunc.config.getoption("--bench-quick")
    sizes = [size for size in SIZES if size == "small" or not quick]
    rows = [
        pytest.param(peer, size, column, who, id=f"{peer}, {size}, {column}, {who}")
        for peer in PEERS
        for size in sizes
        for column in COLUMNS
        for who in WHO
    ]
    metafunc.parametrize(("peer", "size", "column", "who"), rows)


@lru_cache(maxsize=1)
def runners(name: str, size: str, column: str) -> list[Runner]:
    """All contestants of one cell; each bare app is the zero of the one before it."""
    peer = load(name)
    cell = Cell("asgi" if peer.FRONT == "asgi" else "wsgi", size, column)
    loops = zip(WHO, [*peer.calls(size, column), ours(cell), bare(cell)], strict=True)
    return [Runner(who, warmed(loop), MOST) for who, loop in loops]


def warmed(loop: Call) -> Call:
    """`loop` that begins each turn with a few calls that aren't counted.

    A turn finds the caches full of the others' code. Who makes ten calls in a turn would pay for
    that thirty times as much per call as who makes three hundred.
    """

    def run(calls: int) -> float:
        loop(WARM_UP)
        return loop(calls)

    return run


def test_middleware(
    contest: Callable[..., None],
    benchmark: Any,
    peer: str,
    size: str,
    column: str,
    who: str,
) -> None:
    """One request of one kind; `above` is what the session costs above the bare app."""
    try:
        found = load(peer)
        benchmark.extra_info.update(
            peer=found.NAME, front=found.FRONT, version=found.VERSION, leaves_out=found.LEAVES_OUT
        )
        name = f"{found.NAME}, {size}, {column}"
        contest("peers", name, who, partial(runners, peer, size, column), MINUS)
    except MissingError as error:
        missing = str(error)
    else:
        return
    if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
