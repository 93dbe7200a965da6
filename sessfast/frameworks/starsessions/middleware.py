"""starsessions' middlewares: its arguments, our front."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sessfast.asgi
from sessfast.asgi import STARTS, App, Message, Receive, Scope, Send
from sessfast.errors import OptionsError
from sessfast.options import GENKEY, MAX_LIFETIME

from .serializers import SerializerCodec
from .session import ROTATES, LoadedSession, load_session, rotate
from .stores import Settings, plugged

KINDS = ("http", "websocket")
NO_SECRET = (
    "secret is missing: starsessions signs no ids, sessfast does: add secret=…, from where your "
    f"other secrets are; {GENKEY}"
)


class SessionMiddleware(sessfast.asgi.SessionMiddleware):
    """Wrap an ASGI app so that `request.session` is its session, with starsessions' arguments.

    store:    one of starsessions' stores by their names here, one of your own with `read`, `write`
              and `remove`, or any store of sessfast
    lifetime: seconds or a timedelta; 0: until the browser closes
    rolling:  each use begins the lifetime anew; else it runs from the session's beginning
    serializer: writes the data; None: as JSON
    secret:   signs the cookie; needed
    legacy, until: whose sessions are taken over, until when; by default those that starsessions
              left in `store`, with no end
    ours:     any option of sessfast
    """

    def __init__(
        self,
        app: App,
        store: Any,
        lifetime: int | timedelta = 0,
        rolling: bool = False,
        cookie_name: str = "session",
        cookie_same_site: str = "lax",
        cookie_https_only: bool = True,
        cookie_domain: str | None = None,
        cookie_path: str | None = None,
        serializer: Any = None,
        *,
        secret: Any = None,
        legacy: Sequence[Any] | None = None,
        until: Any = None,
        cookie: Mapping[str, Any] | None = None,
        clock: Callable[[], float] | None = None,
        **ours: Any,
    ) -> None:
        lifetime = int(lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime)
        if lifetime < 0:
            raise OptionsError(["lifetime must not be negative: 0 is until the browser closes"])
        if "encryptor" in ours:
            raise OptionsError(
                ["encryptor: records are not encrypted here: encrypt the store's disk, or keep "
                 "what must be secret out of the session"]
            )  # fmt: skip
        deserialize = None if serializer is None else serializer.deserialize
        plug = plugged(store, Settings(lifetime, rolling, deserialize, clock))
        if secret is None and plug.secret is not None:
            # it was good enough for the incumbent: a weak one is a warning
            secret, ours = plug.secret, {"strict_secret": False, **ours}
        if not secret:
            raise OptionsError([NO_SECRET])
        attributes = {
            "path": cookie_path or "/",
            "domain": cookie_domain,
            "max_age": min(lifetime, MAX_LIFETIME) or None,
            "secure": cookie_https_only,
            "same_site": cookie_same_site,
            **(cookie or {}),
        }
        legacy = plug.readers if legacy is None else legacy
        if legacy:
            ours = {**ours, "legacy": legacy, "until": math.inf if until is None else until}
        if serializer is not None:
            ours = {"codec": SerializerCodec(serializer), **ours}
        # a session that has no lifetime lives as long as its record did
        ends = lifetime and not rolling
        usual = {
            "idle": lifetime or plug.kept,
            "absolute": lifetime if ends else math.inf,
            "emptied": "destroy",
            "prefetch": False,  # the app says load_session(), or has the other middleware
        }
        super().__init__(
            app,
            clock=clock,
            **{
                "secret": secret,
                "store": plug.store,
                "name": cookie_name,
                "cookie": attributes,
                **usual,
                **ours,
            },
        )
        # as in starsessions: TLS may end at a proxy, and the app sees plain http
        self.secured = attributes["secure"] is True
        # there a session can also be used outside of the cookie's path
        setup = self.setup
        self.looks_closer = bool(setup.needs_facts or setup.options.proxy or setup.has_ready)
        if self.awaits or (rolling and lifetime):
            self.session_kind = LoadedSession
        if self.awaits:
            self.app = Rotating(app)


class Rotating:
    """An app whose sessions get their new ids, where a store must be awaited for that."""

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        async def rotating(message: Message) -> None:
            if message["type"] in STARTS and (sid := scope.pop(ROTATES, None)):
                await rotate(scope["session"], sid)
            await send(message)

        return self.app(scope, receive, rotating)


class SessionAutoloadMiddleware:
    """Loads the sessions of some paths.

    paths: regular expressions; none: every path
    """

    def __init__(self, app: App, paths: Sequence[str | re.Pattern[str]] | None = None) -> None:
        self.app = app
        self.paths = [re.compile(path) for path in paths or ()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in KINDS and self.should_autoload(scope["path"]):
            await load_session(Connection(scope))
        await self.app(scope, receive, send)

    def should_autoload(self, path: str) -> bool:
        """Whether the sessions of a path are loaded."""
        return not self.paths or any(pattern.match(path) for pattern in self.paths)


class Connection:
    """As much of a connection as the functions about sessions need."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
