"""Our sessions for a Quart app: in place of Quart's own.

    from sessfast.frameworks.quart import Sessfast    # Sessfast(app), or Sessfast().init_app(app)

As in a Flask app; what does I/O is awaited: `await session.regenerate(keep=True)`, `save()`, ….
A websocket's session is loaded at the handshake and stored when the socket ends, or by
`await session.save()`; Quart lets no cookie out with the accept, so no new session can
begin there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import quart
from flask.sessions import NullSession, SessionMixin
from quart.sessions import SessionInterface as QuartInterface
from quart.wrappers.response import IterableBody, ResponseBody

from sessfast.asgi import SECURE, facts_of, header
from sessfast.errors import ConflictError, SessfastError, StoreError
from sessfast.frameworks.flask import Manners, dress, refuse
from sessfast.frameworks.flask_serializers import flask_serializer
from sessfast.frameworks.flask_settings import Ready, Settings, pick
from sessfast.front import refusal
from sessfast.keywords import Keywords
from sessfast.records import Sent
from sessfast.session import AsyncSession

__all__ = ["QuartSession", "Sessfast", "SessionInterface"]


class QuartSession(Manners, AsyncSession):
    """`quart.session`, as Quart's own behaves, kept in a store."""

    __slots__ = ("accessed", "began_anew")


SessionMixin.register(QuartSession)


class SessionInterface(QuartInterface):
    """`app.session_interface`, for one app. Its `get_cookie_…` methods may be overridden.

    options: as for Sessfast
    serializer: of what JSON lacks; register tags of your own with `serializer.register`
    """

    session_classes = QuartSession, QuartSession

    def __init__(
        self, *, clock: Callable[[], float] | None = None, **options: Unpack[Keywords]
    ) -> None:
        self.settings = Settings(dict(options), True, clock)
        self.serializer = flask_serializer()

    def prepare(self, app: quart.Quart) -> Ready | None:
        """Read the app's settings; None where there is no SECRET_KEY yet.

        OptionsError for what can't work.
        """
        return self.settings.read(self, app)

    def is_null_session(self, instance: object) -> bool:
        """Whether there is no session, for lack of a SECRET_KEY."""
        return not isinstance(instance, AsyncSession) and isinstance(instance, NullSession)

    async def open_session(self, app: quart.Quart, request: Any) -> Any:
        """A session that nobody has touched; loaded where that must be awaited."""
        ready = self.settings.ready
        if ready is None or ready.settings != pick(app.config):
            ready = self.prepare(app)
            if ready is None:
                return None
        scope = request.scope
        cookies: Any = scope["headers"]
        secure = ready.secure or scope["scheme"] in SECURE
        if ready.looks_closer:
            setup = ready.setup
            proto = header(cookies, b"x-forwarded-proto")
            secure = ready.secure or setup.policy.is_secure(secure, proto)
            if setup.needs_facts:
                cookies = facts_of(scope, secure)
        session: Any = QuartSession.__new__(QuartSession)
        session._park(ready.rules, ready.driver, cookies, secure)
        session.accessed = session.began_anew = False
        if ready.fetches:
            await ready.driver.arun(ready.rules.loading.fetch(session))
        return session

    async def save_session(self, app: quart.Quart, session: Any, response: Any) -> None:
        """Store what changed before the response leaves, and give it the headers.

        response: None where a websocket has ended
        A store that is down makes a 503 of the response, a conflict refused a 409.
        """
        ready = self.settings.ready
        assert ready is not None
        if response is None:
            await commit_late(session)
            return
        # flask.session tells Flask that it was used, Quart has no such thing
        if session._state is None and not ready.setup.is_watched():
            session._committed = True
        else:
            await self._save(ready, app, session, response)
        body = getattr(response, "response", None)
        if isinstance(body, IterableBody):
            response.response = Streamed(body, session)

    async def _save(self, ready: Ready, app: Any, session: Any, response: Any) -> None:
        touched = session._state is not None
        driver = session._driver
        try:
            if not session._rules.is_settled(session):
                state = session._state
                if state is not None and (state.written or state.imported):
                    if session.began_anew and (steps := ready.renewal(session)):
                        await driver.arun(steps)
                    ready.align(session, app.config)
                await driver.arun(session._rules.commit(session))
        except SessfastError as error:
            refuse(app, error, response)
            self._tell(ready, session, Sent.FAILED)
            return
        state = session._state
        if state is None or state.tell is not None:
            self._tell(ready, session, session.sent_reason or Sent.UNCHANGED)
        cookie = None if state is None else state.set_cookie
        if touched or cookie is not None:
            dress(ready, response.headers, cookie)

    def _tell(self, ready: Ready, session: Any, sent: Sent) -> None:
        request = quart.request if quart.has_request_context() else quart.websocket
        ready.setup.tell_request(
            session, session.read_reason, sent, method=request.method, path=request.path
        )

    async def regenerate(self, session: Any) -> None:
        """Give the session a new id and kill the old one, as at a login."""
        if session:
            await session.regenerate(keep=True)


async def commit_late(session: Any) -> None:
    """Store what changed since the headers left."""
    if session._state is not None:
        await session._driver.arun(session._rules.commit(session, late=True))


class Streamed(ResponseBody):
    """A body that is made while it is sent: the session is committed again at its end."""

    def __init__(self, body: Any, session: Any) -> None:
        self.body = body
        self.session = session

    async def __aenter__(self) -> Any:
        return await self.body.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self.body.__aexit__(*error)
        finally:
            await commit_late(self.session)


async def answered(error: SessfastError) -> quart.Response:
    """The response for a view that met `error`; an app's own error handler comes before."""
    answer = refusal(error)
    assert answer is not None
    response = quart.Response(answer.body, int(answer.status[:3]))
    response.headers[:] = answer.headers
    return response


class Sessfast:
    """Gives Quart apps our sessions: `Sessfast(app)`, or `Sessfast()` and `init_app(app)`.

    app.config is read as Quart does.
    options: those of SessionOptions, over what the settings mean; also app.config["SESSFAST"].
             Without `store` it is a MemoryStore.
    legacy:  whose sessions are taken over, ["flask"] unless you say otherwise: Quart's own cookie
             is Flask's; () for nobody's
    """

    def __init__(
        self,
        app: quart.Quart | None = None,
        *,
        clock: Callable[[], float] | None = None,
        **options: Unpack[Keywords],
    ) -> None:
        self.clock = clock
        self.options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: quart.Quart) -> None:
        """Give one app its session interface. OptionsError for settings that can't work."""
        interface = SessionInterface(clock=self.clock, **self.options)
        interface.prepare(app)
        target: Any = app  # typed by the interface that it has at first
        target.session_interface = interface
        for kind in (StoreError, ConflictError):
            app.register_error_handler(kind, answered)
