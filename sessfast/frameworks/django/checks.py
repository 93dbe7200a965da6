"""What `manage.py check` says of the settings; each message names its fix."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sessfast.stores.memory import MemoryStore

from .backend import Backend
from .engine import SessionStore
from .settings import current

ENGINE = "sessfast.frameworks.django"


def configuration_works(**_: object) -> list[Any]:
    """Errors and warnings; none where all is well."""
    found = [*engine_is_ours(), *middleware_is_there()]
    try:
        backend = current()
    except ImproperlyConfigured as error:
        return [*found, checks.Error(str(error), hint="docs/migrate/django.md", id="sessfast.E001")]
    return [*found, *store_is_shared(backend), *legacy_is_needed(backend)]


def engine_is_ours() -> list[Any]:
    """Whether SESSION_ENGINE leads here."""
    hint = f'SESSION_ENGINE = "{ENGINE}"'
    try:
        store = import_module(settings.SESSION_ENGINE).SessionStore
    except (ImportError, AttributeError) as error:
        message = f"SESSION_ENGINE {settings.SESSION_ENGINE!r} is no session engine: {error}"
        return [checks.Error(message, hint=hint, id="sessfast.E002")]
    if issubclass(store, SessionStore):
        return []
    message = f"sessfast is installed, and SESSION_ENGINE is {settings.SESSION_ENGINE!r}"
    return [checks.Warning(message, hint=hint, id="sessfast.W001")]


def middleware_is_there() -> list[Any]:
    """Whether requests have sessions at all, and before the middlewares that need them."""
    users = ("AuthenticationMiddleware", "MessageMiddleware", "LoginRequiredMiddleware")
    names = list(settings.MIDDLEWARE)
    places = [at for at, name in enumerate(names) if is_session_middleware(name)]
    if not places:
        hint = f'put "{ENGINE}.SessionMiddleware" into MIDDLEWARE'
        return [checks.Error("MIDDLEWARE has no SessionMiddleware", hint=hint, id="sessfast.E003")]
    before = [name for name in names[: places[0]] if name.rpartition(".")[2] in users]
    if before:
        hint = f"move {names[places[0]]} above it"
        message = f"MIDDLEWARE: {before[0]} comes before the SessionMiddleware that it needs"
        return [checks.Error(message, hint=hint, id="sessfast.E004")]
    return []


def is_session_middleware(name: str) -> bool:
    """Whether a name in MIDDLEWARE is Django's class or a subclass."""
    try:
        found = import_string(name)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, SessionMiddleware)


def store_is_shared(backend: Backend) -> list[Any]:
    """Whether all workers see the same sessions."""
    if settings.DEBUG or not isinstance(backend.store, MemoryStore):
        return []
    message = "sessions are in the memory of each process: with several workers, or after a restart"
    return [
        checks.Warning(
            f"{message}, who is logged in is logged out",
            hint='SESSFAST = {"store": "redis://…"}, or another store that processes share',
            id="sessfast.W002",
        )
    ]


def legacy_is_needed(backend: Backend) -> list[Any]:
    """Whether the end of the change has come."""
    if backend.imports is None or backend.imports.is_open():
        return []
    return [
        checks.Warning(
            'the date of SESSFAST["until"] has passed: old sessions are not read any more',
            hint='remove "legacy" and "until", and what the old engine needed',
            id="sessfast.W003",
        )
    ]
