"""A dict whose content can be reached past whatever a subclass makes of the usual methods.

Written twice, for it is all calls into CPython's dict: compiled/rawdict.pyx is the other one.
"""

from __future__ import annotations

from typing import Any


class RawDict(dict[str, Any]):
    """A dict with a second set of methods that no subclass overrides."""

    __slots__ = ()

    _put = dict.__setitem__
    _at = dict.__getitem__
    _find = dict.get
    _size = dict.__len__
    _empty = dict.clear

    def _refill(self, data: dict[str, Any]) -> None:
        """Replace all content by that of `data`."""
        dict.clear(self)
        dict.update(self, data)


def found(place: Any, key: str) -> Any:
    """`place.get(key)`, of an environ, scope or message."""
    return place.get(key)
