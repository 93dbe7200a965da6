"""`serialize`: the one door by which a cookie gets out."""

from __future__ import annotations

import datetime
import enum
import re
import urllib.parse
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

VALUE = "s:abc.def+/g"
NOW = 1700000000.123  # Tue, 14 Nov 2023 22:13:20 GMT
PAIR = "connect.sid=s%3Aabc.def%2B%2Fg"

# RFC 6265bis s4.1.1, as narrow as we write it
DATE = r"\w{3}, \d\d \w{3} -?\d{4,6} \d\d:\d\d:\d\d GMT"
SET_COOKIE = re.compile(
    r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+=[!#-+\--:<-\[\]-~]*"
    r"(?:; Domain=\.?[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
    r"(?:; Path=[ -:=-~]+)?"
    rf"(?:; Expires={DATE})?"
    r"(?:; Max-Age=-?[0-9]+)?"
    r"(?:; HttpOnly)?(?:; Secure)?(?:; Partitioned)?"
    r"(?:; Priority=(?:Low|Medium|High))?"
    r"(?:; SameSite=(?:Lax|Strict|None))?",
    re.ASCII,
)

WRITING = [  # what, options, what follows the pair
    ("nothing", {}, "; Path=/; HttpOnly"),
    ("expires", {"expires": NOW + 60}, "; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly"),
    ("past", {"expires": NOW - 1}, "; Path=/; Expires=Tue, 14 Nov 2023 22:13:19 GMT; HttpOnly"),
    ("part", {"expires": NOW + 1.5}, "; Path=/; Expires=Tue, 14 Nov 2023 22:13:21 GMT; HttpOnly"),
    ("far", {"expires": NOW + 3e6}, "; Path=/; Expires=Tue, 19 Dec 2023 15:33:20 GMT; HttpOnly"),
    ("epoch", {"expires": 0}, "; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly"),
    ("no expires", {"expires": None}, "; Path=/; HttpOnly"),
    ("path", {"path": "/foo"}, "; Path=/foo; HttpOnly"),
    ("path of odd octets", {"path": '/a b%="\\~,'}, '; Path=/a b%="\\~,; HttpOnly'),
    ("path without slash", {"path": "foo"}, "; Path=foo; HttpOnly"),
    ("empty path", {"path": ""}, "; HttpOnly"),
    ("no path", {"path": None}, "; HttpOnly"),
    ("domain", {"domain": ".example.com"}, "; Domain=.example.com; Path=/; HttpOnly"),
    ("domain keeps its case", {"domain": "Ex-A.com"}, "; Domain=Ex-A.com; Path=/; HttpOnly"),
    ("empty domain", {"domain": ""}, "; Path=/; HttpOnly"),
    ("script may read", {"http_only": False}, "; Path=/"),
    ("secure", {"secure": True}, "; Path=/; HttpOnly; Secure"),
    ("lax", {"same_site": "lax"}, "; Path=/; HttpOnly; SameSite=Lax"),
    ("LAX", {"same_site": "LAX"}, "; Path=/; HttpOnly; SameSite=Lax"),
    ("strict", {"same_site": "sTrict"}, "; Path=/; HttpOnly; SameSite=Strict"),
    ("none", {"same_site": "none"}, "; Path=/; HttpOnly; SameSite=None"),
    ("no same_site", {"same_site": ""}, "; Path=/; HttpOnly"),
    ("low", {"priority": "low"}, "; Path=/; HttpOnly; Priority=Low"),
    ("medium", {"priority": "Medium"}, "; Path=/; HttpOnly; Priority=Medium"),
    ("HIGH", {"priority": "HIGH"}, "; Path=/; HttpOnly; Priority=High"),
    ("no priority", {"priority": ""}, "; Path=/; HttpOnly"),
    ("partitioned", {"partitioned": True}, "; Path=/; HttpOnly; Partitioned"),
    ("max_age", {"max_age": 60}, "; Path=/; Max-Age=60; HttpOnly"),
    ("max_age of zero", {"max_age": 0}, "; Path=/; Max-Age=0; HttpOnly"),
    ("max_age in the past", {"max_age": -1}, "; Path=/; Max-Age=-1; HttpOnly"),
    ("least max_age", {"max_age": -(2**63)}, "; Path=/; Max-Age=-9223372036854775808; HttpOnly"),
    ("most max_age", {"max_age": 2**63 - 1}, "; Path=/; Max-Age=9223372036854775807; HttpOnly"),
    (
        "everything",
        {
            "same_site": "none",
            "priority": "high",
            "partitioned": True,
            "secure": True,
            "http_only": True,
            "max_age": 60,
            "expires": NOW + 60,
            "path": "/p",
            "domain": "example.com",
        },
        "; Domain=example.com; Path=/p; Expires=Tue, 14 Nov 2023 22:14:20 GMT; Max-Age=60"
        "; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None",
    ),
]

LATIN_SPECIALS = ["a b", "a=b", "sid;", "a,b", "a\tb", 'a"', "[x]", "naïve"]

REFUSED: dict[str, tuple[str, list[object]]] = {  # field: message, values
    "name": ("argument name is invalid", [*LATIN_SPECIALS, "", "\u017f", "\ud800", None, 1, b"a"]),
    "value": ("argument value is invalid", ["\ud800", "a\udfffb", None, 1, b"x"]),
    "domain": (
        "option domain is invalid",
        [
            *["exa mple.com", "a_b.com", "a;b", ".", "..a", "a..b", "a.", "[::1]", "a:1", "a/b"],
            *["-", "-a.com", "a-.com", "a.-b", "a.b-", "x" * 64, f"a.{'x' * 64}", f"{'x' * 64}.a"],
            *["\u212a.com", "ä.de", "a\n", "\na", "\ud800", False, 0, b"a"],
        ],
    ),
    "path": (
        "option path is invalid",
        ["/a;b", "/é", "/a<b", "/\n", "/a\n", "/\0", "\x7f", "/\u0100", "\ud800", False, 1, b"/"],
    ),
    "expires": (
        "option expires is invalid",
        [
            *[float("nan"), float("inf"), float("-inf"), 1e300, 10**400, -(10**400)],
            *[8640000000000.001, 8640000000001, -8640000000000.001, -8640000000001],
            *["1", "Thu, 01 Jan 1970 00:00:00 GMT", "", True, False, 1j, b"1"],
            datetime.datetime(2023, 11, 14, tzinfo=datetime.UTC),
        ],
    ),
    "max_age": (
        "option maxAge is invalid",
        [2**63, -(2**63) - 1, 10**5000, 1.0, float("nan"), "1", "", True, False],
    ),
    "priority": (
        "option priority is invalid",
        ["bogus", "lo", "loww", "low ", " ", "h\u0131gh", "\ud800", 1, 0, True, b"low"],
    ),
    "same_site": (
        "option sameSite is invalid",
        ["auto", "bogus", "la", "laxx", "lax;", " ", "\u017ftrict", "\ud800", 1, 0, True, False],
    ),
}

TEXT_FIELDS = [field for field in REFUSED if field not in ("expires", "max_age")]


def written(module: ModuleType, **options: Any) -> str:
    """One Set-Cookie value, of sid=1 where the options don't say otherwise."""
    text = module.serialize(options.pop("name", "sid"), options.pop("value", "1"), **options)
    assert isinstance(text, str)
    assert text.isascii()
    return text


@pytest.mark.parametrize(
    ("options", "rest"), [row[1:] for row in WRITING], ids=[row[0] for row in WRITING]
)
def test_attributes_are_written_in_the_order_of_express(
    cookies: ModuleType, options: dict[str, Any], rest: str
) -> None:
    """Every attribute, alone and together, whatever order the caller names them in."""
    text = written(cookies, name="connect.sid", value=VALUE, **options)
    assert PAIR + rest == text
    assert SET_COOKIE.fullmatch(text)


@pytest.mark.parametrize("field", REFUSED)
def test_what_no_header_can_carry_is_refused(cookies: ModuleType, field: str) -> None:
    """R-45: one message per field."""
    fault, values = REFUSED[field]
    for value in values:
        with pytest.raises(ValueError, match=f"^{fault}$"):
            written(cookies, **{field: value})


def test_the_first_part_at_fault_is_named(cookies: ModuleType) -> None:
    """Parts are checked in the order in which they are written."""
    bad = {field: values[0] for field, (_, values) in REFUSED.items()}
    for field, (fault, _) in REFUSED.items():
        with pytest.raises(ValueError, match=f"^{fault}$"):
            written(cookies, **bad)
        del bad[field]


@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_no_octet_can_get_out_by_any_field(cookies: ModuleType, field: str) -> None:
    """R-45, R-46: all 256 octets, first, last, inside and alone, are refused or harmless."""
    for octet in map(chr, range(256)):
        for text in (octet, f"{octet}a", f"a{octet}", f"a{octet}b", f"lax{octet}", f"low{octet}"):
            try:
                told = written(cookies, **{field: text})
            except ValueError as error:
                told = str(error)
            assert told == REFUSED[field][0] or SET_COOKIE.fullmatch(told)


def test_the_value_is_escaped_as_encodeuricomponent_does(cookies: ModuleType) -> None:
    """The 71 unreserved characters stay, everything else becomes upper-case escapes."""
    for char in [*map(chr, range(0x801)), *"€\ud7ff\ue000\uffff😀\U0010ffff"]:
        for value in (char, f"a{char}b", f"é{char}", f"{char}€"):
            expected = urllib.parse.quote(value, safe="-_.!~*'()")
            assert f"sid={expected}" == written(cookies, value=value, path=None, http_only=False)


@given(value=st.text(max_size=60), name=st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=9))
def test_what_is_written_can_be_read(cookies: ModuleType, name: str, value: str) -> None:
    """`find` gets any text back out of what `serialize` made of it."""
    pair = written(cookies, name=name, value=value).split(";")[0]
    assert value == cookies.find(pair, name)
    assert value == cookies.find(f"(=1; {pair}; )=2".encode(), name)


def test_a_pair_may_have_4096_octets(cookies: ModuleType) -> None:
    """R-52: name and value as written, without the equals sign."""
    for name, unit, octets in (("sid", "x", 1), ("s", ":", 3), ("sid", "é", 6), ("si", "€", 9)):
        count, rest = divmod(4096 - len(name), octets)
        value = unit * count + "x" * rest
        pair = written(cookies, name=name, value=value).split(";")[0]
        assert 4097 == len(pair)
        for longer in (value + "x", "x" + value, value[:-1] + ":x", value + unit, value * 9):
            with pytest.raises(ValueError, match=r"^cookie is too large$"):
                written(cookies, name=name, value=longer)
    assert f"{'s' * 4096}=" == written(cookies, name="s" * 4096, value="").split(";")[0]
    for name, value in (("s" * 4096, "1"), ("s" * 4097, ""), ("s" * 99999, "é")):
        with pytest.raises(ValueError, match=r"^cookie is too large$"):
            written(cookies, name=name, value=value)
    with pytest.raises(ValueError, match=r"^argument value is invalid$"):
        written(cookies, name="s" * 4097, value="é" * 4097 + "\ud800")


def test_an_attribute_may_have_1024_octets(cookies: ModuleType) -> None:
    """R-52: of path and domain."""
    label = "x" * 63
    domain = ".".join([label] * 16)
    assert 1023 == len(domain)
    assert f"; Domain=.{domain};" in written(cookies, domain="." + domain)
    assert f"; Domain={domain};" in written(cookies, domain=domain)
    with pytest.raises(ValueError, match=r"^option domain is invalid$"):
        written(cookies, domain=domain + ".a")
    assert f"; Path={'/' * 1024};" in written(cookies, path="/" * 1024)
    for size in (1025, 10**5):
        with pytest.raises(ValueError, match=r"^option path is invalid$"):
            written(cookies, path="/" * size)


def test_the_largest_header_fits(cookies: ModuleType) -> None:
    """Every part at its longest at once."""
    text = written(
        cookies,
        name="s" * 96,
        value="x" * 4000,
        domain=".".join(["x" * 63] * 16),
        path="/" * 1024,
        expires=-8.64e12,
        max_age=-(2**63),
        secure=True,
        partitioned=True,
        priority="medium",
        same_site="strict",
    )
    assert SET_COOKIE.fullmatch(text)
    assert text.endswith("; HttpOnly; Secure; Partitioned; Priority=Medium; SameSite=Strict")


def test_an_empty_value_is_a_cookie(cookies: ModuleType) -> None:
    """Clearing needs one (R-50)."""
    assert "sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly" == written(
        cookies, value="", expires=0.0, max_age=0
    )


DATES = [  # epoch seconds, as JavaScript's toUTCString
    (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (0.999, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (-0.001, "Wed, 31 Dec 1969 23:59:59 GMT"),
    (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
    (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
    (951868799.9999, "Tue, 29 Feb 2000 23:59:59 GMT"),
    (4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    (2**31 - 1, "Tue, 19 Jan 2038 03:14:07 GMT"),
    (2**31, "Tue, 19 Jan 2038 03:14:08 GMT"),
    (2**32, "Sun, 07 Feb 2106 06:28:16 GMT"),
    (253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (253402300800, "Sat, 01 Jan 10000 00:00:00 GMT"),
    (-62135596800, "Mon, 01 Jan 0001 00:00:00 GMT"),
    (-62135596801, "Sun, 31 Dec 0000 23:59:59 GMT"),
    (-62167219201, "Fri, 31 Dec -0001 23:59:59 GMT"),
    (-62198755200, "Fri, 01 Jan -0001 00:00:00 GMT"),
    (8.64e12, "Sat, 13 Sep 275760 00:00:00 GMT"),
    (-8.64e12, "Tue, 20 Apr -271821 00:00:00 GMT"),
]


@pytest.mark.parametrize(("expires", "text"), DATES, ids=[str(row[0]) for row in DATES])
def test_dates_are_those_of_javascript(cookies: ModuleType, expires: float, text: str) -> None:
    """C3: the second below, English names, any year a JavaScript Date has."""
    assert f"; Expires={text};" in written(cookies, expires=expires)


@given(moment=st.datetimes(timezones=st.just(datetime.UTC)))
def test_dates_are_those_of_the_calendar(cookies: ModuleType, moment: datetime.datetime) -> None:
    """Python's own calendar agrees, on every weekday and in every leap year."""
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    expires = since.days * 86400 + since.seconds
    expected = moment.strftime(f"%a, %d %b {moment.year:04} %H:%M:%S GMT")
    assert f"; Expires={expected};" in written(cookies, expires=expires)


def test_subclasses_of_numbers_and_text_are_taken(cookies: ModuleType) -> None:
    """What libraries hand over: enumerations, text that is marked safe."""

    class Text(str):
        __slots__ = ()

    class Age(enum.IntEnum):
        HOUR = 3600

    class Seconds(float):
        pass

    text = written(
        cookies,
        name=Text("sid"),
        value=Text("1"),
        path=Text("/a"),
        expires=Seconds(7.5),
        max_age=Age.HOUR,
    )
    date = "Thu, 01 Jan 1970 00:00:07 GMT"
    assert f"sid=1; Path=/a; Expires={date}; Max-Age=3600; HttpOnly" == text


def test_only_name_and_value_go_without_keywords(cookies: ModuleType) -> None:
    """Nobody can mix up two attributes."""
    with pytest.raises(TypeError):
        cookies.serialize("sid", "1", "example.com")
    assert "sid=1; Path=/; HttpOnly" == cookies.serialize(value="1", name="sid")
