"""A store written to express-session's contract, as a store of ours.

Such a store keeps dicts under get/set/destroy, and its `set` can't tell a new record from an old
one. So `create` and `update` are a look and a write here, and two requests at the same moment may
both get through: the later one wins, and a session destroyed between the two calls comes back.
Write a store to the contract of `sessfast.stores.contract` where that matters.
"""

from __future__ import annotations

import errno
import inspect
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from sessfast.drivers import AwaitDriver, InlineDriver, is_async
from sessfast.errors import OptionsError, StoreError
from sessfast.express_text import iso_ms, iso_text, stringify
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.state import Steps
from sessfast.stores.contract import Created, StoredRecord, Updated, Version

NEEDED = ("get", "set", "destroy")
OPTIONAL = ("touch", "all", "clear", "length")
MARK = ("addedBy", "sessfast")  # in a cookie that only tells the store when the record ends
LAST_SECOND = 8.64e12  # of JavaScript's time


def adapt(store: Any, clock: Callable[[], float] = time.time) -> AdaptedStore | AsyncAdaptedStore:
    """`store`, an object with get, set and destroy, as a Store, or AsyncStore if `get` is async.

    get(sid) -> dict or None; FileNotFoundError or ENOENT also mean that there is none
    set(sid, session), destroy(sid), and if it likes touch(sid, session), all(), clear(), length()
    on(event, function): if it has that, "disconnect" and "connect" move `ready`
    clock: epoch seconds
    The dicts are the record's JSON object; it comes back as compact JSON, in the order of keys
    that the store keeps. Our own record has no `cookie`, so one is added on the way in, from
    which the store may take the record's end, and taken out again.
    Raises OptionsError where the store lacks one of the three.
    """
    lacking = [name for name in NEEDED if not callable(getattr(store, name, None))]
    if lacking:
        kind = type(store).__name__
        raise OptionsError(
            [f"store: {kind} lacks {', '.join(lacking)}: a store needs get, set and destroy"]
        )
    return AsyncAdaptedStore(store, clock) if is_async(store) else AdaptedStore(store, clock)


class Adaptation:
    """The verbs as steps that hand out `(method of the user's store, arguments)`."""

    def __init__(self, store: Any, clock: Callable[[], float]) -> None:
        self.store = store
        self.clock = clock
        self.ready = True
        self.methods = methods_of(store)
        if callable(subscribe := getattr(store, "on", None)):
            subscribe("connect", self._connected)
            subscribe("disconnect", self._disconnected)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {type(self.store).__name__}>"

    def _connected(self, *_: object) -> None:
        self.ready = True

    def _disconnected(self, *_: object) -> None:
        self.ready = False

    def _load(self, sid: str) -> Steps:
        """The live session under `sid`, as the store gave it, or None."""
        session = yield from unless_missing("get", sid)
        if session is None:
            return None
        if not isinstance(session, Mapping):
            raise StoreError("get", f"the store returned no dict, but {type(session).__name__}")
        return session if is_live(session, self.clock()) else None

    def _save(self, verb: str, sid: str, blob: bytes, ttl: float) -> Steps:
        """Write the session; its version."""
        session = session_of(verb, blob)
        if "cookie" not in session:
            session["cookie"] = self._cookie(ttl)
        version = version_of(session)  # before the store may keep the dict, and change it
        yield "set", (sid, session)
        return version

    def _cookie(self, ttl: float) -> dict[str, Any]:
        end = self.clock() + ttl
        is_date = end <= LAST_SECOND
        return {
            "originalMaxAge": round(ttl * 1000) if is_date else None,
            "expires": iso_text(round(end * 1000)) if is_date else None,
            "httpOnly": True,
            "path": "/",
            MARK[0]: MARK[1],
        }

    def _get(self, sid: str) -> Steps:
        session = yield from self._load(sid)
        return None if session is None else record_of(session)

    def _create(self, sid: str, blob: bytes, ttl: float) -> Steps:
        if (yield from self._load(sid)) is not None:
            return EXISTS
        return (yield from self._save("create", sid, blob, ttl))

    def _update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Steps:
        session = yield from self._load(sid)
        if session is None:
            return GONE
        if version_of(session) != version:
            return Conflict(record_of(session))
        return (yield from self._save("update", sid, blob, ttl))

    def _touch(self, sid: str, ttl: float) -> Steps:
        """Whether the record is live; as in express, a store without touch keeps its end."""
        session = yield from self._load(sid)
        if session is None or "touch" not in self.methods:
            return session is not None
        cookie = session.get("cookie")
        if is_added(cookie):
            cookie = self._cookie(ttl)
        elif isinstance(cookie, Mapping) and cookie.get("expires"):
            cookie = {**cookie, "expires": self._cookie(ttl)["expires"]}
        touched = {**session, "cookie": cookie}
        return (yield from unless_missing("touch", sid, touched, missing=False)) is not False

    def _destroy(self, sid: str) -> Steps:
        yield from unless_missing("destroy", sid)

    def _all(self) -> Steps:
        """The live records with their sids: a list, as the store's `all` is called once."""
        found = yield "all", ()
        now = self.clock()
        return [(sid, record_of(session)) for sid, session in pairs(found) if is_live(session, now)]

    def _ask(self, name: str) -> Steps:
        return (yield name, ())


class AdaptedStore(Adaptation):
    """A sync store of express's contract, as a `Store`.

    blocking: True, unless the user's store says `blocking = False`
    `all`, `clear` and `length` are there if the user's store has them.
    """

    all: Callable[[], Iterator[tuple[str, StoredRecord]]]
    clear: Callable[[], None]
    length: Callable[[], int]

    def __init__(self, store: Any, clock: Callable[[], float]) -> None:
        super().__init__(store, clock)
        self.blocking = bool(getattr(store, "blocking", True))
        self._run: Callable[[Steps], Any] = Calls(self.methods).run
        if "all" in self.methods:
            self.all = lambda: iter(self._run(self._all()))
        if "clear" in self.methods:
            self.clear = lambda: self._run(self._ask("clear"))
        if "length" in self.methods:
            self.length = lambda: self._run(self._ask("length"))

    def get(self, sid: str) -> StoredRecord | None:
        record: StoredRecord | None = self._run(self._get(sid))
        return record

    def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        return self._run(self._create(sid, blob, ttl))

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        return self._run(self._update(sid, blob, ttl, version))

    def touch(self, sid: str, ttl: float) -> bool:
        return bool(self._run(self._touch(sid, ttl)))

    def destroy(self, sid: str) -> None:
        self._run(self._destroy(sid))


class AsyncAdaptedStore(Adaptation):
    """An async store of express's contract, as an `AsyncStore`; else as AdaptedStore."""

    all: Callable[[], AsyncIterator[tuple[str, StoredRecord]]]
    clear: Callable[[], Awaitable[None]]
    length: Callable[[], Awaitable[int]]

    def __init__(self, store: Any, clock: Callable[[], float]) -> None:
        super().__init__(store, clock)
        self._run: Callable[[Steps], Any] = AwaitedCalls(self.methods).arun
        if "all" in self.methods:
            self.all = self._iterate
        if "clear" in self.methods:
            self.clear = lambda: self._run(self._ask("clear"))
        if "length" in self.methods:
            self.length = lambda: self._run(self._ask("length"))

    async def get(self, sid: str) -> StoredRecord | None:
        record: StoredRecord | None = await self._run(self._get(sid))
        return record

    async def create(self, sid: str, blob: bytes, ttl: float) -> Created:
        return await self._run(self._create(sid, blob, ttl))

    async def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> Updated:
        return await self._run(self._update(sid, blob, ttl, version))

    async def touch(self, sid: str, ttl: float) -> bool:
        return bool(await self._run(self._touch(sid, ttl)))

    async def destroy(self, sid: str) -> None:
        await self._run(self._destroy(sid))

    async def _iterate(self) -> AsyncIterator[tuple[str, StoredRecord]]:
        for pair in await self._run(self._all()):
            yield pair


class Calls(InlineDriver):
    """Calls the methods of the user's store."""

    def __init__(self, methods: dict[str, Callable[..., Any]]) -> None:
        self.calls = methods


class AwaitedCalls(AwaitDriver):
    """Calls the methods of the user's store and awaits them; some of them may be sync."""

    def __init__(self, methods: dict[str, Callable[..., Any]]) -> None:
        self.calls = {name: awaitable(method) for name, method in methods.items()}


def awaitable(method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """`method` so that it can be awaited, whether or not what it returns can be."""

    async def call(*arguments: Any) -> Any:
        reply = method(*arguments)
        return await reply if inspect.isawaitable(reply) else reply

    return call


def methods_of(store: Any) -> dict[str, Callable[..., Any]]:
    """The methods of express's contract that the store has, by name."""
    found = {name: getattr(store, name, None) for name in NEEDED + OPTIONAL}
    return {name: method for name, method in found.items() if callable(method)}


def unless_missing(name: str, *arguments: Any, missing: Any = None) -> Steps:
    """What the method returns, or `missing` where it raises that there is no such record."""
    try:
        return (yield name, arguments)
    except StoreError as error:
        if is_not_found(error.__cause__):
            return missing
        raise


def is_not_found(error: BaseException | None) -> bool:
    """Whether it is an error that means "no such record"."""
    if isinstance(error, FileNotFoundError):
        return True
    return isinstance(error, OSError) and error.errno == errno.ENOENT


# -- what the user's store keeps: a session's dict, as JSON.parse would give it ----------------


def session_of(verb: str, blob: bytes) -> dict[str, Any]:
    """The JSON object in `blob`. StoreError for anything else."""
    try:
        session = msgspec.json.decode(blob)
    except (msgspec.MsgspecError, ValueError):
        try:
            session = json.loads(blob)  # takes half surrogate pairs, as JavaScript does
        except ValueError:
            session = None
    if not isinstance(session, dict):
        raise StoreError(verb, "this store keeps dicts: the codec must write a JSON object")
    return session


def record_of(session: Mapping[str, Any]) -> StoredRecord:
    """The session as a record, without the cookie that we added."""
    return text_of(session), version_of(session), expires_of(session)


def version_of(session: Mapping[str, Any]) -> bytes:
    """The text without the end of life, which a touch moves: it is equal if nothing was written."""
    cookie = session.get("cookie")
    if is_added(cookie) or not isinstance(cookie, Mapping):
        return text_of(session)
    kept = {name: value for name, value in cookie.items() if name != "expires"}
    return text_of({**session, "cookie": kept})


def text_of(session: Mapping[str, Any]) -> bytes:
    """The record's bytes: JSON as the codec writes it, so that an unchanged session is seen so."""
    cookie = session.get("cookie")
    try:
        if "cookie" not in session or is_added(cookie):
            return msgspec.json.encode({k: v for k, v in session.items() if k != "cookie"})
        if isinstance(cookie, Mapping) and isinstance(end := cookie.get("expires"), datetime):
            cookie = {**cookie, "expires": aware(end)}
        return stringify({**session, "cookie": cookie})
    except (TypeError, ValueError) as error:
        raise StoreError("get", f"the store returned what is no JSON: {error}") from error


def is_added(cookie: Any) -> bool:
    """Whether this cookie is one of `Adaptation._cookie`."""
    return isinstance(cookie, Mapping) and cookie.get(MARK[0]) == MARK[1]


def is_live(session: Mapping[str, Any], now: float) -> bool:
    """Whether the session's end, if it has one, is to come."""
    end = expires_of(session)
    return end is None or end > now


def expires_of(session: Mapping[str, Any]) -> float | None:
    """Epoch seconds of `cookie.expires`: ISO text, a date, or a number of ms; else None."""
    cookie = session.get("cookie")
    end = cookie.get("expires") if isinstance(cookie, Mapping) else None
    if isinstance(end, str):
        end = iso_ms(end)
    elif isinstance(end, datetime):
        return aware(end).timestamp()
    return end / 1000 if isinstance(end, int | float) and not isinstance(end, bool) else None


def aware(moment: datetime) -> datetime:
    """`moment`, in UTC if it does not say where."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def pairs(found: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(sid, session) of what `all` returned: a dict, pairs, or sessions with their `id` in them."""
    if isinstance(found, Mapping):
        yield from found.items()
        return
    for item in found:
        if not isinstance(item, Mapping):
            sid, session = item
        elif "id" in item:
            sid = item["id"]
            session = {name: value for name, value in item.items() if name != "id"}
        else:
            raise StoreError("all", "the store must return {sid: session}, or pairs of these")
        yield sid, session
