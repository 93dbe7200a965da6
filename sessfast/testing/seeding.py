"""Sessions for tests of apps: put one in before a request, look at one after it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sessfast.drivers import AwaitDriver
from sessfast.errors import SessfastError
from sessfast.records import RequestFacts
from sessfast.session import Session
from sessfast.state import Steps


def seed(middleware: Any, data: Mapping[str, Any]) -> str:
    """The Cookie header (`name=value`) of a new session that holds `data`.

    middleware: a SessionMiddleware of either front; the session goes into its store
    """
    session = _opened(middleware, "")
    session.update(data)
    header = _finish(middleware, middleware.rules.commit(session))
    if header is None:
        raise SessfastError("nothing was stored: seed() needs data, and cookies of its own")
    return str(header.partition(";")[0])


def peek(middleware: Any, cookie: str | None) -> dict[str, Any] | None:
    """The data of the session that this Cookie header names, or None if it names none.

    Looks without touching: the session's life isn't extended.
    """
    session = _opened(middleware, cookie or "")
    return None if session.is_new else dict(session)


def _opened(middleware: Any, cookie: str) -> Session:
    request: Any = cookie
    if middleware.setup.needs_facts:
        request = RequestFacts(cookie, "/", secure=True, host="localhost")
    rules = middleware.rules
    session = Session.__new__(Session)
    session._park(rules, middleware.driver, request, True)
    _finish(middleware, rules.loading.open(session))
    return session


def _finish(middleware: Any, steps: Steps) -> Any:
    if isinstance(middleware.driver, AwaitDriver):
        return asyncio.run(middleware.driver.arun(steps))
    return middleware.driver.run(steps)
