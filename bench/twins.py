"""Both twins of every hot path, side by side in one process, and the versions of all peers."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

PLACES = {
    "find": "cookies",
    "serialize": "cookies",
    "Keyring": "signing",
    "cpu_path": "signing",
    "new_id": "ids",
    "TTLTable": "ttltable",
}
PEERS = ("starlette", "werkzeug", "itsdangerous", "cachetools", "msgspec")


def load(suffix: str) -> Any:
    """The hot paths of one twin by name, or None where it was not built."""
    try:
        found = {
            name: getattr(importlib.import_module(f"sessfast.hotpath.{module}_{suffix}"), name)
            for name, module in PLACES.items()
        }
    except ImportError:
        return None
    return SimpleNamespace(**found)


TWINS: dict[str, Any] = {
    name: twin
    for name, twin in (("compiled", load("cy")), ("pure", load("py")))
    if twin is not None
}


def versions() -> dict[str, str]:
    """What was measured: our backend and the versions of those we compare with."""
    import sessfast  # here, so that this file can be read without the whole library

    found = {"sessfast": sessfast.__version__, "backend": sessfast.BACKEND}
    if sessfast.BACKEND in TWINS:
        found["sha256"] = TWINS[sessfast.BACKEND].cpu_path()
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
