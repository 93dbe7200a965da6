"""The envelope of a native record: versioned JSON, bound to its store key, the data last.

    {"v":1,"k":"<last 8 characters of the key>","c":<created>,"e":<absolute end or null>,
     "m":<the session's own max_age, null, or absent>,"d":{…}}

Times are epoch seconds to the millisecond, spans seconds. The order of the fields is fixed for
who writes, free for who reads.
The specification of `envelope_cy`, which goes by the bytes where a record is as we write it, and
by this file where it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

REVISION = 1

VERSION: Final = 1
TAG = slice(-8, None)  # of the key: 48 random bits
SHORTEST: Final = len('{"v":1,"k":"","c":0,"e":0,"d":}')  # envelope that can be read
LAST_SECOND = 8.64e12  # the end of time in JavaScript, beyond any that Python can show

Made = TypeVar("Made")
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


def wrap(
    key: str, text: bytes, created: float, end: float | None, cookie: Mapping[str, Any]
) -> bytes:
    """The record of the data `text`, a JSON object, for `key`.

    created, end: epoch seconds, rounded to milliseconds here
    cookie: may hold `max_age`, the only attribute that is kept; None and False both mean a
            cookie that dies with the browser
    """
    span: float | None | UnsetType = UNSET
    if "max_age" in cookie:
        max_age = cookie["max_age"]
        span = None if max_age is None or max_age is False else round(max_age * 1000) / 1000
    return _encode(
        _Written(
            VERSION,
            key[TAG],
            round(created * 1000) / 1000,
            None if end is None else round(end * 1000) / 1000,
            span,
            msgspec.Raw(text),
        )
    )


def unwrap(
    key: str, blob: bytes, make: Callable[[float, float | None, dict[str, Any]], Made]
) -> tuple[dict[str, Any], Made]:
    """The data of a record for `key`, and make(created, end, cookie).

    Raises msgspec.MsgspecError, ValueError or RecursionError for all other bytes. The tag
    catches a client library that hands out another key's reply.
    """
    record = _decode(blob)
    if record.k != key[TAG]:
        raise ValueError("the record belongs to another key")
    cookie = {} if record.m is UNSET else {"max_age": record.m}
    return record.d, make(record.c, record.e, cookie)


def wraps(blob: bytes, text: bytes) -> bool:
    """Whether the data in `blob`, a record that can be read, has exactly the bytes `text`.

    The suffix can't be met anywhere else. Its first quote either opens a name or is an
    escaped one within a name, so that behind `"d":` a reader of `blob` is at a value, as
    a reader of `text` is at its start. From there `text` is one balanced object, and one
    brace is left to close: the record's own. So the name stands in the envelope, where
    only `d` ends in d. (Of two, the last counts, for the decoder too.)
    """
    return blob.endswith(b'"d":' + text + b"}")
