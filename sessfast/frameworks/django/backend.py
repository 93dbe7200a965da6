"""What Django asks of a session backend, said in our rules: load, create, save, rotate, end.

A session is named by its bare key here. Everything runs at once, in the caller's thread; `apart`
is for who must not block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import CreateError, UpdateError

from sessfast.drivers import as_store_error
from sessfast.errors import SessionGoneError, StoreError
from sessfast.front import Setup
from sessfast.importing import DESTROY, GET
from sessfast.records import EXISTS, Read, shorten
from sessfast.session import Session
from sessfast.state import State, Steps
from sessfast.stores.sweeping import sweeps

from .cookie import CookieWriter
from .legacy import DjangoImports

# What stands where a session ended while old sessions are read through. It is a tombstone for
# who still holds the session, and no session for who asks: neither comes back from the old store.
ENDED = b'{"v":1,"ended":true,"gone":true}'
BATCH = 1000


class Backend:
    """The sessions of one Django project.

    on_gone: "interrupt" or "drop": what our middleware does where a session has ended meanwhile
    cookie:  what writes the cookie there
    """

    def __init__(self, setup: Setup, on_gone: str, cookie: CookieWriter) -> None:
        self.setup = setup
        self.on_gone = on_gone
        self.cookie = cookie
        self.store = setup.store
        self.rules = rules = setup.rules
        self.driver = setup.driver
        self.policy = setup.policy
        self.store_key = setup.policy.store_key
        self.saving, self.loading, self.codec = rules.saving, rules.loading, rules.codec
        self.get: Callable[[str], Any] = setup.store.get
        self.max_age = setup.policy.max_age
        self.imports: DjangoImports | None = rules.loading.imports  # type: ignore[assignment]
        self.blocks = getattr(setup.store, "blocking", True) or self.imports is not None

    async def apart(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The function's result; in a thread where it may block, Django's own for its database."""
        if not self.blocks:
            return function(*arguments)
        is_django = self.imports is not None
        return await sync_to_async(function, thread_sensitive=is_django)(*arguments)

    # -- loading ---------------------------------------------------------------------------

    def begun(self) -> Session:
        """A session of which nothing is stored."""
        session = Session.__new__(Session)
        session._park(self.rules, self.driver, "", secure=False)
        return session

    def load(self, key: str) -> Session:
        """The session that is stored under `key`, or a new one; `read_reason` says why.

        StoreError where the store is down and `on_outage` is "raise".
        """
        session = self.begun()
        claimed = (0, key, 0, 1, self.store_key(key))
        try:
            reply = self.get(claimed[4])
        except Exception as error:  # noqa: BLE001  whatever a store raises goes to the rules
            self.loading.fail(session, claimed, as_store_error("get", error))
            return session
        if reply is not None and reply[0] != ENDED:
            self.loading.feed(session, claimed, reply)
        elif reply is None and self.imports is not None:
            self.driver.run(self._imported(session, key, self.imports))
        else:
            self.loading.feed(session, claimed, None)
        return session

    def _imported(self, session: Session, key: str, imports: DjangoImports) -> Steps:
        """Open a session of which our store knows nothing: the old ones are asked."""
        claimed = self.loading.seek(session, imports.search(key, Read.UNKNOWN_ID, 1))
        while claimed is not None:
            place = claimed[4]
            try:
                if isinstance(place, str):
                    reply = yield "get", (place,)
                else:
                    reply = yield from self.loading.bring(place)
            except StoreError as error:
                return self.loading.fail(session, claimed, error)
            if reply is not None and reply[0] == ENDED:
                reply = None
            claimed = self.loading.feed(session, claimed, reply)

    def exists(self, key: str) -> bool:
        """Whether there is a session under `key`, be it in the old store."""
        reply = self.driver.run(self._sought(key))
        return reply is not None and not self.codec.is_tombstone(reply[0])

    def _sought(self, key: str) -> Steps:
        reply = yield "get", (self.store_key(key),)
        if reply is None and self.imports is not None and self.imports.is_open():
            for reader in self.imports.record_readers:
                if isinstance((yield GET, (reader, key)), dict):
                    return b"", None, None
        return reply

    # -- saving ----------------------------------------------------------------------------

    def create(self, data: Any, key: str | None, age: float) -> Session:
        """Store `data` as a new session, which is returned. Its key is minted where it is None.

        age: seconds that it lives
        CreateError where a session has that key.
        """
        session = self.begun()
        session.update(data)
        state = session._opened()
        self._date(session, state, age)
        if key is None:
            self.rules.identify(session)
            self.driver.write(session, self.rules.begin_save(session))
        else:
            state.sid, state.key = key, self.store_key(key)
            self.driver.run(self._created(session, state))
        return session

    def _created(self, session: Session, state: State) -> Steps:
        call = self.saving.save(session, state, None)
        if call is not None:
            reply = yield call
            if reply is EXISTS:
                raise CreateError
            self.saving.feed(session, call[0], reply)

    def save(self, session: Session, age: float) -> None:
        """Store a session that was loaded, for `age` seconds; merged with what others saved.

        UpdateError where it was deleted or rotated meanwhile: it never comes back.
        """
        state = session._opened()
        self._date(session, state, age)
        try:
            self.driver.write(session, self.rules.begin_save(session))
        except SessionGoneError as error:
            raise UpdateError from error
        if state.gone:
            raise UpdateError

    def bind(self, data: Any, key: str) -> Session:
        """The session under `key`, its data replaced. UpdateError where there is none."""
        session = self.load(key)
        state = session._opened()
        if not state.stored:
            raise UpdateError
        session._refill(dict(data.items()))
        state.written = state.active = True
        return session

    def is_changed(self, session: Session, before: bytes | None) -> bool:
        """Whether a value that was handed out has been changed in place.

        before: the data's bytes to compare with; None: as it is stored
        """
        state = session._opened()
        text = self.codec.dumps(session)
        if before is None:
            before = state.saved_text
        if before is not None:
            return text != before
        if state.original:
            return not self.codec.same(state.original, text)
        return session._size() > 0

    def _date(self, session: Session, state: State, age: float) -> None:
        """Give a session its lifetime, where it isn't that of all."""
        if age != self.max_age or state.special or state.cookie is not None:
            session.cookie.max_age = age

    # -- ending ----------------------------------------------------------------------------

    def rotate(self, session: Session) -> str:
        """Kill the present key and return a new one, under which `save` will store the data."""
        self.driver.run(self._rotated(session))
        return session.id

    def _rotated(self, session: Session) -> Steps:
        state = session._opened()
        if state.stored and self.imports is not None and self.imports.is_open():
            for reader in self.imports.record_readers:
                yield DESTROY, (reader, state.sid)
        yield from self.rules.regenerate(session, keep=True)

    def end(self, key: str) -> None:
        """Delete the session under `key`, for good."""
        self.driver.run(self._ended(key))
        if tell := self.setup.report.listener():
            tell("destroyed", {"sid": shorten(key)})

    def _ended(self, key: str) -> Steps:
        place = self.store_key(key)
        self.saving.forget(place)
        yield "destroy", (place,)
        if self.imports is None or not self.imports.is_open():
            return
        life = min(self.max_age or 1.0, self.imports.until - self.imports.clock())
        while (yield "create", (place, ENDED, life)) is EXISTS:  # brought over just now
            yield "destroy", (place,)
        for reader in self.imports.record_readers:
            yield DESTROY, (reader, key)

    def clear_expired(self) -> None:
        """Remove what has expired, a batch at a time, also from the old stores."""
        for _ in sweeps(self.store, BATCH):
            pass
        if self.imports is not None:
            for reader in self.imports.readers:
                if hasattr(reader, "sweep"):
                    reader.sweep()
