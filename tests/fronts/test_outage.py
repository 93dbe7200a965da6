"""A store that fails: never a new id over a live one, never a cleared cookie, nothing lost."""

from __future__ import annotations

from typing import Any

import pytest

from sessfast import StoreError
from sessfast.testing import FakeClock, FaultyStore
from tests.fronts.clients import io, nothing
from tests.fronts.spy import SpyStore


async def write(session: Any) -> None:
    session["a"] = session.get("a", 0) + 1


async def read(session: Any) -> None:
    session.get("a")


async def destroy(session: Any) -> None:
    await io(session.destroy())


async def regenerate(session: Any) -> None:
    await io(session.regenerate())


def started(client: Any, **options: Any) -> tuple[Any, FaultyStore, str]:
    clock = FakeClock()
    store = FaultyStore(SpyStore(clock))
    here = client(clock, store=store, **options)
    cookie = here.request(write).cookie
    assert cookie is not None
    return here, store, cookie


def answer(here: Any, handler: Any, cookie: str | None) -> tuple[int, str | None]:
    """(status, Set-Cookie) of a request; an app that lets StoreError rise counts as answered."""
    reply = here.request(handler, cookie=cookie)
    return reply.status, reply.set_cookie


@pytest.mark.parametrize("handler", [write, read, destroy, regenerate])
def test_a_load_that_fails_is_a_503_and_the_cookie_stays(client: Any, handler: Any) -> None:
    """on_outage="raise": no new id, no cleared cookie; when the store is back, so is the data."""
    here, store, cookie = started(client)
    store.down()
    assert answer(here, handler, cookie) == (503, None)
    assert here.reasons == ("store-down", "failed")
    assert "outage" in here.names
    store.up()
    assert answer(here, write, cookie) == (200, None)
    assert here.reasons[0] == "loaded"


@pytest.mark.parametrize("handler", [destroy, regenerate])
@pytest.mark.parametrize("verb", ["update", "destroy"])
def test_a_logout_that_fails_is_not_reported_as_done(
    client: Any, handler: Any, verb: str
) -> None:
    """The request is a 503 and the session still there, to be tried again."""
    here, store, cookie = started(client)
    if (handler, verb) in [(destroy, "update"), (regenerate, "destroy")]:
        return
    store.fail(verb)
    assert answer(here, handler, cookie) == (503, None)
    here.request(read, cookie=cookie)
    assert here.reasons[0] == "loaded"


@pytest.mark.parametrize(("known", "verb"), [(False, "create"), (True, "update")])
def test_a_save_that_fails_is_a_503_without_a_cookie(client: Any, known: bool, verb: str) -> None:
    """A client never sees a response whose session isn't stored."""
    here, store, cookie = started(client)
    store.fail(verb)
    assert answer(here, write, cookie if known else None) == (503, None)
    found: list[int] = []

    async def look(session: Any) -> None:
        found.append(session["a"])

    here.request(look, cookie=cookie)
    assert found == [1]


def test_a_touch_that_fails_is_an_event_alone(client: Any) -> None:
    """The data is safe, so the response goes out; the next request tries again."""
    here, store, cookie = started(client)
    here.clock.advance(600)
    store.fail("touch")
    assert answer(here, read, cookie) == (200, None)
    assert "outage" in here.names
    here.request(read, cookie=cookie)
    assert "touched" in here.names


def test_an_untouched_session_does_not_care(client: Any) -> None:
    """No call is made for it, so no outage is seen."""
    here, store, cookie = started(client)
    store.down()
    assert answer(here, nothing, cookie) == (200, None)


def test_an_anonymous_session_reads_empty_and_refuses_to_be_written(client: Any) -> None:
    """on_outage="anonymous": pages work, a write is a 503: it could not be stored."""
    here, store, cookie = started(client, on_outage="anonymous")
    store.down()
    assert answer(here, read, cookie) == (200, None)
    assert here.reasons == ("store-down", "unchanged")
    assert answer(here, write, cookie) == (503, None)
    assert answer(here, destroy, cookie)[0] == 503


def test_a_stale_session_is_read_from_the_last_copy_for_a_while(client: Any) -> None:
    """on_outage="stale": this process's last copy serves reads for `stale_for` seconds."""
    here, store, cookie = started(client, on_outage="stale", stale_for=100)
    here.request(read, cookie=cookie)
    store.down()
    found: list[Any] = []

    async def look(session: Any) -> None:
        found.append(session.get("a"))

    assert answer(here, look, cookie) == (200, None)
    assert here.reasons == ("stale", "unchanged")
    assert answer(here, write, cookie) == (503, None)
    here.clock.advance(101)
    assert answer(here, look, cookie) == (200, None)
    assert here.reasons[0] == "store-down"
    assert found == [1, None]


def test_what_was_destroyed_is_not_served_stale(client: Any) -> None:
    """This process's own logouts are forgotten at once."""
    here, store, cookie = started(client, on_outage="stale")
    here.request(destroy, cookie=cookie)
    store.down()
    here.request(read, cookie=cookie)
    assert here.reasons[0] == "store-down"


def test_an_error_page_of_the_framework_becomes_a_503(client: Any) -> None:
    """A framework that turns our StoreError into its own 500 page keeps the page, not the code."""
    here, store, cookie = started(client)
    here.status = 500

    async def caught(session: Any) -> None:
        with pytest.raises(StoreError):
            session.get("a")

    store.down()
    reply = here.request(caught, cookie=cookie)
    assert (reply.status, reply.body, reply.all("retry-after")) == (503, b"ok", ["2"])


def test_an_app_may_handle_the_outage_itself(client: Any) -> None:
    """A page that the app renders on StoreError goes out as it is."""
    here, store, cookie = started(client)

    async def caught(session: Any) -> None:
        with pytest.raises(StoreError):
            session.get("a")

    store.down()
    assert answer(here, caught, cookie) == (200, None)


def test_a_record_that_cannot_be_read_starts_a_fresh_session(client: Any) -> None:
    """An event and a new session; never a 500 for ever, never the broken data."""
    here, store, cookie = started(client)
    key = next(iter(store.inner.all()))[0]
    record = store.inner.get(key)
    store.inner.update(key, b"\x80broken", 1000, record[1])
    reply = here.request(write, cookie=cookie)
    assert here.reasons == ("undecodable", "new")
    assert reply.cookie not in (None, cookie)


def test_a_record_under_another_key_is_refused(client: Any) -> None:
    """A store that answers with somebody else's record gives nobody a session (R-17)."""
    here, store, cookie = started(client)
    other = here.request(write).cookie
    keys = [key for key, _ in store.inner.all()]
    records = [store.inner.get(key) for key in keys]
    store.inner.update(keys[0], records[1][0], 1000, records[0][1])
    store.inner.update(keys[1], records[0][0], 1000, records[1][1])
    for swapped in (cookie, other):
        here.request(read, cookie=swapped)
        assert here.reasons[0] == "undecodable"
