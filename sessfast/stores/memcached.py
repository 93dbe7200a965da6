"""Sessions in memcached, for any number of processes and hosts. A cache: it may forget any of them.

Load, save and touch are one round trip each. memcached itself drops what has expired, by its own
clock, which moves once a second; and what is used least, when its memory is full.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Callable
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from sessfast.errors import OptionsError, StoreError
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.memcached_connections import Connections, Server, Streams
from sessfast.stores.memcached_wire import (
    Commands,
    OutOfStepError,
    Reply,
    ServerRefusedError,
    login,
)

FAILURES = (OSError, ServerRefusedError, OutOfStepError)
LAYOUTS = {"native": "sessfast:", "connect-memcached": ""}  # and the prefix of their keys
OPTIONS_IN_URL = ("layout", "prefix", "timeout")


class Settings:
    """The options of both stores, checked.

    url:     memcached://user:password@host:port,host:port; each record is on one of the servers
    layout:  "native", or "connect-memcached" to share sessions with Node
    prefix:  of all keys; None is the layout's own, `sessfast:` or none
    timeout: seconds for one call
    tls:     an ssl.SSLContext, where the servers speak TLS
    clock:   epoch seconds, to tell when a record ends
    """

    def __init__(
        self,
        url: str,
        *,
        layout: str = "native",
        prefix: str | None = None,
        timeout: float = 2.0,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        faults = []
        if layout not in LAYOUTS:
            faults.append(f"store: layout must be one of {', '.join(LAYOUTS)}")
        if not timeout > 0:
            faults.append("store: timeout must be more than 0 seconds")
        servers = servers_of(url, tls)
        if not servers:
            faults.append("store: a memcached URL is memcached://host:port,host:port")
        if faults:
            raise OptionsError(faults)
        own = LAYOUTS[layout]
        node = layout != "native"
        self.commands = Commands(own if prefix is None else prefix, node, clock, time.time)
        self.timeout = timeout
        self.servers = servers

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.servers)} servers>"


class MemcachedStore(Settings):
    """A `Store` in memcached; threads share it, and after a fork a child connects anew.

    A call takes `timeout` seconds at most, connecting included.
    """

    blocking: ClassVar[bool] = True

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._connections = [Connections(server) for server in self.servers]

    def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        return self.commands.found(self._ask("get", sid, self.commands.get(sid)))

    def get_and_touch(self, sid: str, ttl: float) -> StoredRecord | None:
        """The record under `sid`, which lives `ttl` seconds from now: one round trip for both."""
        return self.commands.found(self._ask("get", sid, self.commands.get_and_touch(sid, ttl)))

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        reply = self._ask("create", sid, self.commands.create(sid, blob, ttl), again=False)
        version = self.commands.version(reply)
        return EXISTS if version is None else version

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE; a conflict takes a second round trip."""
        request = self.commands.update(sid, blob, ttl, version)
        reply = self._ask("update", sid, request, again=False)
        new = self.commands.version(reply)
        if new is not None:
            return new
        if reply.code == b"NF":
            return GONE
        record = self.commands.found(self._ask("update", sid, self.commands.get(sid)))
        return GONE if record is None else Conflict(record)

    def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        return self._ask("touch", sid, self.commands.touch(sid, ttl)).code == b"HD"

    def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        self._ask("destroy", sid, self.commands.destroy(sid))

    def close(self) -> None:
        """Close this process's idle connections."""
        for connections in self._connections:
            connections.close()

    def _ask(self, verb: str, sid: str, request: bytes, again: bool = True) -> Reply:
        connections = self._connections[place(self.servers, self.commands.key(sid))]
        try:
            return connections.exchange(request, monotonic() + self.timeout, again)
        except FAILURES as error:
            raise failure(verb, error) from error


class AsyncMemcachedStore(Settings):
    """An `AsyncStore` in memcached; each event loop gets connections of its own.

    A call takes `timeout` seconds at most. One that is cancelled loses its connection, so that
    its answer can't be taken for another's.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._streams = [Streams(server) for server in self.servers]

    async def get(self, sid: str) -> StoredRecord | None:
        """The record under `sid`, or None."""
        return self.commands.found(await self._ask("get", sid, self.commands.get(sid)))

    async def get_and_touch(self, sid: str, ttl: float) -> StoredRecord | None:
        """The record under `sid`, which lives `ttl` seconds from now: one round trip for both."""
        request = self.commands.get_and_touch(sid, ttl)
        return self.commands.found(await self._ask("get", sid, request))

    async def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        """The new record's version, or EXISTS."""
        request = self.commands.create(sid, blob, ttl)
        version = self.commands.version(await self._ask("create", sid, request, again=False))
        return EXISTS if version is None else version

    async def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        """The record's new version, Conflict or GONE; a conflict takes a second round trip."""
        request = self.commands.update(sid, blob, ttl, version)
        reply = await self._ask("update", sid, request, again=False)
        new = self.commands.version(reply)
        if new is not None:
            return new
        if reply.code == b"NF":
            return GONE
        record = self.commands.found(await self._ask("update", sid, self.commands.get(sid)))
        return GONE if record is None else Conflict(record)

    async def touch(self, sid: str, ttl: float) -> bool:
        """Let a live record live `ttl` seconds from now; whether there is one."""
        return (await self._ask("touch", sid, self.commands.touch(sid, ttl))).code == b"HD"

    async def destroy(self, sid: str) -> None:
        """Remove the record, if there is one."""
        await self._ask("destroy", sid, self.commands.destroy(sid))

    async def close(self) -> None:
        """Close this event loop's idle connections."""
        for streams in self._streams:
            await streams.close()

    async def _ask(self, verb: str, sid: str, request: bytes, again: bool = True) -> Reply:
        streams = self._streams[place(self.servers, self.commands.key(sid))]
        try:
            async with asyncio.timeout(self.timeout):
                return await streams.exchange(request, again)
        except FAILURES as error:
            raise failure(verb, error) from error


def servers_of(url: str, tls: ssl.SSLContext | None) -> list[Server]:
    """The servers that a URL names; none where it names none."""
    parts = urlsplit(url)
    account, _, hosts = parts.netloc.rpartition("@")
    if parts.scheme != "memcached" or not hosts:
        return []
    user, _, password = account.partition(":")
    words = login(unquote(user), unquote(password)) if account else b""
    servers = []
    for each in hosts.split(","):
        host, colon, port = each.rpartition(":")
        if not colon or each.endswith("]"):
            host, port = each, "11211"
        if not port.isdecimal():
            return []
        servers.append(Server(host.strip("[]"), int(port), words, tls))
    return servers


def place(servers: list[Server], key: bytes) -> int:
    """Which server has the key: the one that draws the highest lot for it.

    Without one of them, only its own keys move to the others (rendezvous hashing).
    """
    if len(servers) == 1:
        return 0
    lots = []
    for i, server in enumerate(servers):
        name = f"{server.host}:{server.port}/".encode()
        lots.append((hashlib.blake2b(name + key, digest_size=8).digest(), i))
    return max(lots)[1]


def failure(verb: str, error: BaseException) -> StoreError:
    """The StoreError for what went wrong."""
    if isinstance(error, ServerRefusedError):
        return StoreError(verb, str(error))
    if isinstance(error, TimeoutError):
        return StoreError(verb, "no answer in time")
    if isinstance(error, OutOfStepError):
        return StoreError(verb, "what answers is no memcached")
    return StoreError(verb, "no connection to the server")


def open_memcached(
    url: str, layout: str | None = None, *, asynchronous: bool = False, **options: Any
) -> MemcachedStore | AsyncMemcachedStore:
    """The store that a URL names. `layout`, `prefix` and `timeout` may stand in its query."""
    found: dict[str, Any] = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    if unknown := sorted(found.keys() - set(OPTIONS_IN_URL)):
        raise OptionsError([f"store: memcached:// has no option {name!r}" for name in unknown])
    if "timeout" in found:
        try:
            found["timeout"] = float(found["timeout"])
        except ValueError:
            raise OptionsError(["store: timeout must be a number"]) from None
    options = {**found, **options}
    if layout is not None:
        options["layout"] = layout
    return AsyncMemcachedStore(url, **options) if asynchronous else MemcachedStore(url, **options)
