"""memcached is down, slow, silent, breaks off: a StoreError in time, then on as before."""

from __future__ import annotations

from typing import Any, ClassVar

from sessfast.stores.memcached import open_memcached
from tests.stores.outages import TIMEOUT, Outages


class TestMemcachedOutages(Outages):
    """One bound for the whole call."""

    server: ClassVar[str] = "memcached"
    bound: ClassVar[dict[bool, int]] = {False: 1, True: 1}

    def open(self, url: str, asynchronous: bool, timeout: float = TIMEOUT) -> Any:
        return open_memcached(url, asynchronous=asynchronous, timeout=timeout, prefix="outage:")

    def version(self) -> Any:
        return 1


class TestOutagesWithPassword(TestMemcachedOutages):
    server: ClassVar[str] = "memcached_auth"
