"""From what people pass as `store` to an object with the five verbs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from sessfast.drivers import VERBS
from sessfast.errors import OptionsError
from sessfast.stores.adapter import adapt
from sessfast.stores.clients import missing
from sessfast.stores.location import file_options, unknown_layout, whole
from sessfast.stores.memory import MemoryStore


class Opener(NamedTuple):
    """Who opens the URLs of a scheme, imported when one is opened.

    place:    "module:function" of `function(url, layout, **options)`
    extra:    what `pip install "sessfast[extra]"` must have brought, "" for nothing
    has_twin: whether the function takes `asynchronous=True`, for the store that is awaited
    """

    place: str
    extra: str = ""
    has_twin: bool = False


_REDIS = Opener("sessfast.stores.redis:open_redis", "redis", has_twin=True)
_POSTGRES = Opener("sessfast.stores.postgres:open_postgres", "postgres", has_twin=True)

OPENERS = {
    "memory": Opener("sessfast.stores.opening:open_memory"),
    "sqlite": Opener("sessfast.stores.sqlite:open_sqlite"),
    "lmdb": Opener("sessfast.stores.lmdb:open_lmdb", "lmdb"),
    "file": Opener("sessfast.stores.file:open_file"),
    "redis": _REDIS,
    "rediss": _REDIS,
    "valkey": _REDIS,
    "valkeys": _REDIS,
    "unix": _REDIS,
    "redis+sentinel": _REDIS,
    "rediss+sentinel": _REDIS,
    "redis+cluster": _REDIS,
    "rediss+cluster": _REDIS,
    "memcached": Opener("sessfast.stores.memcached:open_memcached", "memcached", has_twin=True),
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
}


def open_store(
    url: str, layout: str | None = None, *, asynchronous: bool = False, **options: Any
) -> Any:
    """The store that a URL names, e.g. `sqlite:////var/lib/app/sessions.db?timeout=2`.

    layout:       whose records it shares, e.g. "connect-sqlite3"; also `?layout=` in the query
    asynchronous: the twin that is awaited, of a store that has one: for ASGI. The others work
                  under WSGI and ASGI alike
    options:      those of the store, over those in the query
    OptionsError for what doesn't exist or isn't installed. The URL is never quoted: it may hold
    a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise OptionsError(["store: this is no valid URL"]) from error
    if not parts.scheme:
        raise OptionsError(["store: a str must be a URL such as memory://"])
    opener = OPENERS.get(parts.scheme)
    if opener is None:
        known = ", ".join(f"{scheme}://" for scheme in OPENERS)
        raise OptionsError([f"store: no store is known as {parts.scheme!r}: use one of {known}"])
    url, named = without_layout(url)
    if opener.has_twin:
        options["asynchronous"] = asynchronous
    module, _, function = opener.place.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(url, layout or named, **options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not opener.extra or package in {"", "sessfast"}:
            raise
        raise missing(package, opener.extra) from error


def without_layout(url: str) -> tuple[str, str | None]:
    """The URL without `layout=` in its query, which may hold other things than our options."""
    place, mark, query = url.partition("?")
    pairs = [pair for pair in query.split("&") if not pair.startswith("layout=")]
    named = dict(parse_qsl(query)).get("layout")
    return place + mark + "&".join(pairs) if pairs else place, named


def open_memory(url: str, layout: str | None = None, **options: Any) -> MemoryStore:
    """The store of `memory://`; options from the query, keywords over them."""
    if layout is not None:
        raise unknown_layout("memory", layout, ())
    return MemoryStore(
        **file_options(url, dict.fromkeys(("max_entries", "max_bytes"), whole), options)
    )


def resolve(store: Any, clock: Callable[[], float], asynchronous: bool = False) -> Any:
    """The store object of an option's value: itself, opened by URL, adapted, or a new MemoryStore.

    clock:        for the stores that are built here
    asynchronous: whether the front can await: it gets the twin that is awaited, if there is one
    """
    if store is None:
        return MemoryStore(clock=clock)
    if isinstance(store, str):
        return open_store(store, asynchronous=asynchronous, clock=clock)
    if isinstance(store, type):
        raise OptionsError([f"store is the class {store.__name__}: pass an object of it"])
    missing_verbs = [verb for verb in VERBS if not callable(getattr(store, verb, None))]
    if not missing_verbs:
        return store
    if callable(getattr(store, "create", None)):  # ours, not one of express's contract
        how = "docs/writing-a-store.md has the contract"
        raise OptionsError([f"store has no {verb}(): {how}" for verb in missing_verbs])
    return adapt(store, clock)
