"""Each incumbent and what stands in for it: the same framework, the same app, the same turns."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest

from bench.middlewares import MissingError, load
from bench.race import Runner
from bench.requests import COLUMNS, SIZES
from bench.test_middlewares import MOST, warmed

# (incumbent, its replacement): modules of bench.middlewares
PAIRS = (
    ("starlette_cookie", "starlette_replaced"),
    ("starlette_cookie", "starlette_stored"),
    ("starsessions_memory", "starsessions_replaced"),
    ("litestar_memory", "litestar_replaced"),
    ("flask_cookie", "flask_replaced"),
    ("flask_session_cachelib", "flask_session_replaced"),
    ("beaker_memory", "beaker_replaced"),
    ("django_db", "django_engine"),
    ("django_cache", "django_engine"),
    ("django_db", "django_replaced"),
    ("django_cache", "django_replaced"),
)
WHO = ("incumbent", "bare", "replacement")
MINUS = {"incumbent": "bare", "replacement": "bare"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Small sessions alone in quick runs; one race's rows follow one another."""
    quick = metafunc.config.getoption("--bench-quick")
    sizes = [size for size in SIZES if size == "small" or not quick]
    rows = [
        pytest.param(pair, size, column, who, id=f"{pair}, {size}, {column}, {who}")
        for pair in PAIRS
        for size in sizes
        for column in COLUMNS
        for who in WHO
    ]
    metafunc.parametrize(("pair", "size", "column", "who"), rows)


@lru_cache(maxsize=1)
def runners(pair: tuple[str, str], size: str, column: str) -> list[Runner]:
    """The contestants of one cell."""
    theirs, bare = load(pair[0]).calls(size, column)
    ours, _ = load(pair[1]).calls(size, column)
    return [
        Runner(who, warmed(loop), MOST) for who, loop in zip(WHO, (theirs, bare, ours), strict=True)
    ]


def test_replacement(
    contest: Callable[..., None],
    benchmark: Any,
    pair: tuple[str, str],
    size: str,
    column: str,
    who: str,
) -> None:
    """One request of one kind; `above` is what the session costs above the bare app."""
    try:
        theirs, ours = map(load, pair)
        benchmark.extra_info.update(
            incumbent=theirs.NAME, version=theirs.VERSION, leaves_out=ours.LEAVES_OUT
        )
        name = f"{ours.NAME} beside {theirs.NAME}, {size}, {column}"
        contest("replacements", name, who, partial(runners, pair, size, column), MINUS)
    except MissingError as error:
        missing = str(error)
    else:
        return
    if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
