"""A peer's loops for one cell, made only after the peer has done the work of all columns once.

A peer that answers 500, forgets what was written, or believes a forged cookie would be measured
doing something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from bench.inputs import SESSIONS
from bench.requests import (
    COLUMNS,
    Action,
    Call,
    asgi_loop,
    environ,
    forge,
    header,
    receive,
    scope,
    wsgi_loop,
)

Make = Callable[[Action | None, bool], Any]


class Spoken(NamedTuple):
    """How a peer's app is called.

    ask:  (app, Cookie header) -> the Set-Cookie values of one request, which must be answered 200
    loop: (app, Cookie header) -> the loop that is measured
    """

    ask: Callable[[Any, str], list[str]]
    loop: Callable[[Any, str], Call]


def ask_wsgi(app: Any, cookie: str, more: Mapping[str, Any] | None = None) -> list[str]:
    """The Set-Cookie values of one WSGI request. more: additions to its environ."""
    found: list[str] = []

    def start_response(
        status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None
    ) -> Any:
        assert status == "200 OK", status
        found.extend(value for name, value in headers if name.lower() == "set-cookie")

    body = b"".join(app({**environ(cookie), **(more or {})}, start_response))
    assert body == b"ok", body
    return found


def set_cookies(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """The Set-Cookie values in what an ASGI app sent for one request."""
    found: list[str] = []
    for message in messages:
        assert message.get("status", 200) == 200, message
        pairs = message.get("headers", ())
        found.extend(value.decode() for name, value in pairs if name.lower() == b"set-cookie")
    return found


def ask_asgi(app: Any, cookie: str) -> list[str]:
    """The Set-Cookie values of one ASGI request, which must not wait for anything."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        app(scope(cookie), receive, send).send(None)
    except StopIteration:
        return set_cookies(sent)
    raise AssertionError("a request waited")


WSGI = Spoken(ask_wsgi, wsgi_loop)
ASGI = Spoken(ask_asgi, asgi_loop)


class Browser:
    """Cookies as a browser keeps them, for one peer: a header is what it sends."""

    def __init__(self, ask: Callable[[Any, str], list[str]]) -> None:
        self.ask = ask
        self.jar: dict[str, str] = {}

    def visit(self, app: Any) -> list[str]:
        """One request; the names of the cookies that came back, which are kept."""
        pairs = [value.partition(";")[0] for value in self.ask(app, self.header())]
        fresh = dict(pair.strip().split("=", 1) for pair in pairs)
        self.jar.update(fresh)
        return list(fresh)

    def pairs(self) -> list[str]:
        return [f"{name}={value}" for name, value in self.jar.items()]

    def header(self) -> str:
        return header("; ".join(self.pairs()))


def proved(
    spoken: Spoken,
    make: Make,
    bare: Any,
    size: str,
    column: str,
    clear: Callable[[], object] | None = None,
    forge: Callable[[str], str] = forge,
) -> tuple[Call, Call]:
    """The loops of a peer and of its bare app for one cell; AssertionError for bad work.

    make:  (action, writes) -> the app behind the peer, whose handler does `action` with the
           session (None: doesn't look at it). writes: the action changes it; for peers that must
           be told so
    bare:  the same app without the session layer
    clear: forgets all stored sessions
    forge: a cookie's name=value pair -> one of the same form that the peer never sent
    """
    work, data = COLUMNS[column], SESSIONS[size]
    writes = column in ("writes a key", "new session")
    app = make(work.action, writes)
    known = Browser(spoken.ask)
    assert known.visit(make(lambda session: session.update(data), True)), "no cookie was set"
    forged = Browser(spoken.ask)
    forged.jar = dict(forge(pair).split("=", 1) for pair in known.pairs())
    assert forged.jar != known.jar, "nothing was forged"
    browser = {"none": Browser(spoken.ask), "valid": known, "forged": forged}[work.cookie]
    cookie = browser.header()

    # what was stored comes back, nested values included
    assert data == {key: _seen(make, known, key) for key in data}, "the session was not read back"
    # a forged cookie is no session
    assert _seen(make, forged, "user") is None, "a forged cookie was believed"
    # the very app that is measured does its work
    before = _seen(make, known, "visits")
    fresh = browser.visit(app)
    if column == "writes a key":
        after = _seen(make, known, "visits")
        assert before != after, "what was written was not there on the next request"
    if column == "new session":
        assert fresh, "no cookie was set"
        assert _seen(make, browser, "user") == "ada", "the new session was lost"
    if column == "valid, untouched":
        assert _seen(make, known, "user") == data["user"], "the untouched session was lost"
    spoken.ask(bare, cookie)

    loop = spoken.loop(app, cookie)
    if clear is not None and work.cookie != "valid":
        return emptied(loop, clear), spoken.loop(bare, cookie)
    return loop, spoken.loop(bare, cookie)


def emptied(loop: Call, clear: Callable[[], object]) -> Call:
    """`loop` that begins each turn with no stored session; emptying is not timed."""

    def run(calls: int) -> float:
        clear()
        return loop(calls)

    return run


def _seen(make: Make, browser: Browser, key: str) -> Any:
    """What a handler sees under `key` in this browser's session; None where there is none."""
    seen: list[Any] = []
    browser.visit(make(lambda session: seen.append(session.get(key)), False))
    return seen[0]
