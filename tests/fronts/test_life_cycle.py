"""The life of a session in the secure preset, through both fronts: one table, then the races."""

from __future__ import annotations

from typing import Any

import pytest

from sessfast import (
    ConflictError,
    EncodeError,
    HeadersSentError,
    SessionDestroyedError,
    SessionGoneError,
    SessionTooLargeError,
)
from sessfast.testing import FakeClock
from tests.fronts.clients import Handler, io, nothing
from tests.fronts.spy import SpyStore


async def read(session: Any) -> None:
    session.get("a")


async def write(session: Any) -> None:
    session["a"] = session.get("a", 0) + 1


async def nested(session: Any) -> None:
    session["list"].append(1)


async def read_nested(session: Any) -> None:
    len(session["list"])


async def clear(session: Any) -> None:
    session.clear()


async def destroy(session: Any) -> None:
    await io(session.destroy())


async def regenerate(session: Any) -> None:
    await io(session.regenerate())


async def regenerate_and_keep(session: Any) -> None:
    await io(session.regenerate(keep=True))


async def save(session: Any) -> None:
    session["a"] = 1
    await io(session.save())


async def touch(session: Any) -> None:
    await io(session.touch())


async def write_and_take_back(session: Any) -> None:
    session["b"] = 1
    del session["b"]


async def longer(session: Any) -> None:
    session.cookie.max_age = 3600


NEW, NO = "new", None
CASES: list[tuple[str, bool, Handler, list[str], str | None, tuple[str, str]]] = [
    # name                     known  handler        store calls              cookie  reasons
    ("no cookie, untouched", False, nothing, [], NO, ("untouched", "unchanged")),
    ("no cookie, read", False, read, [], NO, ("no-cookie", "uninitialized")),
    ("no cookie, first value", False, write, ["create"], NEW, ("no-cookie", "new")),
    ("no cookie, written, taken back", False, write_and_take_back, [], NO,
     ("no-cookie", "uninitialized")),
    ("no cookie, cleared", False, clear, [], NO, ("no-cookie", "uninitialized")),
    ("no cookie, destroyed", False, destroy, [], NO, ("no-cookie", "cleared")),
    ("no cookie, regenerated", False, regenerate, ["create"], NEW, ("no-cookie", "rotated")),
    ("no cookie, saved", False, save, ["create"], NEW, ("no-cookie", "new")),
    ("no cookie, touched", False, touch, [], NO, ("no-cookie", "uninitialized")),
    ("known, untouched", True, nothing, [], NO, ("untouched", "unchanged")),
    ("known, read", True, read, ["get"], NO, ("loaded", "unchanged")),
    ("known, list read", True, read_nested, ["get"], NO, ("loaded", "unchanged")),
    ("known, written", True, write, ["get", "update"], NO, ("loaded", "browser-session")),
    ("known, nested change", True, nested, ["get", "update"], NO, ("loaded", "browser-session")),
    ("known, written, taken back", True, write_and_take_back, ["get"], NO,
     ("loaded", "unchanged")),
    ("known, cleared", True, clear, ["get", "update"], NO, ("loaded", "browser-session")),
    ("known, destroyed", True, destroy, ["get", "destroy"], "cleared", ("loaded", "cleared")),
    ("known, regenerated", True, regenerate, ["get", "update", "create"], NEW,
     ("loaded", "rotated")),
    ("known, regenerated and kept", True, regenerate_and_keep, ["get", "update", "create"], NEW,
     ("loaded", "rotated")),
    ("known, touched", True, touch, ["get", "touch"], NO, ("loaded", "unchanged")),
    ("known, longer cookie", True, longer, ["get", "update"], "same", ("loaded", "refreshed")),
]  # fmt: skip


EMPTIED: list[tuple[str, bool, Handler, list[str], str | None, tuple[str, str]]] = [
    ("cleared", True, clear, ["get", "destroy"], "cleared", ("loaded", "cleared")),
    ("read", True, read, ["get"], NO, ("loaded", "unchanged")),
    ("never had any", False, write_and_take_back, [], NO, ("no-cookie", "uninitialized")),
    ("destroyed", True, destroy, ["get", "destroy"], "cleared", ("loaded", "cleared")),
]


async def begin(session: Any) -> None:
    session.update({"a": 1, "list": [1], "user": "bób"})


def started(client: Any, **options: Any) -> tuple[Any, SpyStore, str]:
    """A client, its store, and the cookie of a session with some data."""
    clock = FakeClock()
    store = SpyStore(clock)
    here = client(clock, store=store, **options)
    cookie = here.request(begin).cookie
    assert cookie is not None
    store.calls.clear()
    return here, store, cookie


def contents(here: Any, cookie: str | None) -> dict[str, Any] | None:
    """What an app finds in the session of this cookie; None if it is no session."""
    found: list[dict[str, Any] | None] = []

    async def look(session: Any) -> None:
        found.append(None if session.is_new else dict(session))

    here.request(look, cookie=cookie)
    return found[0]


@pytest.mark.parametrize(
    ("case", "emptied"),
    [*((case, "keep") for case in CASES), *((case, "destroy") for case in EMPTIED)],
    ids=[case[0] for case in CASES] + [f"destroy the emptied: {case[0]}" for case in EMPTIED],
)
def test_what_a_request_costs_and_sends(client: Any, case: Any, emptied: str) -> None:
    """Each kind of use makes exactly these store calls, this cookie, these two reasons."""
    _, known, handler, calls, cookie, reasons = case
    here, store, known_cookie = started(client, emptied=emptied)
    reply = here.request(handler, cookie=known_cookie if known else None)

    assert calls == store.calls
    assert reasons == here.reasons
    if cookie is None:
        assert reply.set_cookie is None
    elif cookie == "cleared":
        assert reply.set_cookie == (
            "connect.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; "
            "HttpOnly; SameSite=Lax"
        )
    else:
        assert (cookie == "same") == (reply.cookie == known_cookie)


def test_any_access_sends_vary_and_none_does_not(client: Any) -> None:
    """A shared cache must know that a response depended on the cookie (R-55)."""
    here, _, cookie = started(client)
    for handler in (read, write, nested, destroy):
        assert here.request(handler, cookie=cookie).all("vary") == ["Cookie"]
    assert here.request(nothing, cookie=cookie).all("vary") == []


def test_our_cookie_is_never_cached(client: Any) -> None:
    """A response that sets the session cookie says no-store; the app's public is dropped."""
    here, _, _ = started(client)
    here.headers = [("cache-control", "public, max-age=60"), ("vary", "Accept, cookie")]
    reply = here.request(write)
    assert reply.all("cache-control") == ["max-age=60, no-store"]
    assert reply.all("vary") == ["Accept, cookie"]


def test_a_counter_survives_requests(client: Any) -> None:
    """What one request writes, the next one reads."""
    here, _, cookie = started(client)
    for _ in range(3):
        here.request(write, cookie=cookie)
    assert contents(here, cookie) == {"a": 4, "list": [1], "user": "bób"}


def test_the_old_id_is_dead_after_regenerate(client: Any) -> None:
    """The session lives under the new cookie alone, with its data only where it was kept."""
    here, _, cookie = started(client)
    kept = here.request(regenerate_and_keep, cookie=cookie).cookie
    assert contents(here, cookie) is None
    assert here.reasons == ("superseded", "uninitialized")
    assert contents(here, kept) == {"a": 1, "list": [1], "user": "bób"}
    dropped = here.request(regenerate, cookie=kept).cookie
    assert contents(here, kept) is None
    assert contents(here, dropped) == {}


def interleave(here: Any, cookie: str, slow: Handler, quick: Handler) -> Any:
    """The reply of a slow request, during which a quick one begins and ends."""
    async def both(session: Any) -> None:
        await slow(session)
        handler, events = here.handler, here.events[:]
        here.request(quick, cookie=cookie)
        here.handler = handler
        here.events[:] = events

    return here.request(both, cookie=cookie)


async def other_key(session: Any) -> None:
    session["other"] = "kept"


async def drop_list(session: Any) -> None:
    del session["list"]


def test_two_requests_that_change_different_keys_both_keep_them(client: Any) -> None:
    """The default on_conflict="merge": nothing is lost, deletions count as changes."""
    here, _, cookie = started(client)
    interleave(here, cookie, slow=drop_list, quick=other_key)
    assert "conflict" in here.names
    assert contents(here, cookie) == {"a": 1, "user": "bób", "other": "kept"}


def test_true_over_one_is_a_change_that_merges(client: Any) -> None:
    """Equality is that of the stored bytes: for Python, True == 1."""
    async def to_true(session: Any) -> None:
        session["a"] = True

    here, _, cookie = started(client)
    interleave(here, cookie, slow=to_true, quick=other_key)
    found = contents(here, cookie)
    assert found is not None
    assert found["a"] is True


def test_last_write_wins_where_asked(client: Any) -> None:
    """on_conflict="last" is express's behaviour: the whole session is overwritten."""
    here, _, cookie = started(client, on_conflict="last")
    interleave(here, cookie, slow=write, quick=other_key)
    assert contents(here, cookie) == {"a": 2, "list": [1], "user": "bób"}


def test_a_conflict_is_refused_where_asked(client: Any) -> None:
    """on_conflict="reject": 409, no cookie, and the first writer's data stands."""
    here, _, cookie = started(client, on_conflict="reject")
    reply = interleave(here, cookie, slow=write, quick=other_key)
    assert (409, None) == (reply.status, reply.set_cookie)
    assert contents(here, cookie) == {"a": 1, "list": [1], "user": "bób", "other": "kept"}
    assert ConflictError.__mro__[1].__name__ == "SessfastError"


def test_logout_wins_over_a_slow_save(client: Any) -> None:
    """A destroyed session never comes back; the slow response clears its dead cookie."""
    here, _, cookie = started(client)
    reply = interleave(here, cookie, slow=write, quick=destroy)
    assert "gone" in here.names
    assert here.reasons[1] == "gone"
    assert "Max-Age=0" in reply.set_cookie
    assert contents(here, cookie) is None


def test_a_slow_request_leaves_the_new_cookie_alone(client: Any) -> None:
    """After a rotation the browser may hold the new id already: a slow save clears nothing."""
    here, _, cookie = started(client)
    reply = interleave(here, cookie, slow=write, quick=regenerate_and_keep)
    assert "gone" in here.names
    assert reply.set_cookie is None


def test_logout_wins_over_a_rotation(client: Any) -> None:
    """regenerate(keep=True) of a session that was destroyed meanwhile carries nothing over."""
    here, _, cookie = started(client)

    async def late_rotation(session: Any) -> None:
        session.get("a")
        handler, events = here.handler, here.events[:]
        here.request(destroy, cookie=cookie)
        here.handler = handler
        here.events[:] = events
        await io(session.regenerate(keep=True))

    renewed = here.request(late_rotation, cookie=cookie).cookie
    assert contents(here, renewed) == {}


def test_a_write_after_destroy_is_refused(client: Any) -> None:
    """The error names the way out; regenerate() begins a new session."""
    here, _, cookie = started(client)

    async def write_again(session: Any) -> None:
        await io(session.destroy())
        assert dict(session) == {}
        with pytest.raises(SessionDestroyedError, match="regenerate"):
            session["a"] = 1
        await io(session.regenerate())
        session["a"] = 2

    renewed = here.request(write_again, cookie=cookie).cookie
    assert contents(here, cookie) is None
    assert contents(here, renewed) == {"a": 2}


def test_reload_takes_what_the_store_holds(client: Any) -> None:
    """Unsaved changes are gone after it; a session that is gone raises."""
    here, store, cookie = started(client)

    async def change_and_reload(session: Any) -> None:
        session["a"] = 99
        await io(session.reload())
        assert session["a"] == 1
        store.clear()
        with pytest.raises(SessionGoneError):
            await io(session.reload())

    here.request(change_and_reload, cookie=cookie)


def test_an_explicit_save_is_not_repeated(client: Any) -> None:
    """What was saved by hand is not written again when the response starts (R-13)."""
    here, store, cookie = started(client)

    async def twice(session: Any) -> None:
        session["a"] = 2
        await io(session.save())

    here.request(twice, cookie=cookie)
    assert store.calls == ["get", "update"]


async def unencodable(session: Any) -> None:
    session["cart"] = [1, {"when": object()}]


def test_data_that_cannot_be_stored_is_named_before_headers(client: Any) -> None:
    """EncodeError names the key path; what was stored stays."""
    here, store, cookie = started(client)
    with pytest.raises(EncodeError, match=r"cart\[1\]\.when"):
        here.request(unencodable, cookie=cookie)
    assert contents(here, cookie) == {"a": 1, "list": [1], "user": "bób"}


def test_a_session_beyond_its_limit_is_refused(client: Any) -> None:
    """SessionTooLargeError names both sizes; what was stored stays (R-64)."""
    async def grow(session: Any) -> None:
        session["big"] = "x" * 70_000

    here, _, cookie = started(client)
    with pytest.raises(SessionTooLargeError, match="65536"):
        here.request(grow, cookie=cookie)
    assert contents(here, cookie) == {"a": 1, "list": [1], "user": "bób"}


def test_an_idle_session_ends_and_a_used_one_lives(client: Any) -> None:
    """30 minutes without use end it; a read extends it, at most every tenth of that."""
    here, store, cookie = started(client)
    for _ in range(5):
        here.clock.advance(20 * 60)
        store.calls.clear()
        here.request(read, cookie=cookie)
        assert store.calls == ["get", "touch"]
    here.clock.advance(60)
    store.calls.clear()
    here.request(read, cookie=cookie)
    assert store.calls == ["get"]
    here.clock.advance(31 * 60)
    assert contents(here, cookie) is None
    assert here.reasons[0] == "unknown-id"


def test_no_use_extends_a_session_beyond_its_absolute_end(client: Any) -> None:
    """12 hours after it began it is over, whoever uses it; rotation does not reset that."""
    here, _, cookie = started(client)
    for hour in range(23):
        here.clock.advance(29 * 60)
        if hour == 10:
            cookie = here.request(regenerate_and_keep, cookie=cookie).cookie
        assert contents(here, cookie) is not None
    for _ in range(3):
        here.clock.advance(29 * 60)
        contents(here, cookie)
    assert contents(here, cookie) is None


def test_a_persistent_cookie_is_renewed_as_its_record_is(client: Any) -> None:
    """Browser and store never drift apart: the cookie goes out when the record is extended."""
    here, _, cookie = started(client, cookie={"max_age": 1000})
    here.clock.advance(50)
    assert here.request(read, cookie=cookie).set_cookie is None
    here.clock.advance(60)
    reply = here.request(read, cookie=cookie)
    assert "Max-Age=1000" in reply.set_cookie
    assert here.reasons == ("loaded", "refreshed")


def test_max_age_counts_down_and_starts_again(client: Any) -> None:
    """session.cookie.max_age is what is left; touch() resets it to the original."""
    here, _, cookie = started(client, cookie={"max_age": 1000})
    here.clock.advance(50)
    seen: list[Any] = []

    async def look(session: Any) -> None:
        seen.append((session.cookie.max_age, session.cookie.original_max_age))
        await io(session.touch())
        seen.append(session.cookie.max_age)

    here.request(look, cookie=cookie)
    assert seen == [(950.0, 1000.0), 1000.0]


def test_a_lifetime_set_for_one_visitor_is_kept(client: Any) -> None:
    """remember-me: max_age assigned once holds for this session from then on."""
    here, store, cookie = started(client)
    reply = here.request(longer, cookie=cookie)
    assert "Max-Age=3600" in reply.set_cookie
    here.clock.advance(3000)
    reply = here.request(read, cookie=cookie)
    assert "Max-Age=3600" in reply.set_cookie
    here.clock.advance(3599)
    assert contents(here, cookie) is not None


def test_a_secure_cookie_does_not_travel_over_http(client: Any) -> None:
    """secure=True on http: no cookie, nothing stored, and the reason says so."""
    here, store, _ = started(client)
    strict = client(here.clock, store=store, cookie={"secure": True})
    assert strict.request(write).set_cookie is None
    assert strict.reasons == ("insecure-connection", "insecure-connection")
    assert store.calls == []
    sent = strict.request(write, scheme="https")
    assert "; Secure" in sent.set_cookie
    assert strict.request(read, cookie=sent.cookie).set_cookie is None
    assert strict.reasons[0] == "insecure-connection"


@pytest.mark.parametrize(
    ("proxy", "forwarded", "secure"),
    [
        (None, "https", False), (False, "https", False), (True, "https", True),
        (True, "HTTPS", True), (True, "https, http", True), (True, "http, https", False),
        (True, "on", False), (True, "", False), (1, "http, https", True),
        (1, "https, http", False), (2, "https, http", True), (2, "https", False),
    ],
)  # fmt: skip
def test_whom_to_believe_about_https(
    client: Any, proxy: Any, forwarded: str, secure: bool
) -> None:
    """X-Forwarded-Proto counts only as far as `proxy` says; from the right where it is a number."""
    here = client(proxy=proxy)
    reply = here.request(write, headers=[("x-forwarded-proto", forwarded)])
    assert secure == ("; Secure" in reply.set_cookie)
    assert "; Secure" in here.request(write, scheme="https").set_cookie


PATHS = [
    ("/", "/x", True), ("/foo", "/foo", True), ("/foo", "/foo/bar", True),
    ("/foo", "/foobar", False), ("/foo", "/FOO", False), ("/foo/", "/foo", False),
    ("/foo/", "/foo/x", True), ("/foo", "//foo", False), ("/foo", "", False),
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "path", "covered"), PATHS)
def test_a_request_outside_the_cookie_path_has_no_session(
    client: Any, prefix: str, path: str, covered: bool
) -> None:
    """RFC 6265 path matching; the reason is wrong-path."""
    found: list[bool] = []

    async def look(session: Any) -> None:
        found.append(session is not None)

    here = client(cookie={"path": prefix})
    here.request(look, path=path)
    assert found == [covered]
    assert (here.reasons == ("wrong-path", "nothing")) is not covered


def test_a_secret_that_was_rotated_still_verifies_and_is_renewed(client: Any) -> None:
    """The first secret signs, all verify; a cookie by an old one is sent again by the first."""
    old, new = "an old secret of 32 bytes or more: 8Kq", "a new secret of 32 bytes or more: Zx1"
    here, store, cookie = started(client, secret=old)
    both = client(here.clock, store=store, secret=[new, old])
    renewed = both.request(read, cookie=cookie)
    assert both.reasons == ("loaded", "refreshed")
    only_new = client(here.clock, store=store, secret=new)
    assert contents(only_new, cookie) is None
    assert only_new.reasons[0] == "bad-signature"
    assert contents(only_new, renewed.cookie) is not None


def test_a_tossed_cookie_does_not_hide_the_real_one(client: Any) -> None:
    """Garbage, forged and unknown ids before ours are passed over, up to four candidates."""
    here, _, cookie = started(client)
    unknown = client().request(write).cookie
    forged = cookie[:-3] + "AAA"
    for tossed in ("connect.sid=junk", forged, unknown, "connect.sid="):
        assert contents(here, f"{tossed}; {cookie}") is not None, tossed
    assert "duplicate_cookie" in here.names
    assert contents(here, "; ".join(["connect.sid=x"] * 4 + [cookie])) is None


def test_duplicates_are_refused_where_asked(client: Any) -> None:
    """duplicates="reject": two cookies of our name are no session."""
    here, _, cookie = started(client, duplicates="reject")
    assert contents(here, f"connect.sid=junk; {cookie}") is None
    assert here.reasons[0] == "duplicate-cookie"
    assert contents(here, cookie) is not None


def test_cookies_of_another_name_do_not_verify(client: Any) -> None:
    """The MAC key is bound to the cookie's name (R-25)."""
    here, store, cookie = started(client, name="a.sid")
    other = client(here.clock, store=store, name="b.sid")
    assert contents(other, cookie.replace("a.sid", "b.sid")) is None
    assert other.reasons[0] == "bad-signature"


def test_the_store_never_sees_an_id(client: Any) -> None:
    """A leaked store yields no cookie: its keys are hashes (R-22)."""
    here, store, cookie = started(client)
    sid = cookie.partition("=s%3A")[2].partition(".")[0]
    held = [(key, bytes(record[0])) for key, record in store.all()]
    assert len(held) == 1
    assert sid not in held[0][0]
    assert sid.encode() not in held[0][1]


def test_an_unset_session_is_destroyed_or_kept(client: Any) -> None:
    """unset="destroy" deletes the record of a session the app set to None; "keep" keeps it."""
    for unset, alive in (("keep", True), ("destroy", False)):
        here, _, cookie = started(client, unset=unset)
        middleware = here.middleware
        inner = middleware.app

        def dropping(first: Any, *rest: Any, inner: Any = inner, key: Any = None) -> Any:
            first["sessfast.session" if "REQUEST_METHOD" in first else "session"] = None
            return inner(first, *rest)

        middleware.app = dropping
        here.request(nothing, cookie=cookie)
        assert here.reasons[1] == "unset"
        middleware.app = inner
        assert alive is (contents(here, cookie) is not None)


def test_a_plain_dict_in_the_session_s_place_is_taken_over(client: Any) -> None:
    """environ["sessfast.session"] = {...} replaces the data; it isn't silently lost."""
    here, _, cookie = started(client)
    inner = here.middleware.app

    def replacing(first: Any, *rest: Any) -> Any:
        first["sessfast.session" if "REQUEST_METHOD" in first else "session"] = {"other": [1]}
        return inner(first, *rest)

    here.middleware.app = replacing
    here.request(nothing, cookie=cookie)
    fresh = here.request(nothing).cookie
    here.middleware.app = inner
    assert [contents(here, cookie), contents(here, fresh)] == [{"other": [1]}, {"other": [1]}]


def test_regenerate_after_the_headers_is_refused(client: Any) -> None:
    """No new cookie can reach the browser then: the error says so."""
    here, _, cookie = started(client)
    held: list[Any] = []

    async def hold(session: Any) -> None:
        session.get("a")
        held.append(session)

    here.request(hold, cookie=cookie)

    async def again(session: Any) -> None:
        with pytest.raises(HeadersSentError):
            await io(held[0].regenerate())

    here.request(again)


def test_a_request_with_a_superseded_cookie_never_replaces_the_new_one(client: Any) -> None:
    """A poll that runs beside a login still holds the old id: what it writes goes nowhere."""
    here, store, cookie = started(client)
    here.request(regenerate_and_keep, cookie=cookie)
    store.calls.clear()
    reply = here.request(write, cookie=cookie)
    assert (reply.set_cookie, store.calls) == (None, ["get"])
    assert here.reasons == ("superseded", "gone")

    async def save_it(session: Any) -> None:
        session["a"] = 1
        with pytest.raises(SessionGoneError, match="new id"):
            await io(session.save())

    here.request(save_it, cookie=cookie)
    assert here.request(regenerate, cookie=cookie).set_cookie is not None


def test_an_absolute_expires_option_ends_record_and_cookie(client: Any) -> None:
    """cookie.expires as an option: one moment for every session, however often it is used."""
    clock = FakeClock()
    here = client(clock, store=SpyStore(clock), cookie={"expires": clock() + 5000})
    first = here.request(begin)
    assert "Max-Age=5000" in first.set_cookie
    clock.advance(4999)
    assert contents(here, first.cookie) is not None
    clock.advance(2)
    assert contents(here, first.cookie) is None


def test_is_new_speaks_of_the_request(client: Any) -> None:
    """It doesn't change when the session is stored."""
    seen: list[bool] = []

    async def look(session: Any) -> None:
        session["a"] = 1
        await io(session.save())
        seen.append(session.is_new)

    here, _, cookie = started(client)
    here.request(look)
    here.request(look, cookie=cookie)
    assert seen == [True, False]
