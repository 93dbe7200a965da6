"""Saying why: every reason code and every event is provoked once, on both fronts."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from sessfast import Read, Sent, SessionOptions
from sessfast.records import shorten
from sessfast.testing import FakeClock, FaultyStore, seed
from tests.fronts.clients import SECRET, io, nothing
from tests.fronts.spy import SpyStore
from tests.fronts.test_importing import Plain


async def read(session: Any) -> None:
    if session is not None:
        session.get("a")


async def write(session: Any) -> None:
    session["a"] = session.get("a", 0) + 1


async def destroy(session: Any) -> None:
    await io(session.destroy())


async def rotate(session: Any) -> None:
    await io(session.regenerate())


def setup(client: Any, **options: Any) -> tuple[Any, FaultyStore, str]:
    clock = FakeClock()
    store = FaultyStore(SpyStore(clock))
    here = client(clock, store=store, **options)
    return here, store, seed(here.middleware, {"a": 1})


def forged(cookie: str) -> str:
    return cookie[:-2] + ("AA" if cookie[-2:] != "AA" else "BB")


class Dead(SpyStore):
    """A store that says it is disconnected."""

    ready = False


def read_scenarios(client: Any) -> dict[Read, Any]:
    """A function for each reason of reading, that returns the client after the request."""
    def simple(**request: Any) -> Any:
        def run() -> Any:
            here, _, cookie = setup(client, **request.pop("options", {}))
            value = request.get("cookie", "{good}").format(good=cookie, forged=forged(cookie))
            given = {"handler": read, **request, "cookie": value}
            here.request(given.pop("handler"), **given)
            return here
        return run

    def outage(**options: Any) -> Any:
        def run() -> Any:
            here, store, cookie = setup(client, **options)
            here.request(read, cookie=cookie)
            store.down()
            here.request(read, cookie=cookie)
            return here
        return run

    def after(change: Any) -> Any:
        def run() -> Any:
            here, store, cookie = setup(client)
            change(here, store, cookie)
            here.request(read, cookie=cookie)
            return here
        return run

    def corrupt(here: Any, store: Any, cookie: str) -> None:
        key, record = next(iter(store.inner.all()))
        store.inner.update(key, b"{}", 1000, record[1])

    def not_ready() -> Any:
        with pytest.warns(UserWarning, match="secret"):
            preset = SessionOptions.express(secret="x", store=Dead(FakeClock()))
        here = client(preset=preset, secret=SECRET)
        here.request(nothing)
        return here

    def expire(here: Any, store: Any, cookie: str) -> None:
        for _ in range(13 * 3):
            here.clock.advance(19 * 60)
            key, record = next(iter(store.inner.all()))
            store.inner.touch(key, 1800)

    return {
        Read.UNTOUCHED: simple(handler=nothing),
        Read.LOADED: simple(),
        Read.IMPORTED: simple(
            cookie="connect.sid=plain.ann", options={"legacy": [Plain()], "until": inf}
        ),
        Read.NO_COOKIE: simple(cookie="other=1"),
        Read.BAD_SIGNATURE: simple(cookie="{forged}"),
        Read.MALFORMED: simple(cookie="connect.sid=j%3A1"),
        Read.DUPLICATE_COOKIE: simple(cookie="{good}; {good}", options={"duplicates": "reject"}),
        Read.INSECURE_CONNECTION: simple(options={"cookie": {"secure": True}}),
        Read.UNKNOWN_ID: after(lambda here, store, cookie: store.inner.clear()),
        Read.EXPIRED: after(expire),
        Read.SUPERSEDED: after(lambda here, store, cookie: here.request(rotate, cookie=cookie)),
        Read.UNDECODABLE: after(corrupt),
        Read.STORE_DOWN: outage(),
        Read.STALE: outage(on_outage="stale"),
        Read.STORE_NOT_READY: not_ready,
        Read.WRONG_PATH: simple(path="/b", options={"cookie": {"path": "/a"}}),
    }


@pytest.mark.parametrize("reason", list(Read), ids=[reason.value for reason in Read])
def test_every_reason_of_reading_is_given(client: Any, reason: Read) -> None:
    """One code per request, and every code has a request that gets it."""
    here = read_scenarios(client)[reason]()
    assert here.reasons[0] == reason.value


def sent_scenarios(client: Any) -> dict[Sent, Any]:
    """A function for each reason of sending, that returns the client after the request."""
    def one(handler: Any, known: bool = True, **options: Any) -> Any:
        def run() -> Any:
            fail = options.pop("fail", None)
            here, store, cookie = setup(client, **options)
            if fail:
                store.fail(fail)
            here.request(handler, cookie=cookie if known else None)
            return here
        return run

    def gone() -> Any:
        here, _, cookie = setup(client)

        async def slow(session: Any) -> None:
            session["a"] = 2
            handler, events = here.handler, here.events[:]
            here.request(destroy, cookie=cookie)
            here.handler = handler
            here.events[:] = events

        here.request(slow, cookie=cookie)
        return here

    def unset() -> Any:
        here, _, cookie = setup(client)
        inner = here.middleware.app

        def dropping(first: Any, *rest: Any) -> Any:
            first["sessfast.session" if "REQUEST_METHOD" in first else "session"] = None
            return inner(first, *rest)

        here.middleware.app = dropping
        here.request(nothing, cookie=cookie)
        return here

    async def renew(session: Any) -> None:
        session.cookie.max_age = 60

    return {
        Sent.NEW: one(write, known=False),
        Sent.ROTATED: one(rotate),
        Sent.ROLLING: one(nothing, rolling=True),
        Sent.REFRESHED: one(renew),
        Sent.CLEARED: one(destroy),
        Sent.UNCHANGED: one(read),
        Sent.UNINITIALIZED: one(read, known=False),
        Sent.INSECURE_CONNECTION: one(write, known=False, cookie={"secure": True}),
        Sent.BROWSER_SESSION: one(write),
        Sent.UNSET: unset,
        Sent.GONE: gone,
        Sent.FAILED: one(write, fail="update"),
        Sent.NOTHING: one(read, cookie={"path": "/elsewhere"}),
    }


RESPONSES = [reason for reason in Sent if reason is not Sent.TOO_LATE]  # told apart, below


@pytest.mark.parametrize("reason", RESPONSES, ids=[reason.value for reason in RESPONSES])
def test_every_reason_of_sending_is_given(client: Any, reason: Sent) -> None:
    """One code per response, and every code has a response that gets it."""
    here = sent_scenarios(client)[reason]()
    assert here.reasons[1] == reason.value


def test_a_session_that_begins_too_late_is_told(client: Any) -> None:
    """The headers had left when the app first wrote: the late_change event says so."""
    here, store, _ = setup(client)
    store.inner.calls.clear()

    class Late(list[bytes]):
        def __iter__(self) -> Any:
            held[0]["a"] = 1
            return iter([b"late"])

    held: list[Any] = []

    async def hold(session: Any) -> None:
        session.get("a")
        held.append(session)

    here.chunks = Late([b"x"])
    if here.front == "wsgi":
        inner = here.middleware.app
        here.chunks, late = [b"x"], here.chunks
        here.middleware.app = lambda environ, start: _then(inner, environ, start, late)
    here.request(hold)
    facts = [facts for event, facts in here.events if event == "late_change"]
    assert facts == [{"sid": "-", "sent": Sent.TOO_LATE.value}]
    assert store.inner.calls == []


def _then(inner: Any, environ: Any, start_response: Any, late: Any) -> Any:
    inner(environ, start_response)
    yield from late


def test_an_observer_that_fails_is_logged_and_hurts_nobody(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The response goes out; the log names the event."""
    def broken(event: str, facts: Any) -> None:
        raise KeyError(event)

    reply = client(observer=broken).request(write)
    assert (reply.status, reply.set_cookie is None) == (200, False)
    assert any("observer failed" in message for message in caplog.messages)


def test_events_carry_shortened_ids_alone(client: Any) -> None:
    """An observer's log is no place for credentials (R-72)."""
    here, _, cookie = setup(client)
    sid = cookie.partition("s%3A")[2].partition(".")[0]
    for handler in (read, write, rotate):
        here.request(handler, cookie=cookie)
        text = repr(here.events)
        assert sid not in text
        assert sid[5:] not in text


@pytest.mark.parametrize(
    ("sid", "shown"),
    [(None, "-"), ("", "-"), ("Zr5Aq1-bX_0123456789", "Zr5A…"), ("apple", "a…"),
     ("\r\n\x00é" + "x" * 20, "????…")],
)  # fmt: skip
def test_how_an_id_is_shortened(sid: str | None, shown: str) -> None:
    """Four characters of a long id, one of a short one, nothing unprintable."""
    assert shorten(sid) == shown
