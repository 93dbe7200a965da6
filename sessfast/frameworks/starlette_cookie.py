"""The life of a session whose data is the cookie itself: Starlette's, where no store is given.

Two moments only. `open` believes a signed cookie or finds a new session; `settle` signs what
was written, or what changed within a value that was handed out. All else is the ASGI front's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from sessfast.drivers import made
from sessfast.errors import OptionsError, SessionTooLargeError
from sessfast.front import Setup, Words
from sessfast.hotpath import find, gathered
from sessfast.legacy.starlette import StarletteCookies, dumps, loads
from sessfast.lifecycle import Lifecycle
from sessfast.loading import tell_read
from sessfast.options import SessionOptions
from sessfast.policy import MAX_CANDIDATES
from sessfast.records import Read, Sent
from sessfast.session import Session
from sessfast.session_cookie import SessionCookie
from sessfast.state import State, Steps

LARGEST_COOKIE = 4096  # octets of name and value (RFC 6265bis section 5.6)
EMPTY = b"{}"


class DropInSetup(Setup):
    """A front's facts where the cookie's path is an attribute of the cookie, and nothing more."""

    def __init__(self, options: SessionOptions, clock: Callable[[], float] | None) -> None:
        super().__init__(options, {}, True, clock)
        self.looks_closer = bool(self.needs_facts or options.proxy)

    def stands_aside(self, facts: Any) -> None:
        """Never: Starlette gives every path a session."""


class CookieSetup(DropInSetup):
    """A front's facts where the session is in the cookie.

    attributes: what follows the cookie's name and value in a Set-Cookie header, for one that is
                set and for one that is removed
    """

    def __init__(
        self,
        options: SessionOptions,
        clock: Callable[[], float] | None,
        cookies: StarletteCookies,
        attributes: tuple[str, str],
        caching: str | None,
    ) -> None:
        super().__init__(options, clock)
        rules = self.rules
        self.rules = CookieRules(
            rules.options, rules.policy, rules.codec, rules.clock, self.report.listener
        )
        self.rules.begin(cookies, attributes, self.report.listener)
        self.driver = CookieDriver(self.rules)
        self.never_fails = True
        if caching is None:
            self.words = VaryWords(
                lambda name: name.lower().encode(), str.encode, bytes.lower, "private"
            )


class VaryWords(Words):
    """The headers that Starlette writes: Vary, and nothing about caches."""

    def dressed(self, headers: Any, cookie: Any) -> list[tuple[Any, Any]]:
        """A copy of the app's headers with ours."""
        result = self.varied(headers)
        if cookie is not None:
            result.append((self.set_cookie, cookie))
        return result


class CookieRules(Lifecycle):
    """The rules of one middleware's sessions, where the cookie holds them."""

    def begin(
        self, cookies: StarletteCookies, attributes: tuple[str, str], tell: Callable[[], Any]
    ) -> None:
        """Take what `Lifecycle` has no place for."""
        self.cookies = cookies
        self.tell = tell
        self.name = self.options.name
        self.head = f"{self.name}="
        self.tail, ending = attributes
        self.removal = f"{self.name}=null{ending}"
        self.max_bytes = self.options.max_cookie_header
        self.max_pairs = self.options.max_cookie_pairs
        self.room = LARGEST_COOKIE - len(self.name)

    def open(self, session: Session) -> None:
        """Open a session on its first touch: the first cookie of its name that is to be believed.

        Starlette takes the last one, believable or not; browsers send the closest path first.
        """
        request: Any = session._request
        header = gathered(request)
        read, seen, text, data = Read.NO_COOKIE, 0, EMPTY, None
        now, tell = self.clock(), self.tell()
        while seen < MAX_CANDIDATES:
            value = find(header, self.name, seen, self.max_bytes, self.max_pairs)
            if value is None:
                break
            seen += 1
            if not value or value == "null":  # an ended session's
                continue
            found = self.cookies.verified(value, now)
            if isinstance(found, Read):
                read = found
                continue
            data = loads(found)
            if data is None:
                read = Read.UNDECODABLE
                if tell is not None:
                    tell("undecodable", {"sid": "-", "error": "the cookie holds no JSON object"})
                continue
            read, text = Read.LOADED, found
            break
        state = State.__new__(State)
        state.begin(read, tell, seen, None)
        state.original = text
        state.at_rest = data is not None
        session._state = state
        session._refill(data or {})
        if tell is not None:
            tell_read(tell, state)

    def settle(self, session: Session, unset: bool, late: bool) -> None:
        """Say in the session's state which cookie is to be sent, and why.

        SessionTooLargeError: no browser would keep it. EncodeError: json can't write the data.
        """
        state = session._state
        if state is None:
            if not unset:
                return
            self.open(session)
            state = session._state
            assert state is not None
        if state.failed:
            return  # the app was told; its error page gets out
        if unset:
            session._empty()
            state.written = True
        if not (state.written or state.lent):
            state.sent = Sent.UNCHANGED if state.at_rest else Sent.UNINITIALIZED
            session._committed = True
            return
        state.failed = True
        text = dumps(session)
        changed = state.written if not late else text != state.original
        changed = changed or text != state.original
        state.sent = Sent.UNCHANGED
        if changed and late:
            self._miss(state)
        elif changed:
            state.changed = True
            if text != EMPTY:
                state.set_cookie, state.sent = self._signed(text), Sent.NEW
            elif state.at_rest:
                state.set_cookie, state.sent = self.removal, Sent.CLEARED
            else:
                state.sent = Sent.UNINITIALIZED
        state.original = text
        state.failed = state.written = False
        session._committed = True

    def _signed(self, text: bytes) -> str:
        """The Set-Cookie value that holds the data `text`."""
        value = self.cookies.signed(text, self.clock())
        if len(value) > self.room:
            raise SessionTooLargeError(
                f"the session cookie would have {len(self.name) + len(value)} bytes, and browsers "
                f"drop one of more than {LARGEST_COOKIE}: keep less in the session, or keep it on "
                'the server with SessionMiddleware(…, store="redis://…")'
            )
        return f"{self.head}{value}{self.tail}"

    def _miss(self, state: State) -> None:
        """Tell of a change that came when the headers had left."""
        if tell := self.tell():
            tell("late_change", {"sid": "-", "sent": Sent.TOO_LATE.value})

    def commit(self, session: Session, unset: bool = False, late: bool = False) -> Steps:
        """`settle`, as steps of which there are none."""
        yield from ()
        self.settle(session, unset, late)

    def identify(self, session: Session) -> NoReturn:
        """No id: the cookie is the session."""
        raise needs_store("session.id")

    def cookie(self, session: Session) -> SessionCookie:
        """No cookie of its own: the middleware's attributes hold for every session."""
        raise needs_store("session.cookie")

    def regenerate(self, session: Session, keep: bool = False) -> NoReturn:
        """Nothing to rotate."""
        raise needs_store("session.regenerate()")

    def destroy(self, session: Session) -> NoReturn:
        """Nothing to delete."""
        raise needs_store("session.destroy()")

    def reload(self, session: Session) -> NoReturn:
        """Nothing to load again."""
        raise needs_store("session.reload()")

    def save(self, session: Session) -> NoReturn:
        """Nowhere to save."""
        raise needs_store("session.save()")

    def touch(self, session: Session) -> NoReturn:
        """No record to touch."""
        raise needs_store("session.touch()")


class CookieDriver:
    """Drives `CookieRules`: there is no store to call."""

    waits = False

    def __init__(self, rules: CookieRules) -> None:
        self.open = rules.open
        self.commit = rules.settle

    def run(self, steps: Steps) -> Any:
        """The result of `steps`."""
        return made({}, steps)

    async def arun(self, steps: Steps) -> Any:
        """The result of `steps`; nothing is waited for."""
        return made({}, steps)


def needs_store(what: str) -> OptionsError:
    """The error for what a signed cookie can't do."""
    return OptionsError(
        [f"{what} needs sessions on the server: SessionMiddleware(…, store=…). Without it the "
         "cookie is the session: session.clear() ends it"]
    )  # fmt: skip
