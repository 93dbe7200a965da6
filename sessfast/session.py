"""The object an app holds: a dict that opens when it is first touched.

What a session *does* is decided in lifecycle.py; this file only notices what the app did.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, Protocol, Self

from sessfast.errors import SessionDestroyedError, StoreError
from sessfast.hotpath import take_over
from sessfast.options import SessionOptions
from sessfast.records import Read, RequestFacts, Sent, shorten
from sessfast.session_cookie import SessionCookie

from .rawdict import RawDict
from .state import Fetched, State, Steps

NOTHING = type(None)
RawCookies = str | Iterable[tuple[bytes, bytes]]


class Rules(Protocol):
    """What a session asks of the life cycle; what ends in `Steps` needs store calls."""

    clock: Callable[[], float]
    options: SessionOptions

    def identify(self, session: Session) -> str: ...
    def cookie(self, session: Session) -> SessionCookie: ...
    def regenerate(self, session: Session, keep: bool) -> Steps: ...
    def destroy(self, session: Session) -> Steps: ...
    def load(self, session: Session) -> Steps: ...
    def reload(self, session: Session) -> Steps: ...
    def save(self, session: Session) -> Steps: ...
    def touch(self, session: Session) -> Steps: ...


class Driver(Protocol):
    """Who makes the store calls: `open` and `run` at once, `arun` awaited."""

    def open(self, session: Session) -> None: ...
    def run(self, steps: Steps) -> Any: ...
    async def arun(self, steps: Steps) -> Any: ...


class _Parked:
    """The only key of a session nobody touched.

    C code that reads a dict's slots directly (`json.dumps` asks for the size first, orjson
    and msgspec walk the table) must not mistake an unopened session for an empty one.
    """

    def __repr__(self) -> str:
        return "<session not opened>"


PARKED_KEY: Any = _Parked()


class Session(RawDict):
    """The session of one request, used as a dict; under WSGI its methods act at once.

    Nothing is read, loaded or decoded before the first access. `id`, `cookie` and the
    methods live beside the data, never in it: `session["id"]` is data of yours.
    """

    __slots__ = ("_committed", "_driver", "_request", "_rules", "_secure", "_state")
    _rules: Rules
    _driver: Driver
    _request: RawCookies | RequestFacts | StoreError | Fetched
    _secure: bool
    _state: State | None
    _committed: bool  # the headers have left

    def _park(
        self, rules: Rules, driver: Driver, request: RawCookies | RequestFacts, secure: bool
    ) -> None:
        """Make of a session that has only been through `__new__` one that nobody has touched.

        There is no `__init__`: this is all that a request costs whose session nobody touches.
        """
        self._put(PARKED_KEY, None)
        self._rules = rules
        self._driver = driver
        self._request = request
        self._secure = secure
        self._state = None
        self._committed = False

    def _adopt(self, found: object) -> bool:
        """Take over a plain dict that the app put in the session's place; True if it put None.

        found: what stands now where the session was put
        """
        if type(found) is dict and found != self:
            self.clear()
            self.update(found)
        return found is None

    # -- what a session knows --------------------------------------------------------------

    def _opened(self) -> State:
        if self._state is None:
            self._driver.open(self)
        assert self._state is not None
        return self._state

    @property
    def outage(self) -> StoreError | None:
        """The error that a first touch met, where the store was down and the app must know."""
        return self._request if isinstance(self._request, StoreError) else None

    @property
    def committed(self) -> bool:
        """Whether the response's headers have left, so that no new cookie can go out."""
        return self._committed

    @property
    def facts(self) -> RequestFacts | None:
        """What is known of the request, where the options have a callable that wants it."""
        return self._request if isinstance(self._request, RequestFacts) else None

    @property
    def id(self) -> str:
        """The session's id. It is a credential: never log it."""
        state = self._opened()
        return state.sid or self._rules.identify(self)

    @property
    def cookie(self) -> SessionCookie:
        """The session's cookie; what you assign to its attributes holds for this visitor."""
        state = self._opened()
        return state.cookie or self._rules.cookie(self)

    @property
    def is_new(self) -> bool:
        """Whether no stored session came with the request, or the id was just regenerated."""
        state = self._opened()
        return state.rotated or (state.cookie_sid is None and not state.imported)

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
        state = self._opened()
        state.lent = state.active = True

    def _handed(self, value: Any) -> Any:
        """`value`, as the app gets it: lent, unless it is of a kind that can't be changed."""
        kind = type(value)
        if (
            kind is not str
            and kind is not int
            and kind is not bool
            and kind is not NOTHING
            and kind is not float
        ):
            self._lend()
        return value

    def __getitem__(self, key: str) -> Any:
        if self._state is None:
            self._driver.open(self)
        return self._handed(self._at(key))

    def get(self, key: str, default: Any = None) -> Any:
        if self._state is None:
            self._driver.open(self)
        return self._handed(self._find(key, default))

    def __contains__(self, key: object) -> bool:
        if self._state is None:
            self._driver.open(self)
        return dict.__contains__(self, key)

    def __len__(self) -> int:
        if self._state is None:
            self._driver.open(self)
        return self._size()

    def __iter__(self) -> Iterator[str]:
        if self._state is None:
            self._driver.open(self)
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        if self._state is None:
            self._driver.open(self)
        return dict.__reversed__(self)

    def keys(self) -> Any:
        if self._state is None:
            self._driver.open(self)
        return dict.keys(self)

    def values(self) -> Any:
        self._lend()
        return dict.values(self)

    def items(self) -> Any:
        self._lend()
        return dict.items(self)

    def __eq__(self, other: object) -> bool:
        self._opened()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

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
        state = self._opened()
        if state.destroyed:
            raise SessionDestroyedError(
                "this session was destroyed: call regenerate() to begin a new one"
            )
        state.written = state.active = True

    def __setitem__(self, key: str, value: Any) -> None:
        self._write()
        self._put(key, value)

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

    def load(self) -> Any:
        """Open the session now; the first touch does that by itself."""
        return self._driver.run(self._rules.load(self))

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
    """The session of one ASGI request or websocket: its six methods are awaited."""

    __slots__ = ()

    async def regenerate(self, keep: bool = False) -> None:
        """Give the session a new id; the old one is dead. `keep=True` carries the data over."""
        await self._driver.arun(self._rules.regenerate(self, keep))

    async def destroy(self) -> None:
        """Delete the session, here and in the store. Reads then find it empty."""
        await self._driver.arun(self._rules.destroy(self))

    async def load(self) -> None:
        """Open the session now. Needed before the first touch where `prefetch` is off."""
        await self._driver.arun(self._rules.load(self))

    async def reload(self) -> None:
        """Replace the data by what the store holds. SessionGoneError if it holds nothing."""
        await self._driver.arun(self._rules.reload(self))

    async def save(self) -> None:
        """Store the session now, not when the response starts."""
        await self._driver.arun(self._rules.save(self))

    async def touch(self) -> None:
        """Start the countdown of cookie and record again, without storing the data."""
        await self._driver.arun(self._rules.touch(self))


take_over(globals())
