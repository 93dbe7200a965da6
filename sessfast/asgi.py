"""The ASGI front (spec 3.0): scope -> session, cookie -> header, and nothing decided here.

No cycle per request: the `send` wrapper holds the session, the session holds neither the
wrapper nor the scope. One such cycle costs 11 µs a request under uvicorn (collector).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any

from sessfast.drivers import async_driver
from sessfast.errors import SessfastError
from sessfast.front import (
    BYTES_WORDS,
    RETRY_AFTER,
    SESSIONS_KEY,
    Refusal,
    Setup,
    adopt,
    dressed,
    nest,
    refusal,
    varied,
)
from sessfast.options import SessionOptions
from sessfast.records import RequestFacts, Sent
from sessfast.session import AsyncSession, Steps, park

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SCOPE_KEY = "session"
STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
BODIES = frozenset({"http.response.body", "websocket.http.response.body"})


class SessionMiddleware:
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
        **keywords: Any,
    ) -> None:
        self.app = app
        self.scope_key = scope_key
        self.setup = Setup(options, keywords, async_driver, clock)
        self.rules, self.driver = self.setup.rules, self.setup.driver
        self.session_class = AsyncSession.bound(self.rules, self.driver)
        # an error inside the app can only be answered by a frame that waits for it
        self.waits = not getattr(self.setup.store, "never_fails", False)
        self.looks_closer, self.is_watched = self.setup.looks_closer, self.setup.is_watched
        self.sends_vary = self.setup.sends_vary

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        kind = scope["type"]
        if kind != "http" and kind != "websocket":
            return self.app(scope, receive, send)
        request: Any = scope["headers"]
        scheme = scope.get("scheme")
        secure = scheme == "https" or scheme == "wss"
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
        session = park(self.session_class, request, secure)
        key = self.scope_key
        if key in scope and not nest(scope, key, session):
            return self.app(scope, receive, send)
        scope[key] = session
        held: list[_Response] = []
        sender = partial(self._send, scope, request, session, send, held)
        if self.waits:
            return self._guarded(scope, receive, session, sender, held)
        return self.app(scope, receive, sender)

    def _send(
        self,
        scope: Scope,
        request: Any,
        session: AsyncSession,
        send: Send,
        held: list[_Response],
        message: Message,
    ) -> Awaitable[None]:
        """The `send` that the app is given; `held` gets a _Response where there is work to do."""
        if not held:
            state = session._state
            if message["type"] not in STARTS:
                if state is None or not state.active:
                    return send(message)  # nothing was changed since the start
            elif scope.get(self.scope_key) is session:
                if state is None:
                    if session._request is request and not self.is_watched():
                        session._committed = True
                        return send(message)  # nobody touched it: there is nothing to do or say
                elif state.tell is None and self.rules.is_settled(session):
                    if self.sends_vary:
                        headers = varied(message.get("headers") or (), BYTES_WORDS)
                        message = {**message, "headers": headers}
                    return send(message)
            held.append(_Response(self, scope, session, send))
        return held[0].send(message)

    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(__call__)  # servers ask; a plain function costs less
    else:  # Python 3.11
        import asyncio.coroutines

        __call__._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
        del asyncio

    async def _guarded(
        self,
        scope: Scope,
        receive: Receive,
        session: AsyncSession,
        sender: Any,
        held: list[_Response],
    ) -> None:
        """Run the app with a session that was loaded where loading must be awaited."""
        try:
            if self.driver.waits:
                await self.driver.arun(self.rules.fetch(session))
            await self.app(scope, receive, sender)
        except SessfastError as error:
            response = held[0] if held else _Response(self, scope, session, sender.args[3])
            if not await response.refuse(error):
                raise


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


class _Response:
    """One response (or handshake) on its way out: commits before the first header leaves."""

    __slots__ = ("inner", "middleware", "refusal", "scope", "session", "started", "streamed")

    def __init__(
        self, middleware: SessionMiddleware, scope: Scope, session: AsyncSession, send: Send
    ) -> None:
        self.middleware = middleware
        self.scope = scope
        self.session = session
        self.inner = send
        self.started = session.committed
        self.streamed = False
        self.refusal: Refusal | None = None

    def send(self, message: Message) -> Awaitable[None]:
        """The `send` that the app is given."""
        kind = message["type"]
        if self.refusal is not None:
            return nothing()  # the client has its answer already
        if kind in STARTS:
            if self.middleware.driver.waits:
                return self._start(message)
            try:
                if steps := self._commit():
                    self.middleware.driver.run(steps)
            except SessfastError as error:
                return self._refuse_or_raise(error)
            return self.inner(self._dressed(message))
        if kind in BODIES:
            if message.get("more_body"):
                self.streamed = True
            elif self._has_more():
                return self._finish(message)
        elif kind == "websocket.close" and not self.started and self._has_more():
            return self._finish(message)
        return self.inner(message)

    def _has_more(self) -> bool:
        """Whether the app may have changed the session after the headers left.

        A list handed out earlier can only have changed since if the body was streamed.
        """
        state = self.session._state
        return state is not None and (state.written or (self.streamed and state.lent))

    def _commit(self) -> Steps | None:
        """What is to be done before the start leaves; None where nothing is."""
        session, middleware = self.session, self.middleware
        unset = adopt(session, self.scope.get(middleware.scope_key))
        if not unset and middleware.rules.is_settled(session):
            return None
        return middleware.rules.commit(session, unset)

    async def _start(self, message: Message) -> None:
        """Commit where store calls are awaited, then let the start out."""
        try:
            if steps := self._commit():
                await self.middleware.driver.arun(steps)
        except SessfastError as error:
            await self._refuse_or_raise(error)
        else:
            await self.inner(self._dressed(message))

    async def _refuse_or_raise(self, error: SessfastError) -> None:
        if not await self.refuse(error):
            raise error

    def _dressed(self, message: Message) -> Message:
        """The start message with our headers; a copy, for the app may send its own again."""
        session, setup = self.session, self.middleware.setup
        self.started = True
        state = session._state
        if state is None or state.tell is not None:
            self._report(session.sent_reason or Sent.UNCHANGED)
        if state is None and session.outage is None:
            return message
        message = {**message}
        headers = list(message.get("headers") or ())
        if session.outage is not None and message.get("status") == 500:
            # the app's framework made an error page of our StoreError: say what it was
            message["status"] = 503
            headers.append((b"retry-after", RETRY_AFTER.encode()))
        cookie = None if state is None or state.set_cookie is None else state.set_cookie.encode()
        message["headers"] = dressed(headers, cookie, setup.options.cache_headers, BYTES_WORDS)
        return message

    async def _finish(self, message: Message) -> None:
        """Commit what the app changed while its body streamed, then let the end out."""
        middleware = self.middleware
        await middleware.driver.arun(middleware.rules.commit(self.session, late=True))
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
        self.middleware.setup.tell_request(
            self.session, self.session.read_reason, sent, method=method, path=path
        )


async def nothing() -> None:
    """What a message of a refused response comes to."""


__all__ = ["SCOPE_KEY", "SESSIONS_KEY", "SessionMiddleware"]
