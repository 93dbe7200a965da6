"""Who makes the store calls that the rules hand out: at once, in a thread, or awaited.

The only difference between sync and async in this library is the two loops below.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from sessfast.errors import OptionsError, StoreError
from sessfast.hotpath import take_over

from .lifecycle import Lifecycle
from .session import Session
from .state import Steps

VERBS = ("get", "create", "update", "touch", "destroy")
Calls = dict[str, Callable[..., Any]]  # a store's five verbs by name


def calls_of(store: Any) -> Calls:
    """The verbs of a store."""
    return {verb: getattr(store, verb) for verb in VERBS}


def made(calls: Calls, steps: Steps) -> Any:
    """The result of `steps`, every store call made. A call's failure is a StoreError."""
    send, reply = steps.send, None
    try:
        while True:
            verb, arguments = send(reply)
            send = steps.send
            try:
                reply = calls[verb](*arguments)
            except Exception as error:
                send, reply = steps.throw, as_store_error(verb, error)
    except StopIteration as done:
        return done.value


async def made_awaited(calls: Calls, steps: Steps) -> Any:
    """The result of `steps`, every store call awaited. A call's failure is a StoreError."""
    send, reply = steps.send, None
    try:
        while True:
            verb, arguments = send(reply)
            send = steps.send
            try:
                reply = await calls[verb](*arguments)
            except Exception as error:
                send, reply = steps.throw, as_store_error(verb, error)
    except StopIteration as done:
        return done.value


class InlineDriver:
    """Makes every store call at once, in the caller's thread; `arun` never waits."""

    waits = False

    def __init__(self, rules: Lifecycle, store: Any) -> None:
        self.rules = rules
        self.loading = rules.loading
        self.saving = rules.saving
        self.get = store.get
        self.calls = calls_of(store)

    def open(self, session: Session) -> None:
        """Open a session on its first touch: `Loading.open` without its generator."""
        loading = self.loading
        claimed = loading.begin(session)
        while claimed is not None:
            try:
                reply = self.get(claimed[4])
            except Exception as error:
                loading.fail(session, claimed, as_store_error("get", error))
                return
            claimed = loading.feed(session, claimed, reply)

    def commit(self, session: Session, unset: bool, late: bool) -> None:
        """Commit a session: `Lifecycle.commit` without its generators."""
        rules = self.rules
        if session._state is None:
            if not rules.opens_to_commit(session, unset):
                return
            self.open(session)
        call = rules.settle(session, unset, late)
        while call is not None:
            verb, arguments = call
            try:
                reply = self.calls[verb](*arguments)
            except Exception as error:
                self.saving.fail(session, verb, as_store_error(verb, error))
                break
            call = self.saving.feed(session, verb, reply)
        rules.finish(session, late)

    def run(self, steps: Steps) -> Any:
        """The result of `steps`, made at once."""
        return made(self.calls, steps)

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`; nothing is waited for."""
        return made(self.calls, steps)


class ThreadDriver(InlineDriver):
    """Runs the steps of a store that blocks in one thread hop, off the event loop."""

    waits = True

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`, run in a worker thread."""
        import asyncio  # here: a third of what importing sessfast would take

        return await asyncio.to_thread(self.run, steps)


class AwaitDriver:
    """Awaits every store call."""

    waits = True

    def __init__(self, rules: Lifecycle, store: Any) -> None:
        self.loading = rules.loading
        self.calls = calls_of(store)

    def open(self, session: Session) -> None:
        """Open a session on its first touch, with what the front fetched before."""
        if self.loading.begin(session) is not None:
            raise RuntimeError("an async store can't be called without await")

    def run(self, steps: Steps) -> Any:
        """Never possible: a front opens such a session before the app sees it."""
        steps.close()
        raise RuntimeError("an async store can't be called without await")

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`, awaited."""
        return await made_awaited(self.calls, steps)


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


def sync_driver(rules: Lifecycle, store: Any) -> InlineDriver:
    """The driver of a WSGI front. OptionsError for a store that must be awaited."""
    if is_async(store):
        raise OptionsError(
            ["store is async, and WSGI can't await: use its sync twin, or sessfast.asgi"]
        )
    return InlineDriver(rules, store)


def async_driver(rules: Lifecycle, store: Any) -> InlineDriver | AwaitDriver:
    """The driver of an ASGI front: awaited, in a thread, or inline for a store in memory."""
    if is_async(store):
        return AwaitDriver(rules, store)
    blocks = getattr(store, "blocking", True)
    return ThreadDriver(rules, store) if blocks else InlineDriver(rules, store)


take_over(globals())
