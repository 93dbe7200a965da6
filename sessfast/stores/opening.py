"""From what people pass as `store` to an object with the five verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sessfast.drivers import VERBS
from sessfast.errors import OptionsError
from sessfast.stores.adapter import adapt
from sessfast.stores.memory import MemoryStore

MEMORY_OPTIONS = ("max_entries", "max_bytes")


def open_store(url: str, **options: Any) -> Any:
    """The store that a URL names, e.g. `memory://?max_entries=10000`.

    Options come from the query and from keywords; keywords win. OptionsError for a scheme
    or an option that does not exist. The URL is never quoted: it may hold a password.
    """
    parts = urlsplit(url)
    if not parts.scheme:
        raise OptionsError(["store: a str must be a URL such as memory://"])
    if parts.scheme != "memory":
        raise OptionsError([f"store: no store is known as {parts.scheme!r}: use memory://"])
    found: dict[str, Any] = dict(parse_qsl(parts.query))
    faults = []
    for name, value in found.items():
        if name not in MEMORY_OPTIONS:
            faults.append(f"store: memory:// has no option {name!r}")
        elif not value.isdecimal() or int(value) < 1:
            faults.append(f"store: {name} must be a positive whole number")
    if faults:
        raise OptionsError(faults)
    return MemoryStore(**{**{name: int(value) for name, value in found.items()}, **options})


def resolve(store: Any, clock: Callable[[], float]) -> Any:
    """The store object of an option's value: itself, opened by URL, adapted, or a new MemoryStore.

    clock: for the stores that are built here
    """
    if store is None:
        return MemoryStore(clock=clock)
    if isinstance(store, str):
        return open_store(store, clock=clock)
    if isinstance(store, type):
        raise OptionsError([f"store is the class {store.__name__}: pass an object of it"])
    missing = [verb for verb in VERBS if not callable(getattr(store, verb, None))]
    if not missing:
        return store
    if callable(getattr(store, "create", None)):  # ours, not one of express's contract
        raise OptionsError(
            [f"store has no {verb}(): docs/writing-a-store.md has the contract" for verb in missing]
        )
    return adapt(store, clock)
