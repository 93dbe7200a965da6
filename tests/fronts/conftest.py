"""Every test of this folder that asks for `client` runs on both fronts."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from tests.fronts.clients import CLIENTS, Client


@pytest.fixture(params=CLIENTS, ids=[client.front for client in CLIENTS])
def client(request: pytest.FixtureRequest) -> Callable[..., Client]:
    """A factory of clients for one front: client(**options)."""
    return cast("Callable[..., Client]", request.param)
