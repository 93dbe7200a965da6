"""Plain data as JSON: what comes back from a decoder as it was given to the encoder.

The specification of `plain_cy`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any

import msgspec

REVISION = 1

_ATOMS = frozenset({str, bool, type(None)})

_encode = msgspec.json.Encoder().encode


def plain_writer(
    lowest: int,
    highest: int,
    smallest: float,
    beyond: float,
    integral: bool,
    max_depth: int,
    max_keys: int,
) -> PlainWriter:
    """A writer of what one format takes for plain.

    lowest, highest:  of ints, within 64 bits (signed and unsigned)
    smallest, beyond: of floats: smallest <= abs(value) < beyond, so NaN never fits
    integral:         whether floats without a fraction are plain
    max_depth:        containers within each other, the data itself being the first
    max_keys:         in all; a list, a tuple or an empty dict within counts as one
    OverflowError: a bound beyond 64 bits.
    """
    if not -(2**63) <= lowest < 2**63 or not 0 <= highest < 2**64:
        raise OverflowError("a bound beyond 64 bits")
    made = PlainWriter()
    made._lowest, made._highest = lowest, highest
    made._smallest, made._beyond, made._integral = smallest, beyond, integral
    made._max_depth, made._max_keys = max_depth, max_keys
    return made


class PlainWriter:
    """Writes plain data; made by `plain_writer`."""

    _lowest: int
    _highest: int
    _smallest: float
    _beyond: float
    _integral: bool
    _max_depth: int
    _max_keys: int

    def write(self, data: dict[Any, Any]) -> bytes | None:
        """The JSON of `data`, a dict or a subclass, as msgspec writes it; None: it isn't plain.

        Plain: str keys, and values of exactly str, bool, None, int and float as above, dict,
        list, tuple. None of a subclass's own methods is called.
        UnicodeEncodeError: half a surrogate pair.
        """
        boxes: list[Any] = []
        if not self._scan(dict.items(data), boxes):
            return None
        count = dict.__len__(data)
        if count > self._max_keys or (boxes and not self._are_plain(boxes, count)):
            return None
        return _encode(data)

    def _are_plain(self, boxes: list[Any], count: int) -> bool:
        """Whether these containers are plain, `count` keys having been met above them."""
        depth = 1
        # Level by level, so that data which contains itself ends at a limit.
        while boxes:
            depth += 1
            if depth > self._max_depth:
                return False
            below: list[Any] = []
            for box in boxes:
                if type(box) is dict:
                    count += len(box) or 1
                    items: Iterable[tuple[Any, Any]] = box.items()
                else:
                    count += 1
                    items = () if _ATOMS.issuperset(map(type, box)) else zip(repeat(""), box)
                if count + len(below) > self._max_keys or not self._scan(items, below):
                    return False
            boxes = below
        return True

    # One loop over the items beats set(map(type, values)) up to 30 keys, and sees the numbers too.
    def _scan(self, items: Iterable[tuple[Any, Any]], below: list[Any]) -> bool:
        """Whether these are plain but for the containers among them, which go to `below`."""
        for key, value in items:
            if type(key) is not str:
                return False
            kind = type(value)
            if kind is str:
                continue
            if kind is int:
                if self._lowest <= value <= self._highest:
                    continue
            elif kind is float:
                if self._smallest <= abs(value) < self._beyond and (
                    self._integral or not value.is_integer()
                ):
                    continue
            elif kind is dict or kind is list or kind is tuple:
                below.append(value)
                continue
            elif kind is bool or value is None:
                continue
            return False
        return True
