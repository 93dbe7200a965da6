"""`SessionStore`: all that Django, its apps and its users ask of a session engine."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from sessfast.errors import EncodeError
from sessfast.records import Read
from sessfast.session import Session

from . import settings


class SessionStore(SessionBase):  # type: ignore[misc]  # Django has no types
    """A session of Django's whose data is a session of ours.

    As everywhere in Django: it is loaded when it is first asked for something, and
    `session_key` is None where nothing was found. Besides, `modified` is True also where a list
    or dict within the data was changed in place.
    """

    def __init__(self, session_key: str | None = None) -> None:
        self._session_key = session_key
        self.accessed = False
        self._modified = False
        # the data's bytes when `modified` was set to False: what was changed until then
        # the app doesn't want to be saved
        self._before: bytes | None = None

    @cached_property  # type: ignore[untyped-decorator]
    def serializer(self) -> Any:
        """What `encode` and `decode` use; the store has them not."""
        return import_string(django_settings.SESSION_SERIALIZER)

    # -- the data --------------------------------------------------------------------------

    def _get_session(self, no_load: bool = False) -> Any:
        self.accessed = True
        cache = self.__dict__.get("_session_cache")
        if cache is None:
            if no_load or self._session_key is None:
                cache = settings.current().begun()
            else:
                cache = self.load()
            self._session_cache: Any = cache
        return cache

    _session = property(_get_session)

    async def _aget_session(self, no_load: bool = False) -> Any:
        if "_session_cache" in self.__dict__:
            return self._get_session()
        return await self._apart(self._get_session, no_load)

    # these three, as SessionBase has them, but without a property in between

    def __getitem__(self, key: str) -> Any:
        return self._get_session()[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self._get_session().get(key, default)

    def __setitem__(self, key: str, value: Any) -> None:
        self._get_session()[key] = value
        self._modified = True

    def clear(self) -> None:
        cache = self.__dict__.get("_session_cache")
        if cache is None:
            self._session_cache = settings.current().begun()
        else:
            cache.clear()
        self.accessed = self._modified = True

    def is_empty(self) -> bool:
        """Whether there is neither a key nor anything in it."""
        return not self._session_key and not self.__dict__.get("_session_cache")

    @property
    def modified(self) -> bool:
        """Whether there is something to save."""
        if self._modified:
            return True
        cache = self.__dict__.get("_session_cache")
        if not isinstance(cache, Session) or cache._state is None or not cache._state.lent:
            return False  # nothing was handed out that can be changed
        try:
            return settings.current().is_changed(cache, self._before)
        except EncodeError:
            return True  # and `save` says what is wrong

    @modified.setter
    def modified(self, value: bool) -> None:
        self._modified = value
        cache = self.__dict__.get("_session_cache")
        if not value and isinstance(cache, Session) and cache._state is not None:
            try:
                self._before = settings.current().codec.dumps(cache)
            except EncodeError:
                self._before = None

    # -- lifetimes: what SessionBase does, by the shorter way where a session has none of its own --

    def get_session_cookie_age(self) -> Any:
        return settings.current().cookie.age

    def get_expiry_age(self, **given: Any) -> Any:
        if given or self.get("_session_expiry"):
            return super().get_expiry_age(**given)
        return self.get_session_cookie_age()

    def get_expire_at_browser_close(self) -> Any:
        expiry = self.get("_session_expiry")
        return settings.current().cookie.ends_with_browser if expiry is None else expiry == 0

    # -- what Django wants of an engine ----------------------------------------------------

    def load(self) -> Any:
        """The data that is stored now; `session_key` is None afterwards where there is none."""
        backend = settings.current()
        key = self._session_key
        session = backend.load(key) if key else backend.begun()
        state = session._state or session._opened()
        if state.stored:
            if state.sid != key:  # the old cookie held the data: the browser needs the new one
                self._session_key = state.sid
                self._modified = True
        elif state.read is not Read.SUPERSEDED and state.degraded is None:
            # in those two cases the browser's cookie is to be left alone
            self._session_key = None
        return session

    def exists(self, session_key: str | None) -> bool:
        """Whether there is a session with this key."""
        return bool(session_key) and settings.current().exists(str(session_key))

    def create(self) -> None:
        """Store the data under a new key."""
        self._create(None)
        self.modified = True

    def save(self, must_create: bool = False) -> None:
        """Store the data. UpdateError where the session was deleted meanwhile.

        must_create: make a new session of it. CreateError where its key is taken
        """
        if self._session_key is None:
            return self.create()
        if must_create:
            return self._create(self._session_key)
        cache = self._get_session()
        if self._session_key is None:  # it was to be loaded, and there is none
            raise UpdateError
        settings.current().save(self._bound(cache), self.get_expiry_age())
        self._before = None
        return None

    def _create(self, key: str | None) -> None:
        data = self._get_session(no_load=True)
        session = settings.current().create(data, key, self.get_expiry_age())
        self._session_cache = session
        self._session_key = session.id
        self._before = None

    def _bound(self, cache: Any) -> Session:
        """The data as a session that is tied to the record of `session_key`."""
        state = cache._state if isinstance(cache, Session) else None
        is_tied = state is not None and (
            state.sid == self._session_key or state.degraded or state.read is Read.SUPERSEDED
        )
        if not is_tied:
            cache = self._session_cache = settings.current().bind(cache, self._session_key or "")
        session: Session = cache
        return session

    def delete(self, session_key: str | None = None) -> None:
        """Delete the session with this key, or with its own."""
        key = self._session_key if session_key is None else session_key
        if key is not None:
            settings.current().end(key)

    def flush(self) -> None:
        """Delete the session; what is written from now on is a new one."""
        self._session_cache = settings.current().begun()
        self.accessed = self._modified = True
        self.delete()
        self._session_key = None

    def cycle_key(self) -> None:
        """Give the session a new key; the old one is dead. The record follows with `save`."""
        backend = settings.current()
        cache = self._get_session()
        if self._session_key is not None:
            try:
                cache = self._bound(cache)
            except UpdateError:
                data, cache = cache, backend.begun()
                cache.update(data)
                self._session_cache = cache
        self._session_key = backend.rotate(cache)
        self._modified = True

    @classmethod
    def clear_expired(cls) -> None:
        """Remove what has expired from the store, a batch at a time."""
        settings.current().clear_expired()

    # -- the same for who awaits -----------------------------------------------------------

    async def _apart(self, function: Any, *arguments: Any) -> Any:
        return await settings.current().apart(function, *arguments)

    async def aload(self) -> Any:
        return await self._apart(self.load)

    async def aexists(self, session_key: str | None) -> bool:
        return bool(await self._apart(self.exists, session_key))

    async def acreate(self) -> None:
        await self._apart(self.create)

    async def asave(self, must_create: bool = False) -> None:
        await self._apart(self.save, must_create)

    async def adelete(self, session_key: str | None = None) -> None:
        await self._apart(self.delete, session_key)

    async def aflush(self) -> None:
        await self._apart(self.flush)

    async def acycle_key(self) -> None:
        await self._apart(self.cycle_key)

    @classmethod
    async def aclear_expired(cls) -> None:
        await settings.current().apart(cls.clear_expired)

    # -- keys ------------------------------------------------------------------------------

    def _get_new_session_key(self) -> str:
        return settings.new_key()

    async def _aget_new_session_key(self) -> str:
        return settings.new_key()
