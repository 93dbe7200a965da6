"""memcached keeps the contract, sync and async, in both layouts."""

from __future__ import annotations

import math
import secrets
import time
from typing import Any, ClassVar

from sessfast.stores.memcached import MemcachedStore, open_memcached
from sessfast.testing import FakeClock, StoreContract
from tests.stores.sampling import Sampled
from tests.stores.servers import url_of


class OnMemcached(StoreContract):
    """The contract on a real server: its own clock rules, so the tests shorten lives instead."""

    server: ClassVar[str] = "memcached"
    asynchronous: ClassVar[bool] = False
    layout: ClassVar[str] = "native"
    tick: ClassVar[float] = 2.0  # whole seconds, and one more
    longest_ttl: ClassVar[float] = 2_000_000_000.0 - time.time()

    def make_store(self, clock: Any) -> Any:
        url = url_of(self.server)
        prefix = f"test-{secrets.token_hex(6)}:"
        self.latest = ""
        self.sids: set[str] = set()
        self.raw = MemcachedStore(url, layout=self.layout, prefix=prefix)
        return open_memcached(
            url, self.layout, asynchronous=self.asynchronous, prefix=prefix, clock=clock
        )

    def teardown_method(self) -> None:
        self.advance(self.clock, 1e12)
        self.raw.close()
        super().teardown_method()

    def sid(self) -> str:
        self.latest = "sess:" + super().sid()
        self.sids.add(self.latest)
        return self.latest

    def advance(self, clock: FakeClock, seconds: float) -> None:
        """Every record of a sid that was drawn loses these seconds of its life."""
        clock.advance(seconds)
        for sid in list(self.sids):
            key = self.raw.commands.key(sid)
            left = int(self.raw._ask("test", sid, b"mg %b t\r\n" % key).flags.get(b"t", b"0"))
            if left > seconds:
                end = math.ceil(left - seconds)
                when = end if end < 2_000_000 else time.time() + end
                self.raw._ask("test", sid, b"mg %b T%d\r\n" % (key, when))
            else:
                self.raw.destroy(sid)
                if sid != self.latest:  # which may be used again
                    self.sids.discard(sid)


class TestMemcached(OnMemcached):
    """The usual case."""


class TestAsyncMemcached(OnMemcached):
    asynchronous: ClassVar[bool] = True


class TestNodesLayout(Sampled, OnMemcached):
    layout: ClassVar[str] = "connect-memcached"


class TestWithPassword(Sampled, OnMemcached):
    server: ClassVar[str] = "memcached_auth"


class TestAsyncWithPassword(Sampled, OnMemcached):
    server: ClassVar[str] = "memcached_auth"
    asynchronous: ClassVar[bool] = True
