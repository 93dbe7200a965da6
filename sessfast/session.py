"""The object an app holds: a dict that opens when it is first touched.

What a session *does* is decided in lifecycle.py; this file only notices what the app did.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol, Self, TypeVar

import msgspec

from sessfast.errors import SessionDestroyedError, StoreError
from sessfast.options import SessionOptions
from sessfast.records import Meta, Read, RequestFacts, Sent, Tell, shorten
from sessfast.session_cookie import SessionCookie

PLAIN = frozenset({str, int, float, bool, type(None)})
Kind = TypeVar("Kind", bound="Session")
RawCookies = str | Iterable[tuple[bytes, bytes]]
# A cookie that was believed, its record still to be loaded: store key, sid, which secret signed
# it, how many cookies were looked at. A plain tuple, as all that a request builds on its way.
Claimed = tuple[str, str, int, int]
Steps = Generator[tuple[str, tuple[Any, ...]], Any, Any]  # (verb, arguments), its reply


class Rules(Protocol):
    """What a session asks of the life cycle; every answer is a generator of store calls."""

    clock: Callable[[], float]
    options: SessionOptions

    def begin(self, session: Session) -> Claimed | None: ...
    def feed(self, session: Session, claimed: Claimed, reply: Any) -> Claimed | None: ...
    def fail(self, session: Session, claimed: Claimed, error: StoreError) -> None: ...
    def open(self, session: Session) -> Steps: ...
    def identify(self, session: Session) -> str: ...
    def cookie(self, session: Session) -> SessionCookie: ...
    def regenerate(self, session: Session, keep: bool) -> Steps: ...
    def destroy(self, session: Session) -> Steps: ...
    def reload(self, session: Session) -> Steps: ...
    def save(self, session: Session) -> Steps: ...
    def touch(self, session: Session) -> Steps: ...


class Driver(Protocol):
    """Who makes the store calls: `run` and what `opener` gives at once, `arun` awaited."""

    def opener(self, rules: Rules) -> Callable[[Session], None]: ...
    def run(self, steps: Steps) -> Any: ...
    async def arun(self, steps: Steps) -> Any: ...


class State(msgspec.Struct):
    """What is known about an opened session. A Struct: filled in one step, not field by field.

    cookie_sid: the id the browser presented and the store knows (express's cookieId)
    sid, key:   the present id, and its key in the store; None until needed
    stored:     a record exists under `key`, as far as we know
    blob, version, expires: the record as last loaded or saved
    original:   the record as loaded, to tell what changed since; empty for a new session
    at_rest:    left alone, the record needs nothing yet: no touch, no cookie signed anew
    candidates: how many cookies of our name were looked at
    tell:       who listened when the session was opened, else None
    active:     the app did more than read plain values
    written, lent: the app wrote; the app was handed a value it can change in place
    changed:    the data differed from `original` when it was last compared
    saved_text: the data's bytes at the last save of this request
    """

    read: Read
    tell: Tell | None
    candidates: int = 0
    cookie_sid: str | None = None
    sid: str | None = None
    key: str | None = None
    stored: bool = False
    blob: bytes = b""
    original: bytes = b""
    version: Any = None
    expires: float | None = None
    meta: Meta | None = None
    retired_key: bool = False
    at_rest: bool = False
    degraded: StoreError | None = None
    sent: Sent | None = None
    cookie: SessionCookie | None = None
    active: bool = False
    written: bool = False
    lent: bool = False
    changed: bool = False
    saved_text: bytes | None = None
    destroyed: bool = False
    gone: bool = False
    superseded: bool = False
    rotated: bool = False
    touched: bool = False
    refreshed: bool = False
    failed: bool = False
    set_cookie: str | None = None


class Fetched(NamedTuple):
    """What was found for a session that nobody has touched yet.

    Where loading must be awaited it happens before the app runs, and the app may never look.
    """

    state: State
    data: dict[str, Any]
    request: Any


class _Parked:
    """The only key of a session nobody touched.

    C code that reads a dict's slots directly (`json.dumps` asks for the size first, orjson
    and msgspec walk the table) must not mistake an unopened session for an empty one.
    """

    def __repr__(self) -> str:
        return "<session not opened>"


PARKED: Any = {_Parked(): None}


def park(kind: type[Kind], request: RawCookies | RequestFacts, secure: bool) -> Kind:
    """A session nobody has touched. No `__init__`: this is all that such a request costs."""
    session = kind(PARKED)
    session._request = request
    session._secure = secure
    session._state = None
    return session


class Session(dict[str, Any]):
    """The session of one request, used as a dict; under WSGI its methods act at once.

    Nothing is read, loaded or decoded before the first access. `id`, `cookie` and the
    methods live beside the data, never in it: `session["id"]` is data of yours.
    """

    __slots__ = ("_committed", "_request", "_secure", "_state")
    _rules: ClassVar[Rules]
    _driver: ClassVar[Driver]
    _open: Callable[[], None]
    _request: RawCookies | RequestFacts | StoreError | Fetched
    _secure: bool
    _state: State | None
    _committed: bool  # set when the headers leave, absent before

    @classmethod
    def bound(cls, rules: Rules, driver: Driver) -> type[Self]:
        """The class of one middleware's sessions: what they share is stored once, here."""
        shared = {"__slots__": (), "_rules": rules, "_driver": driver, "__doc__": cls.__doc__}
        shared["_open"] = driver.opener(rules)
        made: Any = type(cls.__name__, (cls,), {**shared, "__module__": cls.__module__})
        return made  # type: ignore[no-any-return]

    # -- what a session knows --------------------------------------------------------------

    def _opened(self) -> State:
        if self._state is None:
            self._open()
        assert self._state is not None
        return self._state

    @property
    def outage(self) -> StoreError | None:
        """The error that a first touch met, where the store was down and the app must know."""
        return self._request if isinstance(self._request, StoreError) else None

    @property
    def committed(self) -> bool:
        """Whether the response's headers have left, so that no new cookie can go out."""
        return hasattr(self, "_committed")

    @property
    def facts(self) -> RequestFacts | None:
        """What is known of the request, where the options have a callable that wants it."""
        return self._request if isinstance(self._request, RequestFacts) else None

    @property
    def id(self) -> str:
        """The session's id. It is a credential: never log it."""
        state = self._state or self._opened()
        return state.sid or self._rules.identify(self)

    @property
    def cookie(self) -> SessionCookie:
        """The session's cookie; what you assign to its attributes holds for this visitor."""
        state = self._state or self._opened()
        return state.cookie or self._rules.cookie(self)

    @property
    def is_new(self) -> bool:
        """Whether no stored session came with the request, or the id was just regenerated."""
        state = self._state or self._opened()
        return state.cookie_sid is None or state.rotated

    @property
    def read_reason(self) -> Read:
        """Why the request got the session it got. Does not open it."""
        if self.outage is not None:
            return Read.STORE_DOWN
        return Read.UNTOUCHED if self._state is None else self._state.read

    @property
    def sent_reason(self) -> Sent | None:
        """Why the response carried a cookie or none; None before its headers left."""
        return None if self._state is None else self._state.sent

    def __repr__(self) -> str:
        state = self._state
        if state is None:
            return f"<{type(self).__name__} not opened>"
        keys = ", ".join(map(repr, dict.keys(self)))
        return f"<{type(self).__name__} {shorten(state.sid)} keys: {keys or 'none'}>"

    # -- reading ---------------------------------------------------------------------------

    def _lend(self) -> None:
        """The app is handed a value that it can change in place."""
        state = self._state or self._opened()
        state.lent = state.active = True

    def __getitem__(self, key: str) -> Any:
        if self._state is None:
            self._open()
        value = dict.__getitem__(self, key)
        if type(value) not in PLAIN:
            self._lend()
        return value

    def get(self, key: str, default: Any = None) -> Any:
        if self._state is None:
            self._open()
        value = dict.get(self, key, default)
        if type(value) not in PLAIN:
            self._lend()
        return value

    def __contains__(self, key: object) -> bool:
        if self._state is None:
            self._open()
        return dict.__contains__(self, key)

    def __len__(self) -> int:
        if self._state is None:
            self._open()
        return dict.__len__(self)

    def __iter__(self) -> Iterator[str]:
        if self._state is None:
            self._open()
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        if self._state is None:
            self._open()
        return dict.__reversed__(self)

    def keys(self) -> Any:
        if self._state is None:
            self._open()
        return dict.keys(self)

    def values(self) -> Any:
        self._lend()
        return dict.values(self)

    def items(self) -> Any:
        self._lend()
        return dict.items(self)

    def __eq__(self, other: object) -> bool:
        self._state or self._opened()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def copy(self) -> dict[str, Any]:
        """A plain dict of the data; changing it changes no session."""
        self._lend()
        return dict(dict.items(self))

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return copy.deepcopy(self.copy(), memo)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a session can't be pickled: take its data with dict(session)")

    # -- writing ---------------------------------------------------------------------------

    def _write(self) -> None:
        state = self._state or self._opened()
        if state.destroyed:
            raise SessionDestroyedError(
                "this session was destroyed: call regenerate() to begin a new one"
            )
        state.written = state.active = True

    def __setitem__(self, key: str, value: Any) -> None:
        self._write()
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self._write()
        dict.__delitem__(self, key)

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]
        self._write()
        dict.update(self, other)
        return self

    def update(self, *args: Any, **kwargs: Any) -> None:
        self._write()
        dict.update(self, *args, **kwargs)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key in self:
            return self[key]
        self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        if default and key not in self:
            return default[0]
        self._write()
        return dict.pop(self, key)

    def popitem(self) -> tuple[str, Any]:
        self._write()
        return dict.popitem(self)

    def clear(self) -> None:
        if self:
            self._write()
            dict.clear(self)

    # -- acting: each method is one line, its rule is in lifecycle.py -----------------------

    def regenerate(self, keep: bool = False) -> Any:
        """Give the session a new id; the old one is dead. `keep=True` carries the data over."""
        return self._driver.run(self._rules.regenerate(self, keep))

    def destroy(self) -> Any:
        """Delete the session, here and in the store. Reads then find it empty."""
        return self._driver.run(self._rules.destroy(self))

    def reload(self) -> Any:
        """Replace the data by what the store holds. SessionGoneError if it holds nothing."""
        return self._driver.run(self._rules.reload(self))

    def save(self) -> Any:
        """Store the session now, not when the response starts."""
        return self._driver.run(self._rules.save(self))

    def touch(self) -> Any:
        """Start the countdown of cookie and record again, without storing the data."""
        return self._driver.run(self._rules.touch(self))


class AsyncSession(Session):
    """The session of one ASGI request or websocket: its five methods are awaited."""

    __slots__ = ()

    async def regenerate(self, keep: bool = False) -> None:
        """Give the session a new id; the old one is dead. `keep=True` carries the data over."""
        await self._driver.arun(self._rules.regenerate(self, keep))

    async def destroy(self) -> None:
        """Delete the session, here and in the store. Reads then find it empty."""
        await self._driver.arun(self._rules.destroy(self))

    async def reload(self) -> None:
        """Replace the data by what the store holds. SessionGoneError if it holds nothing."""
        await self._driver.arun(self._rules.reload(self))

    async def save(self) -> None:
        """Store the session now, not when the response starts."""
        await self._driver.arun(self._rules.save(self))

    async def touch(self) -> None:
        """Start the countdown of cookie and record again, without storing the data."""
        await self._driver.arun(self._rules.touch(self))
