"""JSON as JavaScript writes it: numbers, dates, order of keys, escapes.

Source: ECMA-262 (Number::toString, JSON.stringify, OrdinaryOwnPropertyKeys,
Date.prototype.toISOString); tested against Node and against vectors made by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sessfast.errors import EncodeError
from sessfast.hotpath import plain_writer
from sessfast.storable import MAX_DEPTH, MAX_KEYS, Path, normalised, path_text, refusal

SAFE_INT = 2**53  # every int up to it is a double
LAST_MS = 8_640_000_000_000_000  # the ends of a Date's range: 100 million days around 1970
HIGHEST_INDEX = 2**32 - 2  # an array index; greater numbers are ordinary keys

EPOCH = datetime(1970, 1, 1)
EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
CYCLE_YEARS = 400  # after them the calendar repeats, days of the week included
CYCLE_MS = 146_097 * 86_400_000
LONG_YEAR = re.compile(r"([+-][0-9]{6}|0000)(-.*)", re.ASCII)

DIGITS = bytes.maketrans(b"0123456789", b"0" * 10)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_quoted = json.JSONEncoder(ensure_ascii=False).encode  # escapes as JavaScript does


# what msgspec writes as JavaScript does: of floats those without `.0` or exponent
_writer = plain_writer(-SAFE_INT, SAFE_INT, 1e-5, SAFE_INT, False, MAX_DEPTH, MAX_KEYS)


def stringify(data: dict[Any, Any], path: Path = None) -> bytes:
    """JSON.stringify of `data`, as UTF-8.

    What JavaScript has no word for: aware datetimes are written as Dates (cut to the
    millisecond), NaN and infinities as null, numbers lose the digits that a double can't
    hold, bytes become Buffers, tuples arrays. EncodeError for everything else.
    """
    text = _by_msgspec(data)
    if text is None:
        data = normalised(data, _leaf, path)
        text = _by_msgspec(data)
    if text is None:
        parts: list[str] = []
        _write(data, parts.append)
        text = utf8("".join(parts))
    return text


def _by_msgspec(data: dict[Any, Any]) -> bytes | None:
    """The bytes where msgspec writes them as JavaScript does, or None."""
    try:
        text = _writer.write(data)
    except UnicodeEncodeError:  # half a surrogate pair, which JavaScript escapes
        return None
    return None if text is None or may_have_index_keys(text) else text


def may_have_index_keys(text: bytes) -> bool:
    """Whether some key of this JSON may be an array index; True may be a false alarm."""
    shape = text.translate(DIGITS)
    return b'0":' in shape and (b'{"0' in shape or b',"0' in shape)


def utf8(text: str) -> bytes:
    """`text` as octets: surrogate pairs as the character they mean, lone ones escaped."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _write(value: Any, emit: Callable[[str], None]) -> None:
    """Emit the JSON of normalised data, piece by piece; at most MAX_DEPTH levels."""
    kind = type(value)
    if kind is str:
        emit(_quoted(value))
    elif value is None:
        emit("null")
    elif kind is bool:
        emit("true" if value else "false")
    elif kind is int or kind is float:
        emit(number_text(value))
    elif kind is dict:
        separator = "{"
        for key in ordered(value):
            emit(separator)
            emit(_quoted(key))
            emit(":")
            _write(value[key], emit)
            separator = ","
        emit("}" if value else "{}")
    else:
        separator = "["
        for element in value:
            emit(separator)
            _write(element, emit)
            separator = ","
        emit("]" if value else "[]")


def _leaf(value: Any, path: Path) -> Any:
    """What JSON.stringify is given for `value`; EncodeError if there is nothing like it."""
    if value is None or type(value) in (str, bool, int):
        return value
    if type(value) is float:
        if value - value != 0.0:
            return None
        return int(value) if value.is_integer() and abs(value) <= SAFE_INT else value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            reason = "a datetime without a time zone: use an aware one, datetime.now(UTC)"
            raise EncodeError(path_text(path), reason)
        return iso_text((value - EPOCH_UTC) // MILLISECOND)
    if isinstance(value, bytes | bytearray):
        return {"type": "Buffer", "data": list(value)}
    raise refusal(value, path)


# -- keys ----------------------------------------------------------------------------------


def is_index(key: str) -> bool:
    """Whether JavaScript takes `key` for an array index, which stands before other keys."""
    if not key.isdecimal() or not key.isascii() or len(key) > 10:
        return False
    return (key[0] != "0" or key == "0") and int(key) <= HIGHEST_INDEX


def ordered(keys: Iterable[str]) -> Iterable[str]:
    """The keys of an object in JavaScript's order: indices ascending, others as inserted."""
    indices = [key for key in keys if is_index(key)]
    if not indices:
        return keys
    return sorted(indices, key=int) + [key for key in keys if not is_index(key)]


# -- numbers -------------------------------------------------------------------------------


def number_text(number: float) -> str:
    """`number` as JavaScript prints it, an int as the double next to it; NaN is null."""
    if type(number) is int:
        if -SAFE_INT <= number <= SAFE_INT:
            return str(number)
        try:
            number = float(number)
        except OverflowError:
            return "null"
    if number - number != 0.0:
        return "null"
    if number.is_integer() and abs(number) <= SAFE_INT:
        return str(int(number))
    # Python and JavaScript choose the same digits, the shortest; only their layout differs
    mantissa, _, power = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = (whole + fraction).rstrip("0")
    digits = padded.lstrip("0")
    point = len(whole) + int(power or "0") - (len(padded) - len(digits))
    sign = "-" if number < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    more = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{more}e{point - 1:+d}"


# -- dates ---------------------------------------------------------------------------------


def iso_text(ms: int) -> str:
    """Date.prototype.toISOString of `ms` after 1970, within a Date's range."""
    cycles, within = divmod(ms, CYCLE_MS)
    text = (EPOCH + within * MILLISECOND).isoformat("T", "milliseconds")  # of 1970 to 2370
    if cycles:
        year = int(text[:4]) + cycles * CYCLE_YEARS
        text = (f"{year:04d}" if 0 <= year <= 9999 else f"{year:+07d}") + text[4:]
    return text + "Z"


def iso_ms(text: str) -> int | None:
    """Milliseconds after 1970 of an ISO date with a time zone; None for any other text."""
    cycles = 0
    if text[:1] in "+-0" and (long := LONG_YEAR.fullmatch(text)):
        if long[1] == "-000000":
            return None
        cycles, year = divmod(int(long[1]) - EPOCH.year, CYCLE_YEARS)
        text = f"{EPOCH.year + year}{long[2]}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    ms = (moment - EPOCH_UTC) // MILLISECOND + cycles * CYCLE_MS
    return ms if abs(ms) <= LAST_MS else None
