"""What session data may hold, and the words for what it may not.

msgspec would store a datetime, a set, a Decimal or an int key as something else without a
word, so only what a `plain_writer` takes goes to it as it is; `normalised` copies what is
acceptable in another form, and names what is not, with its path and a fix.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sessfast.errors import EncodeError
from sessfast.hotpath import take_over

MAX_DEPTH = 64  # containers within each other, the session itself being the first
MAX_KEYS = 10_000  # in all; a list within a list counts as one
SHORTEST_EXCESS = 2 * MAX_DEPTH  # octets; one level too many takes that many brackets
LONGEST_PATH = 80

Path = tuple[Any, Any] | None  # (path of the container, key or index); None is the session
Leaf = Callable[[Any, Path], Any]

ADVICE: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (enum.Enum, "store value.value or value.name"),
    (datetime.datetime, "store value.isoformat() or value.timestamp()"),
    ((datetime.date, datetime.time), "store value.isoformat()"),
    (datetime.timedelta, "store value.total_seconds()"),
    (
        (bytes, bytearray, memoryview),
        "store base64.b64encode(value).decode(), or value.decode() where it is text",
    ),
    ((set, frozenset), "store sorted(value)"),
    ((decimal.Decimal, uuid.UUID, pathlib.PurePath), "store str(value)"),
    (tuple, "store list(value), or value._asdict() where its names matter"),
    (str, "only a str itself comes back as it was: store str.__str__(value)"),
    (int, "only an int itself comes back as it was: store int(value)"),
    (float, "only a float itself comes back as it was: store float(value)"),
    (Mapping, "store dict(value)"),
)


def normalised(data: dict[Any, Any], leaf: Leaf, path: Path = None) -> dict[str, Any]:
    """A copy of `data` in dicts with str keys, lists, and what `leaf` makes of other values.

    dict and list subclasses and tuples are taken as what they hold, str subclasses as keys
    too (they are found again under the same key).
    leaf: (value, path) -> value to store, a dict perhaps; raises `refusal`. It is asked about
          keys as well.
    Raises EncodeError.
    """
    return _Copy(leaf).mapping(data, path, 1)


class _Copy:
    """One walk through session data: counts its keys and remembers where it is."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self.count = 0

    def enter(self, path: Path, depth: int, count: int) -> None:
        if depth > MAX_DEPTH:
            raise EncodeError(
                path_text(path),
                f"more than {MAX_DEPTH} levels deep, or it contains itself: store it flatter",
            )
        self.count += count
        if self.count > MAX_KEYS:
            raise EncodeError(
                path_text(path), f"more than {MAX_KEYS} keys in all: store less, or elsewhere"
            )

    def mapping(self, data: dict[Any, Any], path: Path, depth: int) -> dict[str, Any]:
        self.enter(path, depth, dict.__len__(data))
        result = {}
        for key, value in dict.items(data):
            if not isinstance(key, str):
                raise EncodeError(path_text(path), key_reason(key))
            key = self.leaf(str.__str__(key), (path, key))
            result[key] = self.value(value, (path, key), depth + 1)
        return result

    def value(self, value: Any, path: Path, depth: int) -> Any:
        if isinstance(value, dict):
            return self.mapping(value, path, depth)
        if isinstance(value, list) or type(value) is tuple:
            self.enter(path, depth, 1)
            elements = list.__iter__(value) if isinstance(value, list) else value
            return [self.value(v, (path, i), depth + 1) for i, v in enumerate(elements)]
        made = self.leaf(value, path)
        return self.mapping(made, path, depth) if type(made) is dict else made


def is_within_limits(data: dict[str, Any]) -> bool:
    """Whether decoded JSON keeps to MAX_DEPTH and MAX_KEYS, so that it can be stored again."""
    level: list[Any] = [data]
    count = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for box in level:
            if type(box) is dict:
                count += len(box)
                values: Any = box.values()
            else:
                count += 1
                values = box
            for value in values:
                if type(value) is dict or type(value) is list:
                    below.append(value)
        if count > MAX_KEYS:
            return False
        if not below:
            return True
        level = below
    return False


def may_exceed_limits(blob: bytes) -> bool:
    """Whether `is_within_limits` must be asked about what this JSON holds.

    Cheap; and pointless where `blob` is shorter than SHORTEST_EXCESS.
    """
    return len(blob) > 2 * MAX_KEYS or blob.count(b"{") + blob.count(b"[") >= MAX_DEPTH


def refusal(value: Any, path: Path) -> EncodeError:
    """The error for a value that can't be stored, with what to store instead."""
    name = type(value).__name__
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return EncodeError(path_text(path), f"{article} {name} can't be stored: {advice(value)}")


def advice(value: Any) -> str:
    """What to store instead of `value`."""
    if type(value).__module__.partition(".")[0] == "numpy":
        return "store value.item() or value.tolist()"
    for kinds, text in ADVICE:
        if isinstance(value, kinds):
            return text
    if dataclasses.is_dataclass(value):
        return "store dataclasses.asdict(value)"
    return "store plain data: str, int, float, bool, None, list, dict"


def key_reason(key: Any) -> str:
    """Why `key` can't be a key."""
    if isinstance(key, int | float):
        return f"the key {key!r} is no str, and would come back as one: use str(key)"
    return f"a key of type {type(key).__name__} is no str: use text as keys"


def path_text(path: Path) -> str:
    """`path` as one would write it: `cart[2].price`, `cart['unit price']`."""
    steps = []
    while path is not None:
        path, step = path
        if isinstance(step, str):
            name = str.__str__(step)
            steps.append(f".{name}" if name.isidentifier() else f"[{name!r}]")
        else:
            steps.append(f"[{step}]")
    text = "".join(reversed(steps)).removeprefix(".")
    return text if len(text) <= LONGEST_PATH else text[:LONGEST_PATH] + "…"


take_over(globals())
