"""Sessions in Redis or Valkey, for any number of processes and hosts.

Works on redis-py's clients, which do pools, TLS, Sentinel and Cluster. Load, save and touch are
one round trip each. Redis itself drops what has expired, by its own clock.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, MutableMapping
from functools import partial
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import redis
from redis.client import NEVER_DECODE

from sessfast.errors import OptionsError
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.redis_client import all_of, checked, connect, failure, is_cluster, split_url
from sessfast.stores.redis_commands import BATCH, LAYOUTS, Ask, Verbs, pattern
from sessfast.stores.redis_line import Lines, can_share

RAW = {NEVER_DECODE: True}  # octets, whatever the client is set to
FAILURES = (redis.RedisError, OSError, TimeoutError)
BROKEN = (redis.ConnectionError,)  # not a timeout: a second try would double the wait
OPTIONS_IN_URL = ("layout", "prefix", "timeout", "max_connections")


class Settings:
    """The options of both stores, checked.

    source:  a URL (redis, rediss, unix, valkey, valkeys, redis+sentinel, redis+cluster), or a
             client of redis-py, which stays the caller's: close() leaves it open
    layout:  "native", or "connect-redis" to share sessions with Node
    prefix:  of all keys; None is the layout's own, `sessfast:` or `sess:`
    timeout: seconds for a connection, and for an answer
    max_connections: beyond these, calls wait for one; None is redis-py's own rule
    clock:   epoch seconds, to tell when a record ends
    more:    keywords for the client that is made from a URL
    """

    asynchronous: ClassVar[bool]

    def __init__(
        self,
        source: Any,
        *,
        layout: str = "native",
        prefix: str | None = None,
        timeout: float = 2.0,
        max_connections: int | None = None,
        clock: Callable[[], float] = time.time,
        **more: Any,
    ) -> None:
        faults = []
        if layout not in LAYOUTS:
            faults.append(f"store: layout must be one of {', '.join(LAYOUTS)}")
        if prefix == "":
            faults.append("store: prefix must not be empty, or clear() would empty the database")
        if not timeout > 0:
            faults.append("store: timeout must be more than 0 seconds")
        if max_connections is not None and max_connections < 1:
            faults.append("store: max_connections must be at least 1")
        if more and not isinstance(source, str):
            faults.append(f"store: {', '.join(more)} must be set on the client that is passed in")
        if faults:
            raise OptionsError(faults)
        make, usual = LAYOUTS[layout]
        self.timeout = timeout
        self.verbs = Verbs(make(usual if prefix is None else prefix), clock)
        self._is_ours = isinstance(source, str)
        if isinstance(source, str):
            self._make: Callable[[], Any] = partial(
                connect, source, timeout, max_connections, self.asynchronous, more
            )
            # a sync client of a cluster connects as it is made: not before the first call
            self._client: Any = None if is_cluster(source) else self._make()
        else:
            self._client = checked(source, self.asynchronous)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {type(self.verbs.layout).__name__}>"

    def _scan(self) -> dict[str, Any]:
        return {"match": pattern(self.verbs.layout.prefix), "count": BATCH, **RAW}

    def _pairs(self, keys: list[bytes], replies: list[Any]) -> Iterator[tuple[str, StoredRecord]]:
        """The records among the answers to GET and PTTL of each key; what is none is left out."""
        for key, value, left in zip(keys, replies[::2], replies[1::2], strict=True):
            if not isinstance(value, bytes) or not isinstance(left, int) or left == -2:
                continue
            if self.verbs.layout.split(value) is not None:
                record = self.verbs.found("all", (value, left))
                assert record is not None
                yield self.verbs.layout.sid(key), record


class RedisStore(Settings):
    """A `Store` in Redis; threads share it, and so do processes after a fork."""

    blocking: ClassVar[bool] = True
    asynchronous = False

    def __init__(self, source: Any, **options: Any) -> None:
        super().__init__(source, **options)
        self._making = threading.Lock()

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        return self.verbs.found("get", self._ask("get", self.verbs.get(sid)))

    def get_and_touch(self, sid: str, ttl: float) -> StoredRecord | None:
        """The record under `sid`, which lives `ttl` seconds from now: one round trip for both."""
        return self.verbs.found("get", self._ask("get", self.verbs.get_and_touch(sid, ttl)))

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        value, version = self.verbs.layout.fresh(blob)
        reply = self._ask("create", self.verbs.create(sid, value, ttl))
        return self.verbs.created(reply, version)

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE."""
        value, new = self.verbs.layout.fresh(blob)
        reply = self._ask("update", self.verbs.update(sid, value, ttl, version))
        return self.verbs.updated(reply, new)

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        return bool(self._ask("touch", self.verbs.touch(sid, ttl)))

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        self._ask("destroy", self.verbs.destroy(sid))

    def all(self) -> Iterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, in no order; the keys seen are kept in memory."""
        for keys in self._batches("all"):
            words = [(verb, key) for key in keys for verb in ("GET", "PTTL")]
            yield from self._pairs(keys, self._together("all", words))

    def length(self) -> int:
        """How many records there are."""
        return sum(len(keys) for keys in self._batches("length"))

    def clear(self) -> None:
        """Destroy every record: all keys with the prefix."""
        for keys in self._batches("clear"):
            self._together("clear", [("UNLINK", key) for key in keys])

    def close(self) -> None:
        """Close the connections, unless the client was passed in."""
        if self._is_ours and self._client is not None:
            for client in all_of(self._client):
                client.close()

    def _here(self) -> Any:
        if self._client is None:
            with self._making:
                if self._client is None:
                    self._client = self._make()
        return self._client

    def _ask(self, verb: str, ask: Ask) -> Any:
        try:
            try:
                return self._send(ask)
            except BROKEN:
                if not ask.again:
                    raise
                return self._send(ask)
        except FAILURES as error:
            raise failure(verb, error) from error

    def _send(self, ask: Ask) -> Any:
        execute = self._here().execute_command
        try:
            return execute(*ask.words, **RAW)
        except redis.exceptions.NoScriptError:
            return execute(*ask.whole, **RAW)

    def _batches(self, name: str) -> Iterator[list[bytes]]:
        seen: set[bytes] = set()
        batch: list[bytes] = []
        try:
            for key in self._here().scan_iter(**self._scan()):
                if key not in seen:
                    seen.add(key)
                    batch.append(key)
                if len(batch) >= BATCH:
                    yield batch
                    batch = []
            if batch:
                yield batch
        except FAILURES as error:
            raise failure(name, error) from error

    def _together(self, name: str, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        try:
            with self._here().pipeline(transaction=False) as pipe:
                for words in commands:
                    pipe.execute_command(*words, **RAW)
                replies: list[Any] = pipe.execute(raise_on_error=False)
        except FAILURES as error:
            raise failure(name, error) from error
        return raised(name, replies)


class AsyncRedisStore(Settings):
    """An `AsyncStore` in Redis; each event loop gets connections of its own.

    A call takes `timeout` seconds at most. The calls of one loop share a connection, where the
    store was opened by a URL and hiredis is there: see redis_line.py.
    """

    asynchronous = True

    def __init__(self, source: Any, **options: Any) -> None:
        super().__init__(source, **options)
        self._clients: MutableMapping[Any, Any] = WeakKeyDictionary()
        self._lines = Lines(self.timeout) if can_share(self._client) and self._is_ours else None

    async def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        return self.verbs.found("get", await self._ask("get", self.verbs.get(sid)))

    async def get_and_touch(self, sid: str, ttl: float) -> StoredRecord | None:
        """The record under `sid`, which lives `ttl` seconds from now: one round trip for both."""
        return self.verbs.found("get", await self._ask("get", self.verbs.get_and_touch(sid, ttl)))

    async def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        value, version = self.verbs.layout.fresh(blob)
        reply = await self._ask("create", self.verbs.create(sid, value, ttl))
        return self.verbs.created(reply, version)

    async def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE."""
        value, new = self.verbs.layout.fresh(blob)
        reply = await self._ask("update", self.verbs.update(sid, value, ttl, version))
        return self.verbs.updated(reply, new)

    async def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        return bool(await self._ask("touch", self.verbs.touch(sid, ttl)))

    async def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        await self._ask("destroy", self.verbs.destroy(sid))

    async def all(self) -> AsyncIterator[tuple[str, StoredRecord]]:
        """Every live record with its sid, in no order; the keys seen are kept in memory."""
        async for keys in self._batches("all"):
            words = [(verb, key) for key in keys for verb in ("GET", "PTTL")]
            for pair in self._pairs(keys, await self._together("all", words)):
                yield pair

    async def length(self) -> int:
        """How many records there are."""
        count = 0
        async for keys in self._batches("length"):
            count += len(keys)
        return count

    async def clear(self) -> None:
        """Destroy every record: all keys with the prefix."""
        async for keys in self._batches("clear"):
            await self._together("clear", [("UNLINK", key) for key in keys])

    async def close(self) -> None:
        """Close this event loop's connections, unless the client was passed in."""
        if self._lines is not None:
            await self._lines.close(asyncio.get_running_loop())
        if self._is_ours and (found := self._clients.pop(asyncio.get_running_loop(), None)):
            for client in all_of(found):
                await client.aclose()

    def _here(self) -> Any:
        """The client of the running event loop."""
        if not self._is_ours:
            return self._client
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._make()
        return client

    async def _ask(self, verb: str, ask: Ask) -> Any:
        lines = self._lines
        if lines is None:
            return await self._ask_alone(verb, ask)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout
        words, again = ask.words, ask.again
        while True:
            try:
                line = lines.here(loop) or await lines.opened(self._here(), loop, deadline)
                return await line.ask(words, deadline)
            except redis.exceptions.NoScriptError as error:
                if words is not ask.words:
                    raise failure(verb, error) from error
                words = ask.whole
            except FAILURES as error:
                if not (again and isinstance(error, BROKEN)):
                    raise failure(verb, error) from error
                again = False

    async def _ask_alone(self, verb: str, ask: Ask) -> Any:
        """The answer over a connection of redis-py, which nobody else has meanwhile."""
        client = self._here()
        try:
            async with asyncio.timeout(self.timeout):
                try:
                    return await self._send(client, ask)
                except BROKEN:
                    if not ask.again:
                        raise
                    return await self._send(client, ask)
        except FAILURES as error:
            raise failure(verb, error) from error

    async def _send(self, client: Any, ask: Ask) -> Any:
        try:
            return await client.execute_command(*ask.words, **RAW)
        except redis.exceptions.NoScriptError:
            return await client.execute_command(*ask.whole, **RAW)

    async def _batches(self, name: str) -> AsyncIterator[list[bytes]]:
        seen: set[bytes] = set()
        batch: list[bytes] = []
        try:
            keys = self._here().scan_iter(**self._scan())
            while True:
                async with asyncio.timeout(self.timeout):
                    key = await anext(keys, None)
                if key is None:
                    break
                if key not in seen:
                    seen.add(key)
                    batch.append(key)
                if len(batch) >= BATCH:
                    yield batch
                    batch = []
            if batch:
                yield batch
        except FAILURES as error:
            raise failure(name, error) from error

    async def _together(self, name: str, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        try:
            async with (
                asyncio.timeout(self.timeout),
                self._here().pipeline(transaction=False) as pipe,
            ):
                for words in commands:
                    pipe.execute_command(*words, **RAW)
                replies: list[Any] = await pipe.execute(raise_on_error=False)
        except FAILURES as error:
            raise failure(name, error) from error
        return raised(name, replies)


def raised(name: str, replies: list[Any]) -> list[Any]:
    """`replies`; a StoreError for a failure among them, unless it is a key of another type."""
    for reply in replies:
        if isinstance(reply, FAILURES) and not str(reply).startswith("WRONGTYPE"):
            raise failure(name, reply) from reply
    return replies


def open_redis(
    url: str, layout: str | None = None, *, asynchronous: bool = False, **options: Any
) -> RedisStore | AsyncRedisStore:
    """The store that a URL names.

    `layout`, `prefix`, `timeout` and `max_connections` may stand in its query; keywords win.
    What else is in the query goes to redis-py.
    """
    url, found = split_url(url, OPTIONS_IN_URL)
    options = {**numbers(found), **options}
    if layout is not None:
        options["layout"] = layout
    return AsyncRedisStore(url, **options) if asynchronous else RedisStore(url, **options)


def numbers(found: dict[str, str]) -> dict[str, Any]:
    """Options from a query, as what they are. OptionsError for what is no number."""
    options: dict[str, Any] = dict(found)
    for name, kind in (("timeout", float), ("max_connections", int)):
        if name in options:
            try:
                options[name] = kind(options[name])
            except ValueError:
                raise OptionsError([f"store: {name} must be a number"]) from None
    return options
