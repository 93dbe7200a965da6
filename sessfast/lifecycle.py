"""What happens to a session, and when.

Two rules hold here and in `loading.py` (who is there), `decision.py` (the table),
`lifetime.py` (how long) and `saving.py` (races). Everything that decides what is stored, or
which cookie is sent, lives in them. And none of them knows whether anyone awaits: they do no
I/O and read no clock of their own. The steps are generators that hand out store calls,
`(verb, arguments)`, and are sent the replies; `drivers.py` makes the calls.

    parked --open--> ready --commit--> done        any touch of the data opens;
                      ^   conflict: merge, again   a commit after the headers follows the
                      |__ commit, once more        same rules, but can send no cookie
"""

from __future__ import annotations

from collections.abc import Callable

from sessfast.codec import Codec
from sessfast.decision import decide
from sessfast.errors import (
    DecodeError,
    HeadersSentError,
    SessionGoneError,
    StoreError,
)
from sessfast.lifetime import Lifetimes, is_number, opened, opened_key
from sessfast.loading import Loading
from sessfast.options import SessionOptions
from sessfast.policy import Policy, attributes_of
from sessfast.records import Read, Sent, Tell, shorten
from sessfast.saving import Saving
from sessfast.session import Session, State, Steps
from sessfast.session_cookie import SessionCookie

# looked up once: an enum's attribute costs as much as a dict of them
UNINITIALIZED, UNCHANGED = Sent.UNINITIALIZED, Sent.UNCHANGED


class Lifecycle:
    """The rules of one middleware's sessions.

    clock: () -> epoch seconds
    tell:  () -> callable(event, facts) if anybody listens right now, else None
    """

    def __init__(
        self,
        options: SessionOptions,
        policy: Policy,
        codec: Codec,
        clock: Callable[[], float],
        tell: Callable[[], Tell | None] = lambda: None,
    ) -> None:
        self.options = options
        self.policy = policy
        self.codec = codec
        self.clock = clock
        self.eager = (
            not options.lazy or options.resave or options.rolling or options.save_uninitialized
        )
        self.lifetimes = Lifetimes(policy, codec, clock)
        self.saving = Saving(options, policy, codec, self.lifetimes)
        loading = Loading(policy, codec, self.lifetimes, self.saving, tell)
        self.open, self.fetch, self.begin = loading.open, loading.fetch, loading.begin
        self.feed, self.fail = loading.feed, loading.fail

    # -- what a session is asked -----------------------------------------------------------

    def identify(self, session: Session) -> str:
        """The session's id, minted now if it has none yet."""
        return self.saving.identify(session, opened(session))

    def cookie(self, session: Session) -> SessionCookie:
        """The session's cookie: today's options, and what was kept with the session."""
        return self.lifetimes.cookie(session)

    # -- committing ------------------------------------------------------------------------

    def is_settled(self, session: Session) -> bool:
        """Whether `commit` would do nothing: an open session of which plain values were read.

        A short cut, not a rule: tests/rules/test_settled.py holds it to what `commit` does.
        """
        state = session._state
        if state is None or state.active or self.eager:
            return False
        if state.at_rest:
            state.sent = UNCHANGED
        elif state.stored or state.degraded is not None:
            return False
        else:
            state.sent = UNINITIALIZED
        session._committed = True
        return True

    def commit(self, session: Session, unset: bool = False, late: bool = False) -> Steps:
        """Store what changed and return the Set-Cookie value to send, or None.

        unset: the app replaced the session by None
        late:  the headers have left: no cookie can be sent any more
        Raises StoreError, ConflictError, EncodeError, SessionTooLargeError; what the store
        holds is then as it was, and no cookie may be sent.
        """
        if session.outage is not None:
            return None  # the app knows: its first touch raised
        if session._state is None:
            if not (self.eager or unset):
                return None
            yield from self.open(session)
        state = opened(session)
        if state.failed:
            return None
        state.failed = True  # until we get through: a failed commit is not tried again
        cookie = yield from self._settle(session, state, unset, late)
        state.failed = False
        session._committed = True
        if cookie is not None:
            state.set_cookie = cookie
        return state.set_cookie

    def _settle(self, session: Session, state: State, unset: bool, late: bool) -> Steps:
        if state.destroyed:
            return self._clear(session, state, Sent.CLEARED, late)
        if state.gone:
            return None  # whatever is changed now, the session never comes back
        if unset:
            return (yield from self._unset(session, state, late))
        text = self._compare(session, state)
        modified = state.changed or state.rotated
        if state.degraded is not None:
            state.sent = UNCHANGED
            if modified:
                raise state.degraded
            return None
        fresh = state.cookie_sid is None or state.cookie_sid != state.sid
        persistent = self.lifetimes.is_persistent(session, state)
        explicitly = state.saved_text is not None
        save, touch, wanted, state.sent = decide(
            self.options,
            self.codec.keeps_cookie,
            fresh,
            modified,
            self._is_saved(state, text),
            explicitly,
            state.stored,
            persistent,
            state.cookie is not None and state.cookie.changed,
        )
        if fresh and wanted:
            if state.read is Read.SUPERSEDED and not state.rotated:
                # the browser holds, or is about to get, the id that took over: a new cookie
                # would replace it, and log out who has just logged in
                state.sent = Sent.GONE
                if tell := state.tell:
                    tell("gone", {"sid": "-", "superseded": True})
                return None
            if late and state.set_cookie is None:
                if tell := state.tell:
                    tell("late_change", {"sid": shorten(state.sid), "sent": Sent.TOO_LATE.value})
                if not state.stored:
                    return None  # nobody will present this id: a record would be an orphan
            if not late and self._undeliverable(session, state):
                return None
        if save:
            if not (yield from self.saving.save(session, state, text)):
                if state.superseded:  # the browser may hold the new id already: leave it alone
                    state.sent = Sent.GONE
                    return None
                return self._clear(session, state, Sent.GONE, late)
        elif touch:
            yield from self.saving.touch(session, state, forced=False)
            if state.gone:
                return self._clear(session, state, Sent.GONE, late)
        if late:
            return None
        if fresh:
            if wanted and state.rotated:
                state.sent = Sent.ROTATED
        elif not wanted and self._renews(state, persistent):
            wanted, state.sent = True, Sent.REFRESHED
        return self._send(session, state) if wanted else None

    def _compare(self, session: Session, state: State) -> bytes | None:
        """Find out whether the data changed; its bytes, where they were needed for that."""
        if not (state.written or state.lent):
            return None
        text = self.codec.dumps(session)
        if state.original:
            state.changed = not self.codec.same(state.original, text)
        else:
            state.changed = dict.__len__(session) > 0
        state.written = False
        return text

    def _is_saved(self, state: State, text: bytes | None) -> bool:
        """Whether exactly this data is known to be in the store."""
        if state.saved_text is not None:
            return text is None or text == state.saved_text
        return state.stored and not state.changed and not self.options.resave

    def _undeliverable(self, session: Session, state: State) -> bool:
        """Whether a new session's cookie can't travel, so that nothing should be stored.

        Express stores such a session all the same, on every request anew.
        """
        secure = session._secure
        if secure or not self.lifetimes.attributes(session, state).get("secure"):
            return False
        state.sent = Sent.INSECURE_CONNECTION
        if tell := state.tell:
            tell("insecure_connection", {"sid": shorten(state.sid)})
        return not self.codec.keeps_cookie

    def _send(self, session: Session, state: State) -> str | None:
        """The Set-Cookie value that hands the session to the browser, its countdown restarted."""
        now = self.clock()
        if state.cookie is not None:
            state.cookie.restart(now)
            state.cookie.changed = False
        attributes = self.lifetimes.attributes(session, state)
        expires = attributes.get("expires")
        if expires is not None and state.meta is not None and is_number(expires):
            expires = min(expires, self.lifetimes.end(state.meta))
        sid = self.saving.identify(session, state)
        header = self.policy.set_cookie(sid, attributes, expires, session._secure, now)
        if header is None:
            state.sent = Sent.INSECURE_CONNECTION
        return header

    def _renews(self, state: State, persistent: bool) -> bool:
        """Whether the browser should get its cookie again although nothing changed.

        When its life was extended, so that browser and store agree on it, and when an old
        secret signed it, so that the secret can be dropped.
        """
        if state.retired_key and self.options.resign:
            return True
        return state.refreshed and persistent and not self.codec.keeps_cookie

    def _clear(self, session: Session, state: State, sent: Sent, late: bool) -> str | None:
        state.sent = sent
        if late or not self.options.clear_cookie or state.read is Read.NO_COOKIE:
            return None
        attributes = attributes_of(self.policy.cookie_options(session.facts), session._secure)
        return self.policy.clear_cookie(attributes, session._secure)

    def _unset(self, session: Session, state: State, late: bool) -> Steps:
        if self.options.unset != "destroy":
            state.sent = Sent.UNSET
            return None
        yield from self.destroy(session)
        return self._clear(session, state, Sent.UNSET, late)

    # -- what an app asks for --------------------------------------------------------------

    def regenerate(self, session: Session, keep: bool = False) -> Steps:
        """Kill the present id; the session gets a new one at once, and its record at commit.

        At no moment do both ids live, so a failure leaves the user logged out, never logged
        in under the old id (R-04). Where the session was destroyed meanwhile, that wins:
        its data is not carried over.
        """
        state = yield from self._ready(session)
        if session.committed:
            raise HeadersSentError("regenerate() needs a new cookie, and the headers have left")
        alive = True
        if state.stored:
            alive = yield from self.saving.supersede(session, state)
        old = state.sid
        new = State(
            read=state.read, tell=state.tell, cookie_sid=state.cookie_sid,
            rotated=True, written=True, active=True,
        )  # fmt: skip
        if keep and alive and not state.destroyed:
            new.meta, new.cookie = state.meta, state.cookie
        else:
            dict.clear(session)
        session._state = new
        self.identify(session)
        if tell := state.tell:
            tell("rotated", {"sid": shorten(new.sid), "old": shorten(old), "keep": keep})

    def destroy(self, session: Session) -> Steps:
        """Delete the session everywhere. One that was never stored costs no store call (R-61)."""
        state = yield from self._ready(session)
        if state.stored:
            key = opened_key(state)
            self.saving.forget(key)
            yield "destroy", (key,)
            if tell := state.tell:
                tell("destroyed", {"sid": shorten(state.sid)})
        state.stored, state.destroyed = False, True
        dict.clear(session)

    def reload(self, session: Session) -> Steps:
        """Replace the data by the stored one; unsaved changes are lost."""
        state = yield from self._ready(session)
        reply = None
        if state.stored:
            reply = yield "get", (state.key,)
        if reply is None or self.codec.is_tombstone(reply[0]):
            raise SessionGoneError("the store holds no such session any more")
        try:
            data, meta = self.codec.decode(opened_key(state), reply[0])
        except DecodeError as error:
            raise StoreError("get", "the record can't be read") from error
        state.blob, state.version, state.expires = reply
        state.original, state.meta, state.cookie = reply[0], meta, None
        state.changed = state.written = state.lent = False
        state.saved_text = None
        dict.clear(session)
        dict.update(session, data)

    def save(self, session: Session) -> Steps:
        """Store the session now. Unchanged data is not written again, its life is extended."""
        state = yield from self._ready(session)
        if state.destroyed or state.gone:
            raise SessionGoneError("this session was destroyed, rotated or has expired")
        if state.read is Read.SUPERSEDED and not state.rotated:
            raise SessionGoneError("this session lives on under a new id")
        text = self._compare(session, state)
        is_new = state.cookie_sid is None or state.cookie_sid != state.sid
        if session.committed and is_new and not state.stored and state.set_cookie is None:
            raise HeadersSentError("a new session needs a cookie, and the headers have left")
        cookie_changed = state.cookie is not None and state.cookie.changed
        if state.stored and self._is_saved(state, text) and not cookie_changed:
            yield from self.saving.touch(session, state, forced=True)
        elif not (yield from self.saving.save(session, state, text)):
            raise SessionGoneError("the session was destroyed, rotated or has expired meanwhile")

    def touch(self, session: Session) -> Steps:
        """Start the countdown again, in the cookie object and in the store."""
        state = yield from self._ready(session)
        if state.cookie is not None:
            state.cookie.restart(self.clock())
        if state.stored:
            yield from self.saving.touch(session, state, forced=True)

    def _ready(self, session: Session) -> Steps:
        """The state of a session, opened if need be; StoreError where its store is down."""
        if session._state is None:
            yield from self.open(session)
        state = opened(session)
        if state.degraded is not None:
            raise state.degraded
        state.active = True
        return state
