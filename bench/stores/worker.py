"""A process that calls one store, or the client under it, when it is told to.

Orders and answers are lines of JSON: {"verb": v, "calls": n} -> seconds by the wall.
It ends where its orders do.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from bench.servers.process import cores, pinned
from bench.stores import raw

ROOT = Path(__file__).parent.parent.parent
VERBS = ("get", "create", "update", "touch")
TTL = float(raw.TTL)
KEPT = 64  # sessions of each process, taken in turns
BLOB = b'{"user":"ada","role":"editor","visits":3}'.ljust(300, b" ")  # a usual record


class Kind(NamedTuple):
    """One store. server: of tests/servers.py, "" where it needs a folder.

    url:     of ours; {} is the server's URL or the folder
    client:  of raw.py
    needs:   the package of the client
    awaited: whether it is the twin that is awaited
    """

    server: str
    url: str
    client: Callable[[str], Any]
    needs: str
    awaited: bool = False


KINDS = {
    "redis": Kind("redis", "{}", raw.Redis, "redis"),
    "redis, awaited": Kind("redis", "{}", raw.AwaitedRedis, "redis", awaited=True),
    "memcached": Kind("memcached", "{}", raw.Memcached, "pymemcache"),
    "postgres": Kind("postgres", "{}", raw.Postgres, "psycopg"),
    "sqlite": Kind("", "sqlite:///{}/ours.db", raw.SQLite, "sqlite3"),
    "lmdb": Kind("", "lmdb:///{}/ours-lmdb?durable=false", raw.LMDB, "lmdb"),
    "file": Kind("", "file:///{}/ours-files", raw.Files, "os"),
}


class Ours:
    """Our store with the face of raw.py: it keeps the versions, as a request's state does."""

    def __init__(self, kind: Kind, place: str) -> None:
        from sessfast import open_store

        more: dict[str, Any] = {"asynchronous": True} if kind.awaited else {}
        self.store = open_store(kind.url.format(place), **more)
        self.versions: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.store.get(key)

    def create(self, key: str, blob: bytes) -> Any:
        self.versions[key] = self.store.create(key, blob, TTL)

    def update(self, key: str, blob: bytes) -> Any:
        self.versions[key] = self.store.update(key, blob, TTL, self.versions[key])

    def touch(self, key: str) -> Any:
        self.store.touch(key, TTL)

    def destroy(self, key: str) -> Any:
        self.store.destroy(key)


class AwaitedOurs(Ours):
    """The same for a store that is awaited."""

    async def get(self, key: str) -> Any:
        return await self.store.get(key)

    async def create(self, key: str, blob: bytes) -> None:
        self.versions[key] = await self.store.create(key, blob, TTL)

    async def update(self, key: str, blob: bytes) -> None:
        self.versions[key] = await self.store.update(key, blob, TTL, self.versions[key])

    async def touch(self, key: str) -> None:
        await self.store.touch(key, TTL)

    async def destroy(self, key: str) -> None:
        await self.store.destroy(key)


def opened(who: str, kind: Kind, place: str) -> Any:
    """One contestant: "sessfast" or "raw"."""
    if who == "raw":
        return kind.client(place)
    return (AwaitedOurs if kind.awaited else Ours)(kind, place)


class Caller:
    """A contestant and its sessions."""

    def __init__(self, contestant: Any) -> None:
        self.contestant = contestant
        self.runner = asyncio.Runner()
        self.keys = [secrets.token_urlsafe(24) for _ in range(KEPT)]
        self.fresh = (f"{secrets.token_urlsafe(18)}{number:08}" for number in count())
        for key in self.keys:
            self._do("create", key, BLOB)
        found = self._do("get", self.keys[0])
        assert BLOB in found or BLOB in found[0] or found[0] == BLOB, "what was stored is not there"

    def run(self, verb: str, calls: int) -> float:
        """Seconds that so many calls took. What they created is destroyed, outside the clock."""
        is_new = verb == "create"
        keys = [next(self.fresh) if is_new else self.keys[n % KEPT] for n in range(calls)]
        more = (BLOB,) if verb in {"create", "update"} else ()
        act = getattr(self.contestant, verb)
        if inspect.iscoroutinefunction(act):
            took = self.runner.run(timed_awaited(act, keys, more))
        else:
            took = timed(act, keys, more)
        for key in keys if is_new else ():
            self._do("destroy", key)
        return took

    def close(self) -> None:
        """Remove what is left of it."""
        for key in self.keys:
            self._do("destroy", key)

    def _do(self, verb: str, *arguments: Any) -> Any:
        found = getattr(self.contestant, verb)(*arguments)
        return self.runner.run(found) if inspect.iscoroutine(found) else found


def timed(act: Any, keys: Sequence[str], more: tuple[Any, ...]) -> float:
    start = time.perf_counter()
    for key in keys:
        act(key, *more)
    return time.perf_counter() - start


async def timed_awaited(act: Any, keys: Sequence[str], more: tuple[Any, ...]) -> float:
    start = time.perf_counter()
    for key in keys:
        await act(key, *more)
    return time.perf_counter() - start


# -- from outside ------------------------------------------------------------------------------


class Worker:
    """The process, and the orders that it is given."""

    def __init__(self, kind: str, who: str, place: str, core: int) -> None:
        with pinned(core):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bench.stores.worker", kind, who, place],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def begin(self, verb: str, calls: int) -> None:
        """Let it call; `end` waits for it."""
        assert self.process.stdin is not None
        print(json.dumps({"verb": verb, "calls": calls}), file=self.process.stdin, flush=True)

    def end(self) -> float:
        """The seconds that the calls took. RuntimeError where the process died."""
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("a process that called a store died: its error is above")
        return float(answer)

    def close(self) -> None:
        """End the process: it stops where its orders do."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def workers(kind: str, who: str, place: str, number: int) -> Iterator[Callable[[str, int], float]]:
    """run(verb, calls): the mean seconds of so many processes that call at the same time."""
    made = [Worker(kind, who, place, cores()[n % 2]) for n in range(number)]

    def run(verb: str, calls: int) -> float:
        for worker in made:
            worker.begin(verb, calls)
        return sum([worker.end() for worker in made]) / number

    try:
        yield run
    finally:
        for worker in made:
            worker.close()


def serve(name: str, who: str, place: str) -> None:
    """Answer each line of orders."""
    caller = Caller(opened(who, KINDS[name], place))
    for line in sys.stdin:
        order = json.loads(line)
        print(caller.run(order["verb"], order["calls"]), flush=True)
    caller.close()


if __name__ == "__main__":
    serve(*sys.argv[1:])
