"""What sessions hold beyond JSON: Flask's own types, and those that Flask-Session has besides.

Both are Flask's TaggedJSONSerializer, so that an app can register tags of its own.
"""

from __future__ import annotations

import dataclasses
import decimal
import enum
from collections import UserString
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
from flask.json.tag import JSONTag, TaggedJSONSerializer


class TagText(JSONTag):
    """Text that is no str, but answers like one: the lazy strings of translations."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, UserString) or (
            not isinstance(value, str | bytes) and callable(getattr(value, "casefold", None))
        )

    def to_json(self, value: Any) -> Any:
        return str(value)

    def tag(self, value: Any) -> Any:
        return str(value)


class TagMoment(JSONTag):
    """A datetime as it is, with its microseconds and its zone, if it has one."""

    __slots__ = ()
    key = " dt"

    def check(self, value: Any) -> bool:
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> Any:
        return value.isoformat()

    def to_python(self, value: Any) -> Any:
        return datetime.fromisoformat(value)


class TagKeys(JSONTag):
    """A dict with keys that are no str."""

    __slots__ = ()
    key = " k"

    def check(self, value: Any) -> bool:
        return isinstance(value, dict) and not all(isinstance(key, str) for key in value)

    def to_json(self, value: Any) -> Any:
        tag = self.serializer.tag
        return [[tag(key), tag(inner)] for key, inner in value.items()]

    def to_python(self, value: Any) -> Any:
        return {key: inner for key, inner in value}  # noqa: C416  unpacks what has two


class TagBuiltins(JSONTag):
    """What Flask-Session's encoder takes, and gives back as something plainer."""

    __slots__ = ()
    kinds = (decimal.Decimal, enum.Enum, date, time, timedelta, set, frozenset, bytearray)

    def check(self, value: Any) -> bool:
        return isinstance(value, self.kinds) or (
            dataclasses.is_dataclass(value) and not isinstance(value, type)
        )

    def to_json(self, value: Any) -> Any:
        return msgspec.to_builtins(value)

    def tag(self, value: Any) -> Any:
        return self.serializer.tag(self.to_json(value))


def flask_serializer() -> TaggedJSONSerializer:
    """What Flask's own cookie holds, and lazy strings as text."""
    serializer = TaggedJSONSerializer()
    serializer.register(TagText)
    return serializer


def flask_session_serializer() -> TaggedJSONSerializer:
    """What Flask-Session's records hold besides: exact datetimes, keys of any type, sets."""
    serializer = flask_serializer()
    for index, kind in enumerate((TagKeys, TagMoment)):
        serializer.register(kind, index=index)
    serializer.register(TagBuiltins)
    return serializer
