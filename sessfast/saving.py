"""How a session reaches the store: create, compare-and-set, merge, supersede, touch.

Every write after a load is conditional on the version that was loaded, so that a session
that was destroyed, rotated or has expired never comes back (GONE wins), and two requests
that change different keys both keep their change.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sessfast.codec import Codec
from sessfast.errors import ConflictError, DecodeError, SessionTooLargeError, StoreError
from sessfast.hotpath import TTLTable
from sessfast.lifetime import Lifetimes, opened_key
from sessfast.options import SessionOptions, seconds
from sessfast.policy import Policy
from sessfast.records import EXISTS, GONE, Conflict, Meta, shorten
from sessfast.session import Session, State, Steps

GENID_ATTEMPTS = 4
MERGE_ATTEMPTS = 1000  # each lost round means that another request was saved
TOMBSTONE_LIFE = 60.0  # longer than any request that still holds the old id should run
STALE_ENTRIES = 10_000
STALE_BYTES = 32 * 1024 * 1024


class Saving:
    """The writes of one middleware's sessions, as steps that hand out store calls."""

    def __init__(
        self,
        options: SessionOptions,
        policy: Policy,
        codec: Codec,
        lifetimes: Lifetimes,
    ) -> None:
        self.options = options
        self.policy = policy
        self.codec = codec
        self.lifetimes = lifetimes
        self.clock = lifetimes.clock
        self.stale_for = seconds(options.stale_for) or 0.0
        keeps_stale = options.on_outage == "stale"
        self.stale = TTLTable(STALE_ENTRIES, STALE_BYTES) if keeps_stale else None

    def identify(self, session: Session, state: State) -> str:
        """The session's id, minted now if it has none yet."""
        if state.sid is None:
            state.sid = self.policy.mint(session.facts)
            state.key = self.policy.store_key(state.sid)
            state.active = True
        return state.sid

    def save(self, session: Session, state: State, text: bytes | None) -> Steps:
        """Store the session; False where it is gone (destroyed, rotated or expired meanwhile)."""
        if text is None:
            text = self.codec.dumps(session)
        self._check_size(text)
        now = self.clock()
        meta = self._meta(session, state, now)
        ttl = self.lifetimes.ttl(session, now)
        if ttl <= 0:
            if state.stored:
                yield "destroy", (state.key,)
            state.stored = False
            return True
        if state.stored:
            text = yield from self._update(session, state, text, ttl)
            if text is None:
                return False
        else:
            yield from self._create(session, state, text, ttl, meta)
        state.expires = now + ttl
        state.saved_text = text
        self.remember(opened_key(state), (state.blob, state.version, None), now)
        return True

    def _check_size(self, text: bytes) -> None:
        limit = self.options.max_session_bytes
        if len(text) > limit:
            raise SessionTooLargeError(
                f"the session is {len(text)} bytes, max_session_bytes is {limit}: "
                "store less, or raise the limit"
            )

    def _meta(self, session: Session, state: State, now: float) -> Meta:
        """What is stored beside the data; made at the first save, kept from then on."""
        meta = state.meta
        if meta is None:
            end = self.policy.absolute_end(now, self.lifetimes.max_age(session))
            meta = Meta(now, end, {})
        if self.codec.keeps_cookie:
            cookie = self.lifetimes.cookie(session)
            cookie.restart(now)
            meta = replace(meta, cookie=dict(cookie.attributes))
        elif state.cookie is not None and state.cookie.lifetime_changed:
            span = state.cookie.original_max_age
            end = self.policy.absolute_end(meta.created, span)
            meta = replace(meta, expires=end, cookie={"max_age": span})
        state.meta = meta
        return meta

    def _create(
        self, session: Session, state: State, text: bytes, ttl: float, meta: Meta
    ) -> Steps:
        for _ in range(GENID_ATTEMPTS):
            self.identify(session, state)
            key = opened_key(state)
            blob = self.codec.encode(key, session, text, meta)
            reply = yield "create", (key, blob, ttl)
            if reply is not EXISTS:
                state.stored, state.version, state.blob = True, reply, blob
                if tell := state.tell:
                    tell("created", {"sid": shorten(state.sid)})
                return
            state.sid = state.key = None
        raise StoreError("create", "every new id was taken: does genid repeat itself?")

    def _update(self, session: Session, state: State, text: bytes, ttl: float) -> Steps:
        """Compare-and-set until it holds; the data's bytes as stored, or None where gone."""
        key = opened_key(state)
        version, base = state.version, state.blob
        for _ in range(MERGE_ATTEMPTS):
            assert state.meta is not None
            blob = self.codec.encode(key, session, text, state.meta)
            reply = yield "update", (key, blob, ttl, version)
            if reply is GONE:
                return self._lost(state, key, superseded=False)
            if not isinstance(reply, Conflict):
                state.version, state.blob = reply, blob
                if tell := state.tell:
                    tell("saved", {"sid": shorten(state.sid)})
                return text
            theirs, version, _expires = reply.record
            if self.codec.is_tombstone(theirs):
                return self._lost(state, key, superseded=True)
            if tell := state.tell:
                how = self.options.on_conflict
                tell("conflict", {"sid": shorten(state.sid), "on_conflict": how})
            if self.options.on_conflict == "reject":
                raise ConflictError("another request saved this session first")
            if self.options.on_conflict == "merge":
                self._merge(session, state, key, base, theirs)
                text, base = self.codec.dumps(session), theirs
                self._check_size(text)
        raise StoreError("update", "other requests saved this session without a pause")

    def _lost(self, state: State, key: str, superseded: bool) -> None:
        state.gone, state.superseded, state.stored = True, superseded, False
        self.forget(key)
        if tell := state.tell:
            tell("gone", {"sid": shorten(state.sid), "superseded": superseded})

    def _merge(
        self, session: Session, state: State, key: str, base: bytes, theirs: bytes
    ) -> None:
        """Replace the session's data by theirs with our changed keys over it."""
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
        dict.clear(session)
        dict.update(session, merged)
        if state.cookie is None or not state.cookie.lifetime_changed:
            state.meta = meta

    def touch(self, session: Session, state: State, forced: bool) -> Steps:
        """Extend the record's life where it is due. A failure is an event: the data is safe."""
        if state.touched and not forced:
            return
        now = self.clock()
        ttl = self.lifetimes.ttl(session, now)
        if not forced and not self.lifetimes.touch_is_due(state, ttl, now):
            return
        state.touched = True
        if ttl <= 0:
            yield "destroy", (state.key,)
            return
        try:
            alive = yield "touch", (state.key, ttl)
        except StoreError as error:
            if tell := state.tell:
                tell("outage", {"verb": error.verb, "reason": error.reason})
            return
        if alive:
            state.expires = now + ttl
            state.refreshed = True
            if tell := state.tell:
                tell("touched", {"sid": shorten(state.sid)})
        else:
            self._lost(state, opened_key(state), superseded=False)

    def supersede(self, session: Session, state: State) -> Steps:
        """Kill the record of an id that is rotated away; False where it was dead already.

        The native record leaves a marker for a minute: a slow request that still holds the
        old id learns that the session moved on, and so doesn't clear the new cookie.
        """
        key = opened_key(state)
        marker = self.codec.tombstone(key)
        self.forget(key)
        if marker is None:
            yield "destroy", (key,)
            return True
        version, base = state.version, state.blob
        for _ in range(MERGE_ATTEMPTS):
            reply = yield "update", (key, marker, TOMBSTONE_LIFE, version)
            if reply is GONE:
                self._lost(state, key, superseded=False)
                return False
            if not isinstance(reply, Conflict):
                return True
            theirs, version, _expires = reply.record
            if self.codec.is_tombstone(theirs):
                self._lost(state, key, superseded=True)
                return False
            self._merge(session, state, key, base, theirs)
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
