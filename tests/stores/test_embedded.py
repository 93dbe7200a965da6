"""What the contract can't show of the stores in files: processes, forks, kills, restarts."""

from __future__ import annotations

import asyncio
import os
import random
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessfast import GONE, StoreError, open_store
from sessfast.asgi import SessionMiddleware
from sessfast.testing import FakeClock
from tests.stores.embedded import every_store, folder, url_in
from tests.stores.workers import blob_of, finish, key_sid, number_of, start, together

SOAK = os.environ.get("SESSFAST_SOAK") == "1"
PROCESSES, KEYS = 4, 5
INCREMENTS = 10_000 if SOAK else 400
KILLS = 50 if SOAK else 5
TTL = 600.0
SECRET = "not a secret, but as long as one must be"


@pytest.fixture
def place() -> Iterator[str]:
    """A folder in memory."""
    with folder() as path:
        yield path


@every_store
def test_no_increment_of_many_processes_is_lost(name: str, place: str) -> None:
    """Four processes count on the same keys, by compare-and-set."""
    url = url_in(place, name)
    store = open_store(url)
    for number in range(KEYS):
        store.create(key_sid(number), blob_of(0), TTL)
    each = INCREMENTS // PROCESSES
    together([start("count", url, KEYS, each, seed) for seed in range(PROCESSES)])
    total = sum(number_of(store.get(key_sid(number))[0]) for number in range(KEYS))
    store.close()
    assert each * PROCESSES == total


@every_store
def test_a_killed_process_loses_nothing_that_was_acknowledged(name: str, tmp_path: Path) -> None:
    """kill -9 at any moment, on a real disk; and whoever is left can go on at once."""
    url = url_in(tmp_path, name)
    chance = random.Random(1)
    store = open_store(url)
    for _ in range(KILLS):
        worker = start("write", url)
        lines = killed_after(worker, chance.uniform(0.0, 0.1))
        assert lines
        expected: dict[str, int | None] = {}
        for event, sid, text in map(str.split, lines):
            expected[sid] = None if event == "destroyed" else int(text)
        found = {sid: store.get(sid) for sid in expected}
        last = next(reversed(expected))  # the killed call may have been done, too
        for sid, number in expected.items():
            record = found[sid]
            actual = None if record is None else number_of(record[0])
            assert number == actual or (sid == last and unacknowledged(sid, number, actual))
        assert store.create(f"sess:after-{worker.pid}", blob_of(1), TTL)
    store.close()


def killed_after(worker: subprocess.Popen[bytes], seconds: float) -> list[str]:
    """The whole lines that a worker has written until it is killed."""
    assert worker.stdout is not None
    told = os.read(worker.stdout.fileno(), 4096)  # it has begun
    select.select([], [], [], seconds)
    worker.kill()
    rest, _ = worker.communicate(timeout=60)
    return (told + rest).decode().split("\n")[:-1]


def unacknowledged(sid: str, number: int | None, actual: int | None) -> bool:
    """Whether the step after the last acknowledged one explains what is there."""
    made = int(sid.rpartition("-")[2])
    return number == made and actual == {0: made + 1, 1: None}.get(made % 3, made)


@every_store
def test_a_fork_shares_no_open_file(name: str, place: str) -> None:
    """While a thread is busy: parent and children go on, and none of their work is lost."""
    assert "[0, 0, 0] True True\n" == finish(start("fork", url_in(place, name)))


@every_store
def test_a_fork_behind_pythons_back_harms_nobody(name: str, place: str) -> None:
    """As some servers do: the child works, or with LMDB fails; the parent goes on."""
    code = 1 if name.startswith("lmdb") else 0
    assert f"{code} True\n" == finish(start("fork-in-c", url_in(place, name)))


@every_store
def test_a_closed_store_opens_again_with_all_it_had(name: str, place: str) -> None:
    """Also by another process's eyes; and close may be called again."""
    url, clock = url_in(place, name), FakeClock()
    store = open_store(url, clock=clock)
    version = store.create("sess:a", '{"n":1,"é€𝄞":"\\u0000"}'.encode(), TTL)
    store.close()
    store.close()
    store = open_store(url, clock=clock)
    record = store.get("sess:a")
    assert ('{"n":1,"é€𝄞":"\\u0000"}'.encode(), version) == record[:2]
    assert ["sess:a"] == [sid for sid, _ in store.all()]
    clock.advance(TTL)
    assert GONE is store.update("sess:a", blob_of(2), TTL, version)
    store.close()


@every_store
def test_what_has_expired_goes_with_what_is_new(name: str, place: str) -> None:
    """Nobody calls sweep, and the expired records don't pile up."""
    clock = FakeClock()
    store = open_store(url_in(place, name), clock=clock)
    for number in range(200):
        store.create(f"sess:old-{number}", blob_of(number), 1.0)
    clock.advance(2.0)
    for number in range(600):
        store.create(f"sess:new-{number}", blob_of(number), TTL)
    clock.set(0.0)  # so that what has expired would show itself
    left = {sid for sid, _ in store.all() if sid.startswith("sess:old")}
    assert set() == left
    store.close()


@every_store
def test_an_error_names_the_verb_and_no_id(name: str, tmp_path: Path) -> None:
    """Whatever is wrong with the files."""
    store = open_store(url_in(tmp_path, name))
    for path in ("sessions.db", "sessions"):
        (tmp_path / path).write_bytes(b"no database at all, " * 100)
    for path in ("lmdb", "files"):
        (tmp_path / path).write_bytes(b"no folder")
    for verb, arguments in {
        "get": (),
        "create": (blob_of(1), TTL),
        "update": (blob_of(1), TTL, b"x" if "connect" in name else 1),
        "touch": (TTL,),
        "destroy": (),
    }.items():
        with pytest.raises(StoreError) as caught:
            getattr(store, verb)("sess:SECRET", *arguments)
        assert verb == caught.value.verb
        assert "SECRET" not in f"{caught.value} {caught.value.__cause__!r}"
    store.close()


@every_store
def test_it_works_below_an_asgi_app(name: str, place: str) -> None:
    """Many requests at once, in worker threads."""
    store = open_store(url_in(place, name))
    options: dict[str, Any] = {"hash_ids": False, "codec": "express"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["n"] = scope["session"].get("n", 0) + 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % scope["session"]["n"]})

    middleware = SessionMiddleware(app, secret=SECRET, store=store, **options)

    async def visit() -> list[bytes]:
        headers: list[tuple[bytes, bytes]] = []
        bodies = []
        for _ in range(3):
            sent: list[Any] = []

            async def send(message: Any, sent: list[Any] = sent) -> None:
                sent.append(message)

            scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http"}
            await middleware({**scope, "headers": headers}, None, send)  # type: ignore[arg-type]
            cookies = dict(sent[0]["headers"])
            headers = headers or [(b"cookie", cookies[b"set-cookie"].partition(b";")[0])]
            bodies.append(sent[1]["body"])
        return bodies

    async def visits() -> list[list[bytes]]:
        return list(await asyncio.gather(*(visit() for _ in range(20))))

    assert [[b"1", b"2", b"3"]] * 20 == asyncio.run(visits())
    assert 20 == store.length()
    store.close()
