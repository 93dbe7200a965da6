"""Starlette's and FastAPI's SessionMiddleware: the same keywords, the same `request.session`.

Without `store` the cookie is the session, octet for octet as Starlette makes it. With `store` the
session is on the server, and who comes with one of Starlette's cookies keeps what is in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Unpack

from sessfast.asgi import App, Front
from sessfast.asgi import SessionMiddleware as Middleware
from sessfast.errors import OptionsError
from sessfast.frameworks.starlette_cookie import CookieSetup, DropInSetup
from sessfast.front import OPTION_NAMES, options_from, unknown_option
from sessfast.keywords import Keywords
from sessfast.legacy.starlette import MAX_AGE, StarletteCookies
from sessfast.options import GENKEY, SessionOptions, as_list
from sessfast.session import AsyncSession

EPOCH = "expires=Thu, 01 Jan 1970 00:00:00 GMT; "
TAKEN = {  # our options that Starlette has a keyword for, or that its behaviour decides
    "secret": "secret_key",
    "name": "session_cookie",
    "cookie": "max_age, path, same_site, https_only, domain and partitioned",
}


class StarletteSession(AsyncSession):
    """`request.session`: a dict, and what Starlette's own session can tell.

    accessed: whether the app has looked at the data, so that the response depends on it
    modified: whether it has written
    """

    __slots__ = ()

    @property
    def accessed(self) -> bool:
        return self._state is not None

    @property
    def modified(self) -> bool:
        state = self._state
        return state is not None and (state.written or state.changed or state.rotated)

    def mark_accessed(self) -> None:
        """Nothing: `request.session` calls it, before anybody has looked at the data."""

    def mark_modified(self) -> None:
        """Have the session stored, though its data is as it was."""
        self._write()


class SessionMiddleware(Middleware):
    """Starlette's SessionMiddleware, with sessions on the server where `store` is given.

    secret_key: also a list; the first signs, all verify
    session_cookie, max_age, path, same_site, https_only, domain, partitioned: as in Starlette. With
                a store, https_only=False is secure="auto": Secure on https alone
    keywords:   options of sessfast.SessionOptions, among them
                store: a store or its URL; None: the session is in the signed cookie
                legacy, until: whose cookies are taken over; Starlette's of this secret, unless
                told otherwise. Without a store there are but `observer`, `cache_headers`, `proxy`
                and the limits of the Cookie header
    OptionsError for what can't work, with the fix.
    """

    session_class = StarletteSession

    def __init__(
        self,
        app: App,
        secret_key: Any = None,
        session_cookie: str = "session",
        max_age: int | None = MAX_AGE,
        path: str = "/",
        same_site: str = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
        *,
        clock: Callable[[], float] | None = None,
        **keywords: Unpack[Keywords],
    ) -> None:
        secrets = [each if isinstance(each, bytes) else str(each) for each in as_list(secret_key)]
        options: dict[str, Any] = dict(keywords)
        store, legacy = options.pop("store", None), options.pop("legacy", None)
        until = options.pop("until", None)
        faults = faults_of(secret_key, secrets, store, legacy, options)
        if faults:
            raise OptionsError(faults)
        octets = [each if isinstance(each, bytes) else each.encode() for each in secrets]
        cookies = StarletteCookies(octets, max_age)
        caching = options.pop("cache_headers", None)
        cookie = {
            "max_age": max_age,
            "path": path,
            "same_site": same_site,
            "secure": True if https_only else "auto",
            "domain": domain,
            "partitioned": partitioned or None,
        }
        if legacy is None:
            legacy = [cookies] if store is not None else []
            until = math.inf if until is None else until
        # a cookie of Starlette's ends by itself, `max_age` after it was signed
        options = {
            "secret": secrets,
            "name": session_cookie,
            "cookie": cookie,
            "strict_secret": False,
            "read_insecure": True,
            "emptied": "destroy",
            "store": store,
            "legacy": legacy,
            "until": until,
            "cache_headers": caching or ("private" if store is None else "no-store"),
            **options,
        }
        made: SessionOptions = options_from(None, options)
        setup: DropInSetup
        if store is not None:
            setup = DropInSetup(made, clock)
        else:
            flags = f"httponly; samesite={same_site}" + "; secure" * bool(https_only)
            flags += f"; domain={domain}" if domain is not None else ""
            flags += "; partitioned" * bool(partitioned)
            age = f"Max-Age={max_age}; " if max_age is not None else ""
            attributes = (f"; path={path}; {age}{flags}", f"; path={path}; {EPOCH}{flags}")
            setup = CookieSetup(made, clock, cookies, attributes, caching)
        Front.__init__(self, app, setup, "session")
        self.secured = https_only  # as in Starlette: TLS may end at a proxy that doesn't say so


def faults_of(
    secret_key: Any, secrets: list[Any], store: Any, legacy: Any, options: dict[str, Any]
) -> list[str]:
    """What is wrong with the keywords, each with its fix."""
    found = []
    if secret_key is None or not all(secrets) or not secrets:
        found.append(f"secret_key is missing: {GENKEY}")
    for name in options:
        if name in TAKEN:
            found.append(f"{name} is Starlette's {TAKEN[name]} here: use that")
        elif name not in OPTION_NAMES:
            found.append(unknown_option(name))
        elif store is None and name not in WITHOUT_STORE:
            found.append(f"{name} needs sessions on the server: give store=, a store or its URL")
    if store is None and legacy:
        found.append("legacy needs sessions on the server: give store=, a store or its URL")
    return found


WITHOUT_STORE = {
    "observer", "cache_headers", "proxy", "max_cookie_header", "max_cookie_pairs"
}  # fmt: skip


def get_session(connection: Any) -> StarletteSession:
    """The session of a request or websocket, typed: for FastAPI, `Depends(get_session)`.

    OptionsError, with the fix, where the middleware isn't there.
    """
    session = connection.scope.get("session")
    if not isinstance(session, StarletteSession):
        raise OptionsError(
            ["no session here: app.add_middleware(SessionMiddleware, secret_key=…), with the one "
             "of sessfast.frameworks.starlette, outside whatever uses the session"]
        )  # fmt: skip
    return session
