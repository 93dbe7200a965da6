"""One cookie out of a Cookie header, one Set-Cookie value out of its parts.

The specification of `cookies_cy`. Octets travel as Latin-1 characters here, so that the
str of WSGI and the bytes of ASGI are one thing. Nothing but SP and HTAB is ever trimmed,
nothing but `;` separates: a parser that knows more (Unicode spaces, quotes, commas) lets
one cookie pass for another.
"""

from __future__ import annotations

import functools
import math
import re
import string
import time
from collections.abc import Iterable

REVISION = 1

_BLANKS = " \t"
_OCTETS = {
    (high + low).encode(): bytes([int(high + low, 16)])
    for high in string.hexdigits
    for low in string.hexdigits
}

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DOMAIN = re.compile(
    r"\.?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*",
    re.ASCII | re.IGNORECASE,  # without ASCII, the Kelvin sign would be a k
)
_PATH = re.compile(r"[ -:=-~]+")
_RESERVED = re.compile(r"[^A-Za-z0-9\-_.!~*'()]+")
_SIGNED = re.compile(r"[A-Za-z0-9\-_.!~*'():/+]*")  # the characters of signed ids

_PAIR_LIMIT = 4096  # octets of name and value, RFC 6265bis s5.6: browsers drop what is longer
_ATTRIBUTE_LIMIT = 1024  # octets of one attribute's value, same section
_EXPIRES_LIMIT = 8.64e12  # seconds from the epoch: the last day a JavaScript Date knows
_MAX_AGE_LIMIT = 2**63
_FOUR_CENTURIES = 146_097  # days: the calendar repeats, weekdays too

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PRIORITIES = {"low": "Low", "medium": "Medium", "high": "High"}
_SAME_SITES = {"lax": "Lax", "strict": "Strict", "none": "None"}


def find(
    header: str | bytes,
    name: str,
    skip: int = 0,
    max_bytes: int = 16384,
    max_pairs: int = 256,
) -> str | None:
    """Value of the cookie called `name` after `skip` others of that name, or None.

    header:    raw Cookie header, any length; a str must be Latin-1 (as WSGI gives it), one
               that isn't holds no cookie
    name:      compared octet for octet, case-sensitive
    max_bytes: octets looked at; a pair that doesn't end within them is not there
    max_pairs: pieces between semicolons looked at, empty ones included
    Returns the value without surrounding blanks, then without one pair of double quotes, then
    percent-decoded as UTF-8; a value with any malformed escape stays as it is.
    Never raises on content: what can't be parsed is no cookie. Time is linear.
    TypeError: header is neither str nor bytes, or name is no str
    Source: RFC 6265 s4.2.1 and s5.4; npm cookie 0.7.2
    """
    if not isinstance(name, str):
        raise TypeError("name must be str")
    if isinstance(header, str):
        if not header.isascii():
            try:
                header.encode("latin-1")
            except UnicodeEncodeError:
                return None
    elif isinstance(header, bytes):
        if len(header) > max_bytes:
            header = header[: max(max_bytes, 0) + 1]
        header = header.decode("latin-1")
    else:
        raise TypeError("header must be str or bytes")
    end = len(header)
    if end > max_bytes:
        end = header.rfind(";", 0, max(max_bytes, 0) + 1)
    start = 0
    at = header.find(name, 0, end) if end > 0 else -1
    while at >= 0:
        # A pair that has the name, but not first or not alone, can't have it later on: so each
        # pair is looked at once, and only those that have it somewhere.
        stop = header.find(";", at, end)
        if stop < 0:
            stop = end
        if (
            at == start
            or header[at - 2 : at] == "; "
            or not header[max(start, header.rfind(";", start, at) + 1) : at].strip(_BLANKS)
        ):
            equals = at + len(name)
            if equals < stop and header[equals] in _BLANKS:
                equals = stop - len(header[equals:stop].lstrip(_BLANKS))
            if equals < stop and header[equals] == "=":
                if skip <= 0:
                    if at >= max_pairs and header.count(";", 0, at) >= max_pairs:
                        return None
                    # names end at the first `=` and have no blanks around them
                    if "=" in name or name.strip(_BLANKS) != name or not name:
                        return None
                    return _value(header[equals + 1 : stop])
                skip -= 1
        start = stop + 1
        at = header.find(name, start, end)
    return None


def gathered(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The Cookie headers among those of an ASGI request, as one; b"" if there is none.

    HTTP/2 splits the header, so several are joined, in linear time (R-41).
    """
    found = []
    for name, value in headers:
        if name == b"cookie":
            found.append(value)
    return found[0] if len(found) == 1 else b"; ".join(found)


def _value(text: str) -> str:
    """What stands for the value `text`: without blanks, quotes and escapes."""
    value = text.strip(_BLANKS)
    if len(value) > 1 and value[0] == '"' == value[-1]:
        value = value[1:-1]
    if "%" not in value:
        return value
    # What a signed id has escaped: none of these can be a part of another escape.
    text = value.replace("%3A", ":").replace("%2F", "/").replace("%2B", "+")
    if "%" not in text:
        return text
    # A raw character is whole UTF-8 here, so it can neither end nor go on what escapes began.
    head, *pieces = value.encode().split(b"%")
    try:
        return (head + b"".join([_OCTETS[text[:2]] + text[2:] for text in pieces])).decode()
    except (KeyError, UnicodeDecodeError):
        return value


def serialize(
    name: str,
    value: str,
    *,
    domain: str | None = None,
    path: str | None = "/",
    expires: float | None = None,
    max_age: int | None = None,
    http_only: bool = True,
    secure: bool = False,
    partitioned: bool = False,
    priority: str | None = None,
    same_site: str | None = None,
) -> str:
    """The value of one Set-Cookie header: the only way a cookie gets out.

    name:      RFC 9110 token
    value:     any text, written as encodeURIComponent does
    domain:    LDH labels, one leading dot allowed
    path:      octets 0x20-0x7E but `;` and `<`
    expires:   epoch seconds within +-8.64e12, written to the second below
    max_age:   seconds, 64 bits, zero and negative allowed
    priority:  low, medium or high, in any case; same_site: lax, strict or none, in any case
    None and, for text, "" leave an attribute out.
    ValueError: `argument name is invalid`, `option path is invalid` and so on for the first
    part at fault; `cookie is too large` where name and value exceed 4096 octets. An attribute
    of more than 1024 is invalid.
    Source: express-session 1.19 (order, texts), RFC 6265bis s4.1.1, s5.6 (grammar, limits)
    """
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ValueError("argument name is invalid")
    try:
        if _SIGNED.fullmatch(value):
            text = value.replace(":", "%3A").replace("/", "%2F").replace("+", "%2B")
        else:
            text = _RESERVED.sub(_escaped, value)
    except (TypeError, UnicodeEncodeError):
        raise ValueError("argument value is invalid") from None
    if len(name) + len(text) > _PAIR_LIMIT:
        raise ValueError("cookie is too large")
    parts = [f"{name}={text}"]
    if domain is not None and domain != "":
        parts.append("Domain=" + _matched(_DOMAIN, domain, "option domain is invalid"))
    if path is not None and path != "":
        parts.append("Path=" + _matched(_PATH, path, "option path is invalid"))
    if expires is not None:
        parts.append("Expires=" + _date(expires))
    if max_age is not None:
        if type(max_age) is bool or not isinstance(max_age, int):
            raise ValueError("option maxAge is invalid")
        if not -_MAX_AGE_LIMIT <= max_age < _MAX_AGE_LIMIT:
            raise ValueError("option maxAge is invalid")
        parts.append(f"Max-Age={int(max_age)}")
    if http_only:
        parts.append("HttpOnly")
    if secure:
        parts.append("Secure")
    if partitioned:
        parts.append("Partitioned")
    if priority is not None and priority != "":
        parts.append("Priority=" + _chosen(_PRIORITIES, priority, "option priority is invalid"))
    if same_site is not None and same_site != "":
        parts.append("SameSite=" + _chosen(_SAME_SITES, same_site, "option sameSite is invalid"))
    return "; ".join(parts)


def _escaped(found: re.Match[str]) -> str:
    return "%" + found[0].encode().hex("%").upper()


def _matched(grammar: re.Pattern[str], text: str, fault: str) -> str:
    if not isinstance(text, str) or len(text) > _ATTRIBUTE_LIMIT or not grammar.fullmatch(text):
        raise ValueError(fault)
    return text


def _chosen(words: dict[str, str], word: str, fault: str) -> str:
    # isascii: lower() makes a plain k of the Kelvin sign
    if not isinstance(word, str) or not word.isascii() or word.lower() not in words:
        raise ValueError(fault)
    return words[word.lower()]


def _date(expires: float) -> str:
    """IMF-fixdate of the second that `expires` is in; years as JavaScript's toUTCString."""
    if (
        type(expires) is bool
        or not isinstance(expires, (int, float))
        or not -_EXPIRES_LIMIT <= expires <= _EXPIRES_LIMIT
    ):
        raise ValueError("option expires is invalid")
    days, second = divmod(math.floor(expires), 86400)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{_day(days)} {hour:02}:{minute:02}:{second:02} GMT"


@functools.lru_cache(maxsize=16)
def _day(days: int) -> str:
    """The date so many days after 1970-01-01."""
    # Moved to 1970-2369, where every platform's gmtime works.
    cycles, days = divmod(days, _FOUR_CENTURIES)
    year, month, day, _, _, _, weekday, *_ = time.gmtime(86400 * days)
    year += 400 * cycles
    sign = "-" if year < 0 else ""
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {sign}{abs(year):04}"
