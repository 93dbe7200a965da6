"""Outages of real stores, seen through both fronts: what a visitor gets, and how soon.

The rows are the faults, the columns `on_outage`:

                                  read                      write, logout   new visitor's write
    nothing can be read
      raise                       503                       503             503
      anonymous                   200, an empty session     503             503
      stale, a copy at hand       200, the copy             503             503
      stale, none                 as anonymous              503             503
    nothing can be written        200, what is stored       503             503
    a record can't be decoded     200, a fresh session and an event, whatever `on_outage` says

An answer takes no longer than the store's page says, no answer has a Set-Cookie header, and when
the store is back the old cookie finds the old data.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sessfast import open_store
from tests.fronts.clients import AsgiClient, Reply, WsgiClient, io, nothing
from tests.servers import HOST, KINDS, free_port, program_of, stop
from tests.stores.embedded import folder, needs_lmdb
from tests.stores.proxy import Proxy, Silence
from tests.stores.servers import own, url_of

TIMEOUT = 0.3
SLACK = 1.5  # for a machine that does other things as well
TABLE = "test_outage_fronts"
MODES = ("raise", "anonymous", "stale")
CROWD = 8
REFUSED, OFFERED = ("store-down", "failed"), ("store-down", "unchanged")


async def write(session: Any) -> None:
    session["a"] = session.get("a", 0) + 1


async def read(session: Any) -> None:
    session.get("a")


async def log_out(session: Any) -> None:
    await io(session.destroy())


# -- the fronts ----------------------------------------------------------------------------------


class Wsgi(WsgiClient):
    """The WSGI front, called by threads."""

    asynchronous = False

    def many(self, cookie: str) -> list[Reply]:
        """The answers to a crowd that comes at once."""
        with ThreadPoolExecutor(CROWD) as pool:
            calls = [pool.submit(self.call, "/", "GET", "http", [("cookie", cookie)])
                     for _ in range(CROWD)]  # fmt: skip
            return [call.result() for call in calls]

    def close(self) -> None:
        self.middleware.setup.store.close()


class Asgi(AsgiClient):
    """The ASGI front in one event loop for all requests, as a server has it."""

    asynchronous = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.runner = asyncio.Runner()
        super().__init__(*arguments, **options)

    def call(self, path: str, method: str, scheme: str, fields: list[tuple[str, str]]) -> Reply:
        return self.runner.run(self.answer(path, method, scheme, fields))

    async def answer(
        self, path: str, method: str, scheme: str, fields: list[tuple[str, str]]
    ) -> Reply:
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            messages.append(message)

        headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
        scope = {"type": "http", "method": method, "scheme": scheme, "path": path}
        await self.middleware({**scope, "headers": headers}, receive, send)
        found = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in messages[0]["headers"]]
        body = b"".join(message.get("body", b"") for message in messages[1:])
        return Reply(messages[0]["status"], found, body)

    def many(self, cookie: str) -> list[Reply]:
        """The answers to a crowd that comes at once."""

        async def crowd() -> list[Reply]:
            fields = [("cookie", cookie)]
            calls = [self.answer("/", "GET", "http", fields) for _ in range(CROWD)]
            return list(await asyncio.gather(*calls))

        return self.runner.run(crowd())

    def close(self) -> None:
        self.runner.run(io(self.middleware.setup.store.close()))
        self.runner.close()


FRONTS: list[Any] = [Wsgi, Asgi]

# -- the stores ----------------------------------------------------------------------------------


class Kind(NamedTuple):
    """A store with a server.

    bound:   timeouts that one call may take, sync and async, as its page says
    package: what its client is
    options: keywords that keep the tests' records apart
    """

    server: str
    bound: tuple[int, int]
    package: str
    options: dict[str, Any]


SERVERS = {
    "redis": Kind("redis", (2, 1), "redis", {"prefix": "outage-fronts:"}),
    "memcached": Kind("memcached", (1, 1), "socket", {"prefix": "outage-fronts:"}),
    "postgres": Kind("postgres", (1, 1), "psycopg_pool", {"table": TABLE}),
}


def opened(kind: Kind, url: str, front: Any, **more: Any) -> Any:
    """The store for this front."""
    options = {"timeout": TIMEOUT, **kind.options, **more}
    return open_store(url, asynchronous=front.asynchronous, **options)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Callable[[str], str]]:
    """The URL of a server by the name of its kind, with what the store needs in it."""
    with ExitStack() as stack:
        done: dict[str, str] = {}

        def prepare(name: str) -> str:
            if name not in done:
                needs(SERVERS[name].package)
                done[name] = url_of(name)
                if name == "postgres":
                    store = open_store(done[name], table=TABLE)
                    store.create_schema()
                    store.close()
                    stack.callback(drop, done[name])
            return done[name]

        yield prepare


def needs(package: str) -> None:
    """Skip where a client is missing, or fail where everything is required."""
    if importlib.util.find_spec(package) is None:
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(f"{package} is missing, and SESSFAST_REQUIRE_ALL=1 asks for it")
        pytest.skip(f"{package} is not installed")


def drop(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {TABLE}".encode())


# -- what every outage must keep -----------------------------------------------------------------


class Visit:
    """Requests that must be answered in time, without a word about the cookie."""

    def __init__(self, client: Any, bound: float) -> None:
        self.client = client
        self.bound = bound

    def __call__(self, handler: Any, cookie: str | None) -> tuple[int, tuple[str, str]]:
        begin = time.monotonic()
        reply = self.client.request(handler, cookie=cookie)
        took = time.monotonic() - begin
        assert took < self.bound + SLACK
        assert reply.set_cookie is None
        return reply.status, self.client.reasons

    def crowd(self, cookie: str) -> set[int]:
        """The statuses that many who come at once get; none waits for another."""
        self.client.handler = read
        begin = time.monotonic()
        replies = self.client.many(cookie)
        took = time.monotonic() - begin
        assert took < self.bound + SLACK
        assert [None] * CROWD == [reply.set_cookie for reply in replies]
        return {reply.status for reply in replies}


def nothing_is_read(visit: Visit, mode: str, cookie: str, has_copy: bool) -> None:
    """The part of the table for a store that fails each call."""
    expected = {
        "raise": (503, REFUSED),
        "anonymous": (200, OFFERED),
        "stale": (200, ("stale", "unchanged") if has_copy else OFFERED),
    }[mode]
    seen: list[Any] = []

    async def look(session: Any) -> None:
        seen.append(session.get("a"))

    assert expected == visit(look, cookie)
    shown = [1 if mode == "stale" and has_copy else None]
    assert ([] if mode == "raise" else shown) == seen
    assert "outage" in visit.client.names
    assert 503 == visit(write, cookie)[0]
    assert 503 == visit(log_out, cookie)[0]
    assert {expected[0]} == visit.crowd(cookie)
    assert 503 == visit(write, None)[0]
    assert 200 == visit(nothing, cookie)[0]


def nothing_is_written(visit: Visit, cookie: str) -> None:
    """The part of the table for a store that can be read alone, whatever the mode is."""
    assert (200, "loaded") == first_of(visit(read, cookie))
    assert (503, "loaded") == first_of(visit(write, cookie))
    assert (503, "loaded") == first_of(visit(log_out, cookie))
    assert 503 == visit(write, None)[0]
    assert {200} == visit.crowd(cookie)


def first_of(answer: tuple[int, tuple[str, str]]) -> tuple[int, str]:
    """Status and why this session."""
    return answer[0], answer[1][0]


def is_back(client: Any, cookie: str) -> None:
    """The old cookie finds the old data, at the latest a second after the store's return."""
    deadline = time.monotonic() + 1 + SLACK
    while client.request(read, cookie=cookie).status == 503 or client.reasons[0] != "loaded":
        assert time.monotonic() < deadline, client.reasons
        time.sleep(0.02)
    seen: list[Any] = []

    async def look(session: Any) -> None:
        seen.append(session["a"])

    assert 200 == client.request(look, cookie=cookie).status
    assert [1] == seen


@contextmanager
def visitor(front: Any, store: Any, mode: str, cookie: str = "") -> Iterator[tuple[Any, str]]:
    """A client of a front on the store, and the cookie of a session that it has read before."""
    client = front(time.time, store=store, on_outage=mode)  # servers know no other clock
    try:
        if not cookie:
            made = client.request(write)
            assert made.cookie is not None
            cookie = made.cookie
            client.request(read, cookie=cookie)
        yield client, cookie
    finally:
        client.close()


# -- servers that are down, slow, silent ---------------------------------------------------------


@contextmanager
def gone(proxy: Proxy) -> Iterator[None]:
    """The server has ended: connections are closed, new ones refused."""
    end_listening(proxy)
    proxy.cut()
    yield


@contextmanager
def cut_in_a_call(proxy: Proxy) -> Iterator[None]:
    """The line goes dead when the question has been asked; new connections are refused."""
    proxy.hold()
    end_listening(proxy)
    with ThreadPoolExecutor(1) as pool:
        cutting = pool.submit(cut_once_asked, proxy)
        yield
        proxy.asked.set()
        cutting.result()


def cut_once_asked(proxy: Proxy) -> None:
    assert proxy.asked.wait(10)
    proxy.cut()
    proxy.release()


def end_listening(proxy: Proxy) -> None:
    """Refuse connections from now on: close() alone leaves a thread in accept()."""
    proxy.listener.shutdown(socket.SHUT_RDWR)
    proxy.listener.close()


@contextmanager
def slow(proxy: Proxy) -> Iterator[None]:
    """Answers come too late."""
    proxy.hold()
    yield
    proxy.release()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", [gone, cut_in_a_call, slow])
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_goes_away(
    name: str, front: Any, fault: Any, mode: str, prepared: Callable[[str], str]
) -> None:
    """Down between two requests, down in the middle of one, or slow: and back again."""
    kind, url = SERVERS[name], prepared(name)
    bound = kind.bound[front.asynchronous] * TIMEOUT
    with Proxy(url) as proxy:
        store = opened(kind, proxy.url, front)
        with visitor(front, store, mode) as (client, cookie):
            with fault(proxy):
                nothing_is_read(Visit(client, bound), mode, cookie, has_copy=True)
            if fault is slow:
                is_back(client, cookie)
    with visitor(front, opened(kind, url, front, timeout=5.0), mode, cookie) as (client, _):
        is_back(client, cookie)
        client.request(log_out, cookie=cookie)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", ["down", "silent"])
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_was_never_there(
    name: str, front: Any, fault: str, mode: str, prepared: Callable[[str], str]
) -> None:
    """The app starts all the same; nothing listens, or somebody who never says a word."""
    kind, url = SERVERS[name], prepared(name)
    bound = kind.bound[front.asynchronous] * TIMEOUT
    with visitor(front, opened(kind, url, front, timeout=5.0), "raise") as (client, cookie):
        pass  # the session is in the real server, where this app doesn't find the way
    with ExitStack() as stack:
        dead = KINDS[name].url.format(host=HOST, port=free_port())
        address = dead if fault == "down" else stack.enter_context(Silence(url)).url
        store = opened(kind, address, front)
        client, _ = stack.enter_context(visitor(front, store, mode, cookie))
        nothing_is_read(Visit(client, bound), mode, cookie, has_copy=False)


# -- servers that answer with errors -------------------------------------------------------------


@pytest.mark.parametrize("front", FRONTS)
def test_a_redis_that_is_a_replica_can_be_read(front: Any, tmp_path_factory: Any) -> None:
    """READONLY, as after a failover that the client hasn't noticed; and master again."""
    needs("redis")
    place = tmp_path_factory.mktemp("redis") / "server"
    running = own("redis", place)
    try:
        import redis

        raw: Any = redis.Redis.from_url(running.url)
        for mode in MODES:
            with visitor(front, opened(SERVERS["redis"], running.url, front), mode) as seen:
                raw.execute_command("REPLICAOF", HOST, str(free_port()))
                nothing_is_written(Visit(seen[0], TIMEOUT), seen[1])
                raw.execute_command("REPLICAOF", "NO", "ONE")
                is_back(*seen)
        raw.close()
    finally:
        stop(place)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", FRONTS)
def test_a_postgres_standby_can_be_read(
    front: Any, mode: str, prepared: Callable[[str], str]
) -> None:
    """25006, as a standby answers, or one that an operator has set so."""
    kind, url = SERVERS["postgres"], prepared("postgres")
    with visitor(front, opened(kind, url, front), mode) as (_, cookie):
        pass
    store = opened(kind, url, front, options="-c default_transaction_read_only=on")
    with visitor(front, store, mode, cookie) as (client, _):
        nothing_is_written(Visit(client, TIMEOUT), cookie)


@pytest.fixture(scope="module")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that starts with so much data that it is not ready for a while."""
    needs("redis")
    place = tmp_path_factory.mktemp("loading") / "server"
    running = own("redis", place)
    import redis

    raw: Any = redis.Redis.from_url(running.url)
    for number in range(6000):
        raw.set(f"filling-{number}", "x" * 2000)
    raw.save()
    raw.close()
    stop(place)
    port = free_port()
    command = [program_of("redis") or "", "--port", str(port), "--bind", HOST, "--dir", str(place),
               "--save", "", "--key-load-delay", "20000",
               "--loading-process-events-interval-bytes", "1024"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not says_loading(port):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"redis://{HOST}:{port}/0"
        assert says_loading(port)  # or the tests have not seen what they are about
    finally:
        process.kill()
        process.wait()


def says_loading(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"GET x\r\n")
            return connection.recv(100).startswith(b"-LOADING")
    except OSError:
        return False


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", FRONTS)
def test_a_redis_that_is_loading(
    front: Any, mode: str, loading: str, prepared: Callable[[str], str]
) -> None:
    """It listens, and answers -LOADING to everything."""
    kind = SERVERS["redis"]
    with visitor(front, opened(kind, prepared("redis"), front), "raise") as (_, cookie):
        pass
    with visitor(front, opened(kind, loading, front), mode, cookie) as (client, _):
        bound = kind.bound[front.asynchronous] * TIMEOUT
        nothing_is_read(Visit(client, bound), mode, cookie, has_copy=False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", FRONTS)
def test_something_else_is_at_the_key(
    front: Any, mode: str, prepared: Callable[[str], str]
) -> None:
    """A list where the record was: an outage of this one session, and nothing is overwritten."""
    kind, url = SERVERS["redis"], prepared("redis")
    import redis

    raw: Any = redis.Redis.from_url(url)
    prefix = f"wrong-{secrets.token_hex(6)}:"
    with visitor(front, opened(kind, url, front, prefix=prefix), mode) as (client, cookie):
        [key] = raw.keys(prefix + "*")
        record = raw.dump(key)
        raw.delete(key)
        raw.rpush(key, "x")
        visit = Visit(client, TIMEOUT)
        expected = {"raise": REFUSED, "anonymous": OFFERED, "stale": ("stale", "unchanged")}
        assert (503 if mode == "raise" else 200, expected[mode]) == visit(read, cookie)
        assert 503 == visit(write, cookie)[0]
        assert [b"x"] == raw.lrange(key, 0, -1)
        raw.restore(key, 60_000, record, replace=True)
        is_back(client, cookie)
        client.request(log_out, cookie=cookie)
    raw.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", FRONTS)
def test_a_table_that_is_missing(front: Any, mode: str, prepared: Callable[[str], str]) -> None:
    """Nobody ran create_schema(): an outage like another."""
    kind, url = SERVERS["postgres"], prepared("postgres")
    with visitor(front, opened(kind, url, front), "raise") as (_, cookie):
        pass
    store = opened(kind, url, front, table="no_such_table")
    with visitor(front, store, mode, cookie) as (client, _):
        nothing_is_read(Visit(client, TIMEOUT), mode, cookie, has_copy=False)


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", FRONTS)
def test_an_sqlite_file_that_is_locked_can_be_read(front: Any, mode: str) -> None:
    """Somebody is in the middle of a long write."""
    import sqlite3

    with folder() as place:
        store = open_store(f"sqlite:///{place}/s.db", timeout=TIMEOUT)
        with visitor(front, store, mode) as (client, cookie):
            other = sqlite3.connect(f"{place}/s.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            nothing_is_written(Visit(client, TIMEOUT), cookie)
            other.execute("ROLLBACK")
            other.close()
            is_back(client, cookie)


FILES = {"sqlite": "sqlite:///{}/in/s.db", "file": "file:///{}/in", "lmdb": "lmdb:///{}/in"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", FILES)
def test_a_folder_that_can_not_be_used(name: str, front: Any, mode: str) -> None:
    """A file is in the place of the folder, which keeps out root, too; then it is back.

    The store is opened anew, as what is open stays open.
    """
    if name == "lmdb":
        needs_lmdb()
    with folder() as root:
        here, away = Path(root, "in"), Path(root, "away")
        here.mkdir()
        url = FILES[name].format(root)
        with visitor(front, open_store(url), "raise") as (_, cookie):
            pass
        with visitor(front, open_store(url), mode, cookie) as (client, _):
            here.rename(away)
            here.write_text("no folder")
            nothing_is_read(Visit(client, TIMEOUT), mode, cookie, has_copy=False)
            here.unlink()
            shutil.move(away, here)
            is_back(client, cookie)


# -- records -------------------------------------------------------------------------------------


EVERYWHERE = [*SERVERS, *FILES]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_record_that_is_spoilt_starts_a_fresh_session(
    name: str, front: Any, mode: str, prepared: Callable[[str], str]
) -> None:
    """An event, and the visitor can go on: no outage, no 500, nothing of the broken data."""
    if name == "lmdb":
        needs_lmdb()
    with folder() as place:
        if name in SERVERS:
            store = opened(SERVERS[name], prepared(name), front, timeout=5.0)
        else:
            Path(place, "in").mkdir()
            store = open_store(FILES[name].format(place))
        spoiling = Spoiling(store)
        with visitor(front, spoiling, mode) as (client, cookie):
            spoiling.on = True
            reply = client.request(write, cookie=cookie)
            assert (200, ("undecodable", "new")) == (reply.status, client.reasons)
            assert "undecodable" in client.names
            assert reply.cookie not in (None, cookie)
            spoiling.on = False
            fresh = reply.cookie or ""
            assert 200 == client.request(read, cookie=fresh).status
            assert "loaded" == client.reasons[0]
            client.request(log_out, cookie=fresh)


class Spoiling:
    """A store whose next read finds what another program has written over the record."""

    blocking = True

    def __init__(self, store: Any) -> None:
        self.store = store
        self.on = False
        self.create, self.update = store.create, store.update
        self.touch, self.destroy, self.close = store.touch, store.destroy, store.close
        if asyncio.iscoroutinefunction(store.get):
            self.get: Any = self.get_awaited
        else:
            self.get = self.get_now

    def get_now(self, sid: str) -> Any:
        record = self.store.get(sid)
        if self.on and record is not None:
            self.store.update(sid, b"\x80 broken", 60.0, record[1])
            record = self.store.get(sid)
        return record

    async def get_awaited(self, sid: str) -> Any:
        record = await self.store.get(sid)
        if self.on and record is not None:
            await self.store.update(sid, b"\x80 broken", 60.0, record[1])
            record = await self.store.get(sid)
        return record
