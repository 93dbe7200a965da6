"""The native record: a versioned JSON envelope, bound to its store key, data last.

    {"v":1,"k":"<last 8 characters of the key>","c":<created>,"e":<absolute end or null>,
     "m":<the session's own max_age, null, or absent>,"d":{…}}

Times are epoch seconds to the millisecond, spans seconds. The order of the fields is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from sessfast.errors import DecodeError, EncodeError
from sessfast.records import Meta
from sessfast.storable import (
    SHORTEST_EXCESS,
    Path,
    is_within_limits,
    may_exceed_limits,
    normalised,
    path_text,
    plain_checker,
    refusal,
)

VERSION: Final = 1
TAG = slice(-8, None)  # of the key: 48 random bits
# the shortest data that exceeds a limit, in the shortest envelope that decodes
SHORTEST_SUSPECT = SHORTEST_EXCESS + len('{"v":1,"k":"","c":0,"e":0,"d":}')
LOWEST_INT = -(2**63)
HIGHEST_INT = 2**64 - 1  # other JSON readers take what is beyond for a float
LAST_SECOND = 8.64e12  # the end of time in JavaScript, beyond any that Python can show
TOMBSTONE_END = b',"gone":true}'  # a record ends with two braces

Seconds = Annotated[float, msgspec.Meta(ge=-LAST_SECOND, le=LAST_SECOND)]


class _Written(msgspec.Struct, gc=False):
    """A record on its way out; `d` is encoded already."""

    v: int
    k: str
    c: float
    e: float | None
    m: float | None | UnsetType
    d: msgspec.Raw


class _Read(msgspec.Struct, gc=False, forbid_unknown_fields=True, kw_only=True):
    """A record on its way in."""

    v: Literal[1]
    k: str
    c: Seconds
    e: Seconds | None
    m: Seconds | None | UnsetType = UNSET
    d: dict[str, Any]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Read).decode
_is_plain = plain_checker(LOWEST_INT, HIGHEST_INT, isfinite)


class NativeCodec:
    """Records of our own; cookie attributes but `max_age` come from today's options."""

    keeps_cookie: bool = False

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The data's bytes. EncodeError for whatever would not come back as it was.

        Kept: str, bool, None, finite floats (an integral one stays a float), ints of 64 bits,
        and dicts and lists of these. A tuple comes back as a list, a subclass of dict or list
        as a dict or list.
        """
        plain = data if isinstance(data, dict) else dict(data)
        if not _is_plain(plain):
            plain = normalised(plain, _leaf)
        try:
            return _encode(plain)
        except UnicodeEncodeError:
            normalised(plain, _leaf)  # raises, with the path
            raise

    def encode(self, key: str, data: Mapping[str, Any], text: bytes, meta: Meta) -> bytes:
        """The record for `key`; `text` is dumps(data). Times are rounded to milliseconds."""
        created, end, cookie = meta.created, meta.expires, meta.cookie
        return _encode(
            _Written(
                VERSION,
                key[TAG],
                round(created * 1000) / 1000,
                None if end is None else round(end * 1000) / 1000,
                _span(cookie["max_age"]) if "max_age" in cookie else UNSET,
                msgspec.Raw(text),
            )
        )

    def decode(self, key: str, blob: bytes) -> tuple[dict[str, Any], Meta]:
        """The data and the rest. DecodeError unless it is a record of ours for this key.

        The tag catches a client library that hands out another key's reply.
        """
        try:
            record = _decode(blob)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise DecodeError(f"not a native record: {error}") from error
        if record.k != key[TAG]:
            raise DecodeError("the record belongs to another key")
        data = record.d
        is_suspect = len(blob) >= SHORTEST_SUSPECT and may_exceed_limits(blob)
        if is_suspect and not is_within_limits(data):
            raise DecodeError("the record nests too deep or has too many keys")
        cookie = {} if record.m is UNSET else {"max_age": record.m}
        return data, Meta(record.c, record.e, cookie)

    def same(self, blob: bytes, text: bytes) -> bool:
        """Whether the data in `blob`, a record that decodes, has exactly the bytes `text`.

        The suffix can't be met anywhere else. Its first quote either opens a name or is an
        escaped one within a name, so that behind `"d":` a reader of `blob` is at a value, as
        a reader of `text` is at its start. From there `text` is one balanced object, and one
        brace is left to close: the record's own. So the name stands in the envelope, where
        only `d` ends in d. (Of two, the last counts, for the decoder too.)
        """
        return blob.endswith(b'"d":' + text + b"}")

    def tombstone(self, key: str) -> bytes | None:
        """The marker that the id of `key` was rotated away."""
        return b'{"v":1,"k":' + _encode(key[TAG]) + TOMBSTONE_END

    def is_tombstone(self, blob: bytes) -> bool:
        """Whether `blob` is such a marker."""
        return blob.endswith(TOMBSTONE_END)


def _span(max_age: Any) -> float | None:
    """A max_age as stored; None and False both mean a cookie that dies with the browser."""
    return None if max_age is None or max_age is False else round(max_age * 1000) / 1000


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
