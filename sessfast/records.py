"""The words that floors exchange: facts that travel, sentinels, reason codes.

A store may answer with a plain tuple in the order of `Record`: building the
NamedTuple costs more than the table lookup it describes (bench/test_stores.py).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

Tell = Callable[[str, Mapping[str, Any]], object]  # (event, facts): whom events are told


class Record(NamedTuple):
    """What a store holds under one key.

    blob:    the stored bytes; the store never looks inside
    version: the store's own token for compare-and-set; opaque, never None
    expires: epoch seconds at which the store drops it; None if the store can't tell
    """

    blob: bytes
    version: Any
    expires: float | None


class Conflict(NamedTuple):
    """`update` found another version: `record` is what is stored now."""

    record: tuple[bytes, Any, float | None]


class Answer(enum.Enum):
    """The two answers of a store that are neither a version nor a record."""

    EXISTS = "exists"
    GONE = "gone"


EXISTS: Final = Answer.EXISTS
GONE: Final = Answer.GONE


class RequestFacts(NamedTuple):
    """What a front tells the rules (and `genid`, `cookie` callables) about a request.

    cookies: the raw Cookie header as a Latin-1 str (WSGI), or all headers as pairs of bytes
             (ASGI), of which the cookie ones are picked when somebody asks
    path:    the path of the request, mount point included, not percent-encoded
    secure:  whether the connection counts as https
    method:  the HTTP method; "WEBSOCKET" for a handshake
    host:    the Host header as sent, or ""
    """

    cookies: str | Iterable[tuple[bytes, bytes]]
    path: str
    secure: bool
    method: str = "GET"
    host: str = ""


class Read(enum.Enum):
    """Why a request got the session it got: one code per request."""

    UNTOUCHED = "untouched"  # nobody asked for the session, so the cookie was not looked at
    LOADED = "loaded"
    IMPORTED = "imported"  # what was there before us had it (option `legacy`)
    NO_COOKIE = "no-cookie"
    BAD_SIGNATURE = "bad-signature"
    MALFORMED = "malformed"
    DUPLICATE_COOKIE = "duplicate-cookie"
    INSECURE_CONNECTION = "insecure-connection"
    UNKNOWN_ID = "unknown-id"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"  # the id was rotated away a moment ago
    UNDECODABLE = "undecodable"
    STORE_DOWN = "store-down"
    STALE = "stale"
    STORE_NOT_READY = "store-not-ready"
    WRONG_PATH = "wrong-path"


class Sent(enum.Enum):
    """Why a response carried a cookie, or none: one code per request."""

    NEW = "new"
    ROTATED = "rotated"
    ROLLING = "rolling"
    REFRESHED = "refreshed"
    CLEARED = "cleared"
    UNCHANGED = "unchanged"
    UNINITIALIZED = "uninitialized"
    INSECURE_CONNECTION = "insecure-connection"
    BROWSER_SESSION = "browser-session"  # changed, but the browser already holds all it needs
    UNSET = "unset"
    GONE = "gone"
    FAILED = "failed"
    TOO_LATE = "too-late"
    NOTHING = "nothing"  # wrong path, store not ready: the session layer stood aside


def shorten(sid: str | None) -> str:
    """`sid` cut to what a log may show: four characters and an ellipsis, `-` for none."""
    if not sid:
        return "-"
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in sid[:4])
    return (shown if len(sid) >= 16 else shown[:1]) + "…"
