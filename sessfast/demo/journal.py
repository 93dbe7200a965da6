"""The last requests of the demo, gathered from the events that an observer is told."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

SHOWN_PATH = 120


class Entry(NamedTuple):
    """One finished request.

    sid:    shortened, as events carry it
    at:     epoch seconds
    events: names of what happened, in order, without the closing `request`
    """

    at: float
    method: str
    path: str
    sid: str
    read: str
    sent: str
    events: tuple[str, ...]


class Journal:
    """Keeps the last `size` requests; `observe` is the observer to put into the options.

    The events of a request come before the `request` event that closes it. Requests run side
    by side, in threads or in tasks; both have a context of their own, so events are gathered
    there.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        path_text: Callable[[str], str] = str,
        size: int = 12,
    ) -> None:
        self._clock = clock
        self._path_text = path_text
        self._entries: deque[Entry] = deque(maxlen=size)
        self._lock = threading.Lock()
        self._events: ContextVar[tuple[str, ...]] = ContextVar("events", default=())

    def observe(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take note of one event."""
        if event != "request":
            self._events.set((*self._events.get(), event))
            return
        entry = Entry(
            at=self._clock(),
            method=facts.get("method", "-"),
            path=self._path_text(facts.get("path", "-"))[:SHOWN_PATH],
            sid=facts["sid"],
            read=facts["read"],
            sent=facts["sent"],
            events=self._events.get(),
        )
        self._events.set(())
        with self._lock:
            self._entries.appendleft(entry)

    def latest(self) -> tuple[Entry, ...]:
        """The last requests, newest first."""
        with self._lock:
            return tuple(self._entries)
