"""open_store and resolve: from a URL to the store it names."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from sessfast import MemoryStore, OptionsError, open_store
from sessfast.stores.opening import OPENERS, resolve
from sessfast.testing import FakeClock
from tests.stores.embedded import folder, needs_lmdb

PASSWORD = "hunter2"


@pytest.fixture
def place() -> Iterator[str]:
    """A folder in memory; its path begins with a slash."""
    with folder() as path:
        yield path


@pytest.mark.parametrize(
    ("url", "keywords", "kind", "attributes"),
    [
        ("memory://", {}, "MemoryStore", {"max_entries": 1_000_000}),
        ("memory://?max_entries=5", {"max_bytes": 10_000}, "MemoryStore", {"max_bytes": 10_000}),
        ("memory://?max_entries=5", {"max_entries": 6}, "MemoryStore", {"max_entries": 6}),
        ("sqlite:///{}/s.db", {}, "SQLiteStore", {"path": "{}/s.db"}),
        ("sqlite:///{}/%C3%A9%20%3F.db", {}, "SQLiteStore", {"path": "{}/é ?.db"}),
        ("sqlite:///s.db?timeout=2.5", {}, "SQLiteStore", {"path": "s.db"}),
        ("sqlite:///s.db?table=a&layout=connect-sqlite3", {}, "ConnectSQLite3Store", {}),
        ("sqlite:///s.db", {"layout": "connect-sqlite3"}, "ConnectSQLite3Store", {}),
        ("lmdb:///{}/l?blocking=false", {}, "LMDBStore", {"path": "{}/l", "blocking": False}),
        ("lmdb:///{}/l", {"max_bytes": 10**9}, "LMDBStore", {"blocking": True}),
        ("file:///{}/f?durable=1&timeout=1", {}, "FileStore", {"durable": True, "timeout": 1.0}),
        ("file:///f?ttl=60&layout=session-file-store", {}, "FileStore", {"path": "f"}),
    ],
)
def test_a_url_names_a_store(
    place: str, url: str, keywords: Any, kind: str, attributes: Any
) -> None:
    """Path and options; keywords win; the clock is passed on."""
    if url.startswith("lmdb"):
        needs_lmdb()
    clock = FakeClock()
    store = open_store(url.format(place), clock=clock, **keywords)
    assert (kind, clock) == (type(store).__name__, store.clock)
    expected = {
        name: value.format(place) if isinstance(value, str) else value
        for name, value in attributes.items()
    }
    assert expected == {name: getattr(store, name) for name in expected}
    store.close()


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        ("", ["a str must be a URL"]),
        ("sessions.db", ["a str must be a URL"]),
        ("http://[", ["no valid URL"]),
        (f"mysql://bob:{PASSWORD}@server", ["no store is known as 'mysql': use one of memory://"]),
        ("memory://?color=red&max_bytes=-1", ["no option 'color': it has max_b", "positive whole"]),
        ("memory://?layout=redis", ["memory:// has no layout 'redis': it has its own alone"]),
        ("sqlite://", ["write sqlite:////absolute/path, or sqlite:///relative/path"]),
        (f"sqlite://bob:{PASSWORD}@relative.db", ["write sqlite:////absolute/path"]),
        ("sqlite:///s.db?timeout=soon", ["timeout must be a positive number of seconds"]),
        ("sqlite:///s.db?durable=perhaps", ["durable must be true or false"]),
        ("sqlite:///s.db?layout=x", ["no layout 'x': use 'connect-sqlite3', or none"]),
        ("lmdb:///l?layout=x", ["lmdb:// has no layout 'x'"]),
        ("lmdb:///l?map_size=1.5", ["map_size must be a positive whole number"]),
        ("file:///f?timeout=nan&x=", ["positive number of seconds", "no option 'x'"]),
        ("file:///f?layout=x", ["no layout 'x': use 'session-file-store', or none"]),
    ],
)
def test_what_cannot_be_opened_is_explained(url: str, faults: list[str]) -> None:
    """Every fault with its fix, and never a password."""
    with pytest.raises(OptionsError) as caught:
        open_store(url)
    assert len(faults) == len(caught.value.faults)
    for expected, actual in zip(faults, caught.value.faults, strict=True):
        assert expected in actual
    assert PASSWORD not in f"{caught.value!r} {caught.value}"


def test_an_unknown_keyword_is_a_fault_too() -> None:
    """It names those that exist."""
    with pytest.raises(OptionsError, match="file:// has no option 'tiemout': it has durable, ti"):
        open_store("file:///f", tiemout=3)


class Network:
    """A module of a store with a twin, in the place of one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        module = types.ModuleType("sessfast.stores.redis")
        module.open_redis = self.open  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)

    def open(self, *arguments: Any, **options: Any) -> MemoryStore:
        self.calls.append((arguments, options))
        return MemoryStore()


def test_a_front_gets_the_twin_that_it_can_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is awaited for who can await; else the other. The URL arrives whole."""
    network = Network(monkeypatch)
    url = f"rediss://bob:{PASSWORD}@server/0?layout=connect-redis&ssl_ca_certs=a%2Fb"
    open_store(url, prefix="x:")
    open_store("redis://server", asynchronous=True)
    clock = FakeClock()
    resolve("valkey://server", clock)
    resolve("valkey://server", clock, asynchronous=True)
    whole = f"rediss://bob:{PASSWORD}@server/0?ssl_ca_certs=a%2Fb"
    assert [
        ((whole, "connect-redis"), {"prefix": "x:", "asynchronous": False}),
        (("redis://server", None), {"asynchronous": True}),
        (("valkey://server", None), {"asynchronous": False, "clock": clock}),
        (("valkey://server", None), {"asynchronous": True, "clock": clock}),
    ] == network.calls


def test_a_store_without_a_twin_serves_both_fronts() -> None:
    """Asking for the twin changes nothing."""
    assert isinstance(open_store("memory://", asynchronous=True), MemoryStore)
    assert isinstance(resolve("memory://", FakeClock(), asynchronous=True), MemoryStore)


@pytest.mark.parametrize("scheme", [name for name in OPENERS if OPENERS[name].extra])
def test_a_missing_package_is_named_with_its_command(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever module misses it, the extra is the scheme's."""
    opener = OPENERS[scheme]

    def needs_a_client(*arguments: Any, **options: Any) -> Any:
        raise ModuleNotFoundError("No module named 'client.part'", name="client.part")

    name, _, function = opener.place.partition(":")
    module = types.ModuleType(name)
    setattr(module, function, needs_a_client)
    monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(OptionsError) as caught:
        open_store(f"{scheme}://bob:{PASSWORD}@server")
    command = f'pip install "sessfast[{opener.extra}]"'
    assert (f"store: the package client is not installed: {command}",) == caught.value.faults
