"""A store that fails when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessfast.drivers import VERBS, is_async
from sessfast.records import shorten

Error = BaseException | type[BaseException]


class OutageError(ConnectionError):
    """What a FaultyStore raises unless it is told what."""


class FaultyStore:
    """`inner`, a store of either kind, with faults on demand and a list of the calls made.

    calls: (verb, shortened sid) of every call, failed ones included
    What is none of the five verbs goes to `inner` as it is.
    """

    never_fails = False

    get: Callable[..., Any]
    create: Callable[..., Any]
    update: Callable[..., Any]
    touch: Callable[..., Any]
    destroy: Callable[..., Any]

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls: list[tuple[str, str]] = []
        self._planned: dict[str, list[tuple[Error, bool]]] = {verb: [] for verb in VERBS}
        self._is_down = False
        wrap = self._async_verb if is_async(inner) else self._verb
        for verb in VERBS:
            setattr(self, verb, wrap(verb))

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # not there yet, as in a copy being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __repr__(self) -> str:
        return f"<FaultyStore over {self.inner!r}>"

    def fail(
        self, verb: str, times: int = 1, error: Error = OutageError, *, after: bool = False
    ) -> None:
        """Let the next `times` calls of `verb` raise `error`.

        after: the inner call is made all the same, as when a server's answer is lost
        """
        self._planned[verb].extend([(error, after)] * times)

    def down(self) -> None:
        """Let every call fail, before it reaches the inner store, until `up()`."""
        self._is_down = True

    def up(self) -> None:
        """End the outage; failures planned by `fail` still come."""
        self._is_down = False

    def _verb(self, verb: str) -> Callable[..., Any]:
        def call(sid: str, *arguments: Any) -> Any:
            error = self._fault_before(verb, sid)
            reply = getattr(self.inner, verb)(sid, *arguments)
            if error is not None:
                raise error
            return reply

        return call

    def _async_verb(self, verb: str) -> Callable[..., Any]:
        async def call(sid: str, *arguments: Any) -> Any:
            error = self._fault_before(verb, sid)
            reply = await getattr(self.inner, verb)(sid, *arguments)
            if error is not None:
                raise error
            return reply

        return call

    def _fault_before(self, verb: str, sid: str) -> Error | None:
        """Note the call; raise its fault if that comes first, else return the one that follows."""
        self.calls.append((verb, shorten(sid)))
        if self._is_down:
            raise OutageError("the store is down")
        planned = self._planned[verb]
        if not planned:
            return None
        error, after = planned.pop(0)
        if not after:
            raise error
        return error
