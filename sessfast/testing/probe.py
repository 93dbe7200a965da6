"""A store under test: every call is made, noted and judged; a fault reads like a bug report."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn

from sessfast.drivers import as_store_error, calls_of, is_async, made, made_awaited
from sessfast.records import Answer, Conflict
from sessfast.state import Steps

SHOWN_CALLS = 30
SHOWN_OCTETS = 40


class Probe:
    """One store, sync or async, for one test.

    make_store: returns the store, or an awaitable of it
    """

    def __init__(self, make_store: Callable[[], Any]) -> None:
        self._runner = asyncio.Runner()
        self._names: dict[str, str] = {}
        self._log: list[str] = []
        self.store: Any = None
        try:
            self.store = self.wait(make_store())
            self.is_async = is_async(self.store)
            self.calls = calls_of(self.store)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the store, if it can be closed, and the event loop."""
        try:
            if callable(close := getattr(self.store, "close", None)):
                self.wait(close())
        finally:
            self._runner.close()

    def wait(self, reply: Any) -> Any:
        """`reply`, awaited if that is what it wants."""
        return self._runner.run(awaited(reply)) if inspect.isawaitable(reply) else reply

    def collect(self, found: Any) -> list[Any]:
        """What an iterator yields, of either kind."""
        if hasattr(found, "__aiter__"):
            return list(self.wait(drained(found)))
        return list(found)

    # -- calls -----------------------------------------------------------------------------

    def call(self, verb: str, sid: str, *arguments: Any) -> Any:
        """The store's reply to one call of one of the five verbs."""
        return self.run(self.asking(verb, sid, *arguments))

    def ask(self, name: str, *arguments: Any) -> Any:
        """The store's reply to a call of one of the optional methods; `all` as a list."""
        try:
            reply = self.wait(getattr(self.store, name)(*arguments))
            if name == "all":
                reply = self.collect(reply)
        except Exception as error:
            raise as_store_error(name, error) from error
        shown = f"{len(reply)} records" if name == "all" else repr(reply)
        self._log.append(f"{name}({', '.join(map(repr, arguments))}) -> {shown}")
        return reply

    def asking(self, verb: str, sid: str, *arguments: Any) -> Steps:
        """`call` as a step of a script."""
        try:
            reply = yield verb, (sid, *arguments)
        except Exception as error:
            self._note(verb, sid, arguments, f"raised {error.__cause__ or error!r}")
            error.add_note(self.history())
            raise
        self._note(verb, sid, arguments, shown(reply))
        return reply

    def run(self, steps: Steps) -> Any:
        """The result of a script, one call after another."""
        if self.is_async:
            return self._runner.run(made_awaited(self.calls, steps))
        return made(self.calls, steps)

    def together(self, scripts: list[Steps]) -> list[Any]:
        """The results of scripts that run at the same time, in tasks or in threads."""
        calls = self.calls
        if self.is_async:
            coroutines = [made_awaited(calls, steps) for steps in scripts]
            return list(self._runner.run(gathered(coroutines)))
        with ThreadPoolExecutor(len(scripts)) as pool:
            return list(pool.map(partial(made, calls), scripts))

    # -- judging ---------------------------------------------------------------------------

    def note(self, event: str) -> None:
        """Put something that happened between the calls into the report."""
        self._log.append(event)

    def forget(self) -> None:
        """Begin a new report."""
        self._log.clear()
        self._names.clear()

    def judge(self, rule: str, expected: object, actual: object) -> None:
        """AssertionError, with the whole story, unless the two are equal.

        rule: the sentence of the contract that is at stake
        """
        if expected != actual:
            self.fault(rule, shown(expected), shown(actual))

    def content(self, reply: Any) -> tuple[bytes, Any] | None:
        """Blob and version of a record, or None; AssertionError for anything else."""
        if reply is None:
            return None
        if not isinstance(reply, tuple) or len(reply) != 3 or not isinstance(reply[0], bytes):
            self.fault("get returns a record or None", "(blob, version, expires)", shown(reply))
        return reply[0], reply[1]

    def conflicts(self, rule: str, stored: tuple[bytes, Any], reply: Any) -> tuple[bytes, Any]:
        """Blob and version in a Conflict, which must be those `stored` now."""
        if not isinstance(reply, Conflict):
            self.fault(rule, f"Conflict{shown(stored)}", shown(reply))
        found = self.content(reply.record)
        self.judge("a conflict shows what is stored now", stored, found)
        return stored

    def fault(self, rule: str, expected: str, actual: str) -> NoReturn:
        """AssertionError with the whole story."""
        raise AssertionError(
            f"the store breaks its contract: {rule}\n"
            f"\n  store     {self.store!r}"
            f"\n  expected  {expected}"
            f"\n  got       {actual}"
            f"\n\n{self.history()}"
        )

    def history(self) -> str:
        """The calls so far, numbered; of many, the last."""
        first = max(0, len(self._log) - SHOWN_CALLS)
        lines = [f"  {i + 1:3}. {line}" for i, line in enumerate(self._log)][first:]
        return "\n".join(["  what was done:", *(["    ..."] if first else []), *lines])

    def _note(self, verb: str, sid: str, arguments: tuple[Any, ...], reply: str) -> None:
        name = self._names.setdefault(sid, f"sid{len(self._names) + 1}")
        words = [name, *(shown(argument) for argument in arguments)]
        self._log.append(f"{verb}({', '.join(words)}) -> {reply}")


def shown(value: object) -> str:
    """`value` for a report: short, and sentinels by their names."""
    if isinstance(value, Answer):
        return value.name
    if isinstance(value, bytes):
        size = len(value)
        return f"{value[:SHOWN_OCTETS]!r}... ({size} bytes)" if size > SHOWN_OCTETS else repr(value)
    if isinstance(value, Conflict):
        return f"Conflict({shown(value.record)})"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(shown, value))})"
    return repr(value)


async def awaited(reply: Any) -> Any:
    """A coroutine for any awaitable."""
    return await reply


async def drained(found: Any) -> list[Any]:
    """All of an async iterator."""
    return [item async for item in found]


async def gathered(coroutines: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Their results, run as tasks at the same time."""
    return await asyncio.gather(*coroutines)
