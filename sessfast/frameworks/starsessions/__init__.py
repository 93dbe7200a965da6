"""starsessions' names, over sessfast: change the import, and give the middleware a `secret`.

    from sessfast.frameworks.starsessions import SessionMiddleware, load_session
    from sessfast.frameworks.starsessions.stores.redis import RedisStore

Starlette itself is not needed. docs/migrate/starsessions.md says what is different.
"""

from __future__ import annotations

from typing import Any

from .exceptions import ImproperlyConfigured, SessionError, SessionNotLoaded
from .middleware import SessionAutoloadMiddleware, SessionMiddleware
from .serializers import JsonSerializer, Serializer
from .session import (
    generate_session_id,
    get_session_handler,
    get_session_id,
    get_session_metadata,
    get_session_remaining_seconds,
    is_loaded,
    load_session,
    regenerate_session_id,
)
from .stores import CookieStore, InMemoryStore, SessionStore

__all__ = [
    "CookieStore",
    "ImproperlyConfigured",
    "InMemoryStore",
    "JsonSerializer",
    "Serializer",
    "SessionAutoloadMiddleware",
    "SessionError",
    "SessionMiddleware",
    "SessionNotLoaded",
    "SessionStore",
    "generate_session_id",
    "get_session_handler",
    "get_session_id",
    "get_session_metadata",
    "get_session_remaining_seconds",
    "is_loaded",
    "load_session",
    "regenerate_session_id",
]


def __getattr__(name: str) -> Any:
    """`RedisStore`, imported when somebody wants it: it needs redis-py."""
    if name != "RedisStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .stores.redis import RedisStore

    return RedisStore
