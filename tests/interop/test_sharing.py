"""One session for Express and Python: the real packages on one side, our layouts on the other."""

from __future__ import annotations

import json
import re
import secrets
import time
from datetime import datetime
from typing import Any

import pytest
from werkzeug.test import Client

from sessfast import SessionOptions
from sessfast.express_text import stringify
from sessfast.wsgi import SessionMiddleware
from tests.interop.sides import MAX_AGE, SECRET, Answer, Browser, Pair

Sides = tuple[str, str]
PYTHON: Any = {"secret": SECRET, "resave": False, "save_uninitialized": False}
NEAR = 2.5  # seconds: whole ones, rounded here and cut there, and memcached's clock
DATE = re.compile(rb'"expires":"[^"]+"')
AGE = re.compile(rb'"originalMaxAge":[0-9]+')

PAYLOAD = {
    "text": "bób ☃ 𝄞 \u2028 \u007f \"quoted\" \\ / \x00 \x1f \t",
    "lone": "half a pair \ud83d",
    "deep": {"a": [{"b": [[[{"c": {"d": None}}]]]}], "empty": {}, "none": []},
    "10": "ten",
    "2": "two",
    "numbers": [0, 1, -1, 0.1, 1.5, 1e20, 1e21, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308,
                9007199254740991, 9007199254740993, -12345.678, 100.0, 123456789012345680000],
    "truth": [True, False, None],
    "date": "2023-11-14T22:13:20.123Z",
    "é": {"ключ": "значение", "鍵": "値"},
}  # fmt: skip


def undated(record: bytes | None) -> bytes:
    """A record whose cookie has no moment in it; Node's age may lack the ms it took to tell it."""
    assert record is not None
    return AGE.sub(b'"originalMaxAge":60000', DATE.sub(b'"expires":"then"', record))


def is_new(answer: Answer) -> bool:
    """Whether an answer shows a session with nothing in it."""
    return answer.data == {}


def near(expected: float, actual: float) -> bool:
    """Whether two moments or spans, in seconds, are as near as stores keep them."""
    return abs(expected - actual) < NEAR


# -- one session ---------------------------------------------------------------------------


def test_a_login_on_one_side_is_read_and_changed_on_the_other(pair: Pair, sides: Sides) -> None:
    """And back again."""
    one, other = sides
    browser = pair.browser()
    assert browser.ask(one, "set", user="bób").set_cookie is not None
    sid = browser.sid
    assert {"user": "bób"} == browser.ask(other).data
    assert browser.ask(other, "set", cart=[1, {"n": 2}], user="eve").set_cookie is None
    assert {"user": "eve", "cart": [1, {"n": 2}]} == browser.ask(one).data
    browser.ask(one, "drop", keys=["user"])
    assert {"cart": [1, {"n": 2}]} == browser.ask(other).data
    assert sid == browser.sid


@pytest.mark.parametrize("profile", ["plain", "aged"])
def test_the_same_session_is_stored_as_the_same_bytes(pair: Pair, profile: str) -> None:
    """By both sides, in a row, item or file of the same form, with the same end."""
    browsers = {side: pair.browser(profile) for side in pair.sides}
    for side, browser in browsers.items():
        browser.ask(side, "set", **PAYLOAD)
        browser.ask(side, "set", more=1.25)
    node, python = browsers["node"], browsers["python"]
    assert undated(node.raw) == undated(python.raw)
    assert pair.place.form(node.sid) == pair.place.form(python.sid)
    assert near(pair.place.end(node.sid), pair.place.end(python.sid))


def test_what_goes_through_the_other_side_is_not_changed(pair: Pair, sides: Sides) -> None:
    """Not an octet of a record that the other side has read and written again."""
    one, other = sides
    browser = pair.browser()
    browser.ask(one, "set", **PAYLOAD)
    before = browser.raw
    browser.ask(other, "set", more=1)
    assert before != browser.raw
    browser.ask(one, "set", more=2)
    browser.ask(other, "drop", keys=["more"])
    assert before == browser.raw


def test_both_sides_store_their_own_values_alike(pair: Pair) -> None:
    """Dates, NaN, octets, whole floats and -0, tuples: as JSON.stringify has them."""
    browsers = {side: pair.browser() for side in pair.sides}
    for side, browser in browsers.items():
        browser.ask(side, "native")
    assert browsers["node"].raw == browsers["python"].raw
    expected = {
        "date": "2023-11-14T22:13:20.123Z", "float": 1, "small": 1e-7, "large": 1e21,
        "negative": 0, "nothing": None, "buffer": {"type": "Buffer", "data": [104, 105]},
        "list": [1, [2.5]],
    }  # fmt: skip
    assert expected == browsers["node"].ask("python").data == browsers["python"].ask("node").data


def test_what_is_undefined_in_node_is_absent_in_python(pair: Pair) -> None:
    """And null in an array."""
    browser = pair.browser()
    browser.ask("node", "set", kept=1, gone=1)
    browser.ask("node", "undefine")
    assert {"kept": 1, "list": [None, None]} == browser.ask("python").data


def test_keys_that_neither_side_knows_survive(pair: Pair, sides: Sides) -> None:
    """In a record that some other program has written, whatever stands where."""
    one, other = sides
    browser = pair.browser()
    browser.ask(one, "set", user="bob")
    foreign = (
        b'{"passport":{"user":7},"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,'
        b'"path":"/","tomorrow":1},"flash":{"info":["\xc3\xa9"]},"v":1,"d":{},"k":"x"}'
    )
    sid = browser.sid
    browser.ask(one, "destroy")
    pair.place.put(sid, foreign)
    data = {"passport": {"user": 7}, "flash": {"info": ["é"]}, "v": 1, "d": {}, "k": "x"}
    assert data == browser.ask(other).data
    browser.ask(other, "set", user="bob")
    browser.ask(one, "set", user="eve")
    assert {**data, "user": "eve"} == pair.data(browser.raw) == browser.ask(other).data
    assert list(json.loads(foreign)) == list(json.loads(browser.raw or b""))[:-1]


# -- cookies -------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["rolling", "rolling_aged"])
def test_both_sides_send_the_same_cookie(pair: Pair, sides: Sides, profile: str) -> None:
    """The same octets for the same session, whoever has made it, but for the moment it ends."""
    one, other = sides
    browser = pair.browser(profile)
    first = browser.ask(one, "set", user="bob")
    answers = [first, browser.ask(other), browser.ask(one), browser.ask(other, "set", n=1)]
    texts = {re.sub("Expires=[^;]+", "Expires=then", str(each.set_cookie)) for each in answers}
    value = str(first.set_cookie).partition(";")[0]
    end = "; Expires=then" if profile == "rolling_aged" else ""
    assert {f"{value}; Path=/{end}; HttpOnly"} == texts


def test_a_cookie_with_another_signature_is_no_session(pair: Pair, sides: Sides) -> None:
    """One that was signed by nobody, on either side."""
    one, other = sides
    browser = pair.browser()
    browser.ask(one, "set", user="bob")
    assert browser.cookie is not None
    mac = browser.cookie.rpartition(".")[2]
    forged = browser.cookie.removesuffix(mac) + mac.swapcase()
    for side in sides:
        assert is_new(pair.browser(cookie=forged).ask(side))
    assert {"user": "bob"} == browser.ask(other).data


@pytest.mark.parametrize(
    ("signs", "reads", "accepted"),
    [
        ("plain", "rotating", True),  # a cookie from before, where the new secret has come
        ("rotating", "rotated", True),  # a new cookie, where the old secret has gone
        ("rotating", "rotating", True),
        ("rotating", "plain", False),  # so a secret must be known everywhere before it signs
        ("plain", "rotated", False),
    ],
)
def test_secrets_are_rotated_on_either_side(
    pair: Pair, sides: Sides, signs: str, reads: str, accepted: bool
) -> None:
    """The first one signs, all are accepted; the session is the same."""
    one, other = sides
    browser = pair.browser(signs)
    browser.ask(one, "set", user="bob")
    browser.profile = reads
    assert ({"user": "bob"} if accepted else {}) == browser.ask(other).data


def test_a_cookie_s_own_age_holds_on_the_other_side(pair: Pair, sides: Sides) -> None:
    """Set for one visitor: `maxAge` in ms, `originalMaxAge` in the record, seconds in Python.

    With a change of data: of the cookie alone neither side takes notice (in Node two stores do).
    """
    one, other = sides
    browser = pair.browser("aged")
    browser.ask(one, "set", user="bob")
    browser.ask(one, "age", seconds=900, n=1)
    cookie = json.loads(browser.raw or b"")["cookie"]
    assert 899_900 <= cookie["originalMaxAge"] <= 900_000
    answer = browser.ask(other, "set", n=2)
    assert near(900, answer.age or 0)
    assert near(time.time() + 900, answer.expires)
    assert near(time.time() + 900, pair.place.end(browser.sid))
    after = json.loads(browser.raw or b"")["cookie"]
    assert list(cookie) == list(after)
    assert 899_900 <= after["originalMaxAge"] <= 900_000
    browser.ask(other, "age", seconds=30, n=3)
    assert near(time.time() + 30, browser.ask(one, "set", n=4).expires)


# -- how long it lives ---------------------------------------------------------------------


def test_a_touch_moves_the_end_and_nothing_else(pair: Pair, sides: Sides) -> None:
    """A request that changes nothing, on either side, extends the life for both."""
    one, other = sides
    browser = pair.browser("aged")
    browser.ask(one, "set", **PAYLOAD)
    stored = browser.raw
    for side in (other, one):
        pair.place.live(browser.sid, 30)
        answer = browser.ask(side)
        assert answer.set_cookie is None
        assert near(time.time() + MAX_AGE, pair.place.end(browser.sid))
        assert undated(stored) == undated(browser.raw)


def test_both_sides_see_the_same_end(pair: Pair, sides: Sides) -> None:
    """Rolling: cookie, record and store say the same, whoever was asked last."""
    one, other = sides
    browser = pair.browser("rolling_aged")
    browser.ask(one, "set", user="bob")
    for side in (other, one, other):
        pair.place.live(browser.sid, 40)
        answer = browser.ask(side, "set", n=secrets.token_hex(2))
        end = pair.place.end(browser.sid)
        assert near(time.time() + MAX_AGE, end)
        assert near(answer.expires, end)
        assert near(answer.expires, stored_end(browser))
        seen = [browser.ask(each).left or 0 for each in sides]
        assert near(MAX_AGE, seen[0])
        assert near(MAX_AGE, seen[1])


def stored_end(browser: Browser) -> float:
    """The cookie's end in the record, epoch seconds."""
    text = json.loads(browser.raw or b"")["cookie"]["expires"]
    return datetime.fromisoformat(text).timestamp()


def test_a_session_whose_time_has_come_is_seen_by_neither(pair: Pair, sides: Sides) -> None:
    """Though Node or Python may not have removed it yet."""
    one, other = sides
    browser = pair.browser("aged")
    browser.ask(one, "set", user="bob")
    pair.place.live(browser.sid, -1.5)
    assert is_new(pair.browser("aged", browser.cookie).ask(other))
    assert is_new(pair.browser("aged", browser.cookie).ask(one))


def test_a_session_without_an_age_lives_as_long_as_its_store_says(pair: Pair, sides: Sides) -> None:
    """A day, or an hour in session-file-store; whoever wrote or looked last."""
    one, other = sides
    browser = pair.browser()
    browser.ask(one, "set", user="bob")
    for side in (one, other):
        browser.ask(side, "set", n=secrets.token_hex(2))
        assert near(time.time() + pair.idle, pair.place.end(browser.sid))


# -- its end, and others' ------------------------------------------------------------------


def test_a_new_id_on_one_side_ends_the_old_one_on_the_other(pair: Pair, sides: Sides) -> None:
    """Regenerated: the old cookie is worth nothing, the new one works on both sides."""
    one, other = sides
    browser = pair.browser()
    browser.ask(one, "set", user="guest")
    before = pair.browser(cookie=browser.cookie)
    assert browser.ask(other, "regenerate", user="bob").set_cookie is not None
    assert before.sid != browser.sid
    assert before.raw is None
    for side in sides:
        assert is_new(pair.browser(cookie=before.cookie).ask(side))
        assert {"user": "bob"} == browser.ask(side).data


@pytest.mark.parametrize(("profile", "action"), [("plain", "destroy"), ("unset", "unset")])
def test_a_session_that_one_side_ends_is_over(
    pair: Pair, sides: Sides, profile: str, action: str
) -> None:
    """Destroyed, or set to None under `unset="destroy"`; no cookie is sent for it."""
    one, other = sides
    browser = pair.browser(profile)
    browser.ask(one, "set", user="bob")
    cookie = browser.cookie
    assert browser.ask(other, action).set_cookie is None
    assert browser.raw is None
    for side in sides:
        assert is_new(pair.browser(profile, cookie).ask(side))
    assert browser.raw is None


def test_a_session_that_is_unset_is_kept_by_default(pair: Pair, sides: Sides) -> None:
    """`unset` is "keep": the other side still has it."""
    one, other = sides
    browser = pair.browser()
    browser.ask(one, "set", user="bob")
    browser.ask(other, "unset")
    assert {"user": "bob"} == browser.ask(one).data


@pytest.mark.parametrize(
    ("on_conflict", "action", "stored"),
    [
        ("merge", "set", {"user": "bob", "node": 1, "python": 1}),
        ("last", "set", {"user": "bob", "python": 1}),  # as between two requests of Node
        ("last", "destroy", None),
        ("last", "regenerate", None),
    ],
)
def test_what_node_does_while_python_is_at_work(
    pair: Pair, on_conflict: str, action: str, stored: Any
) -> None:
    """A change is a conflict, and is kept if we merge; what was ended is never brought back."""
    browser = pair.browser()
    browser.ask("node", "set", user="bob")
    other_tab = pair.browser(cookie=browser.cookie)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["sessfast.session"]["python"] = 1
        other_tab.ask("node", action, node=1)
        start_response("200 OK", [])
        return []

    options = SessionOptions.express(**PYTHON, on_conflict=on_conflict, store=pair.place.url)
    middleware = SessionMiddleware(app, options)
    try:
        headers = {"Cookie": str(browser.cookie)}
        assert 200 == Client(middleware, use_cookies=False).get("/", headers=headers).status_code
    finally:
        middleware.setup.store.close()
    assert stored == (None if stored is None else pair.data(browser.raw))
    assert (stored is None) == (browser.raw is None)


# -- options -------------------------------------------------------------------------------


def test_with_express_s_defaults_an_empty_session_is_shared(pair: Pair, sides: Sides) -> None:
    """`saveUninitialized` stores it, and `resave` stores it again with every request."""
    one, other = sides
    browser = pair.browser("defaults")
    assert browser.ask(one).set_cookie is not None
    empty = b'{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}}'
    assert empty == browser.raw
    for side in (other, one):
        pair.place.live(browser.sid, 30)
        answer = browser.ask(side)
        assert (None, {}) == (answer.set_cookie, answer.data)
        assert empty == browser.raw
        assert pair.place.end(browser.sid) > time.time() + 60
    assert {"n": 1} == browser.ask(other, "set", n=1).data == browser.ask(one).data


def test_without_them_a_session_nobody_wrote_to_is_no_session(pair: Pair) -> None:
    """`saveUninitialized: false` on both sides: no cookie."""
    for side in pair.sides:
        assert pair.browser().ask(side).set_cookie is None


def test_an_empty_session_that_had_data_is_still_one(pair: Pair, sides: Sides) -> None:
    """All keys deleted on one side: the other finds it, empty, and goes on with its id."""
    one, other = sides
    browser = pair.browser()
    browser.ask(one, "set", user="bob")
    browser.ask(one, "drop", keys=["user"])
    sid = browser.sid
    assert is_new(browser.ask(other))
    answer = browser.ask(other, "set", user="eve")
    assert (None, sid) == (answer.set_cookie, browser.sid)
    assert {"user": "eve"} == browser.ask(one).data


def test_the_payload_is_what_javascript_can_hold() -> None:
    """Or comparing it would prove nothing."""
    text = stringify(dict(PAYLOAD))
    again: Any = json.loads(text)
    assert text == stringify(again)
    assert 9007199254740992 == again["numbers"][12]
