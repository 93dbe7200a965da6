"""Pyramid's `request.session` over our engine: `config.set_session_factory(factory)`.

Pyramid makes the session when a view first asks for it, and has no middleware in the way: the
cookie is put into the response by a callback.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Unpack

from sessfast.errors import SessfastError
from sessfast.front import Setup, refusal
from sessfast.keywords import Keywords
from sessfast.options import SessionOptions
from sessfast.session import Session

FLASHES, CSRF = "_f_", "_csrft_"  # keys, as Pyramid's own sessions have them


class PyramidSession(Session):
    """An ISession: a dict, with flash messages, a CSRF token, `new`, `created`, `invalidate()`."""

    __slots__ = ()

    @property
    def new(self) -> bool:
        """Whether no stored session came with the request."""
        return self.is_new

    @property
    def created(self) -> int:
        """Epoch seconds at which the session began."""
        meta = self._opened().meta
        return int(self._rules.clock() if meta is None else meta.created)

    def invalidate(self) -> None:
        """Begin anew: no data, a new id, and the old one is dead."""
        self.regenerate()

    def changed(self) -> None:
        """Nothing: a change within a value is found without being told."""

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Keep a message for the page that takes it."""
        waiting = self.setdefault(FLASHES + queue, [])
        if allow_duplicate or msg not in waiting:
            waiting.append(msg)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """The messages of a queue, which is empty then."""
        found: list[Any] = self.pop(FLASHES + queue, [])
        return found

    def peek_flash(self, queue: str = "") -> list[Any]:
        """The messages of a queue, which stay."""
        found: list[Any] = self.get(FLASHES + queue, [])
        return found

    def new_csrf_token(self) -> str:
        """A new token, which replaces the one before."""
        token = secrets.token_hex(20)
        self[CSRF] = token
        return token

    def get_csrf_token(self) -> str:
        """The token; made if there is none."""
        return self.get(CSRF) or self.new_csrf_token()


class SessfastSessionFactory:
    """What makes the session of a request. One for an app: it holds the store.

    options, keywords: those of sessfast
    """

    def __init__(
        self,
        options: SessionOptions | None = None,
        *,
        clock: Callable[[], float] | None = None,
        **keywords: Unpack[Keywords],
    ) -> None:
        self.setup = Setup(options, dict(keywords), False, clock)

    def __call__(self, request: Any) -> PyramidSession:
        setup = self.setup
        secure = request.scheme == "https"
        if setup.options.proxy:
            forwarded = request.headers.get("X-Forwarded-Proto", "")
            secure = setup.policy.is_secure(secure, forwarded)
        session = PyramidSession.__new__(PyramidSession)
        session._park(setup.rules, setup.driver, request.environ.get("HTTP_COOKIE", ""), secure)
        request.add_response_callback(lambda request, response: self.finish(session, response))
        return session

    def finish(self, session: PyramidSession, response: Any) -> None:
        """Store the session before its response leaves, and give the browser its cookie."""
        setup = self.setup
        try:
            setup.driver.commit(session, False, False)
        except SessfastError as error:
            answer = refusal(error)
            if answer is None:
                raise
            response.status, response.body = answer.status, answer.body
            response.headerlist = [*answer.headers]
            return
        state = session._state
        if state is not None:
            response.headerlist = setup.words.dressed(response.headerlist, state.set_cookie)
