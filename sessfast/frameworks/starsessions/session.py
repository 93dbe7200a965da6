"""starsessions' functions about a connection's session, in terms of ours."""

from __future__ import annotations

import secrets
from typing import Any, TypedDict

from sessfast.errors import HeadersSentError
from sessfast.hotpath import new_id
from sessfast.lifecycle import Lifecycle
from sessfast.session import AsyncSession
from sessfast.state import State

from .exceptions import ImproperlyConfigured

ROTATES = "sessfast.starsessions.rotates"  # in a scope: the id that its session gets


class SessionMetadata(TypedDict):
    """What is known of a session; times in epoch seconds."""

    lifetime: int
    created: float
    last_access: float


class LoadedSession(AsyncSession):
    """A session that load_session() does something for: it is awaited, or its life extended.

    Others are AsyncSession itself, which is made faster than any subclass.
    """

    __slots__ = ()


def session_of(connection: Any) -> AsyncSession:
    """The session of a connection. ImproperlyConfigured where no middleware put one there."""
    session = connection.scope.get("session")
    if not isinstance(session, AsyncSession):
        raise ImproperlyConfigured(
            "there is no session here: put sessfast's SessionMiddleware around the app, outside "
            "of what uses sessions (Starlette runs what is first in `middleware`, or was added "
            "last, outermost)"
        )
    return session


def rules_of(session: AsyncSession) -> Lifecycle:
    """The rules that a session follows."""
    rules: Any = session._rules
    return rules  # type: ignore[no-any-return]


def lifetime_of(session: AsyncSession) -> int:
    """Seconds that the middleware gives a session; 0: until the browser closes."""
    return int(rules_of(session).policy.max_age or 0)


async def load_session(connection: Any) -> None:
    """Load the session where its store must be awaited; else it loads itself when it is touched.

    Where it is rolling, this is a use.
    """
    if type(connection.scope.get("session")) is AsyncSession:
        return
    session = session_of(connection)
    driver: Any = session._driver
    if driver.waits:
        await session.load()
    else:
        session._opened()


def is_loaded(connection: Any) -> bool:
    """Whether the session can be used: there may be nothing to wait for."""
    session = session_of(connection)
    driver: Any = session._driver
    return session._state is not None or not driver.waits


def generate_session_id() -> str:
    """A new id of starsessions' form; sessions of ours have longer ones."""
    return secrets.token_hex(16)


def get_session_id(connection: Any) -> str | None:
    """The session's id, or None where it has none yet. It is a credential: never log it."""
    planned: str | None = connection.scope.get(ROTATES)
    return planned or session_of(connection)._opened().sid


def regenerate_session_id(connection: Any) -> str:
    """Give the session a new id, and keep its data: the new id. The old one is dead.

    Where the store must be awaited, that happens when the response starts.
    """
    session = session_of(connection)
    if session.committed:
        raise HeadersSentError("a new id needs a new cookie, and the headers have left")
    driver: Any = session._driver
    if driver.waits:
        planned: str = connection.scope.setdefault(ROTATES, new_id())
        return planned
    driver.run(rules_of(session).regenerate(session, True))
    return session.id


async def rotate(session: AsyncSession, sid: str) -> None:
    """Do what `regenerate_session_id` promised: `sid` is the id that it told."""
    await session.regenerate(keep=True)
    state = session._opened()
    state.sid, state.key = sid, rules_of(session).policy.store_key(sid)


def get_session_metadata(connection: Any) -> SessionMetadata:
    """When the session began, and how long it lives."""
    session = session_of(connection)
    state, now = session._opened(), rules_of(session).clock()
    created = now if state.meta is None else state.meta.created
    return {"lifetime": lifetime_of(session), "created": created, "last_access": now}


def get_session_remaining_seconds(connection: Any) -> int:
    """Whole seconds until the session ends if it is not used; 0 for a browser session."""
    session = session_of(connection)
    lifetime = lifetime_of(session)
    state, now = session._opened(), rules_of(session).clock()
    return int(min(lifetime, ends(state, now + lifetime) - now)) if lifetime else 0


def ends(state: State, usual: float) -> float:
    """Epoch seconds at which a session ends; `usual`: of one that begins now."""
    end = usual if state.expires is None else state.expires
    return min(end, state.ends)


class SessionHandler:
    """A session's insides, by starsessions' names."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.is_loaded = is_loaded(connection)
        self.lifetime = lifetime_of(session_of(connection))

    @property
    def session_id(self) -> str | None:
        """As `get_session_id`."""
        return get_session_id(self.connection)

    @property
    def metadata(self) -> SessionMetadata:
        """As `get_session_metadata`."""
        return get_session_metadata(self.connection)

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return not session_of(self.connection)

    @property
    def initially_empty(self) -> bool:
        """Whether none came with the request."""
        return session_of(self.connection).is_new

    async def load(self) -> None:
        """As `load_session`."""
        await load_session(self.connection)

    async def save(self, remaining_time: int) -> str:
        """Store it now; its id. How long it lives is what the options say."""
        session = session_of(self.connection)
        await session.save()
        return session.id

    async def destroy(self) -> None:
        """Delete it, here and in the store."""
        await session_of(self.connection).destroy()

    def regenerate_id(self) -> str:
        """As `regenerate_session_id`."""
        return regenerate_session_id(self.connection)


def get_session_handler(connection: Any) -> SessionHandler:
    """The insides of the connection's session."""
    return SessionHandler(connection)
