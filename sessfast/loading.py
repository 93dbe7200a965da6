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
from sessfast.importing import Imports, OldKey, Search
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
    imports: what is taken over from the cookies of others
    """

    def __init__(
        self,
        policy: Policy,
        codec: Codec,
        lifetimes: Lifetimes,
        saving: Saving,
        tell: Callable[[], Tell | None],
        imports: Imports | None,
    ) -> None:
        self.policy = policy
        self.codec = codec
        self.decode = codec.decode
        self.lifetimes = lifetimes
        self.saving = saving
        self.tell = tell
        self.imports = imports
        self.clock = lifetimes.clock
        self.plenty = lifetimes.plenty
        self.raises = policy.options.on_outage == "raise"

    def open(self, session: Session) -> Steps:
        """Find out who is there: verify the cookie and load what the store has for it."""
        claimed = self.begin(session)
        while claimed is not None:
            key = claimed[4]
            try:
                if isinstance(key, str):
                    reply = yield "get", (key,)
                else:
                    reply = yield from self.bring(key)
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
            read = refused or VERDICTS[claimed[0]]
            if self.imports is not None and claimed[3]:
                return self.seek(session, self.imports.search(cookies, read, claimed[3]))
            self._be_new(session, read, claimed[3])
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
        origin, sid, key_index, candidates, key = claimed
        if reply is None:
            return self._pass(session, claimed, Read.UNKNOWN_ID)
        if key_index < 0 and not isinstance(key, str):
            key = key.alias
        blob, version, expires = reply
        try:
            data, meta = self.decode(key, blob)
        except DecodeError as error:
            if self.codec.is_tombstone(blob):
                return self._pass(session, claimed, Read.SUPERSEDED)
            if tell := self.tell():
                tell("undecodable", {"sid": shorten(sid), "error": str(error)})
            return self._pass(session, claimed, Read.UNDECODABLE)
        now = self.clock()
        tell = self.tell()
        read = LOADED if degraded is None else Read.STALE
        state = State.__new__(State)
        state.begin(read, tell, candidates, degraded)
        self.lifetimes.keep(state, meta)
        if state.ends <= now:
            return self._pass(session, claimed, Read.EXPIRED)
        state.sid = state.cookie_sid = sid
        state.key = key
        state.blob = state.original = blob
        state.version = version
        state.expires = expires
        state.stored = True
        state.retired_key = key_index > 0
        if key_index < 0:
            self._mark(state, origin)
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

    def _pass(self, session: Session, claimed: Claimed, read: Read) -> Claimed | None:
        """Go on from what led to no session, `read` says why: what is loaded next."""
        origin: Any = claimed[0]
        if not isinstance(origin, Search):
            return self.begin(session, claimed[3], read)
        if read is Read.UNKNOWN_ID and origin.old is not None:  # not brought over yet
            old, origin.old = origin.old, None
            return (*claimed[:4], old)
        if read is not Read.UNKNOWN_ID:
            origin.read = read
        return self.seek(session, origin)

    def seek(self, session: Session, search: Search) -> Claimed | None:
        """Take what the readers of old cookies believe: data at once, a record to be loaded."""
        assert self.imports is not None
        for reader, data, name in search.offers:
            search.reader = reader
            if data is None:
                sid = self.imports.sid_of(reader, name)
                key = self.policy.store_key(sid)
                search.old = OldKey(reader, name, key, search.refusals)
                return (search, sid, -1, search.candidates, key)
            self._be_new(session, Read.IMPORTED, search.candidates)
            state = session._state
            assert state is not None
            session._refill(data)
            state.written = state.active = True
            self._mark(state, search)
            return None
        self.imports.tell_refused(search)
        self._be_new(session, search.read, search.candidates)
        return None

    def _mark(self, state: State, search: Search) -> None:
        """Take note that the browser still has the old cookie."""
        assert self.imports is not None
        search.offers = iter(())  # it leads back to the search
        state.imported = True
        state.read = Read.IMPORTED
        self.imports.tell_imported(search.reader, state.sid)

    def bring(self, old: OldKey) -> Steps:
        """What the store holds for an old record, now that it was brought over; None: nothing."""
        assert self.imports is not None
        return self.imports.bring(old)

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
        key = claimed[4]
        copy = self.saving.recall(key, self.clock()) if isinstance(key, str) else None
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
