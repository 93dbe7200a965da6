"""The native record: our envelope around data that comes back exactly as it was."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any, Final

import msgspec

from sessfast.errors import DecodeError, EncodeError
from sessfast.hotpath import SHORTEST_ENVELOPE, plain_writer, take_over, unwrap, wrap, wraps

from .meta import Meta, meta_of
from .storable import (
    MAX_DEPTH,
    MAX_KEYS,
    SHORTEST_EXCESS,
    Path,
    is_within_limits,
    may_exceed_limits,
    normalised,
    path_text,
    refusal,
)

# the shortest data that exceeds a limit, in the shortest envelope
SHORTEST_SUSPECT: Final = SHORTEST_EXCESS + SHORTEST_ENVELOPE - len("{}")
LOWEST_INT = -(2**63)
HIGHEST_INT = 2**64 - 1  # other JSON readers take what is beyond for a float
TOMBSTONE_START = b'{"v":1,"k":'  # as an envelope, but behind its tag
TOMBSTONE_END = b',"gone":true}'  # a record ends with two braces

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

_encode = msgspec.json.Encoder().encode
_writer = plain_writer(LOWEST_INT, HIGHEST_INT, 0.0, inf, True, MAX_DEPTH, MAX_KEYS)


class NativeCodec:
    """Records of our own; cookie attributes but `max_age` come from today's options."""

    keeps_cookie = False

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The data's bytes. EncodeError for whatever would not come back as it was.

        Kept: str, bool, None, finite floats (an integral one stays a float), ints of 64 bits,
        and dicts and lists of these. A tuple comes back as a list, a subclass of dict or list
        as a dict or list.
        """
        plain = data if isinstance(data, dict) else dict(data)
        try:
            text = _writer.write(plain)
        except UnicodeEncodeError:
            normalised(plain, _leaf)  # raises, with the path
            raise
        return text or _encode(normalised(plain, _leaf))

    def encode(self, key: str, data: Mapping[str, Any], text: bytes, meta: Meta) -> bytes:
        """The record for `key`; `text` is dumps(data). Times are rounded to milliseconds."""
        return wrap(key, text, meta.created, meta.expires, meta.cookie)

    def decode(self, key: str, blob: bytes) -> tuple[dict[str, Any], Meta]:
        """The data and the rest. DecodeError unless it is a record of ours for this key."""
        try:
            found = unwrap(key, blob, meta_of)
        except UNREADABLE as error:
            raise DecodeError(f"not a native record: {error}") from error
        is_suspect = len(blob) >= SHORTEST_SUSPECT and may_exceed_limits(blob)
        if is_suspect and not is_within_limits(found[0]):
            raise DecodeError("the record nests too deep or has too many keys")
        return found

    def same(self, blob: bytes, text: bytes) -> bool:
        """Whether the data in `blob`, a record that decodes, has exactly the bytes `text`."""
        return wraps(blob, text)

    def tombstone(self, key: str) -> bytes | None:
        """The marker that the id of `key` was rotated away."""
        return TOMBSTONE_START + _encode(key[-8:]) + TOMBSTONE_END

    def is_tombstone(self, blob: bytes) -> bool:
        """Whether `blob` is such a marker."""
        return blob.endswith(TOMBSTONE_END)


def _leaf(value: Any, path: Path) -> Any:
    """`value` if the native record keeps it, else EncodeError."""
    kind = type(value)
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            reason = "half a surrogate pair is no text: store what UTF-8 can encode"
            raise EncodeError(path_text(path), reason) from None
    elif kind is int:
        if not LOWEST_INT <= value <= HIGHEST_INT:
            raise EncodeError(path_text(path), "an int of more than 64 bits: store str(value)")
    elif kind is float:
        if not isfinite(value):
            raise EncodeError(path_text(path), f"{value} has no place in JSON: store None")
    elif kind is not bool and value is not None:
        raise refusal(value, path)
    return value


take_over(globals())
