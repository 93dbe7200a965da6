"""The session as a dict: every way in opens it, every change is seen, and nothing leaks."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sessfast import Session, SessionOptions, StoreError
from sessfast.codec import codec_for
from sessfast.drivers import InlineDriver
from sessfast.lifecycle import Lifecycle
from sessfast.policy import Policy
from sessfast.testing import FakeClock
from tests.fronts.spy import SpyStore

SECRET = "a secret of the tests, 32 bytes or more: Zx81-qL0"
DATA = {"a": 1, "list": [1, 2], "user": "bób"}


class World:
    """One life cycle over a spying store, without a front."""

    def __init__(self, *, store: SpyStore | None = None, **options: Any) -> None:
        self.clock = FakeClock()
        self.store = store or SpyStore(self.clock)
        given = SessionOptions(**{"secret": SECRET, **options})
        self.rules = Lifecycle(
            given, Policy(given), codec_for(given.codec), self.clock, lambda: None
        )
        self.driver = InlineDriver(self.rules, self.store)

    def session(self, cookie: str = "") -> Session:
        session = Session.__new__(Session)
        session._park(self.rules, self.driver, cookie, False)
        return session

    def commit(self, session: Session, **how: bool) -> str | None:
        header: str | None = self.driver.run(self.rules.commit(session, **how))
        return header

    def known(self) -> str:
        session = self.session()
        session.update(copy.deepcopy(DATA))
        header = self.commit(session)
        assert header is not None
        self.store.calls.clear()
        return header.partition(";")[0]


READS: dict[str, Any] = {
    "getitem": lambda s: s["a"],
    "get": lambda s: s.get("a"),
    "in": lambda s: "a" in s,
    "len": len,
    "bool": bool,
    "iter": list,
    "reversed": lambda s: list(reversed(s)),
    "keys": lambda s: s.keys(),
    "values": lambda s: list(s.values()),
    "items": lambda s: list(s.items()),
    "copy": lambda s: s.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "dict()": dict,
    "**": lambda s: dict(**s),
    "==": lambda s: s == DATA,
    "!=": lambda s: s != DATA,
    "or": lambda s: s | {"x": 1},
    "ror": lambda s: {"x": 1} | s,
    "update another": {}.update,
    "json.dumps": json.dumps,
    "sorted": sorted,
    "id": lambda s: s.id,
    "is_new": lambda s: s.is_new,
    "cookie": lambda s: s.cookie,
    "setdefault, there": lambda s: s.setdefault("a", 5),
    "pop with a default": lambda s: s.pop("nowhere", None),
    "match": lambda s: [0 for _ in [0] if isinstance(s, dict)] and s["a"],
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_every_way_to_read_opens_the_session_and_writes_nothing(read: Any) -> None:
    """One get, no update: also where a list was handed out and not changed."""
    world = World()
    session = world.session(world.known())
    read(session)
    assert world.store.calls == ["get"]
    assert dict(session) == DATA
    world.commit(session)
    assert world.store.calls == ["get"]


WRITES: dict[str, tuple[Any, dict[str, Any]]] = {
    "setitem": (lambda s: s.__setitem__("a", 2), {**DATA, "a": 2}),
    "delitem": (lambda s: s.__delitem__("a"), {"list": [1, 2], "user": "bób"}),
    "update": (lambda s: s.update(a=2), {**DATA, "a": 2}),
    "|=": (lambda s: s.__ior__({"a": 2}), {**DATA, "a": 2}),
    "setdefault": (lambda s: s.setdefault("b", []).append(1), {**DATA, "b": [1]}),
    "pop": (lambda s: s.pop("a"), {"list": [1, 2], "user": "bób"}),
    "popitem": (lambda s: s.popitem(), {"a": 1, "list": [1, 2]}),
    "clear": (lambda s: s.clear(), {}),
    "nested by getitem": (lambda s: s["list"].append(3), {**DATA, "list": [1, 2, 3]}),
    "nested by get": (lambda s: s.get("list").append(3), {**DATA, "list": [1, 2, 3]}),
    "nested by values": (lambda s: list(s.values())[1].append(3), {**DATA, "list": [1, 2, 3]}),
    "nested by items": (lambda s: dict(s.items())["list"].append(3), {**DATA, "list": [1, 2, 3]}),
    "nested by copy": (lambda s: s.copy()["list"].append(3), {**DATA, "list": [1, 2, 3]}),
    "nested by setdefault": (lambda s: s.setdefault("list").append(3),
                             {**DATA, "list": [1, 2, 3]}),
    "one equal to it for Python": (lambda s: s.__setitem__("a", True), {**DATA, "a": True}),
}  # fmt: skip


@pytest.mark.parametrize("case", WRITES.values(), ids=WRITES.keys())
def test_every_way_to_change_is_stored(case: Any) -> None:
    """One get, one update, and the next request finds it."""
    write, expected = case
    world = World()
    cookie = world.known()
    session = world.session(cookie)
    write(session)
    world.commit(session)
    assert world.store.calls == ["get", "update"]
    found = dict(world.session(cookie))
    assert (expected, [type(v) for v in expected.values()]) == (
        found, [type(v) for v in found.values()]
    )


def test_an_unopened_session_is_not_mistaken_for_an_empty_one() -> None:
    """C encoders that bypass the methods of a dict subclass see one odd key, and refuse it."""
    world = World()
    session = world.session(world.known())
    with pytest.raises(TypeError):
        msgspec.json.encode(session)
    assert world.store.calls == []
    assert repr(session) == "<Session not opened>"


def test_names_of_methods_are_ordinary_keys() -> None:
    """Data never becomes an attribute and no key is reserved (R-44)."""
    names = ["id", "cookie", "save", "is_new", "__class__", "__dict__", "_state", "", "__proto__"]
    world = World()
    session = world.session()
    session.update({name: name for name in names})
    header = world.commit(session)
    assert header is not None
    assert dict(world.session(header.partition(";")[0])) == {name: name for name in names}


def test_an_attribute_is_not_silently_lost() -> None:
    """Who comes from JavaScript writes session.user = …: an error, not a lost login."""
    with pytest.raises(AttributeError):
        World().session().user = "bob"  # type: ignore[attr-defined]


def test_what_is_put_in_is_copied_never_shared() -> None:
    """Two requests never hold one object, also in the memory store."""
    world = World()
    cart: list[int] = [1]
    session = world.session()
    session["cart"] = cart
    header = world.commit(session)
    assert header is not None
    cart.append(2)
    first, second = (world.session(header.partition(";")[0]) for _ in range(2))
    assert first["cart"] == [1]
    assert first["cart"] is not second["cart"]


def test_a_session_is_not_pickled_and_not_hashed() -> None:
    """It holds keys to the store; its data travels as dict(session)."""
    session = World().session()
    with pytest.raises(TypeError, match="dict"):
        pickle.dumps(session)
    with pytest.raises(TypeError):
        hash(session)


def test_the_id_is_in_no_repr() -> None:
    """Four characters are enough to compare with the browser's (R-72)."""
    world = World()
    session = world.session()
    sid = session.id
    session["a"] = 1
    world.commit(session)
    for text in (repr(session), str(session), repr(session.cookie), f"{session}"):
        assert sid not in text
        assert sid[5:] not in text
    assert repr(session) == f"<Session {sid[:4]}… keys: 'a'>"


def test_the_cookie_takes_only_what_a_header_can_carry() -> None:
    """An attribute set during a request is checked there and then (R-45)."""
    cookie = World().session().cookie
    for name, value in [("path", "/a;b"), ("domain", "a b"), ("same_site", "x"),
                        ("priority", "x"), ("path", "/\n"), ("domain", "é")]:  # fmt: skip
        with pytest.raises(ValueError, match=name):
            setattr(cookie, name, value)
    with pytest.raises(AttributeError):
        cookie.maxAge = 1
    with pytest.raises(TypeError):
        cookie.max_age = "60"
    cookie.same_site = "strict"
    assert cookie.same_site == "strict"


def test_expires_can_be_assigned() -> None:
    """A date gives a span; False and None make it a browser session again."""
    world = World()
    cookie = world.session().cookie
    cookie.expires = datetime.fromtimestamp(world.clock() + 60, UTC)
    assert (cookie.max_age, cookie.original_max_age) == (60.0, 60.0)
    cookie.expires = False
    assert (cookie.max_age, cookie.expires) == (None, None)


def test_genid_that_repeats_itself_never_takes_a_session_over() -> None:
    """create never overwrites: after a few tries it is a StoreError (R-31)."""
    world = World(genid=lambda facts: "constant-id-of-22-chars")
    first = world.session()
    first["a"] = 1
    world.commit(first)
    second = world.session()
    second["a"] = 2
    with pytest.raises(StoreError, match="genid"):
        world.commit(second)
    key = world.rules.policy.store_key("constant-id-of-22-chars")
    assert b'"a":1' in world.store.get(key)[0]


def test_reading_the_id_stores_nothing() -> None:
    """An id is minted when asked for, a record only when there is something to keep."""
    world = World()
    session = world.session()
    assert len(session.id) == 32
    assert session.id == session.id
    assert world.commit(session) is None
    assert world.store.calls == []
