"""Redis and Valkey keep the contract, sync and async, in both layouts."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

pytest.importorskip("redis", reason="redis-py is not installed: pip install sessfast[redis]")

import redis

from sessfast.stores.redis import open_redis
from sessfast.testing import FakeClock, StoreContract
from tests.stores.sampling import Sampled
from tests.stores.servers import url_of

# Time passes in the server: every key of the prefix loses these milliseconds of its life.
ADVANCE = """
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local left = redis.call('PTTL', key) - ARGV[2]
  if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
end
"""


class OnRedis(StoreContract):
    """The contract on a real server: its own clock rules, so the tests shorten lives instead."""

    server: ClassVar[str] = "redis"
    asynchronous: ClassVar[bool] = False
    layout: ClassVar[str] = "native"
    tick: ClassVar[float] = 0.05  # what a test itself takes, beyond Redis' millisecond

    def make_store(self, clock: Any) -> Any:
        url = url_of(self.server)
        self.prefix = f"test-{secrets.token_hex(6)}:"
        make: Callable[..., Any] = redis.Redis.from_url
        if "cluster" in self.server:
            make = redis.RedisCluster.from_url
        self.raw = make(url.replace("valkey:", "redis:").replace("redis+cluster:", "redis:"))
        return open_redis(
            url, self.layout, asynchronous=self.asynchronous, prefix=self.prefix, clock=clock
        )

    def teardown_method(self) -> None:
        self.advance(self.clock, 1e9)
        self.raw.close()
        super().teardown_method()

    def advance(self, clock: FakeClock, seconds: float) -> None:
        clock.advance(seconds)
        target = {"target_nodes": "all"} if "cluster" in self.server else {}
        self.raw.execute_command("EVAL", ADVANCE, 0, self.prefix, int(seconds * 1000), **target)


class TestRedis(OnRedis):
    """The usual case."""


class TestAsyncRedis(OnRedis):
    asynchronous: ClassVar[bool] = True


class TestValkey(Sampled, OnRedis):
    server: ClassVar[str] = "valkey"


class TestAsyncValkey(Sampled, OnRedis):
    server: ClassVar[str] = "valkey"
    asynchronous: ClassVar[bool] = True


class InNodesLayout(Sampled, OnRedis):
    """The blob itself is the version, and lives end with a second."""

    layout: ClassVar[str] = "connect-redis"
    unique_versions: ClassVar[bool] = False
    tick: ClassVar[float] = 1.05

    def sid(self) -> str:
        return "sess:" + super().sid()


class TestNodesLayout(InNodesLayout):
    pass


class TestAsyncNodesLayout(InNodesLayout):
    asynchronous: ClassVar[bool] = True


class TestCluster(Sampled, OnRedis):
    """Through a cluster client; of one node, which is enough to route."""

    server: ClassVar[str] = "redis_cluster"


class TestAsyncCluster(Sampled, OnRedis):
    server: ClassVar[str] = "redis_cluster"
    asynchronous: ClassVar[bool] = True
