"""`find`: one cookie out of whatever a client sends."""

from __future__ import annotations

import tracemalloc
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

SPACES = [chr(point) for point in range(0x110000) if chr(point).isspace()]
SIGNED = "s:Zr5Aq1-bX_0123456789abcdefABCDEF.LKV+M1yocZucrln/ReP9yw+DHfYYUtXd4OIY/f2ZI7Y"


def forms(header: str) -> list[str | bytes]:
    """The header as WSGI and as ASGI hand it over."""
    return [header, header.encode("latin-1")]


READING = [  # what, header, value of sid
    ("alone", "sid=1", "1"),
    ("first", "sid=1; a=2", "1"),
    ("last", "a=2; sid=1", "1"),
    ("between", "a=2; sid=1; b=3", "1"),
    ("no space behind the semicolon", "a=2;sid=1;b=3", "1"),
    ("blanks around the name", "a=2; \t sid \t =1", "1"),
    ("blanks around the value", "sid= \t 1 \t ; a=2", "1"),
    ("blanks inside the value", "sid=1 \t 2", "1 \t 2"),
    ("blanks alone", "sid= \t ", ""),
    ("empty value", "sid=", ""),
    ("empty value before a semicolon", "sid=; a=2", ""),
    ("equals signs in the value", "sid==1=2=", "=1=2="),
    ("commas are data", "sid=1,sid=2, a=3", "1,sid=2, a=3"),
    ("first one wins", "sid=1; sid=2", "1"),
    ("first one wins though empty", "sid=; sid=2", ""),
    ("first one wins though malformed", "sid=%; sid=2", "%"),
    ("trailing semicolon", "sid=1;", "1"),
    ("trailing semicolons", ";;sid=1;;", "1"),
    ("no header", "", None),
    ("one character", "s", None),
    ("semicolons alone", ";;;", None),
    ("name without equals sign", "sid", None),
    ("name without equals sign before it", "sid; sid=1", "1"),
    ("end of another name", "xsid=1; sid=2", "2"),
    ("start of another name", "sidx=1; sid=2", "2"),
    ("in another value", "a=sid=1; sid=2", "2"),
    ("in another value with blanks", "a= sid=1; sid=2", "2"),
    ("a name with a blank in it", "a sid=1; sid=2", "2"),
    ("text behind the name", "sid x=1; sid=2", "2"),
    ("the name twice in a pair", "sidsid=1; sid sid=2; sid=3", "3"),
    ("quotes", 'sid="1"', "1"),
    ("quotes with blanks outside", 'sid= "1" ; a=2', "1"),
    ("quotes with blanks inside", 'sid=" 1 "', " 1 "),
    ("one pair of quotes only", 'sid=""1""', '"1"'),
    ("nothing in quotes", 'sid=""', ""),
    ("one quote", 'sid="', '"'),
    ("a quote in front", 'sid="1', '"1'),
    ("a quote behind", 'sid=1"', '1"'),
    ("quotes around an escape", 'sid="%41"', "A"),
    ("escaped quotes stay", "sid=%221%22", '"1"'),
    ("escapes", "sid=%73%3A1", "s:1"),
    ("lower-case escapes", "sid=s%3a1%2f%2b", "s:1/+"),
    ("mixed-case escapes", "sid=%c3%A9", "é"),
    ("plus stays", "sid=a+b%2B", "a+b+"),
    ("decoded once", "sid=%2541", "%41"),
    ("escaped semicolon", "sid=a%3Bb", "a;b"),
    ("escaped blanks stay", "sid=%20%091%20", " \t1 "),
    ("escaped NUL", "sid=a%00b", "a\0b"),
    ("raw NUL", "sid=a\0b", "a\0b"),
    ("UTF-8 of two octets", "sid=%C3%A9", "é"),
    ("UTF-8 of three octets", "sid=%E2%82%AC", "€"),
    ("UTF-8 of four octets", "sid=%F0%9F%98%80", "😀"),
    ("last code point", "sid=%F4%8F%BF%BF", "\U0010ffff"),
    ("a noncharacter", "sid=%EF%BF%BE", "\ufffe"),
    ("raw Latin-1", "sid=\xe9\xff", "\xe9\xff"),
    ("raw Latin-1 and an escape", "sid=\xe9%41\xff", "\xe9A\xff"),
    ("raw Latin-1 and UTF-8", "sid=\xe9%E2%82%AC", "\xe9€"),
    ("raw octet can't finish an escape", "sid=%C3\xa9", "%C3\xa9"),
    ("raw octet can't begin one", "sid=\xc3%A9", "\xc3%A9"),
    ("percent alone", "sid=%", "%"),
    ("percent at the end", "sid=a%", "a%"),
    ("one digit", "sid=%4", "%4"),
    ("one digit and text", "sid=%4x", "%4x"),
    ("no digits", "sid=%zz%41", "%zz%41"),
    ("sign in an escape", "sid=%+1", "%+1"),
    ("space in an escape", "sid=% 1", "% 1"),
    ("percent twice", "sid=%%41", "%%41"),
    ("bad escape spoils good ones", "sid=%41%", "%41%"),
    ("lone continuation", "sid=%A9", "%A9"),
    ("cut sequence", "sid=%E2%82", "%E2%82"),
    ("cut sequence and text", "sid=%E2%82x", "%E2%82x"),
    ("overlong slash", "sid=%C0%AF", "%C0%AF"),
    ("overlong of three octets", "sid=%E0%80%AF", "%E0%80%AF"),
    ("overlong of four octets", "sid=%F0%80%80%AF", "%F0%80%80%AF"),
    ("escaped surrogate", "sid=%ED%A0%80", "%ED%A0%80"),
    ("surrogate pair in CESU-8", "sid=%ED%A0%BD%ED%B8%80", "%ED%A0%BD%ED%B8%80"),
    ("beyond the last code point", "sid=%F4%90%80%80", "%F4%90%80%80"),
    ("five octets", "sid=%F8%88%80%80%80", "%F8%88%80%80%80"),
    ("never in UTF-8", "sid=%FE%FF", "%FE%FF"),
    ("signed, as it is", f"sid={SIGNED}", SIGNED),
    ("signed, escaped", "sid=" + SIGNED.replace(":", "%3A").replace("+", "%2B"), SIGNED),
    ("signed, wholly escaped", "sid=" + "".join(f"%{ord(c):02x}" for c in SIGNED), SIGNED),
    ("signed, quoted", f'sid="{SIGNED}"', SIGNED),
]

HOSTILE = [  # requirement, header, value of __Host-sid
    ("R-32 nameless pair", "=__Host-sid=bad", None),
    ("R-32 nameless pair before ours", "=__Host-sid=bad; __Host-sid=1", "1"),
    ("R-32 blanks for a name", " \t =__Host-sid=bad; __Host-sid=1", "1"),
    ("R-32 name ends at the first equals sign", "__Host-sid==1", "=1"),
    ("R-34 escaped name", "%5F%5FHost-sid=bad; __Host%2Dsid=bad", None),
    ("R-34 dots in front", "..Host-sid=bad; .__Host-sid=bad", None),
    ("R-34 dot and blank", ". Host-sid=bad; __Host.sid=bad", None),
    ("R-34 brackets", "__Host-sid[]=bad; [__Host-sid]=bad", None),
    ("R-35 other case", "__HOST-sid=bad; __host-sid=bad; __Host-SID=bad", None),
    ("R-35 look-alikes", "Host__-sid=bad; __Host_sid=bad", None),
    ("R-36 sandwich", '$Version=1; a="x; __Host-sid=1; b=y"', "1"),
    ("R-36 unterminated quote", 'a="x; __Host-sid=1', "1"),
    ("R-36 escaped quote", 'a="x\\"; __Host-sid=1; b="', "1"),
    ("R-36 quoted name", '"__Host-sid"=bad', None),
    ("R-36 $Version", "$Version=1; __Host-sid=1; $Path=/; $Domain=x", "1"),
    ("R-36 $Version comma", "$Version=1, __Host-sid=bad", None),
    ("R-36 comma list", "a=1, __Host-sid=bad", None),
    ("R-36 bracket before ours", "a=b]__Host-sid=bad", None),
    ("R-38 neighbour of JSON", 'g_state={"i_l":0,"i_t":"a b"}; __Host-sid=1', "1"),
    ("R-38 neighbour of UTF-8", "n=\xc3\xa9\xff\xe2; __Host-sid=1", "1"),
    ("R-38 neighbour without value", "flag; __Host-sid=1", "1"),
    ("R-38 neighbour of controls", "a=\x00\x01\r\n\x7f; __Host-sid=1", "1"),
    ("R-38 neighbour of bad escapes", "a=%%%; __Host-sid=1; b=%C3", "1"),
    ("R-38 neighbour of bad names", "@()<>=1; (=; __Host-sid=1", "1"),
]


@pytest.mark.parametrize(
    ("header", "value"), [row[1:] for row in READING], ids=[row[0] for row in READING]
)
def test_a_cookie_is_read_as_express_reads_it(
    cookies: ModuleType, header: str, value: str | None
) -> None:
    """Splitting, trimming, quotes and escapes, as npm cookie 0.7 has them."""
    for form in forms(header):
        assert value == cookies.find(form, "sid")


@pytest.mark.parametrize(
    ("header", "value"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE]
)
def test_no_cookie_passes_for_another(cookies: ModuleType, header: str, value: str | None) -> None:
    """R-32 to R-38: names are octets, only `;` separates, a bad pair is alone in being bad."""
    for form in forms(header):
        assert value == cookies.find(form, "__Host-sid")


def test_python_knows_29_spaces() -> None:
    """The table of the tests below is whole."""
    assert 29 == len(SPACES)


@pytest.mark.parametrize("space", SPACES, ids=[f"U+{ord(space):04X}" for space in SPACES])
def test_only_space_and_tab_are_trimmed(cookies: ModuleType, space: str) -> None:
    """R-33: what a browser sees as part of a name can't vanish here."""
    trimmed = space in " \t"
    raw = [space.encode("utf-8")] + ([space.encode("latin-1")] if space < "\x80" else [])
    raw += [bytes([ord(space)])] if "\x80" <= space <= "\xff" else []
    for text in raw:
        for header in (b"%ssid=1", b"sid%s=1", b"a=2;%ssid=1", b"a=2; %ssid=1", b"a=2;sid %s=1"):
            expected = "1" if trimmed else None
            assert expected == cookies.find(header % text, "sid")
            assert expected == cookies.find((header % text).decode("latin-1"), "sid")
        value = "" if trimmed else text.decode("latin-1")
        assert f"{value}1{value}" == cookies.find(b"sid=%s1%s" % (text, text), "sid")
        assert "1" == cookies.find(b"%ssid=2; sid=1" % text, "sid", 1 if trimmed else 0)


def test_a_str_that_is_not_latin_1_is_no_cookie_header(cookies: ModuleType) -> None:
    """A server that hands over decoded text is not believed, nor is a surrogate."""
    for stray in ("\u0100", "\u2028", "😀", "\ud800", "\udc80", "\udfff"):
        assert cookies.find(f"sid=1; a={stray}", "sid") is None
        assert cookies.find(f"{stray}; sid=1", "sid") is None


@pytest.mark.parametrize(
    "name",
    [
        *["", " ", "\t", "=", ";", "sid=", "=sid", "sid;"],
        *["sid ", " sid", "sid\t", "a=b", "a;sid"],
    ],
)
def test_a_name_that_no_pair_can_have_is_never_found(cookies: ModuleType, name: str) -> None:
    """Names end at the first equals sign, and have no blanks around them."""
    for header in ("sid =1", "sid\t=1", " sid=1", "a=b=1", "a;sid=1", "==1", "sid==1", "=1", " =1"):
        for form in forms(header):
            assert cookies.find(form, name) is None


def test_a_name_is_compared_by_its_octets(cookies: ModuleType) -> None:
    """Latin-1 names match their octets; others match nothing."""
    assert "1" == cookies.find(b"\xe9=1", "\xe9")
    assert cookies.find("\xc3\xa9=1".encode("latin-1"), "\xe9") is None
    for name in ("\u0100", "\ud800", "\u212a"):
        assert cookies.find("K=1; k=1", name) is None


def test_duplicates_are_read_in_order(cookies: ModuleType) -> None:
    """R-37: `skip` walks through the cookies of one name, whatever they hold."""
    header = 'sid=1; a=x; sid=; sidx=9; sid="3"; sid; xsid=8;sid =%34'
    for form in forms(header):
        values = [cookies.find(form, "sid", skip) for skip in range(6)]
        assert ["1", "", "3", "4", None, None] == values
        assert "1" == cookies.find(form, "sid", -1)


LIMITS = [  # what, header, max_bytes, value of sid
    ("ends within", "a=2; sid=1", 11, "1"),
    ("ends at the limit", "a=2; sid=1", 10, "1"),
    ("one octet too long", "a=2; sid=1", 9, None),
    ("semicolon just behind the limit", "sid=1;a=2", 5, "1"),
    ("semicolon two behind it", "sid=12;a=2", 5, None),
    ("cut in the value", "sid=123456; a=2", 6, None),
    ("cut in the name", "a=2; sid=1", 6, None),
    ("cut behind the name", "a=2; sid=1", 8, None),
    ("whole before a cut pair", "sid=1; a=23456", 9, "1"),
    ("nothing allowed", "sid=1", 0, None),
    ("nothing allowed, nothing first", ";sid=1", 0, None),
    ("less than nothing", "sid=1", -1, None),
    ("less than nothing, nothing first", ";sid=1", -5, None),
]


@pytest.mark.parametrize(
    ("header", "limit", "value"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS]
)
def test_octets_beyond_the_limit_do_not_exist(
    cookies: ModuleType, header: str, limit: int, value: str | None
) -> None:
    """R-40: a pair that the limit cuts is ignored, so no value is ever truncated."""
    for form in forms(header):
        assert value == cookies.find(form, "sid", 0, limit)


def test_the_limits_are_16384_octets_and_256_pairs(cookies: ModuleType) -> None:
    """R-40: the defaults, to the octet and to the pair."""
    for form in forms("a=" + "x" * (16384 - 9) + "; sid=1"):
        assert 16384 == len(form)
        assert "1" == cookies.find(form, "sid")
    for form in forms("a=" + "x" * (16384 - 8) + "; sid=1"):
        assert 16385 == len(form)
        assert cookies.find(form, "sid") is None
    for form in forms("a=2;" * 255 + "sid=1"):
        assert "1" == cookies.find(form, "sid")
    for form in forms("a=2;" * 256 + "sid=1"):
        assert cookies.find(form, "sid") is None


def test_every_piece_counts_as_a_pair(cookies: ModuleType) -> None:
    """R-40: empty pieces and pieces without an equals sign too."""
    for piece in (";", "a;", "a=2;", " ; ", "sidx=1; ", "sid;", "=;", "=2;"):
        for form in forms(3 * piece + "sid=1"):
            assert cookies.find(form, "sid", 0, 16384, 3) is None
            assert "1" == cookies.find(form, "sid", 0, 16384, 4)
    for pairs in (0, -1):
        assert cookies.find("sid=1", "sid", 0, 16384, pairs) is None
    assert "2" == cookies.find("sid=1; sid=2", "sid", 1, 16384, 2)
    assert cookies.find("sid=1; sid=2", "sid", 1, 16384, 1) is None


def test_limits_may_be_named(cookies: ModuleType) -> None:
    """The parameters have these names, in any order."""
    assert "2" == cookies.find(
        max_pairs=2, max_bytes=99, skip=1, name="sid", header="sid=1; sid=2; sid=3"
    )


def test_a_session_survives_180_junk_cookies(cookies: ModuleType) -> None:
    """R-63: a cookie bomb from a sibling host is stepped over."""
    header = "; ".join(f"junk{number}=x" for number in range(180)) + "; sid=1"
    for form in forms(header):
        assert "1" == cookies.find(form, "sid")


@pytest.mark.parametrize("junk", ["a=;", ";", "sid;", "sidx=1;", "sid", "%", '"'])
def test_a_search_builds_nothing_per_pair(cookies: ModuleType, junk: str) -> None:
    """R-40: however long the header is, less than a kibibyte."""
    header = junk * (2**18 // len(junk))
    cookies.find(header, "sid", 0, 2**18, 2**18)
    tracemalloc.start()
    try:
        cookies.find(header, "sid", 0, 2**18, 2**18)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1024


def test_a_long_value_is_found_whole(cookies: ModuleType) -> None:
    """Values of any length come back, decoded or not, on every buffer's edge."""
    for size in (0, 1, 1021, 1022, 1023, 1024, 1025, 1026, 2047, 2048, 2049, 5000):
        for unit, decoded in (("x", "x"), ("%41", "A"), ("%C3%A9", "é"), ("\xe9%41", "\xe9A")):
            for form in forms("a=1; sid=" + unit * size):
                assert decoded * size == cookies.find(form, "sid", 0, 10**6)


@pytest.mark.parametrize("header", [None, 1, bytearray(b"sid=1"), memoryview(b"sid=1"), ["sid=1"]])
def test_a_header_is_text_or_octets(cookies: ModuleType, header: object) -> None:
    """Anything else is the caller's mistake."""
    with pytest.raises(TypeError, match=r"^header must be str or bytes$"):
        cookies.find(header, "sid")


def test_a_name_is_text(cookies: ModuleType) -> None:
    """Anything else is the caller's mistake."""
    with pytest.raises(TypeError, match=r"^name must be str$"):
        cookies.find("sid=1", b"sid")


PIECES = st.sampled_from(
    [
        *["sid", "sid=", "sidx", "a"],
        *'==;\t"%,\xe9\xa0',
        *["; ", " ", "%41", "%C3%A9"],
    ]
)


def reference(header: str, name: str) -> list[str]:
    """The raw values of every cookie called `name`, by the plainest means."""
    pairs = [pair.split("=", 1) for pair in header.split(";") if "=" in pair]
    return [value.strip(" \t") for key, value in pairs if key.strip(" \t") == name]


@given(header=st.lists(PIECES, max_size=40).map("".join))
def test_find_agrees_with_splitting(cookies: ModuleType, header: str) -> None:
    """R-42: on every header, cookies of a name are those that splitting finds."""
    raw = reference(header, "sid")
    for form in forms(header):
        for skip, value in enumerate([*raw, None]):
            found = cookies.find(form, "sid", skip)
            if value is None:
                assert found is None
            elif '"' not in value and "%" not in value:
                assert value == found
            else:
                assert len(found) <= len(value)


@given(header=st.binary(max_size=200), skip=st.integers(0, 3))
def test_any_octets_give_a_verdict(cookies: ModuleType, header: bytes, skip: int) -> None:
    """R-42: nothing a client sends raises, and both forms mean the same."""
    header = b"sid=" + header
    found = cookies.find(header, "sid", skip)
    assert found == cookies.find(header.decode("latin-1"), "sid", skip)
