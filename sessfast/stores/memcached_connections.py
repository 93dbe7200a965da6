"""Connections to memcached, sync and async: kept for the next call, dropped at the least doubt.

A connection goes back to the others only after a whole answer. One that was late, broke off or
lost its caller in the middle is closed: its answer can reach nobody.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
from collections import deque
from collections.abc import MutableMapping
from time import monotonic
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sessfast.stores.memcached_wire import END, OutOfStepError, Reply, head

IDLE = 32  # connections that are kept while nobody needs them


class Server(NamedTuple):
    """Where a server is and how it is spoken to: `login` is said first, if it is not empty."""

    host: str
    port: int
    login: bytes = b""
    tls: ssl.SSLContext | None = None


class Connection:
    """A blocking connection to a server, made by `deadline` of monotonic()."""

    def __init__(self, server: Server, deadline: float) -> None:
        self.pending = b""
        address = (server.host, server.port)
        self.socket: socket.socket = socket.create_connection(address, timeout=left(deadline))
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if server.tls is not None:
                self.socket = server.tls.wrap_socket(self.socket, server_hostname=server.host)
            if server.login:
                self.exchange(server.login, deadline)
        except BaseException:
            self.close()
            raise

    def exchange(self, request: bytes, deadline: float) -> Reply:
        """The answer to a request; after an exception the connection is good for nothing."""
        self.socket.settimeout(left(deadline))
        self.socket.sendall(request)
        while END not in self.pending:
            self._receive(deadline)
        line, _, self.pending = self.pending.partition(END)
        code, size, flags = head(line)
        if size < 0:
            return Reply(code, flags)
        while len(self.pending) < size + len(END):
            self._receive(deadline)
        value, self.pending = self.pending[:size], self.pending[size + len(END) :]
        return Reply(code, flags, value)

    def _receive(self, deadline: float) -> None:
        self.socket.settimeout(left(deadline))
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError
        self.pending += data

    def is_quiet(self) -> bool:
        """Whether nothing has come that nobody asked for: an end, or half an answer."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not self.pending and not poll.poll(0)

    def close(self) -> None:
        self.socket.close()


class Connections:
    """The idle connections of this process to one server; a child of a fork has its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.by_process: dict[int, deque[Connection]] = {}

    def exchange(self, request: bytes, deadline: float, again: bool) -> Reply:
        """The answer to a request, over an idle connection or a new one.

        again: whether it may be sent once more where the connection breaks
        """
        idle = self.by_process.setdefault(os.getpid(), deque(maxlen=IDLE))
        try:
            return self._exchange(idle, request, deadline)
        except ConnectionError:
            if not again:
                raise
            return self._exchange(idle, request, deadline)

    def _exchange(self, idle: deque[Connection], request: bytes, deadline: float) -> Reply:
        connection = self._idle_one(idle) or Connection(self.server, deadline)
        try:
            reply = connection.exchange(request, deadline)
        except BaseException:
            connection.close()
            raise
        if len(idle) < IDLE:
            idle.append(connection)
        else:
            connection.close()
        return reply

    def _idle_one(self, idle: deque[Connection]) -> Connection | None:
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.close()

    def close(self) -> None:
        """Close those of this process that are idle."""
        for connection in self.by_process.pop(os.getpid(), ()):
            connection.close()


class Stream:
    """A connection of an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def exchange(self, request: bytes) -> Reply:
        """The answer to a request; after an exception the connection is good for nothing."""
        self.writer.write(request)
        await self.writer.drain()
        try:
            line = await self.reader.readuntil(END)
            code, size, flags = head(line)
            if size < 0:
                return Reply(code, flags)
            value = await self.reader.readexactly(size + len(END))
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error
        except asyncio.LimitOverrunError as error:
            raise OutOfStepError from error
        return Reply(code, flags, value[:size])

    def is_quiet(self) -> bool:
        """Whether the other side has not ended it; unasked, memcached says nothing."""
        return not self.reader.at_eof() and not self.writer.is_closing()

    def close(self) -> None:
        self.writer.transport.abort()


class Streams:
    """The idle connections to one server, by event loop."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.by_loop: MutableMapping[asyncio.AbstractEventLoop, list[Stream]] = WeakKeyDictionary()

    async def exchange(self, request: bytes, again: bool) -> Reply:
        """As `Connections.exchange`; who calls it sets the deadline, by cancelling it."""
        idle = self.by_loop.setdefault(asyncio.get_running_loop(), [])
        try:
            return await self._exchange(idle, request)
        except ConnectionError:
            if not again:
                raise
            return await self._exchange(idle, request)

    async def _exchange(self, idle: list[Stream], request: bytes) -> Reply:
        stream = self._idle_one(idle) or await self._connect()
        try:
            reply = await stream.exchange(request)
        except BaseException:
            stream.close()
            raise
        if len(idle) < IDLE:
            idle.append(stream)
        else:
            stream.close()
        return reply

    def _idle_one(self, idle: list[Stream]) -> Stream | None:
        while idle:
            stream = idle.pop()
            if stream.is_quiet():
                return stream
            stream.close()
        return None

    async def _connect(self) -> Stream:
        server = self.server
        reader, writer = await asyncio.open_connection(server.host, server.port, ssl=server.tls)
        stream = Stream(reader, writer)
        try:
            if server.login:
                await stream.exchange(server.login)
        except BaseException:
            stream.close()
            raise
        return stream

    async def close(self) -> None:
        """Close those of the running event loop that are idle."""
        for stream in self.by_loop.pop(asyncio.get_running_loop(), ()):
            stream.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round


def left(deadline: float) -> float:
    """Seconds until `deadline`. TimeoutError where it has passed."""
    remaining = deadline - monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining
