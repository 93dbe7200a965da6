"""What people use instead of our hot paths, wrapped so far that it does the same work."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from http.cookies import SimpleCookie

from cachetools import TTLCache
from itsdangerous import Signer

Entry = tuple[bytes, int, float]


def digest_sign(key: bytes, value: str) -> str:
    """`value` and its MAC, with the standard library's fastest call."""
    mac = hmac.digest(key, value.encode(), hashlib.sha256)
    return f"{value}.{base64.b64encode(mac).decode().rstrip('=')}"


def digest_verify(keys: Sequence[bytes], text: str) -> int:
    """Which key signed `text`, or -1."""
    value = text.rpartition(".")[0]
    given = text.encode()
    for index, key in enumerate(keys):
        if hmac.compare_digest(digest_sign(key, value).encode(), given):
            return index
    return -1


def signer(keys: Sequence[bytes]) -> Signer:
    """itsdangerous over the same keys, newest first; it wants the newest last."""
    return Signer(list(reversed(keys)), digest_method=hashlib.sha256)


def simple_cookie(name: str, value: str, max_age: int) -> str:
    """A Set-Cookie value by http.cookies; it can't write Expires next to Max-Age by itself."""
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    morsel = cookie[name]
    morsel["path"] = "/"
    morsel["max-age"] = max_age
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"
    return morsel.OutputString()


class DictOfTuples:
    """A dict that remembers ends of life, without bounds, versions, order of use, or a lock."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def get(self, key: str, now: float) -> Entry | None:
        entry = self.entries.get(key)
        return entry if entry is not None and entry[2] > now else None

    def create(self, key: str, blob: bytes, expires: float, now: float) -> int:
        if self.get(key, now) is not None:
            return 0
        self.entries[key] = (blob, 1, expires)
        return 1

    def update(self, key: str, blob: bytes, expires: float, version: int, now: float) -> int:
        entry = self.get(key, now)
        if entry is None:
            return 0
        if entry[1] != version:
            return -1
        self.entries[key] = (blob, version + 1, expires)
        return version + 1

    def touch(self, key: str, expires: float, now: float) -> bool:
        entry = self.get(key, now)
        if entry is None:
            return False
        self.entries[key] = (entry[0], entry[1], expires)
        return True

    def destroy(self, key: str) -> None:
        self.entries.pop(key, None)

    def sweep(self, now: float, limit: int) -> int:
        """Remove all that is expired, in one go: a dict knows no place to go on from."""
        dead = [key for key, entry in self.entries.items() if entry[2] <= now]
        for key in dead:
            del self.entries[key]
        return len(dead)


class CacheOfTuples:
    """cachetools.TTLCache: bounded by entries; one life for all of them, no lock."""

    def __init__(self, most: int) -> None:
        self.entries: TTLCache[str, tuple[bytes, int]] = TTLCache(most, 1800.0)

    def get(self, key: str, now: float) -> tuple[bytes, int] | None:
        found: tuple[bytes, int] | None = self.entries.get(key)
        return found

    def create(self, key: str, blob: bytes, expires: float, now: float) -> int:
        if key in self.entries:
            return 0
        self.entries[key] = (blob, 1)
        return 1

    def update(self, key: str, blob: bytes, expires: float, version: int, now: float) -> int:
        entry = self.entries.get(key)
        if entry is None:
            return 0
        if entry[1] != version:
            return -1
        self.entries[key] = (blob, version + 1)
        return version + 1

    def touch(self, key: str, expires: float, now: float) -> bool:
        entry = self.entries.get(key)
        if entry is None:
            return False
        self.entries[key] = entry
        return True

    def destroy(self, key: str) -> None:
        self.entries.pop(key, None)
