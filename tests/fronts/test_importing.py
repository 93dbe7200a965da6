"""Old cookies become sessions of ours: once, and until a date. Readers of two made-up formats."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sessfast import MemoryStore, OptionsError, SessionOptions
from sessfast.drivers import Awaited
from sessfast.errors import DecodeError
from sessfast.importing import Search
from sessfast.testing import FakeClock
from tests.fronts.clients import SECRET, AsgiClient, WsgiClient, io, no_new, nothing
from tests.fronts.spy import SpyStore


class Plain:
    """The cookie `plain.<user>` holds a session; others are refused."""

    name = "plain"

    def read(self, value: str, now: float) -> dict[str, Any]:
        if not value.startswith("plain."):
            raise DecodeError("it doesn't begin with plain")
        data: dict[Any, Any] = {"user": value[6:], "list": [1]}
        odd: dict[str, dict[Any, Any]] = {"plain.set": {"a": {1}}, "plain.key": {1: 2}}
        if value == "plain.bug":
            raise RuntimeError(value)
        if value == "plain.large":
            data["text"] = "x" * 70_000
        return odd.get(value, data)


class Records:
    """The cookie `record.<key>` names a record of `kept`."""

    name = "records"
    blocking = False

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {"1": {"user": "ann", "list": [1]}}
        self.kept["2"] = DecodeError("a pickle")
        self.down = self.keeps = False
        self.before: Any = None
        self.meanwhile: Any = None

    def key(self, value: str, now: float) -> str:
        if not value.startswith("record."):
            raise DecodeError("it doesn't begin with record")
        return value[7:]

    def get(self, key: str) -> Any:
        if self.down:
            raise ConnectionError(key)
        if self.before:
            before, self.before = self.before, None
            before()
        found = self.kept.get(key)
        if isinstance(found, DecodeError):
            raise found
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return found

    def destroy(self, key: str) -> None:
        if self.keeps:
            raise ConnectionError(key)
        self.kept.pop(key, None)


class AwaitedRecords(Records):
    async def get(self, key: str) -> Any:
        return super().get(key)

    async def destroy(self, key: str) -> None:  # type: ignore[override]
        super().destroy(key)


class BlockingRecords(Records):
    blocking = True


def started(client: Any, reader: Any = None, **options: Any) -> tuple[Any, Any, SpyStore]:
    """A client whose middleware takes over sessions, the reader of records, and the store."""
    clock = FakeClock()
    reader = reader or Records()
    store = SpyStore(clock)
    options = {"store": store, "until": math.inf, **options}
    return client(clock, legacy=[Plain(), reader], **options), reader, store


async def read(session: Any) -> None:
    session.get("user")


async def count(session: Any) -> None:
    session["count"] = session.get("count", 0) + 1


async def log_out(session: Any) -> None:
    await io(session.destroy())


async def log_in(session: Any) -> None:
    await io(session.regenerate(keep=True))


def data_of(here: Any, cookie: str | None) -> dict[str, Any]:
    """What a request with this cookie finds in its session."""
    found: dict[str, Any] = {}

    async def look(session: Any) -> None:
        found.update(session.copy())

    here.request(look, cookie=cookie)
    return found


OLD = ["plain.ann", "record.1"]


@pytest.mark.parametrize("old", OLD)
def test_an_old_cookie_is_taken_over_and_replaced(client: Any, old: str) -> None:
    here, _, store = started(client)
    reply = here.request(read, cookie=f"connect.sid={old}")
    assert here.reasons[0] == "imported"
    assert {"format": "plain" if "plain" in old else "records"}.items() <= dict(
        next(facts for event, facts in here.events if event == "imported")
    ).items()
    assert reply.cookie is not None
    assert reply.cookie.startswith("connect.sid=s%3A")
    assert data_of(here, reply.cookie) == {"user": "ann", "list": [1]}
    assert here.reasons == ("loaded", "unchanged")
    assert store.length() == 1


@pytest.mark.parametrize("old", OLD)
def test_who_is_taken_over_is_not_new(client: Any, old: str) -> None:
    here, _, _ = started(client)
    seen = []

    async def look(session: Any) -> None:
        seen.append(session.is_new)

    here.request(look, cookie=f"connect.sid={old}")
    assert seen == [False]


@pytest.mark.parametrize("old", OLD)
def test_an_old_cookie_that_nobody_touches_costs_nothing(client: Any, old: str) -> None:
    here, reader, store = started(client)
    reply = here.request(nothing, cookie=f"connect.sid={old}")
    assert (reply.set_cookie, store.calls, list(reader.kept)) == (None, [], ["1", "2"])


def test_a_cookie_that_is_the_session_is_stored_only_with_its_response() -> None:
    """Where loading is awaited, it comes before the app: which may never look."""
    store = MemoryStore()
    here = AsgiClient(store=Awaited(store), legacy=[Plain()], until=math.inf)
    assert here.request(nothing, cookie="connect.sid=plain.ann").set_cookie is None
    assert store.length() == 0
    cookie = here.request(read, cookie="connect.sid=plain.ann").cookie
    assert data_of(here, cookie) == {"user": "ann", "list": [1]}


@pytest.mark.parametrize(
    ("value", "reasons"),
    {
        "other": ["it doesn't begin with plain", "it doesn't begin with record"],
        "plain.bug": ["RuntimeError", "it doesn't begin with record"],
        "plain.set": ["it can't be stored: session data at a: set is no JSON: store list(value)",
                      "it doesn't begin with record"],
        "plain.key": ["it is no dict of named values", "it doesn't begin with record"],
        "plain.large": ["it has 70037 bytes, max_session_bytes is 65536",
                        "it doesn't begin with record"],
        "record.2": ["it doesn't begin with plain", "a pickle"],
        "record.unknown": ["it doesn't begin with plain"],
    }.items(),
)  # fmt: skip
def test_what_no_reader_believes_is_a_fresh_session(
    client: Any, value: str, reasons: list[str]
) -> None:
    here, _, _ = started(client)
    reply = here.request(read, cookie=f"connect.sid={value}")
    told = [facts["reason"] for event, facts in here.events if event == "legacy_refused"]
    assert (reply.status, reply.set_cookie, here.reasons[0]) == (200, None, "malformed")
    assert [reason[:20] for reason in reasons] == [reason[:20] for reason in told]
    assert reasons == told or "set" in value


def test_a_cookie_of_ours_is_shown_to_no_reader(client: Any) -> None:
    here, _, _ = started(client)
    here.request(read, cookie="connect.sid=s%3Aplain.forged")
    assert here.names == ["forged"]


def test_an_old_record_is_deleted_once_ours_is_stored(client: Any) -> None:
    here, reader, _ = started(client)
    here.request(read, cookie="connect.sid=record.1")
    assert list(reader.kept) == ["2"]


def test_requests_side_by_side_share_the_session_that_was_brought_over(client: Any) -> None:
    """And so does a browser that never got the response with our cookie."""
    here, _, store = started(client)
    first = here.request(count, cookie="connect.sid=record.1").cookie
    second = here.request(count, cookie="connect.sid=record.1").cookie
    assert first == second
    assert data_of(here, second)["count"] == 2
    assert store.length() == 1


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_the_faster_of_two_imports_wins_and_both_changes_are_kept(
    client: Any, moment: str
) -> None:
    """Whether the other deletes the old record before we read it, or after."""
    here, reader, _ = started(client)
    other = client(here.clock, legacy=[reader], until=math.inf, store=here.middleware.setup.store)

    async def mark(session: Any) -> None:
        session["mark"] = True

    setattr(reader, moment, lambda: other.request(mark, cookie="connect.sid=record.1"))
    cookie = here.request(count, cookie="connect.sid=record.1").cookie
    assert data_of(here, cookie) == {"user": "ann", "list": [1], "mark": True, "count": 1}


@pytest.mark.parametrize("leave", [log_out, log_in])
@pytest.mark.parametrize("arrives", [True, False], ids=["cookie arrived", "response lost"])
def test_an_old_cookie_never_brings_back_what_has_ended(
    client: Any, leave: Any, arrives: bool
) -> None:
    """Logout and rotation win over the cookie of before."""
    here, _, _ = started(client)
    old = "connect.sid=record.1"
    cookie = here.request(read, cookie=old).cookie if arrives else old
    here.request(leave, cookie=cookie)
    assert data_of(here, old) == {}
    assert here.reasons[0] in {"malformed", "superseded"}


@pytest.mark.parametrize("old", OLD)
def test_a_logout_with_an_old_cookie_clears_it(client: Any, old: str) -> None:
    here, reader, store = started(client)
    reply = here.request(log_out, cookie=f"connect.sid={old}")
    assert "Max-Age=0" in str(reply.set_cookie)
    assert store.length() == 0
    assert "1" not in reader.kept or "plain" in old


def test_from_the_end_date_on_old_cookies_mean_nothing(client: Any) -> None:
    here, reader, _ = started(client, until=FakeClock()() + 100)
    here.clock.advance(100)
    for old in OLD:
        here.request(read, cookie=f"connect.sid={old}")
        assert (here.reasons[0], here.names) == ("malformed", ["forged"])
    assert list(reader.kept) == ["1", "2"]


def test_a_store_of_old_records_that_is_down_is_an_outage(client: Any) -> None:
    """No new session, and nothing lost."""
    here, reader, _ = started(client)
    reader.down = True
    reply = here.request(read, cookie="connect.sid=record.1")
    assert (reply.status, reply.set_cookie, here.reasons[0]) == (503, None, "store-down")
    reader.down = False
    assert data_of(here, "connect.sid=record.1")["user"] == "ann"


def test_an_old_record_that_can_not_be_deleted_is_an_event(client: Any) -> None:
    here, reader, _ = started(client)
    reader.keeps = True
    reply = here.request(read, cookie="connect.sid=record.1")
    assert (reply.status, here.names) == (200, ["outage", "imported"])


@pytest.mark.parametrize("kind", [AwaitedRecords, BlockingRecords])
@pytest.mark.parametrize("awaits", [False, True], ids=["memory", "awaited store"])
def test_readers_that_wait_keep_the_event_loop_free(kind: Any, awaits: bool) -> None:
    clock = FakeClock()
    store: Any = MemoryStore(clock=clock)
    reader = kind()
    here = AsgiClient(
        clock, store=Awaited(store) if awaits else store, legacy=[reader], until=math.inf
    )
    cookie = here.request(count, cookie="connect.sid=record.1").cookie
    assert data_of(here, cookie) == {"user": "ann", "list": [1], "count": 1}
    assert list(reader.kept) == ["2"]


def test_a_reader_that_is_awaited_is_refused_under_wsgi() -> None:
    with pytest.raises(OptionsError, match="the reader 'records' is async"):
        WsgiClient(legacy=[AwaitedRecords()], until=math.inf)


@pytest.mark.parametrize("old", OLD)
def test_taking_over_leaves_no_cycle_to_the_collector(client: Any, old: str) -> None:
    here, _, _ = started(client)
    here.request(read, cookie=f"connect.sid={old}")
    with no_new(Search):
        here.request(read, cookie=f"connect.sid={old}")


@pytest.mark.parametrize("codec", ["native", "express"])
@pytest.mark.parametrize("old", OLD)
def test_every_record_format_takes_sessions_over(client: Any, codec: str, old: str) -> None:
    here, _, _ = started(client, codec=codec)
    cookie = here.request(count, cookie=f"connect.sid={old}").cookie
    assert data_of(here, cookie) == {"user": "ann", "list": [1], "count": 1}


@pytest.mark.parametrize(
    ("keywords", "fault"),
    [
        ({"legacy": [Plain()]}, "legacy needs until="),
        ({"legacy": "plain", "until": math.inf}, "legacy must be a list"),
        ({"legacy": [7], "until": math.inf}, r"legacy\[0\] must be a name or a reader"),
        ({"legacy": [Plain()], "until": "soon"}, "until must be a date"),
        ({"legacy": [Plain()], "until": datetime(2027, 1, 1)}, "until must be a date"),  # noqa: DTZ001
    ],
)
def test_faults_of_the_options_name_their_fix(keywords: dict[str, Any], fault: str) -> None:
    with pytest.raises(OptionsError, match=fault):
        SessionOptions(secret=SECRET, **keywords)


def test_a_name_that_nobody_reads_is_a_fault(client: Any) -> None:
    with pytest.raises(OptionsError, match="legacy: nobody reads 'webob'"):
        client(legacy=["webob"], until=math.inf)


@pytest.mark.parametrize(
    "until",
    ["2027-03-31", "2027-03-31T00:00:00Z", date(2027, 3, 31), datetime(2027, 3, 31, tzinfo=UTC),
     1806451200, 1806451200.0],
)  # fmt: skip
def test_an_end_date_can_be_written_in_many_ways(client: Any, until: Any) -> None:
    here = client(legacy=[Plain()], until=until)
    assert here.middleware.rules.loading.imports.until == 1806451200.0
