"""Redis is down, slow, silent, breaks off: a StoreError within the bound, then on as before."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

import pytest

pytest.importorskip("redis", reason="redis-py is not installed: pip install sessfast[redis]")

from sessfast.stores.redis import open_redis
from tests.stores.outages import TIMEOUT, Outages


class TestRedisOutages(Outages):
    """A sync call may wait for a connection and for an answer; an async one has one bound."""

    server: ClassVar[str] = "redis"
    bound: ClassVar[dict[bool, int]] = {False: 2, True: 1}

    def open(self, url: str, asynchronous: bool, timeout: float = TIMEOUT) -> Any:
        return open_redis(url, asynchronous=asynchronous, timeout=timeout, prefix="outage:")

    def version(self) -> Any:
        return secrets.token_bytes(16)
