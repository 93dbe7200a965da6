"""HTTP sessions for every Python web app: express-session's behaviour at C speed.

>>> from sessfast.wsgi import SessionMiddleware   # or sessfast.asgi
>>> app = SessionMiddleware(app, secret=…)        # doctest: +SKIP
"""

from sessfast.errors import (
    ConflictError,
    DecodeError,
    EncodeError,
    HeadersSentError,
    OptionsError,
    SessfastError,
    SessionDestroyedError,
    SessionGoneError,
    SessionNotLoadedError,
    SessionTooLargeError,
    StoreError,
)
from sessfast.hotpath import BACKEND
from sessfast.options import CookieOptions, SessionOptions
from sessfast.records import EXISTS, GONE, Conflict, Read, Record, RequestFacts, Sent
from sessfast.session import AsyncSession, Session
from sessfast.session_cookie import SessionCookie
from sessfast.stores.contract import AsyncStore, Store
from sessfast.stores.memory import MemoryStore
from sessfast.stores.opening import open_store

__version__ = "0.1.0"

__all__ = [
    "BACKEND",
    "EXISTS",
    "GONE",
    "AsyncSession",
    "AsyncStore",
    "Conflict",
    "ConflictError",
    "CookieOptions",
    "DecodeError",
    "EncodeError",
    "HeadersSentError",
    "MemoryStore",
    "OptionsError",
    "Read",
    "Record",
    "RequestFacts",
    "Sent",
    "SessfastError",
    "Session",
    "SessionCookie",
    "SessionDestroyedError",
    "SessionGoneError",
    "SessionNotLoadedError",
    "SessionOptions",
    "SessionTooLargeError",
    "Store",
    "StoreError",
    "__version__",
    "open_store",
]
