"""Who makes the store calls that the rules hand out: at once, in a thread, or awaited.

The only difference between sync and async in this library is the two loops below.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from sessfast.errors import DecodeError, OptionsError, SessionNotLoadedError, StoreError
from sessfast.hotpath import take_over
from sessfast.importing import DESTROY, GET

from .lifecycle import Lifecycle
from .session import Session
from .state import Call, Steps

VERBS = ("get", "create", "update", "touch", "destroy")
Calls = dict[str, Callable[..., Any]]  # a store's five verbs by name


def calls_of(store: Any) -> Calls:
    """The verbs of a store, and those of the readers of old records."""
    verbs = {verb: getattr(store, verb) for verb in VERBS}
    waits = is_async(store)
    return {**verbs, **(AWAITED_LEGACY_CALLS if waits else LEGACY_CALLS)}


def get_old(reader: Any, key: str) -> Any:
    """An old record. One that can't be read is no outage: its error is the answer."""
    try:
        return reader.get(key)
    except DecodeError as error:
        return error


def destroy_old(reader: Any, key: str) -> None:
    """Delete an old record."""
    reader.destroy(key)


async def get_old_awaited(reader: Any, key: str) -> Any:
    """`get_old` for who must not block."""
    if not is_async(reader):
        return await off_loop(reader.blocking, get_old, reader, key)
    try:
        return await reader.get(key)
    except DecodeError as error:
        return error


async def destroy_old_awaited(reader: Any, key: str) -> None:
    """`destroy_old` for who must not block."""
    if is_async(reader):
        await reader.destroy(key)
    else:
        await off_loop(reader.blocking, destroy_old, reader, key)


async def off_loop(blocks: bool, function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result; in a worker thread where it blocks."""
    if not blocks:
        return function(*arguments)
    import asyncio  # here: a third of what importing sessfast would take

    return await asyncio.to_thread(function, *arguments)


LEGACY_CALLS = {GET: get_old, DESTROY: destroy_old}
AWAITED_LEGACY_CALLS = {GET: get_old_awaited, DESTROY: destroy_old_awaited}


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
        self.get = store.get if rules.loading.imports is None else self._get_or_bring
        self.calls = calls_of(store)

    def _get_or_bring(self, key: Any) -> Any:
        """`get`, where the key may be that of an old record."""
        if isinstance(key, str):
            return self.calls["get"](key)
        return made(self.calls, self.loading.bring(key))

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
        self.write(session, rules.settle(session, unset, late))
        rules.finish(session, late)

    def write(self, session: Session, call: Call | None) -> None:
        """Make the calls of a write: `Saving.made` without its generator."""
        while call is not None:
            verb, arguments = call
            try:
                reply = self.calls[verb](*arguments)
            except Exception as error:
                self.saving.fail(session, verb, as_store_error(verb, error))
                break
            call = self.saving.feed(session, verb, reply)

    def run(self, steps: Steps) -> Any:
        """The result of `steps`, made at once."""
        return made(self.calls, steps)

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`; nothing is waited for."""
        return made(self.calls, steps)


class ThreadDriver(InlineDriver):
    """Runs the steps of a store that blocks in one thread hop, off the event loop."""

    waits = True

    def open(self, session: Session) -> None:
        """Open a session on its first touch, with what the front fetched before."""
        refuse_unloaded(self.rules)
        InlineDriver.open(self, session)  # a compiled method has no super()

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`, run in a worker thread."""
        import asyncio  # here: a third of what importing sessfast would take

        return await asyncio.to_thread(self.run, steps)


class AwaitDriver:
    """Awaits every store call."""

    waits = True

    def __init__(self, rules: Lifecycle, store: Any) -> None:
        self.rules = rules
        self.loading = rules.loading
        self.calls = calls_of(store)

    def open(self, session: Session) -> None:
        """Open a session on its first touch, with what the front fetched before."""
        refuse_unloaded(self.rules)
        if self.loading.begin(session) is not None:
            raise RuntimeError("an async store can't be called without await")

    def run(self, steps: Steps) -> Any:
        """Never possible: a front opens such a session before the app sees it."""
        steps.close()
        raise RuntimeError("an async store can't be called without await")

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`, awaited."""
        return await made_awaited(self.calls, steps)


def refuse_unloaded(rules: Lifecycle) -> None:
    """SessionNotLoadedError where the app had to load its session before it touched it."""
    if not rules.options.prefetch:
        raise SessionNotLoadedError(
            "the session isn't loaded: await session.load() first, or set prefetch=True"
        )


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


class Awaited:
    """A store that needs no await, for a driver that awaits."""

    def __init__(self, store: Any) -> None:
        self.blocks = getattr(store, "blocking", True)
        for verb in VERBS:
            setattr(self, verb, self._awaited(getattr(store, verb)))

    def _awaited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            return await off_loop(self.blocks, function, *arguments)

        return call


def sync_driver(rules: Lifecycle, store: Any) -> InlineDriver:
    """The driver of a WSGI front. OptionsError for what must be awaited."""
    if is_async(store):
        raise OptionsError(
            ["store is async, and WSGI can't await: use its sync twin, or sessfast.asgi"]
        )
    for reader in record_readers(rules):
        if is_async(reader):
            raise OptionsError(
                [f"legacy: the reader {reader.name!r} is async, and WSGI can't await: "
                 "give it a client that needs no await"]
            )  # fmt: skip
    return InlineDriver(rules, store)


def async_driver(rules: Lifecycle, store: Any) -> InlineDriver | AwaitDriver:
    """The driver of an ASGI front: awaited, in a thread, or inline for a store in memory."""
    readers = record_readers(rules)
    if is_async(store):
        return AwaitDriver(rules, store)
    if any(map(is_async, readers)):
        return AwaitDriver(rules, Awaited(store))
    blocks = getattr(store, "blocking", True) or any(reader.blocking for reader in readers)
    return ThreadDriver(rules, store) if blocks else InlineDriver(rules, store)


def record_readers(rules: Lifecycle) -> list[Any]:
    """The readers of old records: they do I/O of their own."""
    imports = rules.loading.imports
    return [] if imports is None else [each for each in imports.readers if hasattr(each, "get")]


take_over(globals())
