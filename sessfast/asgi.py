"""The ASGI front (spec 3.0): scope -> session, cookie -> header, and nothing decided here.

No cycle per request: the `send` wrapper holds the session, the session holds neither the
wrapper nor the scope. One such cycle costs 11 µs a request under uvicorn (collector).
"""

from __future__ import annotations

import asyncio.coroutines
import inspect
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Unpack

from sessfast.errors import SessfastError
from sessfast.hotpath import take_over
from sessfast.keywords import Keywords
from sessfast.options import SessionOptions
from sessfast.records import RequestFacts, Sent

from .called import Called1, Called3, calls_called
from .front import (
    RETRY_AFTER,
    SESSIONS_KEY,
    Refusal,
    Setup,
    nest,
    refusal,
)
from .rawdict import found
from .session import AsyncSession
from .state import State

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SCOPE_KEY = "session"
SECURE = frozenset({"https", "wss"})
STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
BODIES = frozenset({"http.response.body", "websocket.http.response.body"})


class Front(Called3):
    """What one middleware needs for every request, worked out once; called, it serves one.

    session_class: what the app is given
    secured: each connection counts as https; a drop-in sets it whose incumbent marks its cookie
             Secure without looking, as TLS may end at a proxy that says nothing about it
    """

    session_class = AsyncSession

    def __init__(self, app: App, setup: Setup, scope_key: str) -> None:
        self.app = app
        self.scope_key = scope_key
        self.setup = setup
        self.rules, self.driver = setup.rules, setup.driver
        self.session_kind = self.session_class
        # an error inside the app can only be answered by a frame that waits for it
        self.waits = not setup.never_fails
        self.looks_closer = setup.looks_closer
        self.awaits = setup.driver.waits
        self.fetches = self.awaits and setup.options.prefetch
        self.words = setup.words
        self.secured = False

    def called(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Run the app with a session in its scope."""
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            return self.app(scope, receive, send)
        request: Any = scope["headers"]
        scheme = found(scope, "scheme")
        # most often it is that very str
        secure = self.secured or (scheme != "http" and scheme in SECURE)
        if self.looks_closer:
            setup = self.setup
            if setup.options.proxy:
                secure = setup.policy.is_secure(secure, header(request, b"x-forwarded-proto"))
            facts = facts_of(scope, secure)
            if aside := setup.stands_aside(facts):
                setup.tell_request(None, aside, Sent.NOTHING, path=facts.path)
                return self.app(scope, receive, send)
            if setup.needs_facts:
                request = facts
        kind = self.session_kind
        if kind is AsyncSession:  # by its name it is made in a sixth of the time
            session = AsyncSession.__new__(AsyncSession)
        else:
            session = kind.__new__(kind)
        session._park(self.rules, self.driver, request, secure)
        key = self.scope_key
        if found(scope, key) is not None and not nest(scope, key, session):
            return self.app(scope, receive, send)
        scope[key] = session
        response = _Response.__new__(_Response)  # no __init__: it is half the cost of the object
        response.front = self
        response.scope = scope
        response.session = session
        response.request = request
        response.inner = send
        response.started = response.streamed = False
        response.refusal = None
        if self.waits:
            return self._guarded(receive, response)
        return self.app(scope, receive, response)

    async def _guarded(self, receive: Receive, response: _Response) -> None:
        """Run the app with a session that was loaded where loading must be awaited."""
        try:
            if self.fetches:
                await self.driver.arun(self.rules.loading.fetch(response.session))
            await self.app(response.scope, receive, response)
        except SessfastError as error:
            if not await response.refuse(error):
                raise


class SessionMiddleware(Front):
    """Wrap an ASGI app so that `scope["session"]` is its session; http and websocket.

    app = SessionMiddleware(app, secret=…, store=…)   or   SessionMiddleware(app, SessionOptions(…))

    scope_key: where the session is put. With two middlewares in one stack the inner one's
    session is there, and `scope["sessfast.sessions"]` holds both by cookie name.
    The session is stored before the response starts. A websocket's is loaded at the
    handshake, its cookie goes out with the accept, and later changes are stored by
    `await session.save()`.
    """

    def __init__(
        self,
        app: App,
        options: SessionOptions | None = None,
        *,
        scope_key: str = SCOPE_KEY,
        clock: Callable[[], float] | None = None,
        **keywords: Unpack[Keywords],
    ) -> None:
        super().__init__(app, Setup(options, dict(keywords), True, clock), scope_key)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self.called(scope, receive, send)


calls_called(SessionMiddleware)
# servers ask whether it is a coroutine function; a plain one that returns an awaitable costs less
if hasattr(inspect, "markcoroutinefunction"):
    inspect.markcoroutinefunction(SessionMiddleware.__call__)
else:  # Python 3.11
    mark: Any = SessionMiddleware.__call__
    mark._is_coroutine = getattr(asyncio.coroutines, "_is_coroutine")  # noqa: B009


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """All values of a header, joined by commas as HTTP allows; "" if absent."""
    return b",".join([value for key, value in headers if key == name]).decode("latin-1")


def facts_of(scope: Scope, secure: bool) -> RequestFacts:
    """What an ASGI scope says about its request."""
    return RequestFacts(
        cookies=scope["headers"],
        path=scope["path"],
        secure=secure,
        method=scope.get("method", "WEBSOCKET"),
        host=header(scope["headers"], b"host"),
    )


class _Response(Called1):
    """The `send` of one request (or handshake): commits before the first header leaves."""

    __slots__ = (
        "front", "inner", "refusal", "request", "scope", "session", "started", "streamed"
    )  # fmt: skip

    front: Front
    scope: Scope
    session: AsyncSession
    request: Any
    inner: Send
    refusal: Refusal | None
    started: bool
    streamed: bool

    def called(self, message: Message) -> Awaitable[None]:
        """The `send` that the app is given."""
        kind = message["type"]
        if not self.started and kind in STARTS:
            return self._answer(message)
        state = self.session._state
        if state is not None and state.active:
            if kind in BODIES:
                if found(message, "more_body"):
                    self.streamed = True
                elif self._has_more(state):
                    return self._finish(message)
            elif kind == "websocket.close" and not self.started and self._has_more(state):
                return self._finish(message)
        if self.refusal is not None:
            return nothing()  # the client has its answer already
        return self.inner(message)

    def _answer(self, message: Message) -> Awaitable[None]:
        """Commit, and let the start of the response out."""
        front, session = self.front, self.session
        state = session._state
        if self.refusal is not None:
            return nothing()
        present = found(self.scope, front.scope_key)
        if present is session:
            if state is None:
                if session._request is self.request and not front.setup.is_watched():
                    session._committed = self.started = True
                    return self.inner(message)  # nobody touched it: nothing to do or say
            elif state.tell is None and not state.active and front.rules.is_settled(session):
                self.started = True
                headers = front.words.varied(found(message, "headers") or ())
                return self.inner({**message, "headers": headers})
        if front.awaits:
            return self._start(message)
        try:
            unset = present is not session and session._adopt(present)
            if unset or not front.rules.is_settled(session):
                front.driver.commit(session, unset, False)
        except SessfastError as error:
            return self._refuse_or_raise(error)
        return self.inner(self._dressed(message))

    def _has_more(self, state: State) -> bool:
        """Whether the app may have changed the session after the headers left.

        A list handed out earlier can only have changed since if the body was streamed.
        """
        return state.written or (self.streamed and state.lent)

    async def _start(self, message: Message) -> None:
        """Commit where store calls are awaited, then let the start out."""
        front, session = self.front, self.session
        try:
            unset = session._adopt(self.scope.get(front.scope_key))
            if unset or not front.rules.is_settled(session):
                await front.driver.arun(front.rules.commit(session, unset))
        except SessfastError as error:
            await self._refuse_or_raise(error)
        else:
            await self.inner(self._dressed(message))

    async def _refuse_or_raise(self, error: SessfastError) -> None:
        if not await self.refuse(error):
            raise error

    def _dressed(self, message: Message) -> Message:
        """The start message with our headers; a copy, for the app may send its own again."""
        session = self.session
        self.started = True
        state = session._state
        if state is None or state.tell is not None:
            self._report(session.sent_reason or Sent.UNCHANGED)
        headers = found(message, "headers") or ()
        if state is not None:
            cookie = None if state.set_cookie is None else state.set_cookie.encode()
            return {**message, "headers": self.front.words.dressed(headers, cookie)}
        if session.outage is None:
            return message
        message = {**message, "headers": self.front.words.varied(headers)}
        if message.get("status") == 500:
            # the app's framework made an error page of our StoreError: say what it was
            message["status"] = 503
            message["headers"].append((b"retry-after", RETRY_AFTER.encode()))
        return message

    async def _finish(self, message: Message) -> None:
        """Commit what the app changed while its body streamed, then let the end out."""
        front = self.front
        await front.driver.arun(front.rules.commit(self.session, late=True))
        await self.inner(message)

    async def refuse(self, error: SessfastError) -> bool:
        """Answer `error` to the client; False where that can't be done, so that it must rise."""
        answer = refusal(error)
        if answer is None or self.started:
            return False
        self.refusal = answer
        self.started = True
        self._report(Sent.FAILED)
        if self.scope["type"] == "websocket":
            await self.inner({"type": "websocket.close", "code": 1013, "reason": "try again"})
            return True
        headers = [(k.lower().encode(), v.encode()) for k, v in answer.headers]
        status = int(answer.status[:3])
        await self.inner({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if self.scope.get("method") == "HEAD" else answer.body
        await self.inner({"type": "http.response.body", "body": body})
        return True

    def _report(self, sent: Sent) -> None:
        method, path = self.scope.get("method", "WEBSOCKET"), self.scope["path"]
        self.front.setup.tell_request(
            self.session, self.session.read_reason, sent, method=method, path=path
        )


async def nothing() -> None:
    """What a message of a refused response comes to."""


take_over(globals())

__all__ = ["SCOPE_KEY", "SESSIONS_KEY", "SessionMiddleware"]
