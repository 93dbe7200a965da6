"""A lock between threads and processes: a file that one holds, and that the kernel takes back."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
FIRST_PAUSE, LONGEST_PAUSE = 0.0001, 0.01  # seconds between two looks


@contextmanager
def locked(path: str, timeout: float) -> Iterator[None]:
    """Hold the lock `path`, made with its folder if need be. TimeoutError after `timeout` seconds.

    The file stays where it is: whoever removed it would leave two locks of one name.
    """
    try:
        lock = os.open(path, FLAGS, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path, FLAGS, 0o600)
    try:
        if not acquired(lock):
            wait_for(lock, time.monotonic() + timeout)
        yield
    finally:
        os.close(lock)  # and with it the lock


def acquired(lock: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for(lock: int, deadline: float) -> None:
    """Return when the lock is ours: asking, since waiting for it can't be bounded in time."""
    pause = FIRST_PAUSE
    while not acquired(lock):
        if time.monotonic() > deadline:
            raise TimeoutError("a lock was not released in time")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
