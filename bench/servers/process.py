"""Server processes: started on a core of their own, asked for their CPU time, ended by pid.

Linux alone: pinning, a process's CPU clock and pidfds are not to be had elsewhere.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

ROOT = Path(__file__).parent.parent.parent
HOST = "127.0.0.1"
LIFE = 300  # seconds after which a server is ended even if nobody is left to do it
PATIENCE = 20.0  # seconds to wait until a server answers, or has ended


class ServerError(Exception):
    """A server did not start, or did not do what it should; the text says which and why."""


class Answer(NamedTuple):
    """One response. cookie: the `name=value` it set, or ""."""

    status: int
    body: bytes
    cookie: str


def cores() -> tuple[int, int]:
    """A core for the server and one for the load; the same one where there is no other.

    Of two that share one physical core the second is the last choice.
    """
    mine = sorted(os.sched_getaffinity(0))
    server = mine[0]
    place = Path(f"/sys/devices/system/cpu/cpu{server}/topology/thread_siblings_list")
    siblings = set(numbers(place.read_text())) if place.exists() else {server}
    apart = [core for core in mine if core not in siblings]
    return server, (apart or mine)[-1]


def numbers(text: str) -> Iterator[int]:
    """The numbers of a list as the kernel writes it: 0,4-6."""
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes that are started in the block run on one core, from their first instruction."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:  # grows while we walk it
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):  # the thread has ended since
                found += map(int, listing.read_text().split())
    return found


def cpu_clock(pid: int) -> int:
    """The clock id of a process's CPU time, all its threads together.

    As clock_getcpuclockid(3) makes it. In ns, where /proc/PID/stat counts in 10 ms.
    """
    return (~pid << 3) | 2


class Process:
    """A running server: the command's process and its workers.

    log: a file for what it prints
    Use it in a `with` block: it has ended when the block is left.
    """

    def __init__(self, command: Sequence[str], port: int, core: int, log: Path) -> None:
        self.port, self.log = port, log
        self.pids: list[int] = []
        self.handles: list[int] = []
        # the outer process is there for the case that nobody is left to end the inner one
        with pinned(core), log.open("wb") as output:
            self.outer = subprocess.Popen(
                ["timeout", "--kill-after=5", str(LIFE), *command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle
            )

    def __enter__(self) -> Self:
        try:
            self._wait()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _wait(self) -> None:
        """Until it answers; ServerError where it ends before, or takes too long."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError, http.client.HTTPException):
                self.get("/")
                break
            if self.outer.poll() is not None:
                raise ServerError(f"it ended: {self.tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"no answer within {PATIENCE:.0f} s: {self.tail()}")
            time.sleep(0.05)
        self.pids = family(self.outer.pid)
        self.handles = [os.pidfd_open(pid) for pid in self.pids]

    def get(self, path: str, cookie: str = "") -> Answer:
        """One request on a connection of its own."""
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=5)) as connection:
            connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
            response = connection.getresponse()
            made = response.getheader("Set-Cookie", "").partition(";")[0]
            return Answer(response.status, response.read(), made)

    def cpu(self) -> float:
        """Seconds of CPU, user and system, that all its processes have used."""
        try:
            return sum(time.clock_gettime(cpu_clock(pid)) for pid in self.pids)
        except OSError as error:
            raise ServerError(f"one of its processes has ended: {self.tail()}") from error

    def tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-1500:].strip() or "(it printed nothing)"

    def end(self) -> None:
        """End every process, politely first. Workers by handle: a pid may be another's by now."""
        if not self.handles:  # it never answered; what there is by now
            with suppress(OSError):
                self.handles = [os.pidfd_open(pid) for pid in family(self.outer.pid)]
        self.outer.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.outer.wait(PATIENCE / 4)
        for handle in self.handles:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        self.handles = []
        self.outer.wait()
