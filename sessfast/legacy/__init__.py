"""Who can read the sessions of those that we replace, by the names that the option `legacy` takes.

One format, one reader, one decode path: nothing is guessed, and nothing is ever unpickled.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from sessfast.errors import OptionsError

# name -> "module:function" of `function(secrets)`, secrets being the octets of the option, the
# signing one first. A reader of records must know where they are: it is passed as an object.
NAMES: dict[str, str] = {
    "beaker": "sessfast.legacy.beaker:reader",
    "flask": "sessfast.legacy.flask:reader",
    "starlette": "sessfast.legacy.starlette:reader",
    "starsessions": "sessfast.legacy.starsessions:reader",
}
OBJECTS: dict[str, str] = {  # name -> what to pass instead
    "flask-session": "sessfast.legacy.flask_session.FlaskSessionRecords(client)",
}


def readers_of(legacy: Sequence[Any], secrets: tuple[bytes, ...]) -> list[Any]:
    """The readers that the option `legacy` means. OptionsError for names that don't exist."""
    faults = []
    readers = []
    for item in legacy:
        if not isinstance(item, str):
            readers.append(item)
        elif item in NAMES:
            module, _, function = NAMES[item].partition(":")
            readers.append(getattr(importlib.import_module(module), function)(secrets))
        elif item in OBJECTS:
            faults.append(f"legacy: {item!r} must know where its records are: {OBJECTS[item]}")
        else:
            known = ", ".join(sorted({*NAMES, *OBJECTS}))
            faults.append(f"legacy: nobody reads {item!r}: use one of {known}")
    if faults:
        raise OptionsError(faults)
    return readers
