"""How the sessions of starsessions are read: its records, and the cookies of its CookieStore.

A record is what its serializer makes of the data and of `__metadata__` (`lifetime`, `created`,
`last_access`), by default JSON; in Redis its key is `starsessions.<id>`. The cookie is the id, 32
hex digits, unsigned. A CookieStore's cookie is base64 of that JSON, signed by itsdangerous.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from itsdangerous import BadData, TimestampSigner

from sessfast.errors import DecodeError

NAME = "starsessions"
METADATA = "__metadata__"
PREFIX = "starsessions."
A_YEAR = 12 * 30 * 86400  # what CookieStore takes where there is no lifetime
IDS = re.compile("[0-9a-f]{32}")  # other ids were never made by starsessions: it adopts any
FERNET = b"gAAAA"  # how each text of that kind of encryption begins

Deserialize = Callable[[bytes], Any]


def reader(secrets: tuple[bytes, ...]) -> SignedCookies:
    """The reader that `legacy=["starsessions"]` means: of a CookieStore with these secrets."""
    return SignedCookies(secrets)


class Format:
    """What starsessions' bytes mean.

    rolling:     whether each use began the lifetime anew; else it runs from the first
    deserialize: of the serializer that wrote them; None is its JsonSerializer's
    """

    def __init__(self, rolling: bool, deserialize: Deserialize | None) -> None:
        self.rolling = rolling
        self.deserialize = deserialize or from_json

    def data(self, blob: bytes | str, now: float) -> dict[str, Any] | None:
        """The session's data; None where its lifetime is over. DecodeError for other bytes."""
        octets = blob.encode() if isinstance(blob, str) else bytes(blob)
        if octets.startswith(FERNET):
            raise DecodeError("it is encrypted: decrypt the records of starsessions first")
        try:
            found = self.deserialize(octets)
        except Exception as error:
            raise DecodeError(f"its serializer can't read it ({type(error).__name__})") from error
        if not isinstance(found, dict):
            raise DecodeError("it holds no session")
        data = dict(found)
        metadata = data.pop(METADATA, None)
        return data if self._is_alive(metadata, now) else None

    def _is_alive(self, metadata: object, now: float) -> bool:
        if metadata is None:
            return True
        if not isinstance(metadata, Mapping):
            raise DecodeError(f"its {METADATA} is no object")
        lifetime = seconds_of(metadata.get("lifetime"))
        began = seconds_of(metadata.get("last_access" if self.rolling else "created"))
        return lifetime <= 0 or began + lifetime > now


class SignedCookies:
    """Reads the cookies of a CookieStore.

    secrets:  its secret_key, as bytes; of several each may have signed
    lifetime: seconds, as the middleware had it; 0: a browser session
    rolling:  as the middleware had it
    """

    name = NAME

    def __init__(
        self, secrets: tuple[bytes, ...], lifetime: int = 0, rolling: bool = False
    ) -> None:
        self.signer = TimestampSigner(list(reversed(secrets)))  # the newest is last there
        self.lifetime = lifetime or A_YEAR
        self.format = Format(rolling, None)

    def read(self, value: str, now: float) -> dict[str, Any]:
        """The data in the cookie. DecodeError unless it is signed and in time."""
        data = self.format.data(self.octets(value, now), now)
        if data is None:
            raise DecodeError("it has expired")
        return data

    def octets(self, value: str, now: float) -> bytes:
        """What the cookie's value holds. DecodeError unless it is signed and in time."""
        try:
            signed, moment = self.signer.unsign(value.encode(), return_timestamp=True)
            octets = base64.b64decode(signed, validate=True)
        except (BadData, ValueError) as error:  # half a surrogate pair is no text either
            raise DecodeError("it is no cookie that CookieStore signed") from error
        if not now - moment.timestamp() <= self.lifetime:
            raise DecodeError("it has expired")
        return octets

    def signed(self, octets: bytes) -> str:
        """The cookie's value that holds `octets`, as CookieStore makes it."""
        return self.signer.sign(base64.b64encode(octets)).decode()


class Records:
    """What all readers of records have.

    rolling:     as the middleware had it
    deserialize: of its serializer, if it had one of its own
    clock:       epoch seconds
    """

    name = NAME
    blocking = False

    def __init__(
        self,
        rolling: bool = False,
        deserialize: Deserialize | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.format = Format(rolling, deserialize)
        self.clock = clock or time.time

    def key(self, value: str, now: float) -> str:
        """The id that the cookie holds. DecodeError for what starsessions never made."""
        if not IDS.fullmatch(value):
            raise DecodeError("it is no id of 32 hex digits")
        return value

    def _found(self, blob: Any) -> dict[str, Any] | None:
        return self.format.data(blob, self.clock()) if blob else None


class MemoryReader(Records):
    """Reads the records of an InMemoryStore of this process: for tests, as no other has any.

    records: its `data`
    """

    def __init__(self, records: dict[str, bytes], **options: Any) -> None:
        super().__init__(**options)
        self.records = records

    def get(self, key: str) -> dict[str, Any] | None:
        """The data of a record, or None."""
        return self._found(self.records.get(key))

    def destroy(self, key: str) -> None:
        """Delete a record."""
        self.records.pop(key, None)


class RedisReader(Records):
    """Reads the records of a RedisStore.

    client: of redis-py (not its asyncio): for WSGI. Its timeouts are the caller's
    prefix: as the RedisStore had it: a str, or a callable(id) that gives the key
    """

    blocking = True

    def __init__(
        self, client: Any, prefix: str | Callable[[str], str] = PREFIX, **options: Any
    ) -> None:
        super().__init__(**options)
        self.client = client
        self.place = (lambda sid: prefix + sid) if isinstance(prefix, str) else prefix

    def get(self, key: str) -> dict[str, Any] | None:
        """The data of a record, or None."""
        return self._found(self.client.get(self.place(key)))

    def destroy(self, key: str) -> None:
        """Delete a record."""
        self.client.delete(self.place(key))


class StoreReader(Records):
    """Reads what a store of starsessions' own contract holds, of whatever kind.

    store:    has `async read(session_id, lifetime)` and `async remove(session_id)`
    lifetime: seconds, as the middleware had it
    timeout:  seconds for a call
    """

    def __init__(self, store: Any, lifetime: int = 0, timeout: float = 2.0, **options: Any) -> None:
        super().__init__(**options)
        self.store = store
        self.lifetime = lifetime
        self.timeout = timeout

    async def get(self, key: str) -> dict[str, Any] | None:
        """The data of a record, or None."""
        async with asyncio.timeout(self.timeout):
            blob = await self.store.read(session_id=key, lifetime=self.lifetime)
        return self._found(blob)

    async def destroy(self, key: str) -> None:
        """Delete a record."""
        async with asyncio.timeout(self.timeout):
            await self.store.remove(key)


def from_json(octets: bytes) -> Any:
    """What starsessions' JsonSerializer wrote."""
    return json.loads(octets)


def seconds_of(value: object) -> float:
    """A number of seconds. DecodeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError(f"its {METADATA} lacks a number")
    return value
