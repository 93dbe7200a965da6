"""A pair for each of Node's stores and each front of ours; tests run pair by pair."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.layouts import LAYOUTS
from tests.interop.packages import modules
from tests.interop.sides import Pair
from tests.servers import ServerError
from tests.stores.servers import url_of

PAIRS = [(layout, front) for layout in LAYOUTS for front in ("wsgi", "asgi")]
SIDES = [("node", "python"), ("python", "node")]


def pytest_runtest_setup(item: pytest.Function) -> None:
    """Skip, or fail, where a store's packages or server can't be had.

    Here and not in the fixture, which would say so once for every test.
    """
    wanted: Any = item.callspec.params.get("pair") if hasattr(item, "callspec") else None
    if wanted is None:
        return
    layout = LAYOUTS[wanted[0]]
    capture = item.config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():  # installing takes its time, and says so
            modules(layout.is_compiled)
    except ServerError as error:
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(f"{error}, and SESSFAST_REQUIRE_ALL=1 asks for it", pytrace=False)
        pytest.skip(str(error))
    if layout.server:
        url_of(layout.server)


@pytest.fixture(scope="session", params=PAIRS, ids="-".join)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Express and a Python app beside the same store."""
    layout, front = request.param
    pair = Pair(layout, front, tmp_path_factory.mktemp(f"{layout}-{front}"))
    yield pair
    pair.close()


@pytest.fixture(params=SIDES, ids="-to-".join)
def sides(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Who begins, and who goes on with what it did."""
    begins, goes_on = request.param
    return begins, goes_on
