"""Processes that work on one store: `python -m tests.stores.workers JOB URL ...`.

count URL keys times seed   add 1 to keys chosen by chance, by compare-and-set
write URL                   create, update and destroy until killed; tells what is done on stdout
fork URL                    use the store in threads, fork, use it in parent and child
fork-in-c URL               the same, by a server that does not tell Python
grow URL count octets       create that many records of that many octets
"""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sessfast import GONE, StoreError, open_store
from sessfast.records import Conflict

ROOT = Path(__file__).parent.parent.parent
TTL = 600.0
PATIENCE = 60.0


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """A worker, its input and output in pipes; its children die with it."""
    command = [sys.executable, "-m", "tests.stores.workers", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )


def together(workers: list[subprocess.Popen[bytes]]) -> list[str]:
    """What workers print that wait for each other, and begin at the same moment."""
    for worker in workers:
        assert worker.stdout is not None
        assert b"ready\n" == worker.stdout.readline()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"go\n")
    return [finish(worker) for worker in workers]


def wait_for_the_others() -> None:
    """The other end of `together`."""
    print("ready", flush=True)
    sys.stdin.readline()


def finish(worker: subprocess.Popen[bytes]) -> str:
    """What it printed; it must have ended well."""
    try:
        printed, _ = worker.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.communicate()
        raise
    assert 0 == worker.returncode
    return printed.decode()


def key_sid(number: int) -> str:
    """The sid of a counter."""
    return f"sess:counter-{number}"


def blob_of(number: int, padding: int = 0) -> bytes:
    """A blob that every layout can keep."""
    return b'{"n":%d,"x":"%s"}' % (number, b"x" * padding)


def number_of(blob: bytes) -> int:
    """The number in it."""
    return int(blob[5 : blob.index(b",")])


def add_one(store: Any, sid: str) -> int:
    """Count up, again and again until nobody else has; how often somebody had."""
    record = store.get(sid)
    for conflicts in itertools.count():
        reply = store.update(sid, blob_of(number_of(record[0]) + 1), TTL, record[1])
        if not isinstance(reply, Conflict):
            assert reply is not GONE
            return conflicts
        record = reply.record
    raise AssertionError


def count(url: str, keys: str, times: str, seed: str) -> None:
    """Add `times` in all; print how many conflicts there were."""
    chance = random.Random(seed)
    store = open_store(url)
    store.get(key_sid(0))
    wait_for_the_others()
    print(sum(add_one(store, key_sid(chance.randrange(int(keys)))) for _ in range(int(times))))
    store.close()


def write(url: str) -> None:
    """Three kinds of change for ever; one line for each, when the store has acknowledged it."""
    store = open_store(url)
    mine = os.getpid()
    for number in itertools.count():
        sid = f"sess:{mine}-{number}"
        version = store.create(sid, blob_of(number, 2000), TTL)
        tell("created", sid, number)
        if number % 3 == 0:
            store.update(sid, blob_of(number + 1, 3000), TTL, version)
            tell("updated", sid, number + 1)
        elif number % 3 == 1:
            store.destroy(sid)
            tell("destroyed", sid, 0)


def tell(event: str, sid: str, number: int) -> None:
    """One line, at once."""
    os.write(1, f"{event} {sid} {number}\n".encode())


def fork(url: str) -> None:
    """Both go on with files of their own, and see each other's changes."""
    store = open_store(url)
    for number in range(4):
        store.create(key_sid(number), blob_of(0), TTL)
    over = threading.Event()
    done = [0]

    def busy() -> None:
        while not over.is_set():
            add_one(store, key_sid(0))
            done[0] += 1

    thread = threading.Thread(target=busy)
    thread.start()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            for _ in range(20):
                add_one(store, key_sid(1))
            store.close()
            os._exit(0)
        children.append(child)
        add_one(store, key_sid(1))
    over.set()
    thread.join()
    statuses = [os.waitpid(child, 0)[1] for child in children]
    found = [number_of(store.get(key_sid(number))[0]) for number in range(4)]
    store.close()
    print(statuses, found == [done[0], 63, 0, 0], done[0] > 0)


def fork_in_c(url: str) -> None:
    """Print how the child ended (0: well; 1: with a StoreError), and that nothing is lost."""
    store = open_store(url)
    store.create(key_sid(0), blob_of(0), TTL)
    store.get(key_sid(0))
    child = ctypes.PyDLL(None).fork()
    if child == 0:
        try:
            for _ in range(50):
                add_one(store, key_sid(0))
        except StoreError:
            os._exit(1)
        os._exit(0)
    for _ in range(50):
        add_one(store, key_sid(0))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, number_of(store.get(key_sid(0))[0]) == (50 if code else 100))
    store.close()


def grow(url: str, number: str, octets: str) -> None:
    """Make the files larger."""
    store = open_store(url)
    for each in range(int(number)):
        store.create(f"sess:{os.getpid()}-{each}", blob_of(each, int(octets)), TTL)
    store.close()


if __name__ == "__main__":
    job, *arguments = sys.argv[1:]
    jobs: dict[str, Callable[..., None]] = {
        "count": count, "write": write, "fork": fork, "fork-in-c": fork_in_c, "grow": grow,
    }  # fmt: skip
    jobs[job](*arguments)
