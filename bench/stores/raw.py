"""The client calls that do what a store's verbs do, by hand: no versions, no errors in words.

Each class has `get`, `create`, `update`, `touch` and `destroy` for keys as str. They do the same
I/O as our store with the same settings, and nothing besides: what is above them is ours.
"""
# A Path costs as much as the file that it opens, hence:
# ruff: noqa: PTH105, PTH108, PTH123

from __future__ import annotations

import os
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

TTL = 1800


class Redis:
    """redis-py: GET, SET NX PX, SET PX, PEXPIRE."""

    def __init__(self, url: str) -> None:
        import redis

        self.client = redis.Redis.from_url(url, socket_timeout=2)

    def get(self, key: str) -> Any:
        return self.client.get(key)

    def create(self, key: str, blob: bytes) -> None:
        self.client.set(key, blob, nx=True, px=TTL * 1000)

    def update(self, key: str, blob: bytes) -> None:
        self.client.set(key, blob, px=TTL * 1000)

    def touch(self, key: str) -> None:
        self.client.pexpire(key, TTL * 1000)

    def destroy(self, key: str) -> None:
        self.client.delete(key)


class AwaitedRedis:
    """The same with redis.asyncio."""

    def __init__(self, url: str) -> None:
        import redis.asyncio

        self.client = redis.asyncio.Redis.from_url(url, socket_timeout=2)

    async def get(self, key: str) -> Any:
        return await self.client.get(key)

    async def create(self, key: str, blob: bytes) -> None:
        await self.client.set(key, blob, nx=True, px=TTL * 1000)

    async def update(self, key: str, blob: bytes) -> None:
        await self.client.set(key, blob, px=TTL * 1000)

    async def touch(self, key: str) -> None:
        await self.client.pexpire(key, TTL * 1000)

    async def destroy(self, key: str) -> None:
        await self.client.delete(key)


class Memcached:
    """pymemcache: get, add, set, touch."""

    def __init__(self, url: str) -> None:
        client: Any = import_module("pymemcache.client.base")
        self.client: Any = client.Client(url.removeprefix("memcached://"), timeout=2, no_delay=True)

    def get(self, key: str) -> Any:
        return self.client.get(key)

    def create(self, key: str, blob: bytes) -> None:
        self.client.add(key, blob, TTL, noreply=False)

    def update(self, key: str, blob: bytes) -> None:
        self.client.set(key, blob, TTL, noreply=False)

    def touch(self, key: str) -> None:
        self.client.touch(key, TTL, noreply=False)

    def destroy(self, key: str) -> None:
        self.client.delete(key, noreply=False)


class Postgres:
    """psycopg on one connection that commits by itself: SELECT, INSERT, UPDATE, UPDATE."""

    def __init__(self, url: str) -> None:
        import psycopg

        self.connection: Any = psycopg.connect(url, autocommit=True)
        self.connection.execute(
            'CREATE TABLE IF NOT EXISTS bench_raw (sid text COLLATE "C" PRIMARY KEY,'
            " blob bytea NOT NULL, expires timestamptz NOT NULL) WITH (fillfactor = 80)"
        )

    def get(self, key: str) -> Any:
        found = self.connection.execute(
            "SELECT blob, expires FROM bench_raw WHERE sid = %s AND expires > now()",
            (key,),
            binary=True,
        )
        return found.fetchone()

    def create(self, key: str, blob: bytes) -> None:
        self.connection.execute(
            "INSERT INTO bench_raw VALUES (%s, %s, to_timestamp(%s))",
            (key, blob, time.time() + TTL),
        )

    def update(self, key: str, blob: bytes) -> None:
        self.connection.execute(
            "UPDATE bench_raw SET blob = %s, expires = to_timestamp(%s) WHERE sid = %s",
            (blob, time.time() + TTL, key),
        )

    def touch(self, key: str) -> None:
        self.connection.execute(
            "UPDATE bench_raw SET expires = to_timestamp(%s) WHERE sid = %s",
            (time.time() + TTL, key),
        )

    def destroy(self, key: str) -> None:
        self.connection.execute("DELETE FROM bench_raw WHERE sid = %s", (key,))


class SQLite:
    """sqlite3 in WAL mode without waiting for the disk: SELECT, INSERT, UPDATE, UPDATE."""

    def __init__(self, folder: str) -> None:
        import sqlite3

        self.connection = sqlite3.connect(f"{folder}/raw.db", timeout=5, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE,"
            " expires REAL NOT NULL, blob BLOB NOT NULL)"
        )

    def get(self, key: str) -> Any:
        sql = "SELECT blob, expires FROM raw WHERE sid = ? AND expires > ?"
        return self.connection.execute(sql, (key, time.time())).fetchone()

    def create(self, key: str, blob: bytes) -> None:
        sql = "INSERT INTO raw (sid, expires, blob) VALUES (?, ?, ?)"
        self.connection.execute(sql, (key, time.time() + TTL, blob))

    def update(self, key: str, blob: bytes) -> None:
        sql = "UPDATE raw SET expires = ?, blob = ? WHERE sid = ?"
        self.connection.execute(sql, (time.time() + TTL, blob, key))

    def touch(self, key: str) -> None:
        sql = "UPDATE raw SET expires = ? WHERE sid = ?"
        self.connection.execute(sql, (time.time() + TTL, key))

    def destroy(self, key: str) -> None:
        self.connection.execute("DELETE FROM raw WHERE sid = ?", (key,))


class LMDB:
    """py-lmdb without waiting for the disk: get, put in a transaction; a touch puts again."""

    def __init__(self, folder: str) -> None:
        import lmdb

        path = f"{folder}/raw-lmdb"
        self.environment: Any = lmdb.open(path, map_size=1 << 30, sync=False, max_spare_txns=8)

    def get(self, key: str) -> Any:
        with self.environment.begin() as transaction:
            return transaction.get(key.encode())

    def create(self, key: str, blob: bytes) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(key.encode(), blob, overwrite=False)

    def update(self, key: str, blob: bytes) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(key.encode(), blob)

    def touch(self, key: str) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.put(key.encode(), transaction.get(key.encode()))

    def destroy(self, key: str) -> None:
        with self.environment.begin(write=True) as transaction:
            transaction.delete(key.encode())


class Files:
    """A file each: read; write beside it and rename; utime. No lock, no waiting for the disk."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder) / "raw-files"
        self.folder.mkdir(exist_ok=True)
        self.own = str(self.folder / f".{os.getpid()}")

    def get(self, key: str) -> Any:
        with open(f"{self.folder}/{key}", "rb", buffering=0) as file:
            return file.read()

    def create(self, key: str, blob: bytes) -> None:
        self._write(blob)
        os.link(self.own, f"{self.folder}/{key}")
        os.unlink(self.own)

    def update(self, key: str, blob: bytes) -> None:
        self._write(blob)
        os.replace(self.own, f"{self.folder}/{key}")

    def touch(self, key: str) -> None:
        end = time.time() + TTL
        os.utime(f"{self.folder}/{key}", (end, end))

    def destroy(self, key: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self.folder}/{key}")

    def _write(self, blob: bytes) -> None:
        with open(self.own, "wb", buffering=0) as file:
            file.write(blob)
