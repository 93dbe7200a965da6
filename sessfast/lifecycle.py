"""What happens to a session, and when.

Two rules hold here and in `loading.py` (who is there), `decision.py` (the table),
`lifetime.py` (how long) and `saving.py` (races). Everything that decides what is stored, or
which cookie is sent, lives in them. And none of them knows whether anyone awaits: they do no
I/O and read no clock of their own. They hand out store calls, `(verb, arguments)`, and are fed
the replies; `drivers.py` makes the calls.

    parked --open--> ready --commit--> done        any touch of the data opens;
                      ^   conflict: merge, again   a commit after the headers follows the
                      |__ commit, once more        same rules, but can send no cookie

What every request may need is plain functions (`Loading.begin` and `feed`, `settle`,
`Saving.feed`, `finish`), for a generator costs more than what it does here. What an app asks
for now and then is a generator, and so is `commit`, for who awaits.
"""

from __future__ import annotations

from collections.abc import Callable

from sessfast.codec import Codec
from sessfast.errors import DecodeError, HeadersSentError, SessionGoneError, StoreError
from sessfast.hotpath import take_over
from sessfast.importing import Imports
from sessfast.options import SessionOptions
from sessfast.records import Read, Sent, Tell, shorten
from sessfast.session_cookie import SessionCookie

from .decision import DecisionTable
from .lifetime import Lifetimes, is_number
from .loading import Loading
from .policy import Policy, attributes_of
from .saving import Saving
from .session import Session
from .state import Call, State, Steps

# looked up once: an enum's attribute costs as much as a dict of them
UNINITIALIZED, UNCHANGED, SUPERSEDED = Sent.UNINITIALIZED, Sent.UNCHANGED, Read.SUPERSEDED


class Lifecycle:
    """The rules of one middleware's sessions.

    clock: () -> epoch seconds
    tell:  () -> callable(event, facts) if anybody listens right now, else None
    imports: what is taken over from the cookies of others
    """

    def __init__(
        self,
        options: SessionOptions,
        policy: Policy,
        codec: Codec,
        clock: Callable[[], float],
        tell: Callable[[], Tell | None] = lambda: None,
        imports: Imports | None = None,
    ) -> None:
        self.options = options
        self.policy = policy
        self.codec = codec
        self.clock = clock
        self.eager = (
            not options.lazy or options.resave or options.rolling or options.save_uninitialized
        )
        self.dumps, self.same = codec.dumps, codec.same
        self.resave, self.keeps_cookie = options.resave, codec.keeps_cookie
        self.ends_emptied = options.emptied == "destroy"
        self.table = DecisionTable(options.save_uninitialized, options.rolling, codec.keeps_cookie)
        self.lifetimes = Lifetimes(policy, codec, clock)
        self.saving = Saving(options, policy, codec, self.lifetimes)
        self.loading = Loading(policy, codec, self.lifetimes, self.saving, tell, imports)

    # -- what a session is asked -----------------------------------------------------------

    def identify(self, session: Session) -> str:
        """The session's id, minted now if it has none yet."""
        return self.saving.identify(session, session._opened())

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
        if session._state is None:
            if not self.opens_to_commit(session, unset):
                return None
            yield from self.loading.open(session)
        yield from self.saving.made(session, self.settle(session, unset, late))
        return self.finish(session, late)

    def opens_to_commit(self, session: Session, unset: bool) -> bool:
        """Whether a session that nobody opened must be, to commit it."""
        if session.outage is not None:
            return False  # the app knows: its first touch raised
        return self.eager or unset

    def settle(self, session: Session, unset: bool, late: bool) -> Call | None:
        """Begin a commit of an open session: its first store call, or None.

        Feed the replies to `saving`, then call `finish`.
        """
        state = session._state
        assert state is not None
        state.settling = not state.failed
        if state.failed:
            return None
        state.failed = True
        state.decided = state.wanted = state.clears = False
        if state.destroyed:
            state.clears, state.sent = True, Sent.CLEARED
            return None
        if state.gone:
            return None  # whatever is changed now, the session never comes back
        if unset:
            return self._unset(state)
        text = self._compare(session, state)
        modified = state.changed or state.rotated
        if state.degraded is not None:
            state.sent = UNCHANGED
            if modified:
                raise state.degraded
            return None
        if self.ends_emptied and text is not None and self._is_emptied(session, state):
            state.clears, state.sent = True, Sent.CLEARED
            return self._destruction(state)
        state.fresh = fresh = state.cookie_sid is None or state.cookie_sid != state.sid
        state.persistent = self.lifetimes.is_persistent(session, state)
        save, touch, state.wanted, state.sent = self.table.decide(
            fresh,
            modified,
            self._is_saved(state, text),
            state.saved_text is not None,
            state.stored,
            state.persistent,
            state.cookie is not None and state.cookie.changed,
        )
        if fresh and state.wanted and not self._delivers(session, state, late):
            state.wanted = False
            return None
        state.decided = True
        if save:
            return self.saving.save(session, state, text)
        if touch:
            return self.saving.touch(session, state, False)
        return None

    def finish(self, session: Session, late: bool) -> str | None:
        """End a commit whose calls are made: the Set-Cookie value to send, or None."""
        state = session._state
        assert state is not None
        if not state.settling:
            return None  # it failed before
        cookie = None
        if state.clears:
            self._end(session, state)
            cookie = self._clear(session, state, late)
        elif state.decided:
            cookie = self._outcome(session, state, late)
        state.failed = state.settling = False
        session._committed = True
        if cookie is not None:
            state.set_cookie = cookie
        return state.set_cookie

    def _outcome(self, session: Session, state: State, late: bool) -> str | None:
        """The cookie that a decision led to, once the store has answered."""
        if state.gone:
            state.sent = Sent.GONE
            if state.superseded:  # the browser may hold the new id already: leave it alone
                return None
            return self._clear(session, state, late)
        if late:
            return None
        if state.fresh:
            if state.wanted and state.rotated:
                state.sent = Sent.ROTATED
        elif not state.wanted and self._renews(state):
            state.wanted, state.sent = True, Sent.REFRESHED
        return self._send(session, state) if state.wanted else None

    def _delivers(self, session: Session, state: State, late: bool) -> bool:
        """Whether a new session's cookie can reach the browser, so that it should be stored."""
        if state.read is SUPERSEDED and not state.rotated:
            # the browser holds, or is about to get, the id that took over: a new cookie
            # would replace it, and log out who has just logged in
            state.sent = Sent.GONE
            if tell := state.tell:
                tell("gone", {"sid": "-", "superseded": True})
            return False
        if not late:
            return not self._undeliverable(session, state)
        if state.set_cookie is None:
            if tell := state.tell:
                tell("late_change", {"sid": shorten(state.sid), "sent": Sent.TOO_LATE.value})
            return state.stored  # nobody will present this id: a record would be an orphan
        return True

    def _compare(self, session: Session, state: State) -> bytes | None:
        """Find out whether the data changed; its bytes, where they were needed for that."""
        if not (state.written or state.lent):
            return None
        text = self.dumps(session)
        if state.original:
            state.changed = not self.same(state.original, text)
        else:
            state.changed = session._size() > 0
        state.written = False
        return text

    def _is_emptied(self, session: Session, state: State) -> bool:
        """Whether the app took all data out of a session, so that it is over.

        One that was empty when it came is left alone. Data from an old cookie is nowhere else.
        """
        if session._size():
            return False
        return state.changed or state.rotated or state.imported or state.saved_text is not None

    def _is_saved(self, state: State, text: bytes | None) -> bool:
        """Whether exactly this data is known to be in the store."""
        if state.saved_text is not None:
            return text is None or text == state.saved_text
        return state.stored and not state.changed and not self.resave

    def _undeliverable(self, session: Session, state: State) -> bool:
        """Whether a new session's cookie can't travel, so that nothing should be stored.

        Express stores such a session all the same, on every request anew.
        """
        if session._secure or not self.lifetimes.attributes(session, state).get("secure"):
            return False
        state.sent = Sent.INSECURE_CONNECTION
        if tell := state.tell:
            tell("insecure_connection", {"sid": shorten(state.sid)})
        return not self.codec.keeps_cookie

    def _send(self, session: Session, state: State) -> str | None:
        """The Set-Cookie value that hands the session to the browser, its countdown restarted."""
        sid = self.saving.identify(session, state)
        if self.lifetimes.is_plain(state):
            header = self.policy.plain_cookie(sid, session._secure)
        elif self.lifetimes.is_dated(state):
            now = self.clock()
            end = self.lifetimes.cookie_end(state, now)
            header = self.policy.dated_cookie(sid, end, session._secure, now)
        else:
            header = self._dated_cookie(session, state, sid)
        if header is None:
            state.sent = Sent.INSECURE_CONNECTION
        return header

    def _dated_cookie(self, session: Session, state: State, sid: str) -> str | None:
        """The Set-Cookie value of a session whose cookie has an end, or attributes, of its own."""
        now = self.clock()
        if state.cookie is not None:
            state.cookie.restart(now)
            state.cookie.changed = False
        attributes = self.lifetimes.attributes(session, state)
        expires = attributes.get("expires")
        if expires is not None and state.meta is not None and is_number(expires):
            expires = min(expires, state.ends)
        return self.policy.set_cookie(sid, attributes, expires, session._secure, now)

    def _renews(self, state: State) -> bool:
        """Whether the browser should get its cookie again although nothing changed.

        When its life was extended, so that browser and store agree on it, when an old secret
        signed it, so that the secret can be dropped, and where it isn't our cookie yet.
        """
        if state.imported:
            return True
        if state.retired_key and self.options.resign:
            return True
        return state.refreshed and state.persistent and not self.keeps_cookie

    def _clear(self, session: Session, state: State, late: bool) -> str | None:
        """The Set-Cookie value that removes the cookie; None where there is none to remove."""
        if late or not self.options.clear_cookie or state.read is Read.NO_COOKIE:
            return None
        attributes = attributes_of(self.policy.cookie_options(session.facts), session._secure)
        return self.policy.clear_cookie(attributes, session._secure)

    def _unset(self, state: State) -> Call | None:
        """Begin what `unset` asks for where the app put None in the session's place."""
        state.sent = Sent.UNSET
        if self.options.unset != "destroy":
            return None
        if state.degraded is not None:
            raise state.degraded
        state.clears = True
        return self._destruction(state)

    def _destruction(self, state: State) -> Call | None:
        """The call that deletes the record. One that was never stored needs none (R-61)."""
        if not state.stored:
            return None
        self.saving.forget(state.key)
        return "destroy", (state.key,)

    def _end(self, session: Session, state: State) -> None:
        """Take note that the session is destroyed: it is empty from here on."""
        was_stored = state.version is not None and not (state.gone or state.destroyed)
        if was_stored and (tell := state.tell):
            tell("destroyed", {"sid": shorten(state.sid)})
        state.stored, state.destroyed = False, True
        session._empty()

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
        new = State.__new__(State)
        new.begin(state.read, state.tell, 0, None)
        new.cookie_sid = state.cookie_sid
        new.rotated = new.written = new.active = True
        if keep and alive and not state.destroyed:
            new.meta, new.ends, new.special = state.meta, state.ends, state.special
            new.cookie = state.cookie
        else:
            session._empty()
        session._state = new
        self.identify(session)
        if tell := state.tell:
            tell("rotated", {"sid": shorten(new.sid), "old": shorten(old), "keep": keep})

    def destroy(self, session: Session) -> Steps:
        """Delete the session everywhere."""
        state = yield from self._ready(session)
        if call := self._destruction(state):
            yield call
        self._end(session, state)

    def load(self, session: Session) -> Steps:
        """Open the session, if nobody has."""
        if session._state is None:
            yield from self.loading.open(session)

    def reload(self, session: Session) -> Steps:
        """Replace the data by the stored one; unsaved changes are lost."""
        state = yield from self._ready(session)
        reply = None
        if state.stored:
            reply = yield "get", (state.key,)
        if reply is None or self.codec.is_tombstone(reply[0]):
            raise SessionGoneError("the store holds no such session any more")
        try:
            data, meta = self.codec.decode(state.key, reply[0])
        except DecodeError as error:
            raise StoreError("get", "the record can't be read") from error
        state.blob, state.version, state.expires = reply
        state.original, state.cookie = reply[0], None
        self.lifetimes.keep(state, meta)
        state.changed = state.written = state.lent = False
        state.saved_text = None
        session._refill(data)

    def save(self, session: Session) -> Steps:
        """Store the session now. Unchanged data is not written again, its life is extended."""
        if session._state is None:
            yield from self.loading.open(session)
        call = self.begin_save(session)
        yield from self.saving.made(session, call)
        if session._opened().gone and call is not None and call[0] != "touch":
            raise SessionGoneError("the session was destroyed, rotated or has expired meanwhile")

    def begin_save(self, session: Session) -> Call | None:
        """Begin to save an open session: its first store call, or None.

        Feed the replies to `saving`; `state.gone` then tells whether the session is.
        """
        state = session._state
        assert state is not None
        if state.degraded is not None:
            raise state.degraded
        state.active = True
        if state.destroyed or state.gone:
            raise SessionGoneError("this session was destroyed, rotated or has expired")
        if state.read is SUPERSEDED and not state.rotated:
            raise SessionGoneError("this session lives on under a new id")
        text = self._compare(session, state)
        is_new = state.cookie_sid is None or state.cookie_sid != state.sid
        if session.committed and is_new and not state.stored and state.set_cookie is None:
            raise HeadersSentError("a new session needs a cookie, and the headers have left")
        cookie_changed = state.cookie is not None and state.cookie.changed
        if state.stored and self._is_saved(state, text) and not cookie_changed:
            return self.saving.touch(session, state, True)
        return self.saving.save(session, state, text)

    def touch(self, session: Session) -> Steps:
        """Start the countdown again, in the cookie object and in the store."""
        state = yield from self._ready(session)
        if state.cookie is not None:
            state.cookie.restart(self.clock())
        if state.stored:
            yield from self.saving.made(session, self.saving.touch(session, state, True))

    def _ready(self, session: Session) -> Steps:
        """The state of a session, opened if need be; StoreError where its store is down."""
        if session._state is None:
            yield from self.loading.open(session)
        state = session._state
        assert state is not None
        if state.degraded is not None:
            raise state.degraded
        state.active = True
        return state


take_over(globals())
