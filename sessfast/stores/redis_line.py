"""One connection that all calls of an event loop share: what they ask in one turn goes together.

Redis answers the commands of a connection in the order in which they came. That alone decides
whose an answer is, so a question stays in the row whatever becomes of its call: the answer to
one that was cancelled or is late is taken from the wire and dropped. redis-py makes the
connection (TLS, user, Sentinel); from then on it is ours.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

import redis
from redis.connection import DefaultParser

hiredis: Any
try:
    hiredis = import_module("hiredis")
except ModuleNotFoundError:  # then redis-py does the talking, too
    hiredis = None

NOTHING = object()  # no whole answer is there
PUSH: Any = getattr(hiredis, "PushNotification", None)  # what a server says unasked
BURST = 32  # questions that don't wait until the loop's turn is over, so that Redis may begin
# options of redis-py for its own way of talking: where one is set, it does
TALKING = ("socket_timeout", "health_check_interval", "retry_on_error", "retry_on_timeout")


def can_share(client: Any) -> bool:
    """Whether the calls of this client can go over one connection that is shared."""
    pool: Any = getattr(client, "connection_pool", None)
    if not PUSH or not hasattr(getattr(pool, "connection_class", None), "_writer"):
        return False
    return not any(pool.connection_kwargs.get(name) for name in TALKING)


class Line(asyncio.Protocol):
    """A connection with its row of questions.

    is_open: whether it takes questions. One that has let a call wait too long takes no more,
             and is closed when nobody waits for it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, writer: asyncio.StreamWriter) -> None:
        self.loop = loop
        self.is_open = True
        self.gone = loop.create_future()
        self._writer: Any = writer  # it would close the transport if it were dropped
        self._transport: Any = writer.transport
        self._reader = hiredis.Reader(
            protocolError=redis.ConnectionError,
            replyError=DefaultParser.parse_error,
            notEnoughData=NOTHING,
        )
        self._row: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._due = 0.0  # when `_watch` looks

    def ask(self, words: tuple[Any, ...], deadline: float) -> asyncio.Future[Any]:
        """The answer to come: a TimeoutError where there is none at `deadline` (loop time)."""
        if not self.is_open:
            raise redis.ConnectionError("the connection was closed")
        command = hiredis.pack_command(words)
        row, unsent = self._row, self._unsent
        if not row:
            self._transport.write(command)  # Redis has nothing else to do
        else:
            unsent.append(command)
            if len(unsent) == 1:
                self.loop.call_soon(self._send)
            elif len(unsent) == BURST:
                self._send()
        answer = self.loop.create_future()
        row.append((answer, deadline))
        if self._watch is None or deadline < self._due:
            self._look_at(deadline)
        return answer

    def close(self) -> None:
        """Close it now; who waits gets a ConnectionError."""
        self.is_open = False
        self._transport.abort()

    def _send(self) -> None:
        commands, self._unsent = self._unsent, []
        if commands and not self._transport.is_closing():
            self._transport.write(b"".join(commands))

    def data_received(self, data: bytes) -> None:
        """Give each answer to the next in the row."""
        row, gets = self._row, self._reader.gets
        try:
            self._reader.feed(data)
            while (reply := gets()) is not NOTHING:
                if isinstance(reply, PUSH):
                    continue
                answer = row.popleft()[0]
                if answer.done():  # cancelled, or late
                    continue
                if isinstance(reply, Exception):
                    if isinstance(reply, redis.exceptions.ReadOnlyError):
                        self.is_open = False  # after a failover the master is elsewhere
                    answer.set_exception(reply)
                else:
                    answer.set_result(reply)
        except (redis.ConnectionError, IndexError):  # no Redis talks like that
            self.close()
        if not self.is_open and not row:
            self._transport.abort()

    def eof_received(self) -> None:
        """Take no more questions: the server has closed, and the transport does so next."""
        self.is_open = False

    def connection_lost(self, error: Exception | None) -> None:
        """Tell all who wait."""
        self.is_open = False
        self._writer = None
        if self._watch is not None:
            self._watch.cancel()
        for answer, _ in self._row:
            if not answer.done():
                answer.set_exception(redis.ConnectionError("the connection broke"))
        self._row.clear()
        self.gone.set_result(None)

    def _look_at(self, deadline: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._due = deadline
        self._watch = self.loop.call_at(deadline, self._look)

    def _look(self) -> None:
        """Let those whose time has come wait no longer; one timer for the whole row.

        Cancelled calls count as well: a server that owes them their answers is as silent.
        """
        self._watch = None
        now = self.loop.time()
        left = []
        for answer, deadline in self._row:
            if deadline > now:
                left.append((deadline, answer.done()))
                continue
            self.is_open = False
            if not answer.done():
                answer.set_exception(TimeoutError())
        if not self.is_open and all(done for _, done in left):
            self._transport.abort()
        elif left:
            self._look_at(min(left)[0])


class Lines:
    """The lines of one store: one for each event loop, opened when it is first needed.

    timeout: seconds that opening one may take
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._last: Line | None = None  # most stores live in one loop
        self._open: MutableMapping[asyncio.AbstractEventLoop, Line] = WeakKeyDictionary()
        self._opening: MutableMapping[asyncio.AbstractEventLoop, asyncio.Task[Line]] = (
            WeakKeyDictionary()
        )

    def here(self, loop: asyncio.AbstractEventLoop) -> Line | None:
        """The loop's line, if one is open."""
        line = self._last
        if line is None or line.loop is not loop or not line.is_open:
            self._last = line = self._open.get(loop)
        return line if line is not None and line.is_open else None

    async def opened(self, client: Any, loop: asyncio.AbstractEventLoop, deadline: float) -> Line:
        """A new line for the loop; who comes meanwhile waits for the same one."""
        task = self._opening.get(loop)
        if task is None:
            task = self._opening[loop] = loop.create_task(self._connect(client, loop))
            task.add_done_callback(self._opened)
        async with asyncio.timeout_at(deadline):
            return await asyncio.shield(task)

    async def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the loop's line, if there is one."""
        if task := self._opening.get(loop):
            await asyncio.wait([task])
        self._last = None
        if line := self._open.pop(loop, None):
            line.close()
            await line.gone

    async def _connect(self, client: Any, loop: asyncio.AbstractEventLoop) -> Line:
        connection = client.connection_pool.make_connection()
        try:
            async with asyncio.timeout(self.timeout):
                await connection.connect()
                look = getattr(connection, "can_read", None) or connection.can_read_destructive
                if await look():
                    raise redis.ConnectionError("the server says something unasked")
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        # redis-py has no other name for it; without them its __del__ has nothing to warn of
        line = Line(loop, connection._writer)
        connection._reader = connection._writer = None
        line._transport.set_protocol(line)
        for closed in [other for other in self._open if other.is_closed()]:
            del self._open[closed]  # a line holds its loop, so no weak reference does this
        self._open[loop] = line
        return line

    def _opened(self, task: asyncio.Task[Line]) -> None:
        self._opening.pop(task.get_loop(), None)
        if not task.cancelled():
            task.exception()  # whoever still waited has it
