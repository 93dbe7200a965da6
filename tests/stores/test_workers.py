"""SQLite and LMDB below four workers of gunicorn: parallel requests of one session, and kills.

Each visitor adds to a key of their own, all in the same session, so that every save may meet a
conflict. What the server has acknowledged must be there in the end.
"""

from __future__ import annotations

import http.client
import importlib.util
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.stores.embedded import folder, needs_lmdb

ROOT = Path(__file__).resolve().parent.parent.parent
WORKERS, VISITORS = 4, 8
INCREMENTS, KILLS = 10_000, 50
PATIENCE = 30.0
BUSY = 409  # the save met a conflict too often: nothing was stored, and the visitor tries again
URLS = {"sqlite": "sqlite:///{}/s.db", "lmdb": "lmdb:///{}/lmdb?durable=false"}

pytestmark = [pytest.mark.parametrize("name", URLS), pytest.mark.slow]


class Server:
    """A gunicorn that serves the counting app."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = ""
        self.cookie = self.ask("/seed")[2]

    def ask(self, path: str) -> tuple[int, str, str]:
        """Status, body, and the cookie of one answer. OSError or HTTPException if it broke off."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
            reply = connection.getresponse()
            body = reply.read().decode()
            return reply.status, body, (reply.getheader("Set-Cookie") or "").partition(";")[0]
        finally:
            connection.close()

    def counts(self) -> dict[str, int]:
        """What the session holds."""
        pairs = (pair.split("=") for pair in self.ask("/")[1].split())
        return {key: int(value) for key, value in pairs if key != "seed"}


@contextmanager
def served(url: str, place: str, preload: bool) -> Iterator[Server]:
    """Four workers on a store; `preload`: the app and its store are made before the fork."""
    if importlib.util.find_spec("gunicorn") is None:
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail("gunicorn is missing, and SESSFAST_REQUIRE_ALL=1 asks for it")
        pytest.skip("gunicorn is not installed: pip install gunicorn")
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        command = [
            sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}",
            "--workers", str(WORKERS), "--chdir", place, "--log-level", "critical",
            *(["--preload"] if preload else []), f"tests.stores.counting_app:build({url!r})",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": place},
            pass_fds=[listener.fileno()], start_new_session=True,
        )  # fmt: skip
        try:
            yield Server(listener.getsockname()[1])
            process.terminate()
            assert 0 == process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def url_of(name: str, place: str) -> str:
    if name == "lmdb":
        needs_lmdb()
    return URLS[name].format(place)


@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
def test_no_increment_of_many_workers_is_lost(name: str, preload: bool) -> None:
    """Parallel requests that change different keys of one session all keep their change."""
    each = INCREMENTS // VISITORS
    with folder() as place, served(url_of(name, place), place, preload) as server:

        def visit(number: int) -> set[str]:
            workers = set()
            for expected in range(1, each + 1):
                while (answer := server.ask(f"/key{number}"))[0] == BUSY:
                    pass
                value, _, worker = answer[1].partition(" ")
                assert (200, str(expected)) == (answer[0], value)
                workers.add(worker)
            return workers

        with ThreadPoolExecutor(VISITORS) as pool:
            workers = set().union(*pool.map(visit, range(VISITORS)))
        assert {f"key{number}": each for number in range(VISITORS)} == server.counts()
        assert len(workers) > 1  # or nothing ran beside anything


def test_a_killed_worker_loses_nothing_that_was_acknowledged(name: str) -> None:
    """kill -9 in the middle of requests: others go on, and so does the worker's successor."""
    chance = random.Random(1)
    with folder() as place, served(url_of(name, place), place, preload=True) as server:
        over = threading.Event()
        alive: dict[int, int] = {}  # the worker that answered each visitor last
        broken = [0] * VISITORS

        def visit(number: int) -> int:
            last = 0  # the highest value that was acknowledged
            while not over.is_set():
                try:
                    status, body, _ = server.ask(f"/key{number}")
                except (OSError, http.client.HTTPException):
                    broken[number] += 1
                    continue
                assert status in (200, BUSY)
                if status == 200:
                    value, worker = map(int, body.split())
                    assert value > last
                    last, alive[number] = value, worker
            return last

        with ThreadPoolExecutor(VISITORS) as pool:
            visits = [pool.submit(visit, number) for number in range(VISITORS)]
            try:
                for _ in range(KILLS):
                    kill_in_a_request(alive, broken, chance)
            finally:
                over.set()
            acknowledged = {f"key{number}": each.result() for number, each in enumerate(visits)}
        counts = server.counts()
        for number, (key, value) in enumerate(acknowledged.items()):
            # a request that broke off may have been stored: nobody was told
            assert value <= counts[key] <= value + broken[number]


def kill_in_a_request(alive: dict[int, int], broken: list[int], chance: random.Random) -> None:
    """Kill workers that have just answered, at any moment, until one had a request in hand."""
    before = sum(broken)
    deadline = time.monotonic() + PATIENCE
    while sum(broken) == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        if len(alive) == VISITORS:  # all have been answered since the last one was killed
            victim = chance.choice(sorted(set(alive.values())))
            time.sleep(chance.uniform(0.0, 0.02))
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            alive.clear()
