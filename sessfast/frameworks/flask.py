"""Our sessions for a Flask app: in place of Flask's own, or of Flask-Session's.

    from sessfast.frameworks.flask import Sessfast    # Sessfast(app), or Sessfast().init_app(app)
    from sessfast.frameworks.flask import Session     # where it said `from flask_session import`

Flask opens a session before each request and saves it with each response, whether or not a view
looks. For one that nobody touches both are next to nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Unpack

import flask
from flask.sessions import NullSession, SessionMixin
from flask.sessions import SessionInterface as FlaskInterface

from sessfast.errors import ConflictError, SessfastError, StoreError
from sessfast.frameworks.flask_commands import add_commands
from sessfast.frameworks.flask_places import TYPE
from sessfast.frameworks.flask_serializers import flask_serializer, flask_session_serializer
from sessfast.frameworks.flask_settings import PERMANENT, Ready, Settings, pick
from sessfast.front import refusal
from sessfast.keywords import Keywords
from sessfast.records import Sent
from sessfast.session import Session as CoreSession
from sessfast.wsgi import close, facts_of

__all__ = ["FlaskSession", "ServerSideSession", "Sessfast", "Session", "SessionInterface"]

COMPLETE = (list, tuple)  # bodies that are all there


class Manners:
    """What Flask's sessions have beside a dict's methods: mixed into a session of ours.

    accessed:   Flask says True where `flask.session` was used
    began_anew: `clear()` was called: what is written then is another session
    """

    __slots__ = ()

    @property
    def permanent(self: Any) -> bool:
        """Whether the cookie outlives the browser, for PERMANENT_SESSION_LIFETIME."""
        return bool(self.get(PERMANENT, self._rules.policy.max_age is not None))

    @permanent.setter
    def permanent(self: Any, value: bool) -> None:
        if self.permanent != bool(value):
            self[PERMANENT] = bool(value)

    @property
    def modified(self: Any) -> bool:
        """Whether the app wrote. A list or dict that it changed in place is found without that."""
        state = self._state
        return state is not None and (state.written or state.changed)

    @modified.setter
    def modified(self: Any, value: bool) -> None:
        if value:
            self._write()
        elif self._state is not None:
            self._state.written = self._state.lent = self._state.changed = False

    @property
    def new(self: Any) -> bool:
        """Whether no stored session came with the request."""
        return bool(self.is_new)

    @property
    def sid(self: Any) -> str:
        """The session's id. It is a credential: never log it."""
        return str(self.id)

    def clear(self: Any) -> None:
        """Empty the session. What is written then gets a new id."""
        self.began_anew = True
        CoreSession.clear(self)

    def __bool__(self: Any) -> bool:
        return len(self) > (PERMANENT in self)


class FlaskSession(Manners, CoreSession):
    """`flask.session`, as Flask's own behaves, kept in a store."""

    __slots__ = ("accessed", "began_anew")


class ServerSideSession(FlaskSession):
    """`flask.session`, as Flask-Session's behaves: `clear()` leaves `permanent` alone."""

    __slots__ = ()

    def clear(self) -> None:
        """Empty the session but for `permanent`."""
        kept = self.get(PERMANENT)
        super().clear()
        if kept is not None:
            self[PERMANENT] = kept


SessionMixin.register(FlaskSession)


class SessionInterface(FlaskInterface):
    """`app.session_interface`, for one app. Its `get_cookie_…` methods may be overridden.

    options: as for Sessfast
    serializer: of what JSON lacks; register tags of your own with `serializer.register`
    """

    session_classes = FlaskSession, ServerSideSession

    def __init__(
        self, *, clock: Callable[[], float] | None = None, **options: Unpack[Keywords]
    ) -> None:
        self.settings = Settings(dict(options), False, clock)
        self.serializer = flask_serializer()

    def prepare(self, app: flask.Flask) -> Ready | None:
        """Read the app's settings; None where there is no SECRET_KEY yet.

        OptionsError for what can't work.
        """
        return self.settings.read(self, app)

    def is_null_session(self, obj: object) -> bool:
        """Whether there is no session, for lack of a SECRET_KEY."""
        return not isinstance(obj, CoreSession) and isinstance(obj, NullSession)

    def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
        """A session that nobody has touched: nothing is looked up. None without SECRET_KEY."""
        ready = self.settings.ready
        if ready is None or ready.settings != pick(app.config):
            ready = self.prepare(app)
            if ready is None:
                return None
        environ = request.environ
        cookies: Any = environ.get("HTTP_COOKIE", "")
        secure = ready.secure or environ["wsgi.url_scheme"] == "https"
        if ready.looks_closer:
            setup = ready.setup
            proto = environ.get("HTTP_X_FORWARDED_PROTO", "")
            secure = ready.secure or setup.policy.is_secure(secure, proto)
            if setup.needs_facts:
                cookies = facts_of(environ, secure)
        kind = ready.kind
        session: Any = kind.__new__(kind)
        session._park(ready.rules, ready.driver, cookies, secure)
        session.accessed = session.began_anew = False
        return session

    def save_session(self, app: flask.Flask, session: Any, response: flask.Response) -> None:
        """Store what changed before the response leaves, and give it the headers.

        A store that is down makes a 503 of the response, a conflict refused a 409.
        """
        ready = self.settings.ready
        assert ready is not None
        if session._state is None and not session.accessed and not ready.setup.is_watched():
            session._committed = True
        else:
            self._save(ready, app, session, response)
        if type(response.response) not in COMPLETE and not response.direct_passthrough:
            response.response = Streamed(response.response, session)

    def _save(self, ready: Ready, app: flask.Flask, session: Any, response: flask.Response) -> None:
        touched = session.accessed or session._state is not None
        try:
            if not session._rules.is_settled(session):
                state = session._state
                if state is not None and (state.written or state.imported):
                    if session.began_anew and (steps := ready.renewal(session)):
                        session._driver.run(steps)
                    ready.align(session, app.config)
                session._driver.commit(session, False, False)
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
        request = flask.request
        ready.setup.tell_request(
            session, session.read_reason, sent, method=request.method, path=request.path
        )

    def regenerate(self, session: Any) -> None:
        """Give the session a new id and kill the old one, as at a login."""
        if session:
            session.regenerate(keep=True)


class Streamed:
    """A body that is made while it is sent: the session is committed again at its end."""

    def __init__(self, body: Iterable[Any], session: Any) -> None:
        self.body = body
        self.chunks: Iterator[Any] = iter(body)
        self.session = session

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self.chunks)
        except StopIteration:
            self._end()
            raise

    def _end(self) -> None:
        session = self.session
        if session is not None:
            self.session = None
            if session._state is not None:
                session._driver.commit(session, False, True)

    def close(self) -> None:
        """Close the app's body, and commit what it left, also when the client went away."""
        try:
            close(self.body)
        finally:
            self._end()


def dress(ready: Ready, headers: Any, cookie: str | None) -> None:
    """Put our headers among those of a response.

    Past the checks of werkzeug's Headers: what is there has been through them, and ours are
    of our own writing. `headers[:] = …` is the same for twice the time.
    """
    headers._list = ready.words.dressed(headers._list, cookie)


def refuse(app: Any, error: SessfastError, response: Any) -> None:
    """Make of the app's response the one that `error` means; raise what is the app's mistake."""
    answer = refusal(error)
    if answer is None:
        raise error
    app.logger.error("the session can't be stored", exc_info=error)
    if hasattr(response, "close"):
        response.close()
    response.direct_passthrough = False
    response.status = answer.status
    response.set_data(answer.body)
    response.headers[:] = answer.headers


def answered(error: SessfastError) -> flask.Response:
    """The response for a view that met `error`; an app's own error handler comes before."""
    answer = refusal(error)
    assert answer is not None
    response = flask.Response(answer.body, answer.status)
    response.headers[:] = answer.headers
    return response


class Sessfast:
    """Gives Flask apps our sessions: `Sessfast(app)`, or `Sessfast()` and `init_app(app)`.

    app.config is read as Flask does, and as Flask-Session does where there is a SESSION_TYPE.
    options: those of SessionOptions, over what the settings mean; also app.config["SESSFAST"].
             Without `store` it is that of SESSION_TYPE, or a MemoryStore.
    legacy:  whose sessions are taken over, ["flask"] or ["flask-session"] by what the settings
             were made for; () for nobody's
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        *,
        clock: Callable[[], float] | None = None,
        **options: Unpack[Keywords],
    ) -> None:
        self.clock = clock
        self.options = options
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Give one app its session interface. OptionsError for settings that can't work."""
        interface = SessionInterface(clock=self.clock, **self.options)
        was_flask_session = app.config.get(TYPE) is not None
        if was_flask_session:
            interface.serializer = flask_session_serializer()
        interface.prepare(app)
        app.session_interface = interface
        for kind in (StoreError, ConflictError):
            app.register_error_handler(kind, answered)
        add_commands(app.cli, lambda: store_of(interface, app), was_flask_session)


def store_of(interface: SessionInterface, app: flask.Flask) -> Any:
    """The app's store."""
    ready = interface.prepare(app)
    if ready is None:
        raise SessfastError("there are no sessions without a SECRET_KEY")
    return ready.setup.store


Session = Sessfast
