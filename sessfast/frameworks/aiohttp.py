"""Sessions in aiohttp's server, with aiohttp-session's names.

    from sessfast.frameworks.aiohttp import get_session, setup
    setup(app, secret=…, store="redis://…")
    session = await get_session(request)

aiohttp builds its responses itself, so there is no front here. A request whose session nobody asks
for has none. It is stored in the middleware, where a failure can still become an answer, or before
the headers leave where a handler sends them itself.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from sessfast.errors import OptionsError, SessfastError
from sessfast.front import Setup, refusal, str_words
from sessfast.options import SessionOptions
from sessfast.records import Read, RequestFacts, Sent
from sessfast.session import AsyncSession

COOKIE_NAME = "AIOHTTP_SESSION"
NOT_SET_UP = "there are no sessions here: call sessfast.frameworks.aiohttp.setup(app, secret=…)"


class Session(AsyncSession):
    """A session by aiohttp-session's names: `regenerate`, `destroy` and `save` are awaited."""

    __slots__ = ()

    @property
    def new(self) -> bool:
        """Whether none came with the request."""
        return self.is_new

    @property
    def identity(self) -> str | None:
        """The id, or None where there is none yet. It is a credential: never log it."""
        return self._opened().sid

    @property
    def created(self) -> int:
        """Epoch seconds at which it began."""
        meta = self._opened().meta
        rules: Any = self._rules
        return int(rules.clock() if meta is None else meta.created)

    @property
    def empty(self) -> bool:
        """Whether it holds nothing."""
        return not self

    @property
    def max_age(self) -> float | None:
        """Seconds that the cookie lives; None: until the browser closes."""
        return self.cookie.original_max_age

    @max_age.setter
    def max_age(self, value: float | None) -> None:
        self.cookie.max_age = value

    def changed(self) -> None:
        """Nothing: that a value was changed inside is noticed."""

    def invalidate(self) -> None:
        """Take all data out: the session is destroyed when the response starts."""
        self.clear()

    def set_new_identity(self, identity: Any) -> None:
        """RuntimeError: ids are made here. `await new_session(request)` gives a new one."""
        raise RuntimeError("an id can't be chosen: await new_session(request), or use genid=")


class AppSetup(Setup):
    """One app's rules, store and driver.

    secured: each connection counts as https, for the cookie is Secure: as in aiohttp-session TLS
             may end at a proxy, and the app sees plain http
    """

    def __init__(self, given: SessionOptions | None, keywords: dict[str, Any], clock: Any) -> None:
        super().__init__(given, keywords, True, clock)
        self.words = str_words(self.options.cache_headers)  # aiohttp's headers are text
        cookie = self.policy.static_cookie
        self.secured = cookie is not None and cookie.secure is True


class Held:
    """What a request of such an app has.

    session: None until somebody asks for it
    started: the headers have left
    """

    __slots__ = ("session", "setup", "started")

    def __init__(self, made: AppSetup) -> None:
        self.setup = made
        self.session: Session | None = None
        self.started = False


SETUP = web.AppKey("sessfast", AppSetup)  # what `setup` made, in the app
HELD: Any = "sessfast"  # a Held, in each request
if hasattr(web, "RequestKey"):  # aiohttp 3.14
    HELD = web.RequestKey("sessfast", Held)


def setup(app: web.Application, options: SessionOptions | None = None, **keywords: Any) -> None:
    """Give an app sessions: options of sessfast, as an object or keywords, and `clock`.

    The cookie's name is aiohttp-session's, AIOHTTP_SESSION, where keywords don't say another.
    OptionsError for a storage of aiohttp-session, and all else that can't work.
    """
    if options is not None and not isinstance(options, SessionOptions):
        kind = type(options).__name__
        raise OptionsError(
            [f"{kind} is no set of options: write setup(app, secret=…, store=\"redis://…\"); "
             "docs/migrate/aiohttp-session.md says how to take its sessions over"]
        )  # fmt: skip
    clock = keywords.pop("clock", None)
    if options is None:
        keywords = {"name": COOKIE_NAME, "emptied": "destroy", **keywords}
    made = AppSetup(options, keywords, clock)
    app[SETUP] = made
    app.middlewares.insert(0, middleware_of(made))  # outermost: others may use the session
    app.on_response_prepare.append(before_headers)


async def get_session(request: web.Request) -> Session:
    """The request's session. RuntimeError where `setup` was not called."""
    held = held_by(request)
    session = held.session
    if session is None:
        session = held.session = parked(held.setup, request)
        if held.setup.driver.waits:
            await session.load()
    return session


async def new_session(request: web.Request) -> Session:
    """The request's session, empty and under a new id. The one before is dead."""
    session = await get_session(request)
    await session.regenerate()
    return session


def held_by(request: web.Request) -> Held:
    """What the middleware gave a request. RuntimeError where there is none."""
    held: Held | None = request.get(HELD)
    if held is None:
        raise RuntimeError(NOT_SET_UP)
    return held


def parked(made: AppSetup, request: web.Request) -> Session:
    """A session that nobody has touched yet."""
    header: Any = "; ".join(request.headers.getall("Cookie", ()))
    if not header.isascii():
        header = header.encode("utf-8", "surrogateescape").decode("latin-1")
    secure = made.secured or request.scheme == "https"
    if made.options.proxy:
        forwarded = ",".join(request.headers.getall("X-Forwarded-Proto", ()))
        secure = made.policy.is_secure(secure, forwarded)
    if made.needs_facts:
        header = RequestFacts(header, request.path, secure, request.method, request.host)
    session = Session.__new__(Session)
    session._park(made.rules, made.driver, header, secure)
    return session


def middleware_of(made: AppSetup) -> Any:
    """The middleware that stores sessions, and answers where they can't be loaded or stored."""

    @web.middleware
    async def with_session(request: web.Request, handler: Handler) -> web.StreamResponse:
        held = request[HELD] = Held(made)
        try:
            if made.rules.eager:
                await get_session(request)
            try:
                response = await handler(request)
            except web.HTTPException:
                await commit(held)
                raise
            await commit(held)
        except SessfastError as error:
            answer = None if held.started else answer_of(error)
            if answer is None:
                raise
            tell(held, request, Sent.FAILED)
            held.started = True
            return answer
        return response

    return with_session


async def commit(held: Held) -> None:
    """Store what changed in a request's session, if it was asked for."""
    session, rules = held.session, held.setup.rules
    if session is None or (session._state is None and not rules.eager):
        return
    if not rules.is_settled(session):
        await held.setup.driver.arun(rules.commit(session, late=held.started))


async def before_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Store what the middleware has not, and give the response its headers."""
    held: Held | None = request.get(HELD)
    if held is None or held.started:
        return
    session = held.session
    if session is not None and not session.committed:
        await commit(held)
    held.started = True
    state = None if session is None else session._state
    if state is not None:
        headers = list(response.headers.items())
        dressed = held.setup.words.dressed(headers, state.set_cookie)
        if dressed != headers:
            response.headers.clear()
            response.headers.extend(dressed)
    tell(held, request, Sent.NOTHING)


def answer_of(error: SessfastError) -> web.Response | None:
    """The answer for an error; None where it is the app's own mistake."""
    found = refusal(error)
    if found is None:
        return None
    headers = [pair for pair in found.headers if pair[0] != "Content-Length"]
    return web.Response(status=int(found.status[:3]), headers=headers, body=found.body)


def tell(held: Held, request: web.Request, sent: Sent) -> None:
    """Report the request, if anybody listens. sent: where no commit said what was sent."""
    session = held.session
    read = Read.UNTOUCHED if session is None else session.read_reason
    if session is not None and sent is not Sent.FAILED:
        sent = session.sent_reason or Sent.UNCHANGED
    held.setup.tell_request(session, read, sent, method=request.method, path=request.path)
