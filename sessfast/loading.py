"""Who is there: from a Cookie header to an open session.

A cookie is believed if a secret signed it, and a session is there if the store has a record
that reads, under this key, and whose time has not come. All else is a verdict, and a new
session with a new id: nothing a client sends is ever adopted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessfast.codec import Codec
from sessfast.errors import DecodeError, StoreError
from sessfast.hotpath import take_over
from sessfast.records import Read, RequestFacts, Tell, shorten

from .lifetime import Lifetimes
from .policy import VERDICTS, Policy
from .saving import Saving
from .session import PARKED_KEY, Session
from .state import Claimed, Fetched, State, Steps

LOADED = Read.LOADED  # looked up once: an enum's attribute costs as much as a dict of them


class Loading:
    """Opens the sessions of one middleware.

    tell: () -> callable(event, facts) if anybody listens right now, else None
    """

    def __init__(
        self,
        policy: Policy,
        codec: Codec,
        lifetimes: Lifetimes,
        saving: Saving,
        tell: Callable[[], Tell | None],
    ) -> None:
        self.policy = policy
        self.codec = codec
        self.decode = codec.decode
        self.lifetimes = lifetimes
        self.saving = saving
        self.tell = tell
        self.clock = lifetimes.clock
        self.plenty = lifetimes.plenty
        self.raises = policy.options.on_outage == "raise"

    def open(self, session: Session) -> Steps:
        """Find out who is there: verify the cookie and load what the store has for it."""
        claimed = self.begin(session)
        while claimed is not None:
            try:
                reply = yield "get", (claimed[4],)
            except StoreError as error:
                return self.fail(session, claimed, error)
            claimed = self.feed(session, claimed, reply)

    def fetch(self, session: Session) -> Steps:
        """Load without opening: for who must await, before the app has asked.

        The session stays parked, so that one which nobody touches is still untouched. A store
        that is down is not this moment's trouble either: the first touch raises it.
        """
        try:
            yield from self.open(session)
        except StoreError:
            return
        state, request = session._state, session._request
        assert state is not None
        session._request = Fetched(state, dict(dict.items(session)), request)
        session._state = None
        session._empty()
        session._put(PARKED_KEY, None)

    def _take(self, session: Session, fetched: Fetched) -> None:
        """Open the session with what was fetched for it."""
        session._state, data, session._request = fetched
        session._refill(data)

    def begin(self, session: Session, skip: int = 0, refused: Read | None = None) -> Claimed | None:
        """The next cookie of ours that can be believed; None: there is none, the session is new.

        `open` in three plain functions (this, `feed` and `fail`), for who needs no generator.
        refused: why the `skip` cookies before were refused
        """
        cookies: Any = session._request
        if type(cookies) is not str and type(cookies) is not list:
            if isinstance(cookies, RequestFacts):
                cookies = cookies.cookies
            elif isinstance(cookies, StoreError):
                raise cookies
            elif isinstance(cookies, Fetched):
                self._take(session, cookies)
                return None
        policy = self.policy
        if policy.reads_warily and (refusal := policy.refuses(cookies, session._secure)):
            self._be_new(session, *refusal)
            return None
        claimed: Any = policy.keyring.claim(
            cookies, policy.name, "s:", skip, policy.candidates,
            policy.max_bytes, policy.max_pairs, policy.index,
        )  # fmt: skip
        sid = claimed[1]
        if sid is None:
            self._be_new(session, refused or VERDICTS[claimed[0]], claimed[3])
            return None
        if claimed[4] is None:
            claimed = (*claimed[:4], policy.store_key(sid))
        return claimed  # type: ignore[no-any-return]

    def feed(
        self,
        session: Session,
        claimed: Claimed,
        reply: tuple[bytes, Any, float | None] | None,
        degraded: StoreError | None = None,
    ) -> Claimed | None:
        """Take the store's answer: None where the session is open now, else the next to load."""
        _, sid, key_index, candidates, key = claimed
        if reply is None:
            return self.begin(session, candidates, Read.UNKNOWN_ID)
        blob, version, expires = reply
        try:
            data, meta = self.decode(key, blob)
        except DecodeError as error:
            if self.codec.is_tombstone(blob):
                return self.begin(session, candidates, Read.SUPERSEDED)
            if tell := self.tell():
                tell("undecodable", {"sid": shorten(sid), "error": str(error)})
            return self.begin(session, candidates, Read.UNDECODABLE)
        now = self.clock()
        tell = self.tell()
        read = LOADED if degraded is None else Read.STALE
        state = State.__new__(State)
        state.begin(read, tell, candidates, degraded)
        self.lifetimes.keep(state, meta)
        if state.ends <= now:
            return self.begin(session, candidates, Read.EXPIRED)
        state.sid = state.cookie_sid = sid
        state.key = key
        state.blob = state.original = blob
        state.version = version
        state.expires = expires
        state.stored = True
        state.retired_key = key_index > 0
        if expires is not None:
            until = expires
            state.at_rest = (
                key_index == 0
                and not state.special
                and until - now > self.plenty
                and degraded is None
            )
        session._state = state
        session._refill(data)
        if self.saving.stale is not None:
            self.saving.remember(key, reply, now)
        if tell is not None:
            tell_read(tell, state)
        return None

    def _be_new(
        self, session: Session, read: Read, candidates: int, degraded: StoreError | None = None
    ) -> None:
        """Open the session as a new one."""
        tell = self.tell()
        session._state = state = State.__new__(State)
        state.begin(read, tell, candidates, degraded)
        session._empty()
        if tell is not None:
            tell_read(tell, state)

    def fail(self, session: Session, claimed: Claimed, error: StoreError) -> None:
        """Take a load that failed: raise it, use the last copy, or be nobody (`on_outage`)."""
        if tell := self.tell():
            tell("outage", {"verb": error.verb, "reason": error.reason})
        if self.raises:
            session._request = error
            raise error
        copy = self.saving.recall(claimed[4], self.clock())
        if copy is None:
            self._be_new(session, Read.STORE_DOWN, claimed[3], error)
        else:
            self.feed(session, claimed, (copy, None, None), error)


def tell_read(tell: Tell, state: State) -> None:
    """Tell what opening a session found."""
    facts = {"sid": shorten(state.sid), "reason": state.read.value}
    if state.candidates > 1 or state.read is Read.DUPLICATE_COOKIE:
        tell("duplicate_cookie", facts)
    event = READ_EVENTS.get(state.read)
    if event:
        tell(event, facts)


READ_EVENTS = {
    Read.LOADED: "loaded",
    Read.STALE: "loaded",
    Read.BAD_SIGNATURE: "forged",
    Read.MALFORMED: "forged",
    Read.UNKNOWN_ID: "unknown_id",
    Read.EXPIRED: "expired",
    Read.SUPERSEDED: "superseded",
    Read.INSECURE_CONNECTION: "insecure_connection",
}


take_over(globals())
