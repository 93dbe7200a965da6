"""A store that can only read, write and delete keeps the contract, within one event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessfast.errors import StoreError
from sessfast.stores.overwriting import PREFIX, OverwritingStore
from sessfast.testing import StoreContract


class Octets:
    """Three functions over a dict, each of which waits once."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    async def read(self, key: str) -> bytes | None:
        await asyncio.sleep(0)
        return self.held.get(key)

    async def write(self, key: str, octets: bytes, seconds: int) -> None:
        assert isinstance(seconds, int)
        assert seconds >= 1
        await asyncio.sleep(0)
        self.held[key] = octets

    async def remove(self, key: str) -> None:
        await asyncio.sleep(0)
        self.held.pop(key, None)


class TestOverwriting(StoreContract):
    """The clock is the store's own: what it writes says when it ends."""

    def make_store(self, clock: Any) -> Any:
        octets = Octets()
        return OverwritingStore(octets.read, octets.write, octets.remove, clock)


def test_what_is_written_is_text_and_no_lock_is_left() -> None:
    octets = Octets()
    store = OverwritingStore(octets.read, octets.write, octets.remove, lambda: 1000.0)
    version: Any = asyncio.run(store.create("a", "é".encode(), 5))
    assert {PREFIX + "a": b"1005.000 %b \xc3\xa9" % version} == octets.held
    assert 0 == len(store.locks)


def test_what_somebody_else_wrote_there_is_an_outage() -> None:
    octets = Octets()
    octets.held[PREFIX + "a"] = b"{}"
    store = OverwritingStore(octets.read, octets.write, octets.remove)
    with pytest.raises(StoreError, match="not written there"):
        asyncio.run(store.get("a"))
