"""Who makes the store calls that the rules hand out: at once, in a thread, or awaited.

The only difference between sync and async in this library is the two loops below.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from sessfast.errors import OptionsError, StoreError
from sessfast.session import Rules, Session, Steps

VERBS = ("get", "create", "update", "touch", "destroy")


class InlineDriver:
    """Makes every store call at once, in the caller's thread; `arun` never waits."""

    waits = False

    def __init__(self, store: Any) -> None:
        self.calls = {verb: getattr(store, verb) for verb in VERBS}

    def opener(self, rules: Rules) -> Callable[[Session], None]:
        """What opens a session on its first touch: `rules.open` without its generator."""
        begin, feed, get = rules.begin, rules.feed, self.calls["get"]

        def open_now(session: Session) -> None:
            claimed = begin(session)
            while claimed is not None:
                try:
                    reply = get(claimed[0])
                except Exception as error:
                    return rules.fail(session, claimed, as_store_error("get", error))
                claimed = feed(session, claimed, reply)
            return None

        return open_now

    def run(self, steps: Steps) -> Any:
        """The result of `steps`, every store call made. A call's failure is a StoreError."""
        send, reply = steps.send, None
        try:
            while True:
                verb, arguments = send(reply)
                send = steps.send
                try:
                    reply = self.calls[verb](*arguments)
                except Exception as error:
                    send, reply = steps.throw, as_store_error(verb, error)
        except StopIteration as done:
            return done.value

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`; nothing is waited for."""
        return self.run(steps)


class ThreadDriver(InlineDriver):
    """Runs the steps of a store that blocks in one thread hop, off the event loop."""

    waits = True

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`, run in a worker thread."""
        return await asyncio.to_thread(self.run, steps)


class AwaitDriver:
    """Awaits every store call."""

    waits = True

    def __init__(self, store: Any) -> None:
        self.calls = {verb: getattr(store, verb) for verb in VERBS}

    def opener(self, rules: Rules) -> Callable[[Session], None]:
        """What opens a session on its first touch, with what the front fetched before."""

        def open_now(session: Session) -> None:
            if rules.begin(session) is not None:
                raise RuntimeError("an async store can't be called without await")

        return open_now

    def run(self, steps: Steps) -> Any:
        """Never possible: a front opens such a session before the app sees it."""
        steps.close()
        raise RuntimeError("an async store can't be called without await")

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`, every store call awaited. A call's failure is a StoreError."""
        send, reply = steps.send, None
        try:
            while True:
                verb, arguments = send(reply)
                send = steps.send
                try:
                    reply = await self.calls[verb](*arguments)
                except Exception as error:
                    send, reply = steps.throw, as_store_error(verb, error)
        except StopIteration as done:
            return done.value


def as_store_error(verb: str, error: Exception) -> StoreError:
    """`error` as the one kind that the rules know, the client's own error behind it."""
    if isinstance(error, StoreError):
        return error
    wrapped = StoreError(verb, type(error).__name__)  # its text might quote an id
    wrapped.__cause__ = error
    return wrapped


def is_async(store: Any) -> bool:
    """Whether the store's verbs must be awaited."""
    return inspect.iscoroutinefunction(store.get)


def sync_driver(store: Any) -> InlineDriver:
    """The driver of a WSGI front. OptionsError for a store that must be awaited."""
    if is_async(store):
        raise OptionsError(
            ["store is async, and WSGI can't await: use its sync twin, or sessfast.asgi"]
        )
    return InlineDriver(store)


def async_driver(store: Any) -> InlineDriver | AwaitDriver:
    """The driver of an ASGI front: awaited, in a thread, or inline for a store in memory."""
    if is_async(store):
        return AwaitDriver(store)
    return ThreadDriver(store) if getattr(store, "blocking", True) else InlineDriver(store)
