"""The five stores of Node: what both sides are told about a place, and what lies in it.

What is stored is looked at with neither side's code: redis-py, psycopg, sqlite3, plain files and
memcached's own words. `raw` and `end` are what both sides have to agree on; `form` is all else
that a row, key or file has of its own.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import psycopg
import redis

from sessfast import open_store
from sessfast.stores.memcached import MemcachedStore
from tests.stores.servers import url_of

LAST_ACCESS = re.compile(rb',?"__lastAccess":[0-9]+')
FILE_TTL = 3600.0  # seconds, session-file-store's own default


class Place(Protocol):
    """One store, where both sides keep their sessions.

    url:  for Python
    node: for server.mjs
    """

    url: str
    node: dict[str, Any]

    def raw(self, sid: str) -> bytes | None:
        """The record's JSON; None where there is none that lives."""

    def end(self, sid: str) -> float:
        """The end of the record's life, epoch seconds."""

    def form(self, sid: str) -> Any:
        """What else there is to see, and has to be alike."""

    def live(self, sid: str, seconds: float) -> None:
        """Let the record end so many seconds from now."""

    def put(self, sid: str, record: bytes) -> None:
        """Store a record by hand that lives for a minute."""

    def close(self) -> None: ...


class Redis:
    """connect-redis: a string under `sess:` and the id."""

    def __init__(self, _folder: Path, _front: str) -> None:
        server = url_of("redis")
        self.url = f"{server}?layout=connect-redis"
        self.node = {"url": server}
        self.client = redis.Redis.from_url(server)

    def raw(self, sid: str) -> bytes | None:
        found: Any = self.client.get("sess:" + sid)
        return None if found is None else bytes(found)

    def end(self, sid: str) -> float:
        left: Any = self.client.pttl("sess:" + sid)
        return time.time() + int(left) / 1000

    def form(self, sid: str) -> Any:
        return self.client.type("sess:" + sid)

    def live(self, sid: str, seconds: float) -> None:
        self.client.pexpire("sess:" + sid, round(seconds * 1000))

    def put(self, sid: str, record: bytes) -> None:
        self.client.set("sess:" + sid, record, ex=60)

    def close(self) -> None:
        self.client.close()


class Postgres:
    """connect-pg-simple: a row; Node makes one of the tables, Python the other."""

    def __init__(self, _folder: Path, front: str) -> None:
        server = url_of("postgres")
        self.table = f"interop_{secrets.token_hex(4)}"
        self.url = f"{server}?layout=connect-pg-simple&table={self.table}"
        self.node = {"url": server, "table": self.table}
        self.connection = psycopg.connect(server, autocommit=True)
        if front == "asgi":
            made_by_python(self.url)

    def one(self, what: str, sid: str) -> Any:
        query = f"SELECT {what} FROM {self.table} WHERE sid = %s AND expire > now()"
        return self.connection.execute(query, [sid]).fetchone()

    def raw(self, sid: str) -> bytes | None:
        row = self.one("sess::text", sid)
        return None if row is None else row[0].encode()

    def end(self, sid: str) -> float:
        return float(self.one("extract(epoch from expire::timestamptz)", sid)[0])

    def form(self, sid: str) -> Any:
        types = "pg_typeof(sess)::text, pg_typeof(expire)::text"
        return self.one(f"{types}, expire = date_trunc('second', expire)", sid)

    def live(self, sid: str, seconds: float) -> None:
        query = f"UPDATE {self.table} SET expire = to_timestamp(%s) WHERE sid = %s"
        self.connection.execute(query, [time.time() + seconds, sid])

    def put(self, sid: str, record: bytes) -> None:
        query = f"INSERT INTO {self.table} VALUES (%s, %s::text::json, now() + '1 minute')"
        self.connection.execute(query, [sid, record.decode()])

    def close(self) -> None:
        self.connection.execute(f"DROP TABLE {self.table}")
        self.connection.close()


class Memcached:
    """connect-memcached: an item under the id, with the flags of the client's JSON."""

    def __init__(self, _folder: Path, _front: str) -> None:
        server = url_of("memcached")
        self.url = f"{server}?layout=connect-memcached"
        self.node = {"hosts": urlsplit(server).netloc}
        self.wire = MemcachedStore(server)

    def ask(self, words: bytes) -> Any:
        return self.wire._ask("interop", "", words)

    def raw(self, sid: str) -> bytes | None:
        reply = self.ask(b"mg %b v\r\n" % sid.encode())
        return reply.value if reply.code == b"VA" else None

    def end(self, sid: str) -> float:
        left = self.ask(b"mg %b t v\r\n" % sid.encode()).flags[b"t"]
        return time.time() + float(left)

    def form(self, sid: str) -> Any:
        return self.ask(b"mg %b f v\r\n" % sid.encode()).flags

    def live(self, sid: str, seconds: float) -> None:
        if seconds > 0:
            self.ask(b"mg %b T%d\r\n" % (sid.encode(), seconds))
        else:
            self.ask(b"md %b\r\n" % sid.encode())

    def put(self, sid: str, record: bytes) -> None:
        self.ask(b"ms %b %d F2 T60\r\n%b\r\n" % (sid.encode(), len(record), record))

    def close(self) -> None:
        self.wire.close()


class Files:
    """session-file-store: `<id>.json`, whose `__lastAccess` neither side's app has put there."""

    def __init__(self, folder: Path, _front: str) -> None:
        self.folder = folder / "files"
        self.folder.mkdir()
        self.url = f"file:///{self.folder}?layout=session-file-store"
        self.node = {"path": str(self.folder)}

    def path(self, sid: str) -> Path:
        return self.folder / f"{sid}.json"

    def raw(self, sid: str) -> bytes | None:
        if not self.path(sid).exists() or self.end(sid) <= time.time():
            return None
        content, count = LAST_ACCESS.subn(b"", self.path(sid).read_bytes())
        assert 1 == count
        return content

    def end(self, sid: str) -> float:
        record = json.loads(self.path(sid).read_bytes())
        age = record["cookie"]["originalMaxAge"]
        return float(record["__lastAccess"] / 1000 + (age / 1000 if age else FILE_TTL))

    def form(self, sid: str) -> Any:
        return type(json.loads(self.path(sid).read_bytes())["__lastAccess"])

    def live(self, sid: str, seconds: float) -> None:
        content = self.path(sid).read_bytes()
        accessed = json.loads(content)["__lastAccess"]
        moved = accessed - round((self.end(sid) - time.time() - seconds) * 1000)
        self.path(sid).write_bytes(content.replace(b"%d" % accessed, b"%d" % moved))

    def put(self, sid: str, record: bytes) -> None:
        moment = b',"__lastAccess":%d}' % round(time.time() * 1000)
        self.path(sid).write_bytes(record.removesuffix(b"}") + moment)

    def close(self) -> None: ...


class SQLite:
    """connect-sqlite3: a row, in a file that Node makes, or Python.

    Types are those of values, as the columns have none.
    """

    def __init__(self, folder: Path, front: str) -> None:
        self.file = folder / "sessions"
        self.url = f"sqlite:///{self.file}?layout=connect-sqlite3"
        self.node = {"dir": str(folder), "db": self.file.name}
        if front == "asgi":
            made_by_python(self.url)

    def do(self, statement: str, values: Any) -> Any:
        with closing(sqlite3.connect(self.file, timeout=5, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchone()

    def raw(self, sid: str) -> bytes | None:
        query = "SELECT sess FROM sessions WHERE sid = ? AND ? <= expired"
        row = self.do(query, (sid, time.time() * 1000))
        return None if row is None else row[0].encode()

    def end(self, sid: str) -> float:
        return float(self.do("SELECT expired FROM sessions WHERE sid = ?", (sid,))[0]) / 1000

    def form(self, sid: str) -> Any:
        types = "typeof(sid), typeof(expired), typeof(sess), expired % 1"
        return self.do(f"SELECT {types} FROM sessions WHERE sid = ?", (sid,))

    def live(self, sid: str, seconds: float) -> None:
        end = float(round((time.time() + seconds) * 1000))
        self.do("UPDATE sessions SET expired = ? WHERE sid = ?", (end, sid))

    def put(self, sid: str, record: bytes) -> None:
        end = float(round((time.time() + 60) * 1000))
        self.do("INSERT INTO sessions VALUES (?, ?, ?)", (sid, end, record.decode()))

    def close(self) -> None: ...


def made_by_python(url: str) -> None:
    """Let our store make its table, so that Node finds one that isn't its own."""
    with closing(open_store(url)) as store:
        store.create_schema()


class Layout(NamedTuple):
    """A store of Node's.

    place:  (folder, front) -> a new place
    server: of tests/servers.py, "" for none
    idle:   seconds that Node lets a session without maxAge live
    is_compiled: whether it needs Node's sqlite3
    """

    place: Callable[[Path, str], Place]
    server: str = ""
    idle: float = 86_400.0
    is_compiled: bool = False


LAYOUTS = {
    "connect-redis": Layout(Redis, "redis"),
    "connect-pg-simple": Layout(Postgres, "postgres"),
    "connect-memcached": Layout(Memcached, "memcached"),
    "session-file-store": Layout(Files, idle=FILE_TTL),
    "connect-sqlite3": Layout(SQLite, is_compiled=True),
}
