"""How people who are logged in by what we replace stay logged in: old cookies, believed once.

The options name the readers (`legacy`) and a date (`until`). A cookie of our own name that is
none of ours is shown to each reader in its turn. What one believes becomes a session of ours,
and our cookie replaces the old one. What none believes is a new session, and an event.

A cookie that *is* the session becomes a new one when the app's changes are stored. A cookie that
*names* a record leads to one session for ever: its id is made of the old one and our secret, so
that requests side by side, or a response that got lost, find what the first has brought over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sessfast.codec import Codec
from sessfast.errors import DecodeError, EncodeError, StoreError
from sessfast.hotpath import Keyring, find, gathered
from sessfast.meta import Meta
from sessfast.options import CookieOptions
from sessfast.policy import Policy, attributes_of, derive, end_of, started
from sessfast.records import EXISTS, Read, Tell, shorten
from sessfast.state import Steps

GET, DESTROY = "legacy_get", "legacy_destroy"  # calls of a reader, among those of the store
SHOWN = 200  # characters of a reader's reason that go into an event


class CookieReader(Protocol):
    """Reads cookies that hold the session itself, signed.

    name: goes into events
    """

    name: str

    def read(self, value: str, now: float) -> dict[str, Any]:
        """The data that the cookie's value holds. DecodeError for all that is not to be believed.

        value: percent-decoded, without surrounding quotes; a client can have sent anything
        now:   epoch seconds
        """


class RecordReader(Protocol):
    """Reads cookies that name a record in a store of the incumbent's.

    blocking: whether `get` and `destroy` block; they may be coroutine functions instead
    """

    name: str
    blocking: bool

    def key(self, value: str, now: float) -> str:
        """What `get` needs for the cookie's value. DecodeError for a value of another form."""

    def get(self, key: str) -> Any:
        """The record's data, or None where there is none any more.

        DecodeError for a record that can't be read. All else that is raised is an outage.
        """

    def destroy(self, key: str) -> Any:
        """Delete the record: it lives on as a session of ours."""


class OldKey:
    """A record of an incumbent's, where otherwise the key of one of ours stands.

    alias:    the key in our store of the session that it becomes
    refusals: where to say that it can't be read
    """

    __slots__ = ("alias", "key", "reader", "refusals")

    def __init__(
        self, reader: RecordReader, key: str, alias: str, refusals: list[Refusal]
    ) -> None:
        self.reader = reader
        self.key = key
        self.alias = alias
        self.refusals = refusals


class Search:
    """The old cookies of one request, while they are being looked at.

    offers:     what the readers believe, one after the other: (reader, data, key), either the
                data itself or the key of a record
    read:       what to say of the request where nothing comes of it
    candidates: how many cookies of our name were looked at
    refusals:   what was not believed, and why: told where nothing else is found
    reader:     whose offer is looked at
    old:        its record, until that is asked for
    """

    __slots__ = ("candidates", "offers", "old", "read", "reader", "refusals")
    offers: Iterator[Offer]
    reader: CookieReader | RecordReader

    def __init__(self, read: Read, candidates: int) -> None:
        self.read = read
        self.candidates = candidates
        self.refusals: list[Refusal] = []
        self.old: OldKey | None = None


Offer = tuple[Any, dict[str, Any] | None, str]
Refusal = tuple[CookieReader | RecordReader, str]  # who, and the reason


class Imports:
    """What one middleware takes over from others.

    until: epoch seconds; from then on no reader is asked
    """

    def __init__(
        self,
        readers: Sequence[CookieReader | RecordReader],
        until: float,
        policy: Policy,
        codec: Codec,
        clock: Callable[[], float],
        tell: Callable[[], Tell | None],
    ) -> None:
        self.readers = readers
        self.until = until
        self.policy = policy
        self.codec = codec
        self.clock = clock
        self.tell = tell
        options = policy.options
        self.max_bytes = options.max_session_bytes
        self.namer = Keyring([derive(options.secrets[0], "legacy", options.name)])

    def search(self, cookies: Any, read: Read, candidates: int) -> Search:
        """Begin to look at the cookies of our name that are none of ours."""
        search = Search(read, candidates)
        search.offers = self._offers(cookies, search)
        return search

    def sid_of(self, reader: RecordReader, key: str) -> str:
        """The id of the session that a record becomes: nobody can tell it without our secret."""
        return self.namer.fingerprint(f"{reader.name} {key}")

    def _offers(self, cookies: Any, search: Search) -> Iterator[Offer]:
        now = self.clock()
        if now >= self.until:
            return
        for value in self.values(cookies, search.candidates):
            for reader in self.readers:
                try:
                    if hasattr(reader, "read"):
                        data = reader.read(value, now)
                        self._text(data)
                        offer: Offer = reader, data, ""
                    else:
                        offer = reader, None, reader.key(value, now)
                except Exception as error:  # noqa: BLE001  nothing a client sends is a failure
                    search.refusals.append((reader, reason_of(error)))
                else:
                    yield offer

    def values(self, cookies: Any, candidates: int) -> Iterator[str]:
        """The cookies of our name that are none of ours."""
        header = cookies if isinstance(cookies, str) else gathered(cookies)
        policy = self.policy
        for skip in range(candidates):
            value = find(header, policy.name, skip, policy.max_bytes, policy.max_pairs)
            if value and not value.startswith("s:"):
                yield value

    def bring(self, old: OldKey) -> Steps:
        """Bring a record over into our store: what `get` gives for it there, None for nothing.

        The old one is deleted then: a session that was destroyed must not come back from it.
        """
        data = yield GET, (old.reader, old.key)
        if data is None:  # or another request has brought it over since we asked for ours
            return (yield "get", (old.alias,))
        try:
            if isinstance(data, DecodeError):
                raise data
            text = self._text(data)
        except DecodeError as error:
            old.refusals.append((old.reader, reason_of(error)))
            return None
        now = self.clock()
        meta, ttl = self.begun(data, now)
        blob = self.codec.encode(old.alias, data, text, meta)
        version = yield "create", (old.alias, blob, ttl)
        if version is EXISTS:  # another request was faster
            return (yield "get", (old.alias,))
        try:
            yield DESTROY, (old.reader, old.key)
        except StoreError as error:
            if tell := self.tell():
                tell("outage", {"verb": error.verb, "reason": error.reason})
        return blob, version, now + ttl

    def begun(self, data: dict[str, Any], now: float) -> tuple[Meta, float]:
        """The meta of a session that is brought over, and the seconds that its record lives.

        data: what it holds; not looked at here, for no two libraries keep a lifetime in it alike
        """
        policy = self.policy
        options = policy.static_cookie or CookieOptions()
        cookie: Mapping[str, Any] = {}
        max_age, expires = started(options, now)
        if self.codec.keeps_cookie:
            kept = {"original_max_age": max_age, "expires": expires}
            cookie = {**attributes_of(options, secure=False), **kept}
        span = policy.absolute_span(max_age or None)
        return Meta(now, end_of(now, span), cookie), min(policy.lifetime(max_age or None), span)

    def _text(self, data: Any) -> bytes:
        """The bytes of old data. DecodeError where no session of ours can hold it."""
        if type(data) is not dict or not all(isinstance(key, str) for key in data):
            raise DecodeError("it is no dict of named values")
        try:
            text = self.codec.dumps(data)
        except EncodeError as error:
            raise DecodeError(f"it can't be stored: {error}") from error
        if len(text) > self.max_bytes:
            raise DecodeError(f"it has {len(text)} bytes, max_session_bytes is {self.max_bytes}")
        return text

    def tell_refused(self, search: Search) -> None:
        """Tell why no old cookie was believed."""
        if tell := self.tell():
            for reader, reason in search.refusals:
                tell("legacy_refused", {"format": reader.name, "reason": reason})

    def tell_imported(self, reader: CookieReader | RecordReader, sid: str | None) -> None:
        """Count a session that was taken over."""
        if tell := self.tell():
            tell("imported", {"format": reader.name, "sid": shorten(sid)})


def reason_of(error: Exception) -> str:
    """Why an old cookie is not believed, for an event. Other errors might quote the cookie."""
    return str(error)[:SHOWN] if isinstance(error, DecodeError) else type(error).__name__
