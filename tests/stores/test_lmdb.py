"""LMDBStore: the contract, and what is LMDB's own: growth, readers, boots, long keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessfast import OptionsError, StoreError, open_store
from sessfast.stores import lmdb_environment
from sessfast.stores.lmdb import LMDBStore
from sessfast.testing import FakeClock, StoreContract
from tests.stores.embedded import folder, needs_lmdb
from tests.stores.workers import ROOT, blob_of, finish, number_of, start

TTL = 600.0


class TestLMDB(StoreContract):
    """The contract, whole."""

    def make_store(self, clock: Any) -> LMDBStore:
        needs_lmdb()
        self.folder = folder()
        return LMDBStore(self.folder.name, durable=False, clock=clock)

    def teardown_method(self) -> None:
        super().teardown_method()
        self.folder.cleanup()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory."""
    needs_lmdb()
    with folder() as path:
        yield Path(path)


def test_the_file_grows_under_all_who_use_it(place: Path) -> None:
    """From one mebibyte, in this process and in another, until max_bytes."""
    url = f"lmdb:///{place}?map_size=1000000&max_bytes=64000000&durable=false"
    store = open_store(url)
    made = [(f"sess:{number}", number) for number in range(60)]
    for sid, number in made[:30]:
        store.create(sid, blob_of(number, 100_000), TTL)
    finish(start("grow", url, 100, 100_000))
    for sid, number in made[30:]:
        store.create(sid, blob_of(number, 100_000), TTL)
    assert made == [(sid, number_of(store.get(sid)[0])) for sid, _ in made]
    assert 160 == store.length()
    store.close()


def test_a_full_store_says_so_and_works_on(place: Path) -> None:
    """At max_bytes a write fails whole, and one that needs less gets through."""
    store = LMDBStore(place, map_size=100_000, max_bytes=1_000_000, durable=False)
    kept = store.create("sess:a", b"small", TTL)
    with pytest.raises(StoreError, match=r"store\.create failed: LMDB: MapFullError"):
        store.create("sess:b", b"x" * 2_000_000, TTL)
    assert (b"small", kept) == (store.get("sess:a") or ())[:2]
    assert None is store.get("sess:b")
    assert store.touch("sess:a", TTL)
    store.close()


def test_places_of_dead_readers_are_freed(place: Path) -> None:
    """Killed processes don't fill the table of readers."""
    url = f"lmdb:///{place}?max_readers=2&durable=false"
    store = open_store(url)
    store.create("sess:a", b"", TTL)
    code = (
        "import os, sys; from sessfast import open_store\n"
        "store = open_store(sys.argv[1]); store.get('sess:a'); os._exit(0)"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, check=True)
    assert store.get("sess:a")
    store.close()


def test_without_durable_a_boot_begins_anew(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody has synced is not trusted when the machine has started since; else it is."""
    boot, path = place / "boot_id", place / "store"
    boot.write_text("first\n")
    monkeypatch.setattr(lmdb_environment, "BOOT_ID", boot)

    def holds(durable: bool) -> bool:
        store = LMDBStore(path, durable=durable)
        found = store.get("sess:a") is not None
        store.create("sess:a", b"", TTL)
        store.close()
        return found

    assert [False, True, True] == [holds(durable=True), holds(durable=True), holds(durable=False)]
    boot.write_text("second\n")
    assert [False, True] == [holds(durable=False), holds(durable=False)]
    boot.write_text("third\n")
    assert [False, True] == [holds(durable=True), holds(durable=True)]
    boot.write_text("fourth\n")
    assert holds(durable=True)
    boot.unlink()
    with pytest.raises(OptionsError, match="needs Linux"):
        LMDBStore(place / "other", durable=False)


def test_two_stores_of_a_process_share_the_file(place: Path) -> None:
    """As two middlewares with one URL do; each is closed for itself."""
    first, second = LMDBStore(place), LMDBStore(f"{place}/../{place.name}")
    first.create("sess:a", b"one", TTL)
    first.close()
    first.close()
    assert second.get("sess:a")
    with pytest.raises(StoreError, match="the store is closed"):
        first.get("sess:a")
    second.close()
    third = LMDBStore(place)
    assert third.get("sess:a")
    third.close()


def test_sids_of_any_length_have_a_key(place: Path) -> None:
    """LMDB's own end at 511 octets, and none is empty."""
    sids = ["", "x" * 400, "x" * 401, "é" * 200, "é" * 201, "x" * 10_000]
    store = LMDBStore(place, durable=False, clock=FakeClock())
    for number, sid in enumerate(sids):
        store.create(sid, blob_of(number), TTL)
    assert {sid: number for number, sid in enumerate(sids)} == {
        sid: number_of(record[0]) for sid, record in store.all()
    }
    assert sorted(sids) == sorted(sid for sid in sids if store.get(sid))
    store.close()


def test_without_the_package_the_error_is_the_command() -> None:
    """One pip command that mends it, also for a URL."""
    code = (
        "import sys; sys.modules['lmdb'] = None\n"
        "from sessfast import open_store, OptionsError\n"
        "try: open_store('lmdb:////nowhere/at/all')\n"
        "except OptionsError as error: print(error.faults[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    expected = 'store: the package lmdb is not installed: pip install "sessfast[lmdb]"\n'
    assert expected == done.stdout.decode()


@pytest.mark.parametrize(
    ("options", "fault"),
    [({"map_size": 0}, "map_size"), ({"max_readers": -1}, "max_readers"), ({"path": ""}, "path")],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], fault: str) -> None:
    """Before a file is made."""
    with pytest.raises(OptionsError, match=fault):
        LMDBStore(**{"path": "/nowhere", **options})
