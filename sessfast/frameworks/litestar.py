"""Litestar's server-side sessions over sessfast: its configuration, our front.

    from sessfast.frameworks.litestar import ServerSideSessionConfig
    app = Litestar([…], middleware=[ServerSideSessionConfig(secret=…).middleware])

`request.session`, `set_session` and `clear_session` are Litestar's own, and so are SessionAuth and
its TestClient, which find their backend here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import litestar.stores.base
import litestar.stores.memory
from litestar.enums import ScopeType
from litestar.exceptions import SerializationException
from litestar.middleware import DefineMiddleware
from litestar.middleware.session.base import BaseBackendConfig, BaseSessionBackend
from litestar.serialization import decode_json, encode_json
from litestar.types import Empty
from litestar.utils import get_serializer_from_scope

from sessfast.asgi import Front, Receive, Scope, Send
from sessfast.codec import NativeCodec
from sessfast.errors import EncodeError, OptionsError
from sessfast.front import Setup, options_from
from sessfast.legacy.litestar import StoreReader
from sessfast.options import GENKEY, MAX_LIFETIME
from sessfast.session import AsyncSession
from sessfast.stores.memory import MemoryStore
from sessfast.stores.overwriting import OverwritingStore

SESSION = "session"  # where Litestar looks for it in a scope
TWO_WEEKS = 14 * 86400
NO_SECRET = (
    "secret is missing: Litestar signs no ids, sessfast does: add secret=…, from where your "
    f"other secrets are; {GENKEY}"
)


class LitestarSession(AsyncSession):
    """A session that takes over what `set_session` and `clear_session` put in its place.

    serializer: of the app, for what is neither a dict nor JSON
    """

    __slots__ = ()
    serializer: Any = None

    def _adopt(self, found: object) -> bool:
        if found is Empty:
            return True
        if found is not None and not isinstance(found, dict):
            found = decode_json(encode_json(found, type(self).serializer))
        return super()._adopt(found)


class LitestarCodec(NativeCodec):
    """Our record; what JSON has no word for is stored as Litestar would: dates become text."""

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The data's bytes. EncodeError for what Litestar can't store either."""
        try:
            return super().dumps(data)
        except EncodeError as error:
            plain = dict(dict.items(data)) if isinstance(data, dict) else dict(data)
            try:
                return super().dumps(decode_json(encode_json(plain)))
            except SerializationException:
                raise error from None


class SessionMiddleware:
    """What Litestar puts around each route: a front of ours, made at the first request."""

    def __init__(self, app: Any, backend: SessionBackend) -> None:
        self.app = app
        config = backend.config
        self.config = config
        self.scopes, self.opt_key = config.scopes, config.exclude_opt_key
        self.excluded = None
        if config.exclude:
            listed = [config.exclude] if isinstance(config.exclude, str) else config.exclude
            self.excluded = re.compile("|".join(listed))
        self.front: Front | None = None

    def __call__(self, scope: Any, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] not in self.scopes or self._is_excluded(scope):
            passed: Awaitable[None] = self.app(scope, receive, send)
            return passed
        return (self.front or self._made(scope)).called(scope, receive, send)

    def _is_excluded(self, scope: Scope) -> bool:
        handler = scope.get("route_handler")
        if handler is not None and handler.opt.get(self.opt_key):
            return True
        return self.excluded is not None and bool(self.excluded.search(scope["path"]))

    def _made(self, scope: Any) -> Front:
        setup = self.config.setup(scope["litestar_app"])
        front = Front(self.app, setup, SESSION)
        # there a session can also be used outside of the cookie's path
        front.looks_closer = bool(setup.needs_facts or setup.options.proxy or setup.has_ready)
        # as in Litestar: TLS may end at a proxy, and the app sees plain http
        front.secured = self.config.secure is True
        own = {"__slots__": (), "serializer": staticmethod(get_serializer_from_scope(scope))}
        made: Any = type("LitestarSession", (LitestarSession,), own)
        front.session_kind = made
        self.front = front
        return front


class SessionBackend(BaseSessionBackend["ServerSideSessionConfig"]):
    """Sessions as Litestar's TestClient asks for them; requests have them from our front."""

    def get_session_id(self, connection: Any) -> str | None:
        """None: it is `request.session.id`."""
        return None

    async def load_from_connection(self, connection: Any) -> dict[str, Any]:
        """The data of the session that the connection's cookie names."""
        session = await self._opened(connection)
        return dict(session)

    async def store_in_message(self, scope_session: Any, message: Any, connection: Any) -> None:
        """Replace the session's data, and add its cookie to the message's headers."""
        session = await self._opened(connection)
        setup = self.config.setup(connection.app)
        commit = setup.rules.commit(session, session._adopt(scope_session))
        cookie = await setup.driver.arun(commit)
        text = None if cookie is None else cookie.encode()
        message["headers"][:] = setup.words.dressed(message["headers"], text)

    async def _opened(self, connection: Any) -> AsyncSession:
        setup = self.config.setup(connection.app)
        session = LitestarSession.__new__(LitestarSession)
        name = self.config.key
        cookie = f"{name}={connection.cookies.get(name, '')}"
        session._park(setup.rules, setup.driver, cookie, self.config.secure is True)
        await setup.driver.arun(setup.rules.loading.fetch(session))
        return session


class ServerSideSessionConfig(BaseBackendConfig[SessionBackend]):
    """Litestar's ServerSideSessionConfig, with a `secret`.

    secret:  signs the cookie; needed
    max_age: seconds; each use begins it anew, as in Litestar
    secure:  "auto" follows the connection
    store:   a name in the app's stores, a store of Litestar's, a URL such as "redis://…", or a
             store of sessfast. Litestar's MemoryStore is replaced by ours; over its other stores
             two processes at the same session may lose what one of them wrote
    legacy, until: whose sessions are taken over, until when; by default those that Litestar
             left in `store`, with no end
    ours:    any option of sessfast
    session_id_bytes is the length of old ids; renew_on_access means nothing.
    """

    _backend_class = SessionBackend

    def __init__(
        self,
        session_id_bytes: int = 32,
        renew_on_access: bool = False,
        key: str = "session",
        max_age: int = TWO_WEEKS,
        scopes: Any = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool | Literal["auto"] = "auto",
        httponly: bool = True,
        samesite: Literal["lax", "strict", "none"] = "lax",
        exclude: str | list[str] | None = None,
        exclude_opt_key: str = "skip_session",
        store: Any = "sessions",
        *,
        secret: Any = None,
        legacy: Any = None,
        until: Any = None,
        clock: Callable[[], float] | None = None,
        **ours: Any,
    ) -> None:
        if not secret:
            raise OptionsError([NO_SECRET])
        self.session_id_bytes = session_id_bytes
        self.renew_on_access = renew_on_access
        self.key = key
        self.max_age = max_age
        self.scopes = scopes or {ScopeType.HTTP, ScopeType.WEBSOCKET}
        self.path, self.domain, self.secure = path, domain, secure  # type: ignore[assignment]
        self.httponly, self.samesite = httponly, samesite
        self.exclude, self.exclude_opt_key = exclude, exclude_opt_key
        self.store = store
        self.legacy, self.until, self.clock = legacy, until, clock
        attributes = {
            "path": path,
            "domain": domain,
            "max_age": min(max_age, MAX_LIFETIME),
            "secure": secure,
            "http_only": httponly,
            "same_site": samesite,
        }
        self.options = {
            "secret": secret,
            "name": key,
            "cookie": attributes,
            "idle": max_age,
            "absolute": float("inf"),
            "unset": "destroy",
            "emptied": "destroy",
            "codec": LitestarCodec(),
            **ours,
        }
        options_from(None, {**self.options})  # a mistake is told here, not at the first request
        self._setup: Setup | None = None
        if not self._is_in_app():
            self._setup = self._made(store, ())

    @property
    def middleware(self) -> DefineMiddleware:
        """What belongs into the list of middlewares."""
        return DefineMiddleware(SessionMiddleware, backend=SessionBackend(config=self))

    def setup(self, app: Any) -> Setup:
        """The rules and the store of all routes of an app; made once."""
        if self._setup is None:
            store = self.store
            found = app.stores.get(store) if isinstance(store, str) else store
            if isinstance(found, litestar.stores.memory.MemoryStore):
                self._setup = self._made(MemoryStore(**self._clocked()), ())
            else:

                async def write(key: str, octets: bytes, seconds: int) -> None:
                    await found.set(key, octets, expires_in=seconds)

                adapted = OverwritingStore(found.get, write, found.delete, self.clock)
                self._setup = self._made(adapted, (StoreReader(found, self.session_id_bytes),))
        return self._setup

    def _is_in_app(self) -> bool:
        """Whether the store is a name in the app's stores, or a store of Litestar's."""
        if isinstance(self.store, str):
            return "://" not in self.store
        return isinstance(self.store, litestar.stores.base.Store)

    def _clocked(self) -> dict[str, Any]:
        return {} if self.clock is None else {"clock": self.clock}

    def _made(self, store: Any, readers: tuple[Any, ...]) -> Setup:
        legacy = readers if self.legacy is None else self.legacy
        options = {**self.options, "store": store}
        if legacy:
            until = float("inf") if self.until is None else self.until
            options.update(legacy=legacy, until=until)
        return Setup(None, options, True, self.clock)
