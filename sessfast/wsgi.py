"""The WSGI front (PEP 3333): environ -> session, cookie -> header, and nothing decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Unpack

from sessfast.errors import SessfastError
from sessfast.hotpath import take_over
from sessfast.keywords import Keywords
from sessfast.options import SessionOptions
from sessfast.records import RequestFacts, Sent

from .called import Called2, Called2Or3
from .front import (
    RETRY_AFTER,
    SESSIONS_KEY,
    Refusal,
    Setup,
    nest,
    refusal,
)
from .rawdict import found
from .session import Session

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

ENVIRON_KEY = "sessfast.session"
COMPLETE = (list, tuple)  # bodies that are all there: nothing of the app runs any more


class SessionMiddleware(Called2):
    """Wrap a WSGI app so that `environ["sessfast.session"]` is its session.

    app = SessionMiddleware(app, secret=…, store=…)   or   SessionMiddleware(app, SessionOptions(…))

    environ_key: where the session is put. With two middlewares in one stack the inner one's
    session is there, and `environ["sessfast.sessions"]` holds both by cookie name.
    The session is stored before `start_response` reaches the server, so that a client never
    sees a response whose session isn't stored yet.

    session_class: what the app is given, in a subclass of yours
    """

    session_class = Session

    def __init__(
        self,
        app: App,
        options: SessionOptions | None = None,
        *,
        environ_key: str = ENVIRON_KEY,
        clock: Callable[[], float] | None = None,
        **keywords: Unpack[Keywords],
    ) -> None:
        self.app = app
        self.environ_key = environ_key
        self.setup = Setup(options, dict(keywords), False, clock)
        self.rules, self.driver = self.setup.rules, self.setup.driver
        self.session_kind = self.session_class
        self.looks_closer = self.setup.looks_closer
        self.words = self.setup.words

    def called(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request: Any = found(environ, "HTTP_COOKIE") or ""
        secure = environ["wsgi.url_scheme"] == "https"
        if self.looks_closer:
            setup = self.setup
            if setup.options.proxy:
                secure = setup.policy.is_secure(secure, environ.get("HTTP_X_FORWARDED_PROTO", ""))
            facts = facts_of(environ, secure)
            if aside := setup.stands_aside(facts):
                setup.tell_request(None, aside, Sent.NOTHING, path=facts.path)
                return self.app(environ, start_response)
            if setup.needs_facts:
                request = facts
        kind = self.session_kind
        if kind is Session:  # by its name it is made in a sixth of the time
            session = Session.__new__(Session)
        else:
            session = kind.__new__(kind)
        session._park(self.rules, self.driver, request, secure)
        key = self.environ_key
        if found(environ, key) is not None and not nest(environ, key, session):
            return self.app(environ, start_response)
        environ[key] = session
        response = _Response.__new__(_Response)  # no __init__: it is half the cost of the object
        response.middleware = self
        response.environ = environ
        response.session = session
        response.request = request
        response.start_response = start_response
        response.started = False
        response.refusal = None
        try:
            body = self.app(environ, response)
        except SessfastError as error:
            return response.refuse(error)
        if response.refusal is not None:
            return response.replace(body)
        if type(body) in COMPLETE or isinstance(body, environ.get("wsgi.file_wrapper") or ()):
            return body
        return _Body(response, body)


def facts_of(environ: Environ, secure: bool) -> RequestFacts:
    """What a WSGI environ says about its request, mount point included."""
    return RequestFacts(
        cookies=environ.get("HTTP_COOKIE", ""),
        path=environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
        secure=secure,
        method=environ.get("REQUEST_METHOD", "GET"),
        host=environ.get("HTTP_HOST", ""),
    )


class _Response(Called2Or3):
    """The `start_response` of one request: commits before the first header leaves."""

    __slots__ = (
        "environ", "middleware", "refusal", "request", "session", "start_response", "started"
    )  # fmt: skip

    middleware: SessionMiddleware
    environ: Environ
    session: Session
    request: Any
    start_response: StartResponse
    refusal: Refusal | None
    started: bool

    def called(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        """The `start_response` that the app is given."""
        session, middleware = self.session, self.middleware
        state = session._state
        present = found(self.environ, middleware.environ_key)
        if present is session and not self.started:
            if state is None:
                passes = session._request is self.request and not middleware.setup.is_watched()
            else:
                passes = (
                    state.tell is None
                    and not state.active
                    and middleware.rules.is_settled(session)
                )
                if passes:
                    headers = middleware.words.varied(headers)
            if passes:  # there is nothing to do or say
                session._committed = True
                return self._start(status, headers, exc_info)
        if self.refusal is not None:
            return discard
        try:
            unset = present is not session and session._adopt(present)
            if unset or not middleware.rules.is_settled(session):
                middleware.driver.commit(session, unset, False)
        except SessfastError as error:
            self.refusal = refusal(error)
            if self.refusal is None:
                raise
            self._report(Sent.FAILED)
            self._start(self.refusal.status, self.refusal.headers, exc_info)
            return discard
        state = session._state
        if state is None or state.tell is not None:
            self._report(session.sent_reason or Sent.UNCHANGED)
        if state is not None:
            headers = middleware.words.dressed(headers, state.set_cookie)
        elif session.outage is not None:
            headers = middleware.words.varied(headers)
            if status[:3] == "500":
                # the app's framework made an error page of our StoreError: say what it was
                status = "503 Service Unavailable"
                headers.append(("Retry-After", RETRY_AFTER))
        return self._start(status, headers, exc_info)

    def _start(self, status: str, headers: Headers, exc_info: Any) -> Callable[[bytes], object]:
        self.started = True
        if exc_info is None:
            return self.start_response(status, headers)
        try:
            return self.start_response(status, headers, exc_info)
        finally:
            exc_info = None  # PEP 3333: no circular reference through the traceback

    def _report(self, sent: Sent) -> None:
        facts = facts_of(self.environ, self.session._secure)
        self.middleware.setup.tell_request(
            self.session, self.session.read_reason, sent, method=facts.method, path=facts.path
        )

    def finish(self) -> None:
        """Commit what the app changed while its body streamed."""
        if self.session._state is not None and self.refusal is None:
            middleware = self.middleware
            middleware.driver.commit(self.session, False, True)

    def refuse(self, error: SessfastError) -> list[bytes]:
        """The body that answers `error`, its headers sent; raises where that can't be done."""
        answer = refusal(error)
        if answer is None or self.started:
            raise error
        self.refusal = answer
        self._report(Sent.FAILED)
        self._start(answer.status, answer.headers, None)
        return self._refused_body(answer)

    def replace(self, body: Iterable[bytes]) -> list[bytes]:
        """The refusal's body instead of the app's, which is closed unread."""
        close(body)
        assert self.refusal is not None
        return self._refused_body(self.refusal)

    def _refused_body(self, answer: Refusal) -> list[bytes]:
        return [] if self.environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]


class _Body:
    """A body that is made while it is sent: the session is committed again at its end."""

    __slots__ = ("body", "chunks", "ended", "response")

    def __init__(self, response: _Response, body: Iterable[bytes]) -> None:
        self.response = response
        self.body = body
        self.chunks: Iterator[bytes] = iter(body)
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.ended:
            return next(self.chunks)
        try:
            chunk = next(self.chunks)
        except StopIteration:
            self._end()
            raise
        except SessfastError as error:
            return self._instead(self.response.refuse(error))
        refused = self.response.refusal
        if refused is not None:
            return self._instead(self.response.replace(()))
        return chunk

    def _instead(self, body: list[bytes]) -> bytes:
        """The refusal's body in place of the app's, as the last chunk."""
        self.ended = True
        self.chunks = iter(())
        return b"".join(body)

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.chunks = iter(())
            self.response.finish()

    def close(self) -> None:
        """Close the app's body, and commit what it left, also when the client went away."""
        try:
            close(self.body)
        finally:
            self._end()


def close(body: Iterable[bytes]) -> None:
    """Call the body's `close`, where it has one (PEP 3333)."""
    method = getattr(body, "close", None)
    if method is not None:
        method()


def discard(data: bytes) -> None:
    """The `write` callable of a response that was refused."""


take_over(globals())

__all__ = ["ENVIRON_KEY", "SESSIONS_KEY", "SessionMiddleware"]
