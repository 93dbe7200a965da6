"""Where starsessions' stores lead: each to one of ours, and to the reader of what it held.

A user's own store, with `read`, `write` and `remove`, is used as it is.
"""

from __future__ import annotations

import abc
import time
from typing import Any, NamedTuple

from sessfast.errors import DecodeError, OptionsError, StoreError
from sessfast.legacy.starsessions import SignedCookies, StoreReader
from sessfast.stores.memory import MemoryStore
from sessfast.stores.overwriting import OverwritingStore

KEPT = 30 * 86400  # seconds that a record lives whose session ends with the browser
VERBS = ("read", "write", "remove")


class Plug(NamedTuple):
    """What the middleware takes for a store.

    store:   of ours
    readers: of what the incumbent left behind
    kept:    seconds that a session lives which has no lifetime
    secret:  the one that the store brings along, if it does
    """

    store: Any
    readers: tuple[Any, ...] = ()
    kept: float = KEPT
    secret: str | None = None


class Settings(NamedTuple):
    """What a store must know of the middleware, to read what it held before."""

    lifetime: int
    rolling: bool
    deserialize: Any
    clock: Any

    @property
    def options(self) -> dict[str, Any]:
        """Those of a reader of records."""
        return {"rolling": self.rolling, "deserialize": self.deserialize, "clock": self.clock}


class SessionStore(abc.ABC):
    """The interface of a store: octets under an id."""

    @abc.abstractmethod
    async def read(self, session_id: str, lifetime: int) -> bytes:
        """The octets under an id; none if there are none."""

    @abc.abstractmethod
    async def write(self, session_id: str, data: bytes, lifetime: int, ttl: int) -> str:
        """Store the octets for `ttl` seconds; the id."""

    @abc.abstractmethod
    async def remove(self, session_id: str) -> None:
        """Delete what is under an id."""


class InMemoryStore(SessionStore):
    """Sessions in this process's memory: a `MemoryStore`, bounded and swept.

    data: what `write` stored: not where the middleware keeps sessions
    """

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.sessions = MemoryStore()

    async def read(self, session_id: str, lifetime: int) -> bytes:
        """The octets under an id; none if there are none."""
        return self.data.get(session_id, b"")

    async def write(self, session_id: str, data: bytes, lifetime: int, ttl: int) -> str:
        """Store the octets; the id."""
        self.data[session_id] = data
        return session_id

    async def remove(self, session_id: str) -> None:
        """Delete what is under an id."""
        self.data.pop(session_id, None)

    def plug(self, settings: Settings) -> Plug:
        """The memory; nothing is read, for an incumbent's memory died with its process."""
        if settings.clock is not None:
            self.sessions.clock = settings.clock
        return Plug(self.sessions)


class CookieStore(SessionStore):
    """Sessions that were in the browser's cookie, and are in a store of ours from now on.

    secret_key: verifies the old cookies, and signs ours where the middleware has no `secret`
    store:      where sessions go: a URL such as "redis://…", or a store of sessfast
    """

    def __init__(self, secret_key: Any, store: Any = None) -> None:
        self.secret_key = str(secret_key)
        self.store = store

    def _cookies(self, lifetime: int, rolling: bool = False) -> SignedCookies:
        return SignedCookies((self.secret_key.encode(),), lifetime, rolling)

    async def read(self, session_id: str, lifetime: int) -> bytes:
        """The octets in the cookie; none where it is not to be believed."""
        try:
            return self._cookies(lifetime).octets(session_id, time.time())
        except DecodeError:
            return b""

    async def write(self, session_id: str, data: bytes, lifetime: int, ttl: int) -> str:
        """The cookie that holds the octets."""
        return self._cookies(lifetime).signed(data)

    async def remove(self, session_id: str) -> None:
        """Nothing: no cookie can be taken back."""

    def plug(self, settings: Settings) -> Plug:
        """The store that was named, and the reader of the old cookies."""
        if self.store is None:
            raise OptionsError(
                ["store: CookieStore kept sessions in the browser, ours are on the server: say "
                 'where, as in CookieStore(secret_key, store="redis://localhost") '
                 '("memory://" where there is one process)']
            )  # fmt: skip
        readers = (self._cookies(settings.lifetime, settings.rolling),)
        return Plug(self.store, readers, secret=self.secret_key)


def plugged(store: Any, settings: Settings) -> Plug:
    """What `store` means: one of those here, one of starsessions' contract, or one of ours."""
    if callable(plug := getattr(store, "plug", None)):
        made: Plug = plug(settings)
        return made
    if all(callable(getattr(store, verb, None)) for verb in VERBS):
        reader = StoreReader(store, settings.lifetime, **settings.options)
        return Plug(adapted(store, settings.lifetime, settings.clock), (reader,))
    return Plug(store)


def adapted(store: Any, lifetime: int, clock: Any) -> OverwritingStore:
    """A store of starsessions' contract, of whatever kind, as one of ours."""

    async def read(key: str) -> bytes:
        found: bytes = await store.read(session_id=key, lifetime=lifetime)
        return found

    async def write(key: str, octets: bytes, seconds: int) -> None:
        kept = await store.write(session_id=key, data=octets, lifetime=lifetime, ttl=seconds)
        if kept != key:
            raise StoreError("write", "the store's write() returned another id than it was given")

    return OverwritingStore(read, write, store.remove, clock)


__all__ = ["CookieStore", "InMemoryStore", "SessionStore"]
