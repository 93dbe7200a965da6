"""Which twins are under test, and how hard hypothesis tries.

SESSFAST_REQUIRE_CY=1  the whole run fails if the compiled twins were not chosen
SESSFAST_SOAK=1        property tests try twenty times as many examples
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

import sessfast
from sessfast.hotpath import cpu_path

EXAMPLES = 100

# In CI a commit is judged by the same examples each time; new ones are what a soak is for.
settings.register_profile(
    "moderate", max_examples=EXAMPLES, deadline=None, derandomize="CI" in os.environ
)
settings.register_profile("soak", max_examples=20 * EXAMPLES, deadline=None)
settings.load_profile("soak" if os.environ.get("SESSFAST_SOAK") == "1" else "moderate")


def pytest_configure() -> None:
    """Fails, not skips: a green run must not hide that the compiled code was never tested."""
    if os.environ.get("SESSFAST_REQUIRE_CY") == "1" and sessfast.BACKEND != "compiled":
        raise pytest.UsageError(
            f"SESSFAST_REQUIRE_CY=1, but sessfast.BACKEND is {sessfast.BACKEND!r}: "
            "build with SESSFAST_REQUIRE_CY=1 python setup.py build_ext --inplace"
        )


def pytest_report_header() -> str:
    """The line that says what the run is about."""
    return f"sessfast {sessfast.__version__}: {sessfast.BACKEND} (SHA-256: {cpu_path()})"
