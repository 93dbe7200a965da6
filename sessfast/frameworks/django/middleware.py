"""`SessionMiddleware`: Django's, for a part of what that one costs; the cookie is the same.

Besides, the cookie that logs out has the attributes of the one that logged in, a store that is
down is a 503, and under ASGI nothing is moved to a thread that needs none.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.utils.cache import patch_vary_headers

from sessfast.errors import ConflictError, StoreError
from sessfast.front import refusal

from .cookie import CookieWriter
from .engine import SessionStore
from .settings import current

INTERRUPTED = (
    "The request's session was deleted before the request completed. The user may have logged "
    "out in a concurrent request, for example."
)
VARY = ("Vary", "Cookie")


class SessionMiddleware(DjangosMiddleware):  # type: ignore[misc]
    """Gives each request its session, and saves it before the response leaves."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if not issubclass(self.SessionStore, SessionStore):
            raise ImproperlyConfigured(
                f"SESSION_ENGINE is {settings.SESSION_ENGINE!r}, and this SessionMiddleware "
                'needs "sessfast.frameworks.django"'
            )
        try:
            current().cookie.put(HttpResponse(), "x", None)
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(
                f"SESSION_COOKIE_*: {error}. Change it, or keep Django's own SessionMiddleware"
            ) from error

    def __call__(self, request: Any) -> Any:
        if self.async_mode:
            return self.__acall__(request)
        self.process_request(request)
        return self.process_response(request, self.get_response(request))

    async def __acall__(self, request: Any) -> Any:
        self.process_request(request)
        response = await self.get_response(request)
        session: Any = getattr(request, "session", None)
        cookie = current().cookie
        if cookie.saves_every_request and session is not None:
            await session._aget_session()
        if not is_to_save(request, response, cookie):
            return response
        try:
            await session.asave()
        except (UpdateError, StoreError, ConflictError) as error:
            return failed(response, error)
        hand_out(session, response, cookie)
        return response

    def process_request(self, request: Any) -> None:
        request.session = self.SessionStore(current().cookie.sent(request))

    def process_response(self, request: Any, response: Any) -> Any:
        cookie = current().cookie
        if cookie.saves_every_request and hasattr(request, "session"):
            request.session._get_session()
        if not is_to_save(request, response, cookie):
            return response
        try:
            request.session.save()
        except (UpdateError, StoreError, ConflictError) as error:
            return failed(response, error)
        hand_out(request.session, response, cookie)
        return response

    def process_exception(self, request: Any, exception: Exception) -> Any:
        """The answer where a view met a store that is down: 503, and the cookie stays."""
        return refused(exception)


def is_to_save(request: Any, response: Any, cookie: CookieWriter) -> bool:
    """Whether the session must be saved; says what the response varies on, clears a dead cookie."""
    try:
        session = request.session
        accessed, modified, empty = session.accessed, session.modified, session.is_empty()
    except AttributeError:
        return False
    saves = False
    if empty:
        if cookie.sent(request) is not None:
            cookie.put(response, "", 0)
            accessed = True
    elif modified or cookie.saves_every_request:
        saves = response.status_code < 500
        accessed = accessed or saves
    if accessed:
        vary(response)
    return saves


def vary(response: Any) -> None:
    """Say that the response depends on the cookie."""
    headers = getattr(response.headers, "_store", None)  # past what checks the charset
    if headers is None or "vary" in headers:
        patch_vary_headers(response, ("Cookie",))
    else:
        headers["vary"] = VARY


def hand_out(session: Any, response: Any, cookie: CookieWriter) -> None:
    """Give the browser the key of a session that was saved."""
    age = None if session.get_expire_at_browser_close() else session.get_expiry_age()
    cookie.put(response, session.session_key, age)


def failed(response: Any, error: Exception) -> Any:
    """What becomes of a response whose session could not be saved."""
    if not isinstance(error, UpdateError):
        return refused(error)
    if current().on_gone == "drop":
        return response
    raise SessionInterrupted(INTERRUPTED) from None


def refused(error: Exception) -> Any:
    """The response for a store that is down, or a conflict; None for every other error."""
    answer = refusal(error) if isinstance(error, StoreError | ConflictError) else None
    if answer is None:
        return None
    response = HttpResponse(answer.body, status=int(answer.status.split()[0]))
    for name, value in answer.headers:
        response.headers[name] = value
    return response
