"""What is known about one request's session, and the words for what is to be done about it."""

from __future__ import annotations

from collections.abc import Generator
from math import inf
from typing import Any, NamedTuple

from sessfast.errors import StoreError
from sessfast.hotpath import take_over
from sessfast.records import Read, Sent, Tell
from sessfast.session_cookie import SessionCookie

from .meta import Meta

# A cookie that was believed, its record still to be loaded: verdict, sid, which secret signed it,
# how many cookies were looked at, store key. It is what `Keyring.claim` returns; where an old
# cookie is taken over, a Search stands first, and the key may be an OldKey (importing.py).
Claimed = tuple[Any, str, int, int, Any]
Call = tuple[str, tuple[Any, ...]]  # a store call that is to be made: verb, arguments
Steps = Generator[Call, Any, Any]  # the calls of one deed, each sent its reply


class State:
    """What is known about an opened session.

    cookie_sid: the id the browser presented and the store knows (express's cookieId)
    sid, key:   the present id, and its key in the store; None and "" until needed
    stored:     a record exists under `key`, as far as we know
    blob, version, expires: the record as last loaded or saved
    meta: what is kept beside the data
    ends, special: what follows from it: the absolute end in epoch seconds, and whether the
                session has a lifetime or a cookie of its own
    imported:   taken over from what was there before us: the browser still has the old cookie
    original:   the record as loaded, to tell what changed since; empty for a new session
    at_rest:    left alone, the record needs nothing yet: no touch, no cookie signed anew
    candidates: how many cookies of our name were looked at
    tell:       who listened when the session was opened, else None
    active:     the app did more than read plain values
    written, lent: the app wrote; the app was handed a value it can change in place
    changed:    the data differed from `original` when it was last compared
    saved_text: the data's bytes at the last save of this request

    Of the commit that is under way:
    settling, decided: it has begun; it came as far as the decision table
    wanted, clears: a cookie is to be sent; it is the one that removes the cookie
    fresh, persistent: the facts that the decision was made on
    failed:     it has not got through (yet): a failed commit is not tried again

    Of the write that is under way:
    text, blob_sent: the data's bytes, and the record made of them
    began, ttl: epoch seconds, and the life that the record gets
    base, attempts: the record that conflicts are merged against; how often it was tried
    """

    __slots__ = (
        "active", "at_rest", "attempts", "base", "began", "blob", "blob_sent", "candidates",
        "changed", "clears", "cookie", "cookie_sid", "decided", "degraded", "destroyed", "ends",
        "expires", "failed", "fresh", "gone", "imported", "key", "lent", "meta", "original",
        "persistent", "read", "refreshed", "retired_key", "rotated", "saved_text", "sent",
        "set_cookie", "settling", "sid", "special", "stored", "superseded", "tell", "text",
        "touched", "ttl", "version", "wanted", "written",
    )  # fmt: skip

    active: bool
    at_rest: bool
    attempts: int
    base: bytes
    began: float
    blob: bytes
    blob_sent: bytes
    candidates: int
    changed: bool
    clears: bool
    cookie: SessionCookie | None
    cookie_sid: str | None
    decided: bool
    degraded: StoreError | None
    destroyed: bool
    ends: float
    expires: float | None
    failed: bool
    fresh: bool
    gone: bool
    imported: bool
    key: str
    lent: bool
    meta: Meta | None
    original: bytes
    persistent: bool
    read: Read
    refreshed: bool
    retired_key: bool
    rotated: bool
    saved_text: bytes | None
    sent: Sent | None
    set_cookie: str | None
    settling: bool
    special: bool
    sid: str | None
    stored: bool
    superseded: bool
    tell: Tell | None
    text: bytes
    touched: bool
    ttl: float
    version: Any
    wanted: bool
    written: bool

    def begin(
        self, read: Read, tell: Tell | None, candidates: int, degraded: StoreError | None
    ) -> None:
        """Set what is true of each session when it is opened; no `__init__`, which costs more."""
        self.read = read
        self.tell = tell
        self.candidates = candidates
        self.degraded = degraded
        self.cookie_sid = self.sid = self.meta = self.version = self.expires = None
        self.cookie = self.sent = self.set_cookie = self.saved_text = None
        self.key, self.blob, self.original = "", b"", b""
        self.stored = self.at_rest = self.retired_key = self.active = False
        self.written = self.lent = self.changed = self.destroyed = self.gone = False
        self.superseded = self.rotated = self.touched = self.refreshed = self.failed = False
        self.settling = self.special = self.imported = False
        self.ends = inf


class Fetched(NamedTuple):
    """What was found for a session that nobody has touched yet.

    Where loading must be awaited it happens before the app runs, and the app may never look.
    """

    state: State
    data: dict[str, Any]
    request: Any


take_over(globals())
