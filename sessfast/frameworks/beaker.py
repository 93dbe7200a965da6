"""Beaker's sessions, by its own names: `from sessfast.frameworks.beaker import SessionMiddleware`.

What Beaker's options mean here is in `beaker_options.py`, what its old records hold in
`legacy/beaker.py`. Its rule that nothing is stored without `save()` is kept by not telling the
engine what the app changed, until the app says that it counts.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sessfast.errors import SessionGoneError
from sessfast.frameworks.beaker_options import BeakerOptions, cookie_life, understood
from sessfast.legacy.beaker import ACCESSED, CREATED
from sessfast.session import Session
from sessfast.wsgi import App, Environ, StartResponse
from sessfast.wsgi import SessionMiddleware as Front

DOMAIN, PATH = "_domain", "_path"
LOCKS = "session.{}() does nothing here: parallel saves are merged, so that no lock is needed"


class BeakerSession(Session):
    """The session of one request as Beaker's: `save()` makes what was changed count.

    A dict that is always true, as Beaker's object is. What a request changes and doesn't save is
    seen by this request alone.
    """

    __slots__ = ("_before", "_dirty", "_keeps", "_lifetime", "_was_new")
    given: ClassVar[BeakerOptions]
    detached: ClassVar[type[DetachedSession]]
    _before: dict[str, Any] | None  # the data as first seen, where the engine has forgotten it
    _dirty: bool
    _keeps: bool  # changes are to be stored
    _lifetime: Any  # a cookie_expires of this visitor's own
    _was_new: bool | None

    def _park(self, rules: Any, driver: Any, request: Any, secure: bool) -> None:
        Session._park(self, rules, driver, request, secure)
        self._before = self._lifetime = self._was_new = None
        self._dirty = False
        self._keeps = self.given.auto

    # -- what the engine is told ---------------------------------------------------------------

    def _lend(self) -> None:
        """A value that can be changed in place is handed out: it matters where changes count."""
        state = self._opened()
        if self._keeps:
            state.lent = state.active = True

    def _write(self) -> None:
        """The app writes. After `delete()` that is seen by the rest of the request alone."""
        if self._keeps:
            self._keep()
        else:
            self._opened()

    def _keep(self) -> None:
        """From here on what the app changes is stored."""
        state = self._opened()
        if state.destroyed:
            return
        self._keeps = True
        if not dict.__contains__(self, CREATED):
            self._put(CREATED, self.created)
        state.written = state.active = True

    def _dress(self) -> None:
        """Give the cookie what the app has set for this visitor."""
        for key, name in ((DOMAIN, "domain"), (PATH, "path")):
            if dict.__contains__(self, key) and getattr(self.cookie, name) != self._at(key):
                setattr(self.cookie, name, self._at(key))
        if self._lifetime is not None:
            for name, value in cookie_life(self._lifetime).items():
                setattr(self.cookie, name, value)
            self._lifetime = None

    # -- Beaker's methods ----------------------------------------------------------------------

    def save(self) -> None:
        """Let what this request changed be stored when the response starts, an empty one too."""
        self._dirty = True
        self._keep()
        self._dress()

    def persist(self) -> None:
        """Store now what counts."""
        if self._keeps:
            self._store()

    def _store(self) -> None:
        """Store the session at once. One that was destroyed meanwhile stays destroyed."""
        self._keep()
        try:
            Session.save(self)
        except SessionGoneError:
            pass

    def delete(self) -> None:
        """Delete the session, here, in the store and in the browser."""
        self._dirty = True
        self._dress()
        self.destroy()

    def invalidate(self) -> None:
        """Begin anew: no data, a new id, and the old one is dead."""
        self.regenerate(keep=False)
        self._before, self._was_new, self._keeps = {}, True, True

    def regenerate_id(self) -> None:
        """Give the session a new id, data and unsaved changes carried over; the old one is dead."""
        before, was_new = self._found(), self.is_new
        self.regenerate(keep=True)
        self._before, self._was_new = before, was_new
        self._keep()
        self._dress()

    def load(self) -> None:
        """Replace the data by the stored one; there is none where nothing is stored."""
        try:
            self.reload()
        except SessionGoneError:
            self._empty()

    def revert(self) -> None:
        """Set the data back to what the request found."""
        self._write()
        self._refill(self._found())

    def _found(self) -> dict[str, Any]:
        """The data that the request found, a copy."""
        if self._before is not None:
            return copy.deepcopy(self._before)
        state, rules = self._opened(), self._rules
        if state.original:
            data: dict[str, Any] = rules.codec.decode(state.key, state.original)[0]  # type: ignore[attr-defined]
            return data
        if not state.imported:
            return {}
        again = self.detached.__new__(self.detached)  # the old cookie still holds it
        again._park(rules, self._driver, self._request, self._secure)
        return again.copy()

    def get_by_id(self, id: str) -> DetachedSession | None:  # noqa: A002  Beaker's name
        """The stored session with this id, saved by its own `save()`; None if there is none."""
        policy: Any = self._rules.policy  # type: ignore[attr-defined]
        if not id:
            return None
        cookie = policy.set_cookie(str(id), {}, None, True, 0.0)
        session = self.detached.__new__(self.detached)
        session._park(self._rules, self._driver, cookie.partition(";")[0], True)
        return None if session.is_new else session

    def dirty(self) -> bool:
        """Whether the app has called `save()` or `delete()`."""
        return self._dirty

    def accessed(self) -> bool:
        """Whether the app has touched the session."""
        return self._state is not None

    def has_key(self, name: str) -> bool:
        """Whether there is such a key."""
        return name in self

    def lock(self) -> None:
        """Do nothing: saves are compare-and-set, and changes of two requests are merged."""
        warnings.warn(LOCKS.format("lock"), UserWarning, stacklevel=2)

    def unlock(self) -> None:
        """Do nothing, as `lock`."""
        warnings.warn(LOCKS.format("unlock"), UserWarning, stacklevel=2)

    # -- Beaker's attributes -------------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        """Whether no stored session came with the request, or it was invalidated."""
        return super().is_new if self._was_new is None else self._was_new

    @property
    def created(self) -> float:
        """Epoch seconds at which the session began."""
        state = self._opened()
        if dict.__contains__(self, CREATED):
            created: float = self._at(CREATED)
            return created
        return self._rules.clock() if state.meta is None else state.meta.created

    @property
    def last_accessed(self) -> float | None:
        """Epoch seconds of the last request before this one, to a minute; None if there was none.

        It follows from when the record ends, which a use moves on.
        """
        state = self._opened()
        if self.is_new or state.imported or state.expires is None:
            return None
        ttl: float = self._rules.lifetimes.static_ttl  # type: ignore[attr-defined]
        return state.expires - ttl

    @property
    def timeout(self) -> int | None:
        """The option of this name."""
        return self.given.timeout

    @property
    def domain(self) -> str | None:
        """The cookie's domain; set it before `save()`, for this visitor."""
        self._opened()
        found: str | None = self._find(DOMAIN, self.given.cookie_domain)
        return found

    @domain.setter
    def domain(self, value: str | None) -> None:
        self._own(DOMAIN, value)

    @property
    def path(self) -> str:
        """The cookie's path; set it before `save()`, for this visitor."""
        self._opened()
        found: str = self._find(PATH, self.given.cookie_path)
        return found

    @path.setter
    def path(self, value: str) -> None:
        self._own(PATH, value)

    def _own(self, key: str, value: str | None) -> None:
        self[key] = value
        if self._dirty:
            self._dress()

    @property
    def cookie_expires(self) -> Any:
        """The option of this name; set it before `save()`, for this visitor."""
        return self.given.cookie_expires if self._lifetime is None else self._lifetime

    @cookie_expires.setter
    def cookie_expires(self, value: bool | int | timedelta | datetime) -> None:
        self._lifetime = value
        if self._dirty:
            self._dress()

    # -- the mapping: what Beaker's does otherwise than a dict ---------------------------------

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        return self._rules.clock() if key == ACCESSED else Session.__getitem__(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        return self._rules.clock() if key == ACCESSED else Session.get(self, key, default)

    def __contains__(self, key: object) -> bool:
        return Session.__contains__(self, key) or key == ACCESSED


class DetachedSession(BeakerSession):
    """A session that came with no request: `save()` stores it at once, and no cookie is sent."""

    __slots__ = ()

    def _park(self, rules: Any, driver: Any, request: Any, secure: bool) -> None:
        BeakerSession._park(self, rules, driver, request, secure)
        self._keeps = True

    def save(self, accessed_only: bool = False) -> None:
        """Store the session now. accessed_only: extend its life alone."""
        if accessed_only:
            self.touch()
            return
        self._dirty = True
        self._store()


class SessionMiddleware(Front):
    """Wrap a WSGI app as `beaker.middleware.SessionMiddleware` does, with its options.

    `environ["beaker.session"]` is the session, `environ["beaker.get_session"]()` a new one that
    comes with no cookie. Options of ours may stand among Beaker's: `store=`, `until=`, …; in a
    configuration as `session.sessfast.store`. docs/migrate/beaker.md has the differences.
    """

    def __init__(
        self,
        wrap_app: App,
        config: Mapping[str, Any] | None = None,
        environ_key: str = "beaker.session",
        *,
        clock: Callable[[], float] | None = None,
        **kwargs: Any,
    ) -> None:
        given, options = understood(config or {}, kwargs, clock)
        detached = type("DetachedSession", (DetachedSession,), {"__slots__": (), "given": given})
        detached.detached = detached  # type: ignore[attr-defined]
        names = {"__slots__": (), "given": given, "detached": detached}
        kind: Any = type("BeakerSession", (BeakerSession,), names)
        self.session_class = kind
        self._detached: Any = detached
        self.options = given.all
        self._webtest_varname = given.webtest_varname
        self.wrap_app = wrap_app
        super().__init__(wrap_app, options, environ_key=environ_key, clock=clock)
        # Beaker gives every path its session, also those that its cookie doesn't come back to
        self.looks_closer = bool(self.setup.needs_facts or options.proxy)
        if given.webtest_varname:
            self.app = self._shown
        self._get_session = self.get_session

    def called(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["beaker.get_session"] = self._get_session
        return super().called(environ, start_response)

    def get_session(self) -> DetachedSession:
        """A new session, without a cookie, whose `save()` stores it at once."""
        session: DetachedSession = self._detached.__new__(self._detached)
        session._park(self.rules, self.driver, "", True)
        return session

    def _shown(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The app, its session shown to WebTest under the name that `webtest_varname` says."""
        shown = environ.get("paste.testing_variables")
        if shown is not None:
            shown[self._webtest_varname] = environ.get(self.environ_key)
        return self.wrap_app(environ, start_response)


def session_filter_factory(
    global_conf: Mapping[str, Any], **kwargs: Any
) -> Callable[[App], SessionMiddleware]:
    """The filter of a Paste configuration: `paste.filter_factory`."""
    return lambda app: SessionMiddleware(app, global_conf, **kwargs)


def session_filter_app_factory(
    app: App, global_conf: Mapping[str, Any], **kwargs: Any
) -> SessionMiddleware:
    """The same with the app at once: `paste.filter_app_factory`."""
    return SessionMiddleware(app, global_conf, **kwargs)
