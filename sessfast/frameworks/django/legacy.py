"""Who reads the sessions of Django's own engines: Django does, each from where it put them.

Nothing is decoded here a second time: a record is what the engine's `load` gives, the cookie of
signed_cookies what `django.core.signing` believes. The cache engine's records were pickled by the
cache, and the cache unpickles them: that is how it was configured.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.core.cache import caches

from sessfast.errors import DecodeError
from sessfast.importing import Imports
from sessfast.meta import Meta
from sessfast.policy import end_of

ENGINES = {
    f"django-{engine}": f"django.contrib.sessions.backends.{engine}"
    for engine in ("db", "cache", "cached_db", "file", "signed_cookies")
}
KEY = re.compile(r"[0-9A-Za-z_-]{8,40}")  # Django makes 32 of a-z0-9, columns hold 40
COOKIE_SALT = "django.contrib.sessions.backends.signed_cookies"


class EngineReader:
    """Reads a server-side engine's records; the session keeps its key.

    name:   goes into events
    engine: the engine's module, as in SESSION_ENGINE
    """

    blocking = True
    keeps_key = True

    def __init__(self, name: str, engine: str) -> None:
        self.name = name
        self.engine = import_module(engine)

    def key(self, value: str, now: float) -> str:
        """`value`, if it has the form of a key. DecodeError otherwise."""
        if not KEY.fullmatch(value):
            raise DecodeError("it is no session key of Django's")
        return value

    def get(self, key: str) -> dict[str, Any] | None:
        """The record's data, None where there is none. DecodeError for one that can't be read."""
        store = self._store(key)
        data = store.load()
        if store.session_key is None:
            return None
        return checked(data, "it is empty, or no SECRET_KEY of today signed it")

    def destroy(self, key: str) -> None:
        """Delete the record."""
        self._store(key).delete(key)

    def sweep(self) -> None:
        """Remove what has expired."""
        self.engine.SessionStore.clear_expired()

    def _store(self, key: str) -> Any:
        store = self.engine.SessionStore(key)
        # the file engine makes a new session of one that has expired
        store.create = lambda: setattr(store, "_session_key", None)
        return store


class CacheReader(EngineReader):
    """Reads the cache engine's records. An outage is told apart from a miss, unlike there."""

    def get(self, key: str) -> dict[str, Any] | None:
        """As above; what the cache raises is raised."""
        cache = caches[settings.SESSION_CACHE_ALIAS]
        data = cache.get(self.engine.KEY_PREFIX + key)
        return None if data is None else checked(data, "it is no dict, or empty")

    def sweep(self) -> None:
        """Nothing: caches forget by themselves."""


class SignedCookieReader:
    """Reads cookies that hold the data; the session gets a new, short key."""

    name = "django-signed_cookies"
    blocking = False
    keeps_key = False

    def key(self, value: str, now: float) -> str:
        """`value`, if it may be signed data. DecodeError otherwise."""
        if value.count(":") != 2:
            raise DecodeError("it is no signed data")
        return value

    def get(self, key: str) -> dict[str, Any]:
        """The cookie's data. DecodeError for all that is not to be believed."""
        serializer = SessionBase().serializer
        age = settings.SESSION_COOKIE_AGE
        try:
            data = signing.loads(key, serializer=serializer, max_age=age, salt=COOKIE_SALT)
        except signing.SignatureExpired:
            raise DecodeError("it has expired") from None
        except signing.BadSignature:
            raise DecodeError("no SECRET_KEY of today signed it") from None
        except Exception as error:  # noqa: BLE001  a serializer may raise anything
            raise DecodeError(f"it can't be read: {type(error).__name__}") from None
        return checked(data, "it is no dict, or empty")

    def destroy(self, key: str) -> None:
        """Nothing: it is the browser that has it."""


def checked(data: Any, reason: str) -> dict[str, Any]:
    """`data`, if it is a session that still lives. DecodeError otherwise."""
    if not isinstance(data, dict) or not data:
        raise DecodeError(reason)
    if age_of(data) <= 0:
        raise DecodeError("it has expired")
    return dict(data)


def age_of(data: dict[str, Any]) -> float:
    """Seconds that a session lives whose data this is: Django's own rule."""
    try:
        age: float = SessionBase().get_expiry_age(expiry=data.get("_session_expiry"))
    except (TypeError, ValueError):
        raise DecodeError("its _session_expiry can't be read") from None
    return age


def reader_of(name: str) -> EngineReader | SignedCookieReader:
    """The reader for a name of ENGINES."""
    if name == SignedCookieReader.name:
        return SignedCookieReader()
    kind = CacheReader if name == "django-cache" else EngineReader
    return kind(name, ENGINES[name])


class DjangoImports(Imports):
    """What is taken over from Django's engines, whose cookie is a bare key or the data."""

    def values(self, cookies: Any, candidates: int) -> Iterator[str]:
        """The one cookie, as SessionStore was given it."""
        yield cookies

    def sid_of(self, reader: Any, key: str) -> str:
        """The key that a record keeps, or one that its signed cookie alone leads to."""
        if getattr(reader, "keeps_key", False):
            return key
        digest = hashlib.sha256(f"{reader.name} {key}".encode()).digest()
        return base64.b32encode(digest[:20]).decode().lower()

    def begun(self, data: dict[str, Any], now: float) -> tuple[Meta, float]:
        """As Imports has it, with a lifetime that the session has of its own."""
        if not data.get("_session_expiry"):
            return super().begun(data, now)
        age = age_of(data)
        span = self.policy.absolute_span(age)
        return Meta(now, end_of(now, span), {"max_age": age}), min(age, span)

    def is_open(self) -> bool:
        """Whether anything is taken over today."""
        return self.clock() < self.until

    @property
    def record_readers(self) -> list[Any]:
        """Those whose records could come back."""
        return [each for each in self.readers if getattr(each, "keeps_key", False)]
