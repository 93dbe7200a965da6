"""From Django's settings to what runs: SESSION_* and the dict SESSFAST, checked once.

SESSFAST = {
    "store": "redis://127.0.0.1:6379/0",  # as everywhere; without it a MemoryStore
    "on_conflict": "merge",               # also: on_outage, stale_for, absolute, hash_ids,
    "observer": "myapp.events.observe",   #       max_session_bytes
    "legacy": ["django-db"],              # whose sessions are read through
    "until": "2027-03-01",                # and how long
    "on_gone": "interrupt",               # or "drop", with our SessionMiddleware
}
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from sessfast.errors import OptionsError
from sessfast.front import OPTION_NAMES, Setup
from sessfast.hotpath import new_id

from .backend import Backend
from .cookie import CookieWriter
from .data import JSONCodec, SerializerCodec
from .legacy import ENGINES, DjangoImports, reader_of

DJANGO_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SALT = "sessfast.frameworks.django"
ON_GONE = ("interrupt", "drop")
OURS = {
    "absolute", "hash_ids", "legacy", "max_session_bytes", "observer", "on_conflict", "on_outage",
    "stale_for", "store", "until",
}  # fmt: skip
DJANGOS = {  # option -> where Django has it
    "secret": "SECRET_KEY, and it signs no session key",
    "name": "SESSION_COOKIE_NAME",
    "cookie": "SESSION_COOKIE_PATH, _DOMAIN, _SECURE, _HTTPONLY, _SAMESITE and _AGE",
    "idle": "SESSION_COOKIE_AGE",
    "rolling": "SESSION_SAVE_EVERY_REQUEST",
    "resave": "SESSION_SAVE_EVERY_REQUEST",
    "codec": "SESSION_SERIALIZER",
}
# new_id's 64 characters on Django's own: 32 of them, so that 160 of its 192 bits stay
FOLDED = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    b"abcdefghijklmnopqrstuvwxyz012345" * 2,
)


class DjangoSetup(Setup):
    """The rules, store and driver of a Django project."""

    imports_class = DjangoImports


def new_key(facts: object = None) -> str:
    """A new session key: 32 characters of Django's alphabet."""
    return new_id().encode().translate(FOLDED).decode()


def faults_of(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with the names in SESSFAST, each with its fix."""
    faults = []
    for name in given:
        if name in DJANGOS:
            faults.append(f"{name}: Django has a setting for it, {DJANGOS[name]}")
        elif name not in OURS and name != "on_gone":
            known = "means nothing to Django's sessions" if name in OPTION_NAMES else "is no option"
            faults.append(f"{name} {known}: use {', '.join(sorted(OURS))}")
    if given.get("on_gone", ON_GONE[0]) not in ON_GONE:
        faults.append('on_gone must be "interrupt" or "drop"')
    legacy = given.get("legacy", ())
    for name in legacy if isinstance(legacy, list | tuple) else ():
        if isinstance(name, str) and name not in ENGINES:
            faults.append(f"legacy: nobody reads {name!r}: use one of {', '.join(ENGINES)}")
    return faults


def build(clock: Callable[[], float] | None = None, store: Any = None) -> Backend:
    """What the settings ask for. ImproperlyConfigured names every fault and its fix.

    store: one to use instead of that of SESSFAST
    """
    given = getattr(settings, "SESSFAST", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured('SESSFAST must be a dict such as {"store": "redis://…"}')
    try:
        if faults := faults_of(given):
            raise OptionsError(faults)
        setup = DjangoSetup(None, keywords_of(given, store), asynchronous=False, clock=clock)
    except (OptionsError, ImportError) as error:
        raise ImproperlyConfigured(f"SESSFAST: {error}") from error
    return Backend(setup, given.get("on_gone", ON_GONE[0]), CookieWriter())


def keywords_of(given: Mapping[str, Any], store: Any) -> dict[str, Any]:
    """The options that SESSFAST and Django's settings mean."""
    keywords = {name: value for name, value in given.items() if name != "on_gone"}
    if store is not None:
        keywords["store"] = store
    if isinstance(keywords.get("observer"), str):
        keywords["observer"] = import_string(keywords["observer"])
    if isinstance(keywords.get("legacy"), list | tuple):
        keywords["legacy"] = [
            reader_of(each) if isinstance(each, str) else each for each in keywords["legacy"]
        ]
    codec: JSONCodec | SerializerCodec = JSONCodec()
    if settings.SESSION_SERIALIZER != DJANGO_SERIALIZER:
        codec = SerializerCodec(SessionBase().serializer, SALT)
    return {
        "absolute": float("inf"),  # as in Django, an end is the session's own affair
        **keywords,
        "name": settings.SESSION_COOKIE_NAME,
        "cookie": {"max_age": settings.SESSION_COOKIE_AGE},
        "codec": codec,
        "genid": new_key,
        "secret": secrets.token_hex(32),  # the cookie is Django's: it signs nothing
        "strict_secret": False,  # lifetimes are Django's affair too: years, or nothing
    }


_current: Backend | None = None
_store: Any = None  # that of the backend before, where SESSFAST has not changed
_lock = threading.Lock()


def current() -> Backend:
    """The backend of this process, built when it is first asked for."""
    return _current or _built()


def _built() -> Backend:
    global _current  # noqa: PLW0603  one per process, as Django's settings are
    with _lock:
        if _current is None:
            _current = build(store=_store)
        return _current


def forget(*, setting: str, **_: object) -> None:
    """Build anew after a test changed a setting; sessions stay where they are stored."""
    global _current, _store  # noqa: PLW0603
    if setting == "SESSFAST":
        _current = _store = None
    elif setting.startswith(("SESSION_", "SECRET_KEY")):
        backend: Any = _current
        _current, _store = None, _store if backend is None else backend.store


setting_changed.connect(forget)
