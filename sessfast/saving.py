"""How a session reaches the store: create, compare-and-set, merge, supersede, touch.

Every write after a load is conditional on the version that was loaded, so that a session
that was destroyed, rotated or has expired never comes back (GONE wins), and two requests
that change different keys both keep their change.
"""

from __future__ import annotations

from typing import Any, NoReturn

from sessfast.codec import Codec
from sessfast.errors import ConflictError, DecodeError, SessionTooLargeError, StoreError
from sessfast.hotpath import TTLTable, new_id, take_over
from sessfast.options import SessionOptions, seconds
from sessfast.records import EXISTS, GONE, Conflict, shorten

from .lifetime import Lifetimes
from .meta import Meta
from .policy import Policy, end_of
from .session import Session
from .state import Call, State, Steps

GENID_ATTEMPTS = 4
MERGE_ATTEMPTS = 1000  # each lost round means that another request was saved
TOMBSTONE_LIFE = 60.0  # longer than any request that still holds the old id should run
STALE_ENTRIES = 10_000
STALE_BYTES = 32 * 1024 * 1024


class Saving:
    """The writes of one middleware's sessions.

    `save` and `touch` give the first store call of a write, `feed` takes each reply and gives
    the next one; None: the write is over, and `state.gone` tells whether the session is.
    """

    def __init__(
        self,
        options: SessionOptions,
        policy: Policy,
        codec: Codec,
        lifetimes: Lifetimes,
    ) -> None:
        self.options = options
        self.max_bytes = options.max_session_bytes
        self.genid = options.genid
        self.policy = policy
        self.codec = codec
        self.encode = codec.encode
        self.lifetimes = lifetimes
        self.clock = lifetimes.clock
        self.stale_for = seconds(options.stale_for) or 0.0
        keeps_stale = options.on_outage == "stale"
        self.stale = TTLTable(STALE_ENTRIES, STALE_BYTES) if keeps_stale else None

    def identify(self, session: Session, state: State) -> str:
        """The session's id, minted now if it has none yet."""
        if state.sid is None:
            state.sid = new_id() if self.genid is None else self.policy.mint(session.facts)
            state.key = self.policy.store_key(state.sid)
            state.active = True
        return state.sid

    def save(self, session: Session, state: State, text: bytes | None) -> Call | None:
        """Begin to store the session. text: its data's bytes, if known."""
        if text is None:
            text = self.codec.dumps(session)
        if len(text) > self.max_bytes:
            self._refuse_size(text)
        now = self.clock()
        meta = state.meta
        if meta is None or self.codec.keeps_cookie or state.cookie is not None:
            self.lifetimes.keep(state, self._meta(session, state, now))
        ttl = self.lifetimes.ttl(session, now)
        if ttl <= 0:
            return ("destroy", (state.key,)) if state.stored else None
        state.text, state.began, state.ttl, state.attempts = text, now, ttl, 0
        if not state.stored:
            return self._create(session, state)
        state.base = state.blob
        return self._update(session, state, state.version)

    def feed(self, session: Session, verb: str, reply: Any) -> Call | None:
        """Take the reply to a call: the next call, or None."""
        state = session._state
        assert state is not None
        if verb == "update":
            return self._updated(session, state, reply)
        if verb == "create":
            return self._created(session, state, reply)
        if verb == "touch":
            self._touched(state, reply)
        else:
            state.stored = False  # destroyed
        return None

    def fail(self, session: Session, verb: str, error: StoreError) -> None:
        """Take a call that failed: raise it. A touch that failed is an event: the data is safe."""
        if verb != "touch":
            raise error
        state = session._state
        assert state is not None
        if tell := state.tell:
            tell("outage", {"verb": error.verb, "reason": error.reason})

    def made(self, session: Session, call: Call | None) -> Steps:
        """All calls of a write, for who awaits them."""
        while call is not None:
            try:
                reply = yield call
            except StoreError as error:
                return self.fail(session, call[0], error)
            call = self.feed(session, call[0], reply)

    def _refuse_size(self, text: bytes) -> NoReturn:
        raise SessionTooLargeError(
            f"the session is {len(text)} bytes, max_session_bytes is {self.max_bytes}: "
            "store less, or raise the limit"
        )

    def _meta(self, session: Session, state: State, now: float) -> Meta:
        """What is stored beside the data; made at the first save, kept from then on."""
        meta = state.meta
        if meta is None:
            meta = self.lifetimes.begun(session, now)
        if self.codec.keeps_cookie:
            cookie = self.lifetimes.cookie(session)
            cookie.restart(now)
            meta = Meta(meta.created, meta.expires, dict(cookie.attributes), meta.cookie_index)
        elif state.cookie is not None and state.cookie.lifetime_changed:
            span = state.cookie.original_max_age
            end = end_of(meta.created, self.policy.absolute_span(span))
            meta = Meta(meta.created, end, {"max_age": span}, meta.cookie_index)
        return meta

    def _create(self, session: Session, state: State) -> Call:
        self.identify(session, state)
        state.blob_sent = self._record(session, state)
        return "create", (state.key, state.blob_sent, state.ttl)

    def _created(self, session: Session, state: State, reply: Any) -> Call | None:
        if reply is EXISTS:
            state.sid, state.key = None, ""
            state.attempts += 1
            if state.attempts == GENID_ATTEMPTS:
                reason = "every new id was taken: does genid repeat itself?"
                raise StoreError("create", reason)
            return self._create(session, state)
        state.stored = True
        self._stored(state, reply)
        if tell := state.tell:
            tell("created", {"sid": shorten(state.sid)})
        return None

    def _update(self, session: Session, state: State, version: Any) -> Call:
        state.blob_sent = self._record(session, state)
        return "update", (state.key, state.blob_sent, state.ttl, version)

    def _updated(self, session: Session, state: State, reply: Any) -> Call | None:
        """Compare-and-set until it holds."""
        if reply is GONE:
            self._lost(state, superseded=False)
            return None
        # a version may be anything; asking a non-tuple whether it is a Conflict would cost more
        if not (isinstance(reply, tuple) and isinstance(reply, Conflict)):
            self._stored(state, reply)
            if tell := state.tell:
                tell("saved", {"sid": shorten(state.sid)})
            return None
        theirs, version, _expires = reply.record
        if self.codec.is_tombstone(theirs):
            self._lost(state, superseded=True)
            return None
        if tell := state.tell:
            how = self.options.on_conflict
            tell("conflict", {"sid": shorten(state.sid), "on_conflict": how})
        if self.options.on_conflict == "reject":
            raise ConflictError("another request saved this session first")
        state.attempts += 1
        if state.attempts == MERGE_ATTEMPTS:
            raise StoreError("update", "other requests saved this session without a pause")
        if self.options.on_conflict == "merge":
            self._merge(session, state, state.base, theirs)
            state.text, state.base = self.codec.dumps(session), theirs
            if len(state.text) > self.max_bytes:
                self._refuse_size(state.text)
        return self._update(session, state, version)

    def _record(self, session: Session, state: State) -> bytes:
        assert state.meta is not None
        return self.encode(state.key, session, state.text, state.meta)

    def _stored(self, state: State, version: Any) -> None:
        """What was sent is now what the store holds."""
        state.version, state.blob = version, state.blob_sent
        state.expires = state.began + state.ttl
        state.saved_text = state.text
        if self.stale is not None:
            self.remember(state.key, (state.blob, version, None), state.began)

    def _lost(self, state: State, superseded: bool) -> None:
        state.gone, state.superseded, state.stored = True, superseded, False
        self.forget(state.key)
        if tell := state.tell:
            tell("gone", {"sid": shorten(state.sid), "superseded": superseded})

    def _merge(self, session: Session, state: State, base: bytes, theirs: bytes) -> None:
        """Replace the session's data by theirs with our changed keys over it."""
        key = state.key
        try:
            before, _ = self.codec.decode(key, base)
            merged, meta = self.codec.decode(key, theirs)
        except DecodeError as error:
            raise StoreError("update", "the record to merge with can't be read") from error
        dumps = self.codec.dumps
        for name, value in dict.items(session):
            # by their bytes: for Python, True == 1 == 1.0
            if name not in before or dumps({name: value}) != dumps({name: before[name]}):
                merged[name] = value
        for name in before:
            if not dict.__contains__(session, name):
                merged.pop(name, None)
        session._refill(merged)
        if state.cookie is None or not state.cookie.lifetime_changed:
            self.lifetimes.keep(state, meta)

    def touch(self, session: Session, state: State, forced: bool) -> Call | None:
        """Begin to extend the record's life, where that is due or `forced`."""
        if state.touched and not forced:
            return None
        now = self.clock()
        ttl = self.lifetimes.ttl(session, now)
        if not forced and not self.lifetimes.touch_is_due(state, ttl, now):
            return None
        state.touched = True
        if ttl <= 0:
            return "destroy", (state.key,)
        state.began, state.ttl = now, ttl
        return "touch", (state.key, ttl)

    def _touched(self, state: State, reply: Any) -> None:
        if reply:
            state.expires = state.began + state.ttl
            state.refreshed = True
            if tell := state.tell:
                tell("touched", {"sid": shorten(state.sid)})
        else:
            self._lost(state, superseded=False)

    def supersede(self, session: Session, state: State) -> Steps:
        """Kill the record of an id that is rotated away; False where it was dead already.

        The native record leaves a marker for a minute: a slow request that still holds the
        old id learns that the session moved on, and so doesn't clear the new cookie.
        """
        key = state.key
        marker = self.codec.tombstone(key)
        self.forget(key)
        if marker is None:
            yield "destroy", (key,)
            return True
        version, base = state.version, state.blob
        for _ in range(MERGE_ATTEMPTS):
            reply = yield "update", (key, marker, TOMBSTONE_LIFE, version)
            if reply is GONE:
                self._lost(state, superseded=False)
                return False
            if not isinstance(reply, Conflict):
                return True
            theirs, version, _expires = reply.record
            if self.codec.is_tombstone(theirs):
                self._lost(state, superseded=True)
                return False
            self._merge(session, state, base, theirs)
            base = theirs
        raise StoreError("update", "other requests saved this session without a pause")

    # -- the copies for on_outage="stale" ----------------------------------------------------

    def remember(self, key: str, reply: tuple[bytes, Any, Any], now: float) -> None:
        """Keep a copy of what the store holds, for `stale_for` seconds."""
        if self.stale is not None and reply[1] is not None:
            self.stale.destroy(key)
            self.stale.create(key, reply[0], now + self.stale_for, now)

    def recall(self, key: str, now: float) -> bytes | None:
        """The copy of a record that the store can't give now, or None."""
        copy = None if self.stale is None else self.stale.get(key, now)
        return None if copy is None else copy[0]

    def forget(self, key: str) -> None:
        """Drop the copy: this process knows that the session is over."""
        if self.stale is not None:
            self.stale.destroy(key)


take_over(globals())
