"""What the URL of an embedded store says: a path, and options with their types."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sessfast.errors import OptionsError


def path_of(url: str) -> str:
    """The path in `scheme:///relative` or `scheme:////absolute`. OptionsError without one."""
    parts = urlsplit(url)
    if parts.netloc or len(parts.path) < 2:
        form = f"{parts.scheme}:////absolute/path, or {parts.scheme}:///relative/path"
        raise OptionsError([f"store: write {form}"])
    return unquote(parts.path[1:])


def file_options(
    url: str, kinds: Mapping[str, Callable[[str], Any]], keywords: dict[str, Any]
) -> dict[str, Any]:
    """The options in the query of `url`, with keywords over them.

    kinds: what makes a value of each option's text, or raises ValueError that says what it must be
    OptionsError for all that don't exist or don't fit.
    """
    scheme = urlsplit(url).scheme
    faults, found = [], {}
    for name, text in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name not in kinds:
            faults.append(f"store: {scheme}:// has no option {name!r}: {known(kinds)}")
            continue
        try:
            found[name] = kinds[name](text)
        except ValueError as error:
            faults.append(f"store: {name} must be {error}")
    for name in keywords:
        if name not in kinds and name != "clock":
            faults.append(f"store: {scheme}:// has no option {name!r}: {known(kinds)}")
    if faults:
        raise OptionsError(faults)
    return {**found, **keywords}


def known(names: Iterable[str]) -> str:
    """The names for an error's text."""
    return f"it has {', '.join(sorted(names))}"


def unknown_layout(scheme: str, layout: str | None, layouts: Iterable[str | None]) -> OptionsError:
    """The error for a layout that the store doesn't have."""
    names = [repr(name) for name in layouts if name]
    has = f"use {' or '.join(names)}, or none" if names else "it has its own alone"
    return OptionsError([f"store: {scheme}:// has no layout {layout!r}: {has}"])


def whole(text: str) -> int:
    """A positive whole number."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ValueError("a positive whole number")
    return int(text)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (number > 0 and math.isfinite(number)):
        raise ValueError("a positive number of seconds")
    return number


def boolean(text: str) -> bool:
    """True or False."""
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError("true or false")
    return text.lower() in {"true", "1"}
