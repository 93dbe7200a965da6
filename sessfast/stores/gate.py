"""A gate before files that must be let go of now and then: for a fork, for growth, at the end.

SQLite and LMDB guard their files by locks that a child process does not inherit, so a file that
is open across a fork is a file without its locks. Hence: before a fork everybody leaves and the
files are closed, and whoever comes first afterwards, in parent or child, opens them again.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 10.0  # seconds that a fork waits for calls that are under way


class Gate:
    """Many may be inside at once, or one alone.

    let_go: closes the files; called with nobody inside, before a fork
    """

    def __init__(self, let_go: Callable[[], None]) -> None:
        self.let_go = let_go
        self._renew()
        watch_forks()
        with _forking:
            _gates.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inside = 0
        self._shut = False

    def enter(self) -> None:
        """Go in; waits while one is alone in there."""
        with self._lock:
            while self._shut:
                self._changed.wait()
            self._inside += 1

    def leave(self) -> None:
        """Go out again."""
        with self._lock:
            self._inside -= 1
            if self._shut:
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until all are out, and keep them out. Never from inside."""
        self.shut(None)
        try:
            yield
        finally:
            self.open()

    def shut(self, patience: float | None) -> bool:
        """Keep everybody out; whether all left within `patience` seconds (None: for ever)."""
        with self._lock:
            while self._shut:
                self._changed.wait()
            self._shut = True
            return self._changed.wait_for(lambda: not self._inside, patience)

    def open(self) -> None:
        """Let them in again."""
        with self._lock:
            self._shut = False
            self._changed.notify_all()


_gates: weakref.WeakSet[Gate] = weakref.WeakSet()
_forking = threading.Lock()
_closed_for_fork: list[Gate] = []
_watching: list[bool] = []


def watch_forks() -> None:
    """Be called at every fork of this process; registered by the first gate, not at import."""
    if not _watching:
        _watching.append(True)
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child
        )


def _before_fork() -> None:
    _forking.acquire()  # until after the fork
    for gate in list(_gates):
        _closed_for_fork.append(gate)
        if gate.shut(PATIENCE):
            gate.let_go()


def _after_fork() -> None:
    for gate in _closed_for_fork:
        gate.open()
    _closed_for_fork.clear()
    _forking.release()


def _in_child() -> None:
    for gate in list(_gates):
        gate._renew()  # the threads that were in there, or waited, are not in this process
    _closed_for_fork.clear()
    if _forking.locked():
        _forking.release()
