"""A store written to express-session's contract plugs in unchanged."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sessfast import EXISTS, GONE, OptionsError, StoreError
from sessfast.codec import ExpressCodec, NativeCodec
from sessfast.drivers import is_async
from sessfast.meta import Meta
from sessfast.records import Conflict
from sessfast.stores.adapter import adapt
from sessfast.testing import FakeClock, StoreContract
from tests.stores.express_stores import AsyncStore, DateStore, DictStore, FileStore, FullStore

KEY = "0123456789abcdef"
SOON = 1_700_000_060.0
SOON_TEXT = "2023-11-14T22:14:20.000Z"


def adapted(store: object, clock: FakeClock | None = None) -> Any:
    """The store behind the adapter, of whichever kind."""
    return adapt(store, clock or FakeClock())


class AdaptedContract(StoreContract):
    """What an adapted store can promise: it looks before it writes, and so it races."""

    any_octets: ClassVar[bool] = False
    unique_versions: ClassVar[bool] = False
    atomic: ClassVar[bool] = False
    tick: ClassVar[float] = 0.001  # dates are in milliseconds


class TestDict(AdaptedContract):
    """Three methods are enough; without touch a session keeps its end."""

    native_touch: ClassVar[bool] = False

    def make_store(self, clock: Any) -> Any:
        return adapted(DictStore(), clock)


class TestFull(AdaptedContract):
    """All of express's contract."""

    def make_store(self, clock: Any) -> Any:
        return adapted(FullStore(), clock)


class TestDates(AdaptedContract):
    """Ends that come back as dates without a time zone."""

    def make_store(self, clock: Any) -> Any:
        return adapted(DateStore(), clock)


class TestFiles(AdaptedContract):
    """Errors that mean "not found"."""

    steps: ClassVar[tuple[str, ...]] = ("create", "update", "destroy")

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path

    def make_store(self, clock: Any) -> Any:
        self.store = FileStore(Path())
        return adapted(self.store, clock)

    def sid(self) -> str:
        self.store.folder = self.path
        return super().sid()


class TestAwaited(AdaptedContract):
    """The same logic, awaited."""

    def make_store(self, clock: Any) -> Any:
        return adapted(AsyncStore(), clock)


# -- what is handed to the user's store, and taken from it -------------------------------------


def native(data: dict[str, Any]) -> bytes:
    codec = NativeCodec()
    return codec.encode(KEY, data, codec.dumps(data), Meta(1_700_000_000.0, None, {}))


def express(data: dict[str, Any], expires: float | None = SOON) -> bytes:
    codec = ExpressCodec()
    cookie = {
        "original_max_age": 60.0 if expires else None,
        "expires": expires,
        "http_only": True,
        "path": "/",
    }
    return codec.encode(KEY, data, codec.dumps(data), Meta(0.0, None, cookie, 0))


def test_our_own_record_gets_a_cookie_that_tells_the_store_its_end() -> None:
    """As express would have written it, so that a store finds the end where it looks for it."""
    inner = FullStore()
    store = adapted(inner)
    store.create(KEY, native({"a": 1}), 60)
    kept = json.loads(inner.texts[KEY])
    cookie = kept.pop("cookie")
    assert json.loads(native({"a": 1})) == kept
    assert {
        "originalMaxAge": 60_000, "expires": SOON_TEXT, "httpOnly": True, "path": "/"
    }.items() <= cookie.items()  # fmt: skip


@pytest.mark.parametrize(
    "blob",
    [
        native({"a": 1.0, "é": [None, True, "\u2028"], "n": 2**63}),
        NativeCodec().tombstone(KEY),
        express({"user": "bób", "2": 1, "1": 1e-7, "big": 1e21}),
        express({"a": "\ud800"}),
        express({"a": 1}, expires=None),
    ],
    ids=["native", "tombstone", "express", "half a surrogate pair", "no end"],
)
def test_a_record_comes_back_with_the_same_bytes(blob: bytes) -> None:
    """So that the rules see an unchanged session as unchanged."""
    store = adapted(FullStore())
    version = store.create(KEY, blob, 60)
    record = store.get(KEY)
    assert record is not None
    assert (blob, version) == record[:2]


def test_a_cookie_that_the_codec_wrote_stays_as_it_is() -> None:
    """The express record is the store's business and ours alike."""
    inner = FullStore()
    store = adapted(inner)
    store.create(KEY, express({"a": 1}), 60)
    assert json.loads(express({"a": 1})) == json.loads(inner.texts[KEY])
    assert store.get(KEY)[2] == SOON


@pytest.mark.parametrize("record", [native, express])
def test_touch_moves_the_end_for_the_store_and_is_no_new_version(record: Any) -> None:
    """The user's touch gets the session with its new end; a slow update still gets through."""
    clock = FakeClock()
    inner = FullStore()
    store = adapted(inner, clock)
    version = store.create(KEY, record({"a": 1}), 60)
    clock.advance(30)
    assert store.touch(KEY, 60) is True
    assert json.loads(inner.texts[KEY])["cookie"]["expires"] == "2023-11-14T22:14:50.000Z"
    clock.advance(59)
    assert version == store.get(KEY)[1]
    assert store.update(KEY, record({"a": 2}), 60, version) not in (GONE, EXISTS)


def test_without_touch_a_session_keeps_its_end() -> None:
    """As in express: touch then only says whether there is a session."""
    clock = FakeClock()
    store = adapted(DictStore(), clock)
    store.create(KEY, native({}), 60)
    clock.advance(59)
    assert (True, False) == (store.touch(KEY, 60), store.touch("unknown", 60))
    clock.advance(1)
    assert store.get(KEY) is None


ENDS: list[tuple[object, float | None]] = [
    (SOON_TEXT, SOON),
    (1_700_000_060_000, SOON),
    (1_700_000_060_000.0, SOON),
    (None, None),
    (False, None),
    (True, None),
    ("soon", None),
    ([], None),
]


@pytest.mark.parametrize(("end", "expires"), ENDS)
def test_ends_are_read_in_every_form_that_express_writes(
    end: object, expires: float | None
) -> None:
    """ISO text, milliseconds, null, false; what is none of these never ends."""
    inner = DictStore()
    inner.sessions[KEY] = {"cookie": {"expires": end}, "a": 1}
    clock = FakeClock()
    store = adapted(inner, clock)
    record = store.get(KEY)
    assert record is not None
    assert record[2] == expires
    clock.set(SOON)
    assert (store.get(KEY) is None) == (expires is not None)


@pytest.mark.parametrize("session", [{"a": 1}, {"cookie": None, "a": 1}, {"cookie": 5}, {}])
def test_a_session_without_a_cookie_never_ends(session: dict[str, Any]) -> None:
    """Somebody else wrote it; it is shown as it is."""
    inner = DictStore()
    inner.sessions[KEY] = session
    record = adapted(inner).get(KEY)
    assert record is not None
    assert (session, None) == (json.loads(record[0]), record[2])


def test_the_dicts_of_the_users_store_are_not_changed_behind_its_back() -> None:
    """Nor does a store that goes on working on a dict it was given disturb us."""

    class Scribbler(DictStore):
        def set(self, sid: str, session: dict[str, Any]) -> None:
            super().set(sid, session)
            session["__lastAccess"] = 5

    inner = Scribbler()
    store = adapted(inner)
    version = store.create(KEY, native({"a": 1}), 60)
    before = json.dumps(inner.sessions)
    record = store.get(KEY)
    store.touch(KEY, 60)
    assert before == json.dumps(inner.sessions)
    assert isinstance(store.update(KEY, native({"a": 2}), 60, version), Conflict)
    assert store.update(KEY, native({"a": 2}), 60, record[1]) is not GONE


@pytest.mark.parametrize("blob", [b"", b"[]", b"5", b"\xff", b'{"a":', b'"\\ud800"'])
def test_what_is_no_json_object_is_refused(blob: bytes) -> None:
    """Such a store keeps dicts; the message says so, and nothing is stored."""
    inner = DictStore()
    store = adapted(inner)
    with pytest.raises(StoreError, match=r"^store\.create failed: .*JSON object"):
        store.create(KEY, blob, 60)
    assert inner.sessions == {}


@pytest.mark.parametrize("session", ['{"a":1}', 5, [("a", 1)], b"{}"])
def test_what_is_no_dict_is_the_stores_fault(session: object) -> None:
    """A StoreError that names the type, and so a 503, not a session lost."""
    inner = DictStore()
    inner.sessions[KEY] = session  # type: ignore[assignment]
    with pytest.raises(StoreError, match=f"no dict, but {type(session).__name__}"):
        adapted(inner).get(KEY)


@pytest.mark.parametrize("cookie", [{}, {"cookie": {"path": "/"}}])
def test_values_that_are_no_json_are_the_stores_fault(cookie: dict[str, Any]) -> None:
    """A StoreError that says what, rather than a TypeError in some request."""
    inner = DictStore()
    inner.sessions[KEY] = {**cookie, "a": object()}
    with pytest.raises(StoreError, match="no JSON"):
        adapted(inner).get(KEY)


@pytest.mark.parametrize("error", [PermissionError(13, "no"), KeyError("a"), OSError("bare")])
def test_other_errors_are_not_taken_for_not_found(error: Exception) -> None:
    """An outage is no logout: the store's own error is raised, behind a StoreError."""

    class Failing(DictStore):
        def get(self, sid: str) -> dict[str, Any] | None:
            raise error

    store = adapted(Failing())
    for verb, arguments in [("get", ()), ("touch", (5,)), ("create", (b"{}", 5))]:
        with pytest.raises(StoreError) as raised:
            getattr(store, verb)(KEY, *arguments)
        assert raised.value.__cause__ is error


def test_a_file_that_vanishes_between_look_and_touch_is_not_found() -> None:
    """touch answers False, destroy nothing."""

    class Vanishing(FullStore):
        def touch(self, sid: str, session: dict[str, Any]) -> None:
            raise FileNotFoundError

        def destroy(self, sid: str) -> None:
            raise FileNotFoundError

    store = adapted(Vanishing())
    store.create(KEY, native({}), 60)
    assert store.touch(KEY, 60) is False
    store.destroy(KEY)


# -- what the adapter looks like ---------------------------------------------------------------


def test_it_is_as_async_as_the_store() -> None:
    """By `get`; a sync method among async ones is called all the same."""
    assert is_async(adapted(AsyncStore()))
    assert not is_async(adapted(DictStore()))

    async def use(store: Any) -> None:
        await store.create(KEY, native({"a": 1}), 60)
        assert await store.length() == 1
        assert [KEY] == [sid async for sid, _ in store.all()]
        await store.clear()
        assert await store.get(KEY) is None

    asyncio.run(use(adapted(AsyncStore())))


@pytest.mark.parametrize("kind", [DictStore, FullStore, AsyncStore])
def test_optional_methods_are_there_if_the_store_has_them(kind: Any) -> None:
    """all, clear and length; sweep and close are not of that contract."""
    inner = kind()
    store = adapted(inner)
    for name in ("all", "clear", "length", "sweep", "close"):
        assert hasattr(inner, name) == hasattr(store, name), name


def test_all_understands_what_stores_return() -> None:
    """A dict, pairs, or sessions with their id in them; expired ones are left out."""
    live = {"cookie": {"expires": SOON_TEXT}, "a": 1}
    dead = {"cookie": {"expires": "2001-01-01T00:00:00.000Z"}}
    shapes: list[Any] = [
        {"x": live, "y": dead},
        [("x", live), ("y", dead)],
        [{**live, "id": "x"}, {**dead, "id": "y"}],
    ]

    class Showing(DictStore):
        def all(self) -> Any:
            return shapes.pop()

    store = adapted(Showing())
    while shapes:
        found = list(store.all())
        assert [("x", live, SOON)] == [(sid, json.loads(r[0]), r[2]) for sid, r in found]
    shapes.append([live])
    with pytest.raises(StoreError, match="all failed"):
        list(store.all())


def test_a_store_that_disconnects_is_not_ready_until_it_connects() -> None:
    """Its events move `ready`, whatever they pass along."""
    inner = FullStore()
    store = adapted(inner)
    assert store.ready is True
    inner.listeners["disconnect"](OSError())
    assert store.ready is False
    inner.listeners["connect"]()
    assert store.ready is True
    assert adapted(DictStore()).ready is True


def test_a_sync_store_counts_as_blocking_unless_it_says_otherwise() -> None:
    """So that an ASGI front uses a thread for a store of files."""
    assert (False, True) == (adapted(DictStore()).blocking, adapted(FileStore(Path())).blocking)


def test_a_store_that_lacks_methods_is_refused_by_name() -> None:
    """OptionsError, which says what is missing."""

    class Half:
        def get(self, sid: str) -> None: ...

        set = None

    with pytest.raises(OptionsError, match="Half lacks set, destroy: a store needs get, set and"):
        adapted(Half())


def test_it_shows_no_session_ids() -> None:
    """repr names the kinds only."""
    inner = DictStore()
    inner.sessions["secret"] = {}
    assert repr(adapted(inner)) == "<AdaptedStore over DictStore>"
