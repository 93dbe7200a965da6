"""How long a session lives, and the cookie that tells the browser so.

Three ends meet here: the record's (extended by each use), the session's absolute end
(never moved), and the cookie's. All are worked out from one reading of the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from sessfast.codec import Codec
from sessfast.hotpath import take_over
from sessfast.session_cookie import SessionCookie

from .meta import Meta, meta_of
from .policy import Policy, attributes_of, end_of, started
from .session import Session
from .state import State


class Lifetimes:
    """The lifetimes of one middleware's sessions.

    An absolute end is the one that was stored, or what today's options make of it where that is
    earlier.
    """

    def __init__(self, policy: Policy, codec: Codec, clock: Callable[[], float]) -> None:
        self.policy = policy
        self.codec = codec
        self.clock = clock
        # what holds for every session without a lifetime of its own, where options are static
        cookie = policy.static_cookie
        self.is_static = cookie is not None and not cookie.expires and not codec.keeps_cookie
        self.static_ttl = policy.lifetime(policy.max_age)
        self.static_span = policy.absolute_span(policy.max_age)
        self.static_persistent = policy.max_age is not None
        self.static_max_age = policy.max_age or 0.0
        # whether a cookie with nothing of its own has no end, so that all are alike
        self.is_endless = self.is_static and policy.max_age is None
        # a record that has more than this left is not touched, whatever else holds
        self.plenty = inf
        if self.is_static:
            self.plenty = self.static_ttl - policy.refresh_after(self.static_ttl)

    def is_plain(self, state: State) -> bool:
        """Whether the session's cookie is what the options say, and has no end."""
        return self.is_endless and self._is_like_all(state)

    def is_dated(self, state: State) -> bool:
        """Whether the session's cookie is what the options say, and has an end."""
        return self.static_persistent and self._is_like_all(state)

    def cookie_end(self, state: State, now: float) -> float:
        """When such a cookie ends: with its record, and no later than the session."""
        end: float = now + self.static_max_age
        if state.expires is not None and state.stored:
            end = state.expires
        return min(end, state.ends)

    def _is_like_all(self, state: State) -> bool:
        """Whether the session's lifetime is what the options say, with nothing of its own."""
        return self.is_static and state.cookie is None and not state.special

    def keep(self, state: State, meta: Meta) -> None:
        """Give a session its meta, and what follows from it."""
        state.meta = meta
        stored = inf if meta.expires is None else meta.expires
        cookie = meta.cookie
        state.special = bool(cookie)
        if not self.is_static:
            state.ends = stored
            return
        span = self.static_span
        if cookie:
            span = self.policy.absolute_span(cookie.get("max_age", self.policy.max_age))
        today = meta.created + span
        state.ends = today if today < stored else stored

    def begun(self, session: Session, now: float) -> Meta:
        """The meta of a session that is stored for the first time."""
        state = session._state
        assert state is not None
        span = self.static_span
        if not self._is_like_all(state):
            span = self.policy.absolute_span(self.max_age(session))
        return meta_of(now, end_of(now, span), {})

    def cookie(self, session: Session) -> SessionCookie:
        """The session's cookie: today's options, and what was kept with the session."""
        state = session._state
        assert state is not None
        state.active = True
        if state.cookie is None:
            state.cookie = SessionCookie(dict(self.attributes(session, state)), self.clock)
        return state.cookie

    def attributes(self, session: Session, state: State) -> Mapping[str, Any]:
        """The cookie's attributes, `expires` and `original_max_age` among them. To be read only."""
        if state.cookie is not None:
            return state.cookie.attributes
        if self.is_plain(state):
            return self.policy.plain_attributes[session._secure]
        now = self.clock()
        if state.meta is not None and self.codec.keeps_cookie:
            attributes = dict(state.meta.cookie)
            max_age, expires = attributes.get("original_max_age"), attributes.get("expires")
        else:
            options = self.policy.cookie_options(session.facts)
            attributes = attributes_of(options, session._secure)
            max_age, expires = started(options, now)
            if state.meta is not None and "max_age" in state.meta.cookie:
                max_age = state.meta.cookie["max_age"]
                expires = None if max_age is None else now + max_age
        # what the store says outlives what the record said: a touch rewrites no record
        if is_number(max_age) and state.expires is not None and state.stored:
            expires = state.expires
        return {**attributes, "original_max_age": max_age, "expires": expires}

    def max_age(self, session: Session) -> float | None:
        """The max_age that governs the session's life, without building its cookie."""
        state = session._state
        assert state is not None
        if self._is_like_all(state):
            return self.policy.max_age
        if state.cookie is not None:
            return state.cookie.original_max_age
        if state.meta is not None and self.codec.keeps_cookie:
            span = state.meta.cookie.get("original_max_age")
        elif state.meta is not None and "max_age" in state.meta.cookie:
            span = state.meta.cookie["max_age"]
        else:
            span = started(self.policy.cookie_options(session.facts), self.clock())[0]
        return span if is_number(span) else None

    def ttl(self, session: Session, now: float) -> float:
        """Seconds from now that the record should live; <= 0 where its life is over."""
        state = session._state
        assert state is not None
        if self._is_like_all(state):
            ttl = self.static_ttl
        else:
            ttl = self.policy.lifetime(self.max_age(session))
        left = state.ends - now
        return left if left < ttl else ttl

    def touch_is_due(self, state: State, ttl: float, now: float) -> bool:
        """Whether so much of the record's life of `ttl` has passed that a use extends it."""
        if state.expires is None:
            return True
        return ttl - (state.expires - now) >= self.policy.refresh_after(ttl)

    def is_persistent(self, session: Session, state: State) -> bool:
        """Whether the cookie has an end of its own. In express's records `false` counts too."""
        if self._is_like_all(state):
            return self.static_persistent
        if self.codec.keeps_cookie:
            attributes = {} if state.meta is None else state.meta.cookie
            if state.cookie is not None:
                attributes = state.cookie.attributes
            elif state.meta is None:
                return started(self.policy.cookie_options(session.facts), 0.0)[1] is not None
            return attributes.get("expires") is not None
        return self.max_age(session) is not None


def is_number(value: object) -> bool:
    """Whether a lifetime is a number; None and False mean that there is none."""
    return isinstance(value, int | float) and value is not False


take_over(globals())
