"""Both twins of every hot path: a test that asks for `cookies` runs on each of them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from types import ModuleType

import pytest

PURE_ONLY = os.environ.get("SESSFAST_PURE") == "1"
MUST_BE_BUILT = os.environ.get("SESSFAST_REQUIRE_CY") == "1"

SUFFIX = {"pure": "py"} if PURE_ONLY else {"pure": "py", "compiled": "cy"}


def load(name: str, backend: str) -> ModuleType:
    """The twin of the hot path `name`; a skipped test where it isn't built, a failed one in CI."""
    module = f"sessfast.hotpath.{name}_{SUFFIX[backend]}"
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if backend == "pure":
            raise
        if MUST_BE_BUILT:
            pytest.fail(f"SESSFAST_REQUIRE_CY=1, but {module} can't be imported: {error}")
        pytest.skip(f"{module} is not built: python setup.py build_ext --inplace")


@pytest.fixture(scope="session", params=SUFFIX)
def backend(request: pytest.FixtureRequest) -> str:
    """pure or compiled."""
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session")
def cookies(backend: str) -> ModuleType:
    """A twin of the module that finds and writes cookies."""
    return load("cookies", backend)


@pytest.fixture(scope="session")
def envelope(backend: str) -> ModuleType:
    """A twin of the module of the native record's envelope."""
    return load("envelope", backend)


@pytest.fixture(scope="session")
def plain(backend: str) -> ModuleType:
    """A twin of the module that writes plain data."""
    return load("plain", backend)


@pytest.fixture(scope="session")
def signing(backend: str) -> ModuleType:
    """A twin of the module that signs."""
    return load("signing", backend)


@pytest.fixture(scope="session")
def ids(backend: str) -> ModuleType:
    """A twin of the module that makes ids."""
    return load("ids", backend)


@pytest.fixture(scope="session")
def ttltable(backend: str) -> ModuleType:
    """A twin of the module of the table in memory."""
    return load("ttltable", backend)


@pytest.fixture(scope="session")
def twins() -> Callable[[str], tuple[ModuleType, ModuleType]]:
    """(pure, compiled) of a hot path, for tests that compare them."""
    if PURE_ONLY:
        pytest.skip("SESSFAST_PURE=1: there is no other twin to compare with")

    def both(name: str) -> tuple[ModuleType, ModuleType]:
        return load(name, "pure"), load(name, "compiled")

    return both
