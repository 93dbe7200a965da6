"""express-session's record: JSON.stringify of the session, its `cookie` among the data.

    {"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.123Z",
     "httpOnly":true,"path":"/"},"user":"bob"}

Milliseconds and JavaScript's names exist only here; elsewhere it is seconds and Python's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, NoReturn

import msgspec

from sessfast.errors import DecodeError, EncodeError
from sessfast.express_text import LAST_MS, is_index, iso_ms, iso_text, ordered, stringify
from sessfast.meta import Meta
from sessfast.storable import SHORTEST_EXCESS, is_within_limits, may_exceed_limits, path_text

# What Node's session object drops on load: its own methods, and the names every object has.
DROPPED = frozenset(
    {"id", "req", "save", "touch", "resetMaxAge", "reload", "destroy", "regenerate"}
    | {"constructor", "toString", "valueOf", "toLocaleString", "hasOwnProperty"}
    | {"isPrototypeOf", "propertyIsEnumerable", "__proto__", "__defineGetter__"}
    | {"__defineSetter__", "__lookupGetter__", "__lookupSetter__"}
)
RESERVED = DROPPED | {"cookie"}

SCRIPT_NAMES = {  # Python's name: JavaScript's; in the order in which express writes them
    "original_max_age": "originalMaxAge",
    "partitioned": "partitioned",
    "priority": "priority",
    "expires": "expires",
    "secure": "secure",
    "http_only": "httpOnly",
    "domain": "domain",
    "path": "path",
    "same_site": "sameSite",
}
NAMES = {script_name: name for name, script_name in SCRIPT_NAMES.items()}
FLAGS = frozenset({"partitioned", "secure", "http_only"})

NATIVE_START = b'{"v":1,"k":'
# one flat object without escapes, so that its last brace is its own
COOKIE_FIRST = re.compile(rb'\{"cookie":\{(?:[^"{}\\]++|"[^"\\]*+")*+\}')

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ExpressCodec:
    """Records that Node reads and writes, byte for byte; the stored cookie wins."""

    keeps_cookie: bool = True

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """JSON.stringify of the data without its cookie; see `stringify` for what it takes.

        EncodeError also for names that Node's session object would drop on load.
        """
        plain = data if isinstance(data, dict) else dict(data)
        if not RESERVED.isdisjoint(dict.keys(plain)):
            name = next(filter(RESERVED.__contains__, dict.keys(plain)))
            reason = "express-session keeps this name for itself: use another one"
            raise EncodeError(path_text((None, name)), reason)
        return stringify(plain)

    def encode(self, key: str, data: Mapping[str, Any], text: bytes, meta: Meta) -> bytes:
        """The record; `text` is dumps(data). The cookie stands where it stood on load.

        Attributes absent from `meta.cookie` are absent from the record.
        """
        cookie = b'"cookie":' + cookie_text(meta.cookie)
        if meta.cookie_index == 0 and not b"0" <= text[2:3] <= b"9":
            split = 1
        else:
            split = self._split(data, text, meta.cookie_index)
        before, after = text[:split], text[split:]
        if split > 1:
            return before + b"," + cookie + after
        return before + cookie + (after if after == b"}" else b"," + after)

    def _split(self, data: Mapping[str, Any], text: bytes, cookie_index: int) -> int:
        """Where in `text` the cookie goes: behind array indices and `cookie_index` more keys."""
        plain = data if isinstance(data, dict) else dict(data)
        keys = list(ordered(dict.keys(plain)))
        indices = sum(map(is_index, keys))
        lead = dict.fromkeys(keys[: indices + cookie_index])
        for name in lead:
            lead[name] = dict.__getitem__(plain, name)
        return len(stringify(lead)) - 1 if lead else 1

    def decode(self, key: str, blob: bytes) -> tuple[dict[str, Any], Meta]:
        """The data without the cookie, and the cookie; DecodeError if it is no such record.

        Names that Node drops on load are dropped. A record without a cookie object has no
        attributes; unknown ones are ignored, and a date that is none counts as null.
        `cookie_index` counts the keys before the cookie that are no array indices.
        """
        data = _read(blob)
        if not DROPPED.isdisjoint(data):
            data = {name: value for name, value in data.items() if name not in DROPPED}
        cookie: dict[str, Any] = {}
        index = 0
        if "cookie" in data:
            if next(iter(data)) != "cookie":
                before = takewhile("cookie".__ne__, data)
                index = sum(not is_index(name) for name in before)
            cookie = cookie_from(data.pop("cookie"))
        elif blob.startswith(NATIVE_START):
            raise DecodeError("a native record, not one of express-session")
        if len(blob) >= SHORTEST_EXCESS and may_exceed_limits(blob) and not is_within_limits(data):
            raise DecodeError("the record nests too deep or has too many keys")
        return data, Meta(0.0, None, cookie, index)

    def same(self, blob: bytes, text: bytes) -> bool:
        """Whether the data in `blob`, a record that decodes, would be written as `text`."""
        if cookie := COOKIE_FIRST.match(blob):
            rest = blob[cookie.end() :]
            if rest == (b"," + text[1:] if len(text) > 2 else b"}"):
                return True
        try:
            data, _ = self.decode("", blob)
            return self.dumps(data) == text
        except (DecodeError, EncodeError):
            return False

    def tombstone(self, key: str) -> bytes | None:
        """None: Node knows no such thing."""
        return None

    def is_tombstone(self, blob: bytes) -> bool:
        """False."""
        return False


# -- the cookie object ---------------------------------------------------------------------


def cookie_text(cookie: Mapping[str, Any]) -> bytes:
    """The JSON of the cookie object for attributes by their Python names, in seconds."""
    found: dict[str, Any] = {}
    for name in SCRIPT_NAMES:
        if name in cookie:
            found[SCRIPT_NAMES[name]] = cookie[name]
    if "originalMaxAge" in found:
        found["originalMaxAge"] = _milliseconds(found["originalMaxAge"])
    if "expires" in found:
        ms = _milliseconds(found["expires"])
        found["expires"] = ms if ms is None or ms is False else iso_text(ms)
    return stringify(found, (None, "cookie"))


def _milliseconds(seconds: Any) -> int | bool | None:
    """`seconds` in ms; False stays, what is no point or span of JavaScript's time is None."""
    if seconds is False:
        return False
    if seconds is True or not isinstance(seconds, int | float):
        return None
    if not abs(seconds) <= LAST_MS / 1000:
        return None
    return round(seconds * 1000)  # exact for every whole number of ms that was divided by 1000


def cookie_from(stored: Any) -> dict[str, Any]:
    """Attributes by their Python names, in seconds. DecodeError for impossible types."""
    found: dict[str, Any] = {}
    if type(stored) is not dict:
        return found
    for script_name, value in stored.items():
        name = NAMES.get(script_name)
        if name is None:
            continue
        if name == "original_max_age" or name == "expires":
            value = _seconds(value, is_date=name == "expires")
        elif type(value) is not str and not _is_attribute(name, value):
            raise DecodeError(f"cookie.{script_name} is no such attribute")
        found[name] = value
    return found


def _is_attribute(name: str, value: Any) -> bool:
    """Whether `value`, which is no str, can be this attribute: express takes any flag."""
    if value is None or value is False:
        return True
    if name in FLAGS:
        return isinstance(value, int | float)
    return name == "same_site" and value is True


def _seconds(stored: Any, is_date: bool) -> float | bool | None:
    """A time or span in seconds; False stays, anything but a number or an ISO date is None."""
    if stored is False:
        return False
    if is_date and isinstance(stored, str):
        stored = iso_ms(stored)
    if stored is True or not isinstance(stored, int | float) or abs(stored) > LAST_MS:
        return None
    return stored / 1000


# -- reading -------------------------------------------------------------------------------


def _read(blob: bytes) -> dict[str, Any]:
    """The JSON object in `blob`; DecodeError for anything else."""
    try:
        return _decode(blob)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if b"\\ud" not in blob.lower():
            raise DecodeError(f"not an express record: {error}") from error
    # JavaScript escapes lone surrogates, which msgspec refuses: same format, slower reader
    try:
        data = _SURROGATES.decode(blob.decode())
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not an express record: {error}") from error
    if not isinstance(data, dict):
        raise DecodeError("not an express record: no object")
    return data


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0.0:
        raise ValueError("a number out of range")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_SURROGATES = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
