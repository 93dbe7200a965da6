"""How what JSON lacks is kept in our records, where an app was written for Flask's cookie.

As Flask keeps it: its tagged JSON is the data of a native record. Plain data has no tags, so
that most records are those that every other front writes and reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, Protocol

import msgspec

from sessfast.errors import DecodeError, EncodeError
from sessfast.hotpath import plain_writer
from sessfast.legacy.flask import untagged
from sessfast.meta import Meta
from sessfast.native_record import HIGHEST_INT, LOWEST_INT, NativeCodec
from sessfast.storable import MAX_DEPTH, MAX_KEYS

MAY_BE_TAGGED = b'{" '  # every tag begins with a space

_write = plain_writer(LOWEST_INT, HIGHEST_INT, 0.0, inf, True, MAX_DEPTH, MAX_KEYS).write
_decode = msgspec.json.Decoder().decode


class Serializer(Protocol):
    """What is used of Flask's TaggedJSONSerializer."""

    def dumps(self, value: Any) -> str:
        """Tagged JSON."""

    def untag(self, value: dict[str, Any]) -> Any:
        """What a dict of one key stands for."""


class TaggedCodec(NativeCodec):
    """Native records whose data is the tagged JSON of a Flask serializer."""

    def __init__(self, serializer: Serializer) -> None:
        self.serializer = serializer

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The data's bytes. EncodeError for what neither JSON nor a tag can hold."""
        plain: Any = data
        try:
            text = _write(plain)
        except UnicodeEncodeError:  # half a surrogate pair: the error that says where
            return super().dumps(plain)
        if text is None or MAY_BE_TAGGED in text:
            return self._tagged(plain)
        # a tuple is written as a list, and comes back as one; faster than a search for tuples
        if b"[" in text and not dict.__eq__(plain, _decode(text)):
            return self._tagged(plain)
        return text

    def _tagged(self, data: dict[str, Any]) -> bytes:
        """The bytes of data that has tags, or may have."""
        try:
            tagged = _decode(self.serializer.dumps(dict(dict.items(data))))
        except EncodeError:
            raise
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise EncodeError("", f"{error}: store what Flask's own cookie can hold") from error
        # once more, for the limits of a record and its own form
        return super().dumps(tagged)

    def decode(self, key: str, blob: bytes) -> tuple[dict[str, Any], Meta]:
        """The data and the rest. DecodeError unless it is a record of ours for this key."""
        found = NativeCodec.decode(self, key, blob)  # half the time of super()
        if MAY_BE_TAGGED not in blob:
            return found
        try:
            data = untagged(found[0], self.serializer.untag)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise DecodeError("a tag's value is not of its form") from error
        if type(data) is not dict:
            raise DecodeError("the record holds no dict")
        return data, found[1]
