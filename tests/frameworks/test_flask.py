"""Sessfast in a Flask app: in process, with a clock of its own. What incumbents do is elsewhere."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import pytest
from flask import request
from flask.sessions import session_json_serializer
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from sessfast import MemoryStore, OptionsError
from sessfast.errors import DecodeError, EncodeError, StoreError
from sessfast.frameworks.flask import FlaskSession, Sessfast, Session, SessionInterface
from sessfast.frameworks.flask_serializers import flask_serializer, flask_session_serializer
from sessfast.frameworks.tagged import TaggedCodec
from sessfast.meta import Meta
from sessfast.testing import FakeClock, FaultyStore

session: Any = flask.session
SECRET = "a secret of the tests, long enough for all: 7Zq-"
START = 1_800_000_000.0
LIFETIME = 31 * 86400
Handler = Callable[[], Any]


class Kept(MemoryStore):
    """A store that remembers what it was asked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock=clock)
        self.asked: list[str] = []

    def get(self, sid: str) -> Any:
        self.asked.append("get")
        return super().get(sid)

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        self.asked.append("create")
        return super().create(sid, blob, ttl)

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        self.asked.append("update")
        return super().update(sid, blob, ttl, version)

    def touch(self, sid: str, ttl: float) -> bool:
        self.asked.append("touch")
        return super().touch(sid, ttl)

    def destroy(self, sid: str) -> None:
        self.asked.append("destroy")
        super().destroy(sid)


class Site:
    """A Flask app whose one view does what the test says, and a browser."""

    def __init__(self, config: dict[str, Any] | None = None, **options: Any) -> None:
        self.clock = FakeClock(START)
        self.events: list[tuple[str, Any]] = []
        self.store = options.setdefault("store", Kept(self.clock))
        options.setdefault("observer", lambda event, facts: self.events.append((event, facts)))
        self.app = flask.Flask("site")
        self.app.config.update({"SECRET_KEY": SECRET, "TESTING": True, **(config or {})})
        Sessfast(self.app, clock=self.clock, **options)
        self.app.add_url_rule("/", "view", self.answer)
        self.browser = self.app.test_client()
        self.handler: Handler = lambda: ""

    def answer(self) -> Any:
        return self.handler()

    def visit(self, handler: Handler, **more: Any) -> Any:
        """The response to a request whose view does `handler`."""

        def view() -> Any:
            answer = handler()
            return answer if isinstance(answer, str | flask.Response) else ""

        self.handler = view
        if hasattr(self.store, "asked"):
            self.store.asked.clear()
        self.events.clear()
        if "Cookie" in more.get("headers", ()):
            return self.app.test_client(use_cookies=False).get("/", **more)
        return self.browser.get("/", **more)

    def seen(self, **more: Any) -> dict[str, Any]:
        """The session's data, as a view finds it."""
        found: list[Any] = []
        self.visit(lambda: found.append(dict(session)), **more)
        data: dict[str, Any] = found[0]
        return data

    def told(self) -> list[str]:
        return [event for event, _ in self.events if event != "request"]


def put(**data: Any) -> Handler:
    return lambda: session.update(data)


def put_permanent(value: bool) -> Any:
    session.permanent = value


def clear() -> None:
    session.clear()


def mark(value: bool) -> Any:
    session.modified = value


def cookies(response: Any) -> list[str]:
    return list(response.headers.getlist("Set-Cookie"))


def attributes(response: Any) -> set[str]:
    """The attributes of the one cookie that a response sets."""
    [cookie] = cookies(response)
    return {part.strip() for part in cookie.split(";")[1:]}


# -- what a request costs, and what it stores --------------------------------------------------

LIVES = [  # the session before, the view, the store calls, whether a cookie and Vary are sent
    ("untouched, no session", None, lambda: None, [], False, False),
    ("untouched", {"n": 1}, lambda: None, [], False, False),
    ("read, no session", None, lambda: session.get("n"), [], False, True),
    ("read", {"n": 1}, lambda: session["n"], ["get"], False, True),
    ("asked whether it is new", {"n": 1}, lambda: session.new, ["get"], False, True),
    ("asked what needs no data", {"n": 1}, lambda: session.modified, [], False, True),
    ("first value", None, put(n=1), ["create"], True, True),
    ("same value", {"n": 1}, put(n=1), ["get"], False, True),
    ("another value", {"n": 1}, put(n=2), ["get", "update"], False, True),
    ("nested read", {"l": [1]}, lambda: session["l"], ["get"], False, True),
    ("nested change", {"l": [1]}, lambda: session["l"].append(2), ["get", "update"], False, True),
    ("cleared", {"n": 1}, clear, ["get", "destroy"], True, True),
    ("emptied", {"n": 1}, lambda: session.pop("n"), ["get", "destroy"], True, True),
    ("cleared, no session", None, clear, [], False, True),
    ("permanent alone", None, lambda: put_permanent(True), [], False, True),
    ("emptied but for permanent", {"_permanent": True, "n": 1}, lambda: session.pop("n"),
     ["get", "destroy"], True, True),
    ("begun anew", {"n": 1}, lambda: (session.clear(), session.update(u=2)),
     ["get", "update", "create"], True, True),
    ("regenerated", {"n": 1}, lambda: session.regenerate(keep=True),
     ["get", "update", "create"], True, True),
    ("marked as modified", {"n": 1}, lambda: mark(True),
     ["get"], False, True),
]  # fmt: skip


@pytest.mark.parametrize(("given", "handler", "asked", "sent", "vary"),
                         [row[1:] for row in LIVES], ids=[row[0] for row in LIVES])  # fmt: skip
def test_a_request_costs_what_it_needs(
    given: Any, handler: Handler, asked: list[str], sent: bool, vary: bool
) -> None:
    site = Site(observer=None)
    if given is not None:
        site.visit(put(**given))
    response = site.visit(handler)
    assert response.status_code == 200
    assert site.store.asked == asked
    assert bool(cookies(response)) == sent
    assert ("Cookie" in response.headers.get("Vary", "")) == vary
    assert response.headers.get("Cache-Control") == ("no-store" if sent else None)


def test_what_was_written_comes_back() -> None:
    site = Site()
    site.visit(put(user="ada", cart=[{"sku": 1}]))
    assert site.seen() == {"user": "ada", "cart": [{"sku": 1}]}


def test_a_read_extends_the_life_once_in_a_tenth_of_it() -> None:
    site = Site({"PERMANENT_SESSION_LIFETIME": 1000})
    site.visit(put(n=1))
    site.clock.advance(99)
    site.visit(lambda: session["n"])
    assert site.store.asked == ["get"]
    site.clock.advance(2)
    site.visit(lambda: session["n"])
    assert site.store.asked == ["get", "touch"]
    site.clock.advance(999)
    assert site.seen() == {"n": 1}
    site.clock.advance(1001)
    assert site.seen() == {}


def test_without_refresh_only_a_write_extends_the_life() -> None:
    site = Site({"PERMANENT_SESSION_LIFETIME": 1000, "SESSION_REFRESH_EACH_REQUEST": False})
    site.visit(put(n=1))
    site.clock.advance(900)
    site.visit(lambda: session["n"])
    assert site.store.asked == ["get"]
    site.visit(put(n=2))
    site.clock.advance(900)
    assert site.seen() == {"n": 2}
    site.clock.advance(101)
    assert site.seen() == {}


# -- Flask's settings --------------------------------------------------------------------------

SETTINGS = [
    ({}, {"Path=/", "HttpOnly"}),
    ({"SESSION_COOKIE_PATH": "/shop"}, {"Path=/shop", "HttpOnly"}),
    ({"APPLICATION_ROOT": "/root"}, {"Path=/root", "HttpOnly"}),
    ({"SESSION_COOKIE_DOMAIN": ".example.org"}, {"Path=/", "HttpOnly", "Domain=example.org"}),
    ({"SESSION_COOKIE_HTTPONLY": False}, {"Path=/"}),
    ({"SESSION_COOKIE_SECURE": True}, {"Path=/", "HttpOnly", "Secure"}),
    ({"SESSION_COOKIE_SAMESITE": "Strict"}, {"Path=/", "HttpOnly", "SameSite=Strict"}),
    ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PARTITIONED": True},
     {"Path=/", "HttpOnly", "Secure", "Partitioned"}),
    ({"SESSFAST": {"cookie": {"same_site": "lax"}}}, {"Path=/", "HttpOnly", "SameSite=Lax"}),
]  # fmt: skip


@pytest.mark.parametrize(("config", "expected"), SETTINGS)
def test_flasks_settings_make_the_cookie(config: dict[str, Any], expected: set[str]) -> None:
    site = Site(config)
    assert attributes(site.visit(put(n=1))) == expected


@pytest.mark.parametrize(("config", "expected"), SETTINGS)
def test_the_cookie_is_removed_with_the_attributes_it_was_set_with(
    config: dict[str, Any], expected: set[str]
) -> None:
    site = Site(config)
    [cookie] = cookies(site.visit(put(n=1)))
    headers = {"Cookie": cookie.partition(";")[0]}
    gone = {"Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Max-Age=0"}
    assert attributes(site.visit(clear, headers=headers)) == expected | gone


def test_the_cookie_follows_the_connection_unless_it_must_be_secure() -> None:
    site = Site()
    assert "Secure" in attributes(site.visit(put(n=1), base_url="https://localhost"))


def test_a_secure_cookie_goes_out_behind_a_proxy_that_says_nothing() -> None:
    """As Flask's does: an app that sees http may be served by https."""
    site = Site({"SESSION_COOKIE_SECURE": True})
    [cookie] = cookies(site.visit(put(n=1)))
    headers = {"Cookie": cookie.partition(";")[0]}
    assert site.seen(headers=headers) == {"n": 1}


def test_settings_may_change_between_requests() -> None:
    site = Site()
    site.visit(put(n=1))
    site.app.config["SESSION_COOKIE_NAME"] = "other"
    assert cookies(site.visit(put(n=2)))[0].startswith("other=")
    site.app.config["SESSION_COOKIE_NAME"] = "session"
    assert site.seen() == {"n": 1}


def test_a_retired_key_is_still_believed_and_its_cookie_signed_anew() -> None:
    site = Site()
    site.visit(put(n=1))
    site.app.config.update(SECRET_KEY="another secret, long enough: 0123456789")
    assert site.seen() == {}
    site.app.config["SECRET_KEY_FALLBACKS"] = [SECRET, SECRET]
    response = site.visit(lambda: session["n"])
    assert len(cookies(response)) == 1
    site.app.config["SECRET_KEY_FALLBACKS"] = None
    assert site.seen() == {"n": 1}


def test_without_a_secret_key_flask_says_so() -> None:
    site = Site({"SECRET_KEY": None, "TESTING": False})
    assert site.visit(lambda: session.get("n")).status_code == 200
    errors: list[str] = []

    def write() -> None:
        with pytest.raises(RuntimeError) as caught:
            session["n"] = 1
        errors.append(str(caught.value))

    site.visit(write)
    assert "secret key" in errors[0]
    site.app.secret_key = SECRET
    site.visit(put(n=1))
    assert site.seen() == {"n": 1}


# -- permanent ---------------------------------------------------------------------------------


def test_a_permanent_session_outlives_the_browser() -> None:
    site = Site()
    response = site.visit(lambda: (put(n=1)(), put_permanent(True)))
    assert f"Max-Age={LIFETIME}" in attributes(response)
    assert site.seen() == {"_permanent": True, "n": 1}
    response = site.visit(lambda: put_permanent(False))
    assert attributes(response) == {"Path=/", "HttpOnly"}
    site.visit(put(n=2))
    assert site.seen() == {"_permanent": False, "n": 2}


def test_the_usual_hook_for_permanent_sessions_stores_nothing_for_a_visitor() -> None:
    site = Site()

    def each() -> None:
        session.permanent = True
        site.app.permanent_session_lifetime = timedelta(minutes=5)

    site.app.before_request_funcs[None] = [each]
    response = site.visit(lambda: None)
    assert cookies(response) == []
    assert site.store.length() == 0
    assert "Max-Age=300" in attributes(site.visit(put(n=1)))
    site.clock.advance(290)
    assert site.seen()["n"] == 1
    site.clock.advance(301)
    assert "n" not in site.seen()


def test_session_permanent_makes_all_sessions_permanent() -> None:
    site = Site({"SESSION_PERMANENT": True})
    assert f"Max-Age={LIFETIME}" in attributes(site.visit(put(n=1)))
    assert site.seen() == {"n": 1}
    response = site.visit(lambda: put_permanent(False))
    assert attributes(response) == {"Path=/", "HttpOnly"}


# -- the object --------------------------------------------------------------------------------


def test_the_session_says_what_flask_asks_of_it() -> None:
    site = Site()
    found: list[Any] = []

    def ask() -> None:
        found.append((session.new, session.modified, bool(session)))
        session["n"] = 1
        found.append((session.new, session.modified, bool(session)))

    site.visit(ask)
    site.visit(ask)
    assert found == [(True, False, False), (True, True, True),
                     (False, False, True), (False, True, True)]  # fmt: skip


def test_modified_false_drops_what_was_written() -> None:
    site = Site()
    site.visit(put(n=1))
    site.visit(lambda: (put(n=2)(), mark(False)))
    assert site.seen() == {"n": 1}


def test_the_id_is_there_but_in_no_repr_and_no_event() -> None:
    site = Site()
    found: list[str] = []
    site.visit(put(n=1))
    site.visit(lambda: found.append(session.sid))
    site.visit(lambda: found.extend([repr(session) + session.sid]))
    sid, text = found[0], found[1].removesuffix(found[0])
    assert len(sid) == 32
    assert sid not in text
    assert sid not in repr(site.events)


def test_it_is_a_session_to_flask_and_to_isinstance() -> None:
    site = Site()
    found: list[Any] = []
    site.visit(lambda: found.append(session._get_current_object()))
    assert type(found[0]) is FlaskSession
    assert isinstance(found[0], flask.sessions.SessionMixin)
    assert isinstance(found[0], dict)


def test_flash_works() -> None:
    site = Site()
    site.visit(lambda: flask.flash("saved", "info"))
    found: list[Any] = []
    site.visit(lambda: found.append(flask.get_flashed_messages(with_categories=True)))
    assert found == [[("info", "saved")]]
    assert site.store.length() == 0


def test_session_transaction_works() -> None:
    site = Site()
    with site.browser.session_transaction() as transaction:
        transaction["user"] = "ada"
        transaction["cart"] = [1]
    with site.browser.session_transaction() as transaction:
        transaction["cart"].append(2)
    assert site.seen() == {"user": "ada", "cart": [1, 2]}


def test_a_session_that_began_anew_has_a_new_id_and_no_old_data() -> None:
    """The tutorial's login: clear, then write. What an attacker planted is worth nothing."""
    site = Site()
    [planted] = cookies(site.visit(put(csrf="x")))
    old = planted.partition(";")[0]
    [cookie] = cookies(site.visit(lambda: (session.clear(), session.update(user="ada"))))
    assert cookie.partition(";")[0] != old
    assert site.seen() == {"user": "ada"}
    assert site.seen(headers={"Cookie": old}) == {}


def test_regenerate_is_where_flask_session_has_it() -> None:
    site = Site()
    [before] = cookies(site.visit(put(n=1)))
    interface: Any = site.app.session_interface
    [after] = cookies(site.visit(lambda: interface.regenerate(session)))
    assert before.partition(";")[0] != after.partition(";")[0]
    assert site.seen() == {"n": 1}


def test_a_streamed_body_may_change_the_session() -> None:
    site = Site()
    site.visit(put(n=1))

    def stream() -> flask.Response:
        def body() -> Iterator[str]:
            yield "a"
            session["late"] = True
            yield "b"

        return flask.Response(flask.stream_with_context(body()))

    assert site.visit(stream).text == "ab"
    assert site.seen() == {"n": 1, "late": True}


def test_a_new_session_in_a_streamed_body_is_an_event_and_no_orphan() -> None:
    site = Site()

    def stream() -> flask.Response:
        def body() -> Iterator[str]:
            yield "a"
            session["late"] = True

        return flask.Response(flask.stream_with_context(body()))

    assert site.visit(stream).text == "a"
    assert site.told() == ["late_change"]
    assert site.store.length() == 0


# -- data beyond JSON --------------------------------------------------------------------------

DAWN, DUSK, NAIVE = (
    datetime.fromisoformat(text)
    for text in ("1970-01-01", "2200-01-01", "2026-01-02T03:04:05.000006")
)
MOMENTS = st.datetimes(
    DAWN,
    DUSK,
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
KEYS = TEXTS | st.sampled_from([" t", " b", " di", " t__", " u", " d", " m", "_permanent"])
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS | st.binary(max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False) | st.uuids() | MOMENTS | TEXTS.map(Markup)
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
DATA = st.dictionaries(KEYS, VALUES, max_size=4)


def types(value: Any) -> Any:
    """A value and the types in it."""
    if isinstance(value, dict):
        return {key: types(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [types(inner) for inner in value]
    return type(value), value


def through(codec: TaggedCodec, data: dict[str, Any]) -> dict[str, Any]:
    """The data, once stored and loaded."""
    text = codec.dumps(data)
    blob = codec.encode("a-key-of-a-store", data, text, Meta(START, None, {}))
    assert codec.same(blob, text)
    return codec.decode("a-key-of-a-store", blob)[0]


@given(data=DATA)
def test_data_comes_back_as_from_flasks_own_cookie(data: dict[str, Any]) -> None:
    codec = TaggedCodec(flask_serializer())
    expected = session_json_serializer.loads(session_json_serializer.dumps(data))
    found = through(codec, data)
    assert types(found) == types(expected)
    assert codec.dumps(found) == codec.dumps(data)


@given(data=DATA)
def test_data_comes_back_exactly_for_who_used_flask_session(data: dict[str, Any]) -> None:
    assert types(through(TaggedCodec(flask_session_serializer()), data)) == types(data)


ODD = [
    (flask_serializer, {"a": {1: "x"}}, {"a": {"1": "x"}}),
    (flask_session_serializer, {"a": {1: "x", (2, 3): "y"}}, {"a": {1: "x", (2, 3): "y"}}),
    (flask_session_serializer, {"a": {1, 2}}, {"a": [1, 2]}),
    (flask_session_serializer, {"a": timedelta(seconds=1)}, {"a": "PT1S"}),
    (flask_session_serializer, {"a": NAIVE},
     {"a": NAIVE}),
]  # fmt: skip


@pytest.mark.parametrize(("serializer", "data", "expected"), ODD)
def test_what_each_incumbent_takes_is_taken(serializer: Any, data: Any, expected: Any) -> None:
    assert types(through(TaggedCodec(serializer()), data)) == types(expected)


class Lazy:
    """A text that is made when it is looked at, as Flask-Babel's."""

    def __str__(self) -> str:
        return "Hallo"

    def __getattr__(self, name: str) -> Any:
        return getattr(str(self), name)


@pytest.mark.parametrize("serializer", [flask_serializer, flask_session_serializer])
def test_a_lazy_text_is_stored_as_text(serializer: Any) -> None:
    assert through(TaggedCodec(serializer()), {"a": [Lazy()]}) == {"a": ["Hallo"]}


@pytest.mark.parametrize("value", [object(), float("nan"), 2**70, "\ud800", (object(),)])
def test_what_can_not_be_stored_is_an_error_that_says_so(value: Any) -> None:
    with pytest.raises(EncodeError):
        TaggedCodec(flask_serializer()).dumps({"a": value})


@pytest.mark.parametrize("text", [b'{"a":{" u":"x"}}', b'{"a":{" b":5}}', b'{" t":[1]}'])
def test_a_damaged_tag_is_an_undecodable_record(text: bytes) -> None:
    codec = TaggedCodec(flask_serializer())
    blob = codec.encode("a-key-of-a-store", {}, text, Meta(START, None, {}))
    with pytest.raises(DecodeError):
        codec.decode("a-key-of-a-store", blob)


def test_an_app_can_have_tags_of_its_own() -> None:
    class TagSet(flask.json.tag.JSONTag):
        key = " s"

        def check(self, value: Any) -> bool:
            return isinstance(value, frozenset)

        def to_json(self, value: Any) -> Any:
            return sorted(value)

        def to_python(self, value: Any) -> Any:
            return frozenset(value)

    site = Site()
    interface: Any = site.app.session_interface
    interface.serializer.register(TagSet)
    site.visit(put(s=frozenset({1, 2})))
    assert site.seen() == {"s": frozenset({1, 2})}


# -- trouble -----------------------------------------------------------------------------------


def test_a_store_that_is_down_is_a_503_and_no_new_cookie() -> None:
    store = FaultyStore(MemoryStore())
    site = Site({"TESTING": False}, store=store)
    site.visit(put(n=1))
    for verb, handler in (("get", lambda: session["n"]), ("update", put(n=2))):
        store.fail(verb)
        response = site.visit(handler)
        assert (response.status_code, cookies(response)) == (503, [])
        assert response.headers["Retry-After"]
        store.up()
    assert site.seen() == {"n": 1}


def test_an_app_can_answer_an_outage_itself() -> None:
    store = FaultyStore(MemoryStore())
    site = Site(store=store)

    @site.app.errorhandler(StoreError)
    def down(error: StoreError) -> tuple[str, int]:
        return "one moment", 418

    site.visit(put(n=1))
    store.fail("get")
    response = site.visit(lambda: session["n"])
    assert (response.status_code, response.text) == (418, "one moment")


def test_a_refused_conflict_is_a_409() -> None:
    site = Site(on_conflict="reject")
    site.visit(put(n=1))

    def race() -> None:
        session["n"] = 2
        site.visit(put(n=3), headers={"Cookie": request.headers["Cookie"]})

    assert site.visit(race).status_code == 409
    assert site.seen() == {"n": 3}


def test_data_that_can_not_be_stored_is_the_apps_error() -> None:
    site = Site({"TESTING": False})
    assert site.visit(put(n=object())).status_code == 500


FAULTS = [
    ({"SESSION_TYPE": "mongodb"}, {}, 'pass one: Sessfast(app, store="redis://'),
    ({"SESSION_TYPE": "dynamodb"}, {}, "docs/stores.md"),
    ({"SESSION_TYPE": "paper"}, {}, "is none of null, redis, memcached"),
    ({"SESSION_TYPE": "memcached", "SESSION_MEMCACHED": object()}, {}, 'store="memcached://'),
    ({"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": object()}, {}, "no store of ours is like"),
    ({"SESSION_TYPE": "sqlalchemy"}, {}, "SESSION_SQLALCHEMY is missing"),
    ({"SESSION_COOKIE_SAMESITE": "loose"}, {}, "cookie.same_site"),
    ({"SESSION_COOKIE_NAME": "a b"}, {}, "is not a cookie name"),
    ({"SESSION_COOKIE_NAME": "__Host-s"}, {}, "needs cookie.secure=True"),
    ({}, {"max_age": 5}, "write cookie={'max_age': …}"),
    ({}, {"stor": 5}, "stor is no option"),
    ({}, {"legacy": "flask", "until": "2030-01-01"}, "legacy must be a list"),
    ({}, {"legacy": ["flask"]}, "legacy needs until="),
    ({}, {"legacy": ["flask-session"], "until": "2030-01-01"}, "must know where its records are"),
    ({}, {"legacy": ["flusk"], "until": "2030-01-01"}, "nobody reads 'flusk'"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "options", "said"), FAULTS)
def test_a_wrong_configuration_names_its_fix(
    config: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    app = flask.Flask("site")
    app.config.update(SECRET_KEY=SECRET, **config)
    with pytest.raises(OptionsError, match=re.escape(said)):
        Sessfast(app, **options)


def test_a_short_secret_is_a_warning() -> None:
    app = flask.Flask("site")
    app.secret_key = "dev"
    with pytest.warns(UserWarning, match="genkey"):
        Sessfast(app)


# -- the other ways to set it up ---------------------------------------------------------------


def test_init_app_serves_app_factories() -> None:
    extension = Sessfast()
    apps = [flask.Flask("one"), flask.Flask("two")]
    for app in apps:
        app.secret_key = SECRET
        extension.init_app(app)
        app.add_url_rule("/", "view", lambda: (session.update(n=1), "")[1])
    assert cookies(apps[0].test_client().get("/"))
    interfaces: list[Any] = [app.session_interface for app in apps]
    stores = [each.settings.ready.setup.store for each in interfaces]
    assert [store.length() for store in stores] == [1, 0]


def test_the_interface_alone_will_do_too() -> None:
    app = flask.Flask("site")
    app.session_interface = SessionInterface()
    app.secret_key = SECRET
    app.add_url_rule("/", "view", lambda: json.dumps([session.setdefault("n", 1)]))
    assert app.test_client().get("/").text == "[1]"


def test_session_is_another_name_for_it() -> None:
    assert Session is Sessfast


def test_a_subclass_may_choose_the_cookies_attributes() -> None:
    class Elsewhere(SessionInterface):
        def get_cookie_path(self, app: flask.Flask) -> str:
            return "/elsewhere"

    app = flask.Flask("site")
    app.secret_key = SECRET
    app.session_interface = Elsewhere()
    app.add_url_rule("/", "view", lambda: json.dumps([session.setdefault("n", 1)]))
    assert "Path=/elsewhere" in attributes(app.test_client().get("/"))


# -- commands ----------------------------------------------------------------------------------


def test_flask_session_show_cuts_ids_and_shows_no_data() -> None:
    site = Site()
    site.visit(put(user="ada"))
    done = site.app.test_cli_runner().invoke(args=["session", "show"])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "1 sessions."
    assert re.fullmatch(r"\S{4}…  \d+ bytes  -?\d+ s left", lines[1])
    assert "ada" not in done.output


def test_flask_session_sweep_removes_what_has_expired() -> None:
    site = Site({"PERMANENT_SESSION_LIFETIME": 10})
    site.visit(put(user="ada"))
    site.clock.advance(11)
    done = site.app.test_cli_runner().invoke(args=["session", "sweep"])
    assert done.output == "Removed 1 expired session.\n"
    assert site.store.length() == 0


def test_commands_without_a_secret_key_end_in_one_line() -> None:
    site = Site({"SECRET_KEY": None})
    done = site.app.test_cli_runner().invoke(args=["session", "show"])
    assert (done.exit_code, done.output) == (
        1, "Error: there are no sessions without a SECRET_KEY\n"
    )  # fmt: skip


def test_ids_of_another_kind_are_never_adopted() -> None:
    site = Site()
    headers = {"Cookie": f"session={uuid.uuid4().hex}"}
    [cookie] = cookies(site.visit(put(n=1), headers=headers))
    assert headers["Cookie"] not in cookie
