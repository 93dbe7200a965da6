"""Keyrings: signatures as express makes them, refused in every other form."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import pickle
import string
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

CAT = b"keyboard cat"
SID = "Zr5Aq1-bX_0123456789abcdefABCDEF"
STANDARD = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"

EXPRESS = [  # text, key, MAC as npm cookie-signature 1.0.7 writes it
    (SID, CAT, "LKV+M1yocZucrln/ReP9yw+DHfYYUtXd4OIY/f2ZI7Y"),
    (SID, b"s3cr3t", "thYaI2Awm2RnYCk4mdA/P4YRe2SWJ//n8IWl3sWYYtc"),
    (SID, bytes(range(32)), "wi1RkyFSjyAa7npT0MAtH2TmQWc4+/ftCVshl13R99g"),
    ("apple", CAT, "D8Y+pkTAmeR0PobOhY4G97PRW+j7bUnP/5m6/On1MCU"),
    ("apple", "pässwörd€".encode(), "QR/BqwjVzTkv+3pQkH5k/0EqSNxdLFjBURkmpnDRHwI"),
    ("%", CAT, "kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa/OTZ01g"),
    ("/foo", CAT, "paEKBtAHbV5s1IB8B2zPnzAgYmmnRPIqObW4VRYj/MQ"),
    ("a.b.c", CAT, "G8ReS2HiYVtvMBGFvZUGp5RaCauWFLUTjnnTm/EQ2aE"),
    ("åpple", CAT, "F/RyED9yBwY4fojDZF96fseVnNzm3NyR/UeRDKSV35o"),
    ('a b;é"', CAT, "/6VSa0o4ZgLPEM3kqjg0ddVgHEoT3SduiHKAYOV8eTs"),
    ("", CAT, "aJcKKTu8Uv0mRiw7LTI435t+pOa+giU/WLAuLCKGEFc"),
    ("old", CAT, "ypcNB9G/Hy7W9tUidlF+h0qQl0GvE3HvvX5dMYBCBbA"),
    ("new", CAT, "oBpKU+yhv6cKXdj4fIhCTHDn5ZtoaR7K2ctqt2BMSPA"),
    ("NEW", b"", "x2GTYbSzqEUyISgHoWgflrgADEWKA9zMCQcgR7nZmeE"),
]

RFC_4231 = [  # case, key, text, MAC; cases 3 and 4 sign octets that are no UTF-8
    (
        1,
        b"\x0b" * 20,
        "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        2,
        b"Jefe",
        "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (5, b"\x0c" * 20, "Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    (
        6,
        b"\xaa" * 131,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        7,
        b"\xaa" * 131,
        "This is a test using a larger than block-size key and a larger than block-size data. "
        "The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]

FIPS_180 = [  # text, digest: the examples that NIST publishes with the standard
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        b"hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ),
    (b"a" * 10**6, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    (b"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"),
    (b"\0" * 55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"),
    (b"\0" * 56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"),
    (b"\0" * 64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"),
]


def mac(key: bytes, text: str) -> bytes:
    """HMAC-SHA256 by other means."""
    return hmac.digest(key, text.encode(), "sha256")


def flipped(text: str, index: int) -> str:
    """`text` with another character at `index`."""
    return text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]


@pytest.mark.parametrize(("text", "key", "signature"), EXPRESS)
def test_a_signature_is_that_of_express(
    signing: ModuleType, text: str, key: bytes, signature: str
) -> None:
    """Both ways, for all keys and texts that were recorded."""
    keyring = signing.Keyring([key])
    assert f"{text}.{signature}" == keyring.sign(text)
    assert 0 == keyring.verify(f"{text}.{signature}")


@pytest.mark.parametrize(("case", "key", "text", "expected"), RFC_4231)
def test_the_mac_is_hmac_sha256(
    signing: ModuleType, case: int, key: bytes, text: str, expected: str
) -> None:
    """The vectors of RFC 4231 s4 whose data is text."""
    keyring = signing.Keyring([key])
    signature = keyring.sign(text)[len(text) + 1 :]
    octets = base64.b64decode(signature + "=")
    assert 32 == len(octets)
    assert expected == octets.hex()[: len(expected)]
    assert base64.urlsafe_b64encode(octets[:24]).decode() == keyring.fingerprint(text)


@given(key=st.binary(max_size=200), text=st.text(max_size=200))
def test_every_key_and_text_agree_with_hmac(signing: ModuleType, key: bytes, text: str) -> None:
    """Keys on both sides of a block, texts on both sides of every padding."""
    keyring = signing.Keyring([key])
    expected = mac(key, text)
    signed = f"{text}.{base64.b64encode(expected).decode()[:43]}"
    assert signed == keyring.sign(text)
    assert 0 == keyring.verify(signed)
    assert base64.urlsafe_b64encode(expected[:24]).decode() == keyring.fingerprint(text)


def test_every_length_of_key_and_text_agrees_with_hmac(signing: ModuleType) -> None:
    """No length is left to chance."""
    for size in range(301):
        for key, text in ((b"k" * size, "text"), (b"key", "t" * size), (b"key", "é" * size)):
            signature = base64.b64encode(mac(key, text)).decode()[:43]
            assert f"{text}.{signature}" == signing.Keyring([key]).sign(text)


def test_a_signature_has_one_spelling(signing: ModuleType) -> None:
    """R-21: of the 64 last characters one is right, though four mean the same octets."""
    keyring = signing.Keyring([CAT])
    for number in range(200):
        signed = keyring.sign(f"{SID}{number}")
        verdicts = {char: keyring.verify(signed[:-1] + char) for char in STANDARD}
        assert [signed[-1]] == [char for char, verdict in verdicts.items() if verdict == 0]
        index = STANDARD.index(signed[-1])
        assert 0 == index % 4
        for sibling in STANDARD[index + 1 : index + 4]:
            same = base64.b64decode(signed[-43:-1] + sibling + "=")
            assert same == base64.b64decode(signed[-43:] + "=")
            assert -1 == keyring.verify(signed[:-1] + sibling)


def test_no_other_character_stands_for_one_of_base64(signing: ModuleType) -> None:
    """R-21: least of all for A, which means that no bit is set."""
    keyring = signing.Keyring([CAT])
    signed = keyring.sign("652")
    for place in range(4):
        assert "A" in signed[-43 + place :: 4]
    for index in range(len(signed) - 43, len(signed)):
        for char in map(chr, range(0x180)):
            verdict = 0 if char == signed[index] else -1
            assert verdict == keyring.verify(signed[:index] + char + signed[index + 1 :])


def test_every_character_counts(signing: ModuleType) -> None:
    """R-21: another character anywhere, or one more or less, and it is not ours."""
    keyring = signing.Keyring([b"new", CAT])
    signed = signing.Keyring([CAT]).sign(SID)
    assert 1 == keyring.verify(signed)
    for index in range(len(signed)):
        assert -1 == keyring.verify(flipped(signed, index))
        assert -1 == keyring.verify(signed[:index] + signed[index + 1 :])
        assert -1 == keyring.verify(signed[:index])
        for char in "A.=\n\0 é\ud800":
            assert -1 == keyring.verify(signed[:index] + char + signed[index:])


FORGED: list[tuple[str, Callable[[str, str], str]]] = [  # what, text and MAC -> signed
    ("padding", lambda text, mac: f"{text}.{mac}="),
    ("blank behind", lambda text, mac: f"{text}.{mac} "),
    ("newline behind", lambda text, mac: f"{text}.{mac}\n"),
    ("NUL behind", lambda text, mac: f"{text}.{mac}\0"),
    ("blank in front of the MAC", lambda text, mac: f"{text}. {mac}"),
    ("blank in front", lambda text, mac: f" {text}.{mac}"),
    ("newline in the MAC", lambda text, mac: f"{text}.{mac[:20]}\n{mac[20:]}"),
    ("url-safe alphabet", lambda text, mac: f"{text}.{mac.replace('+', '-').replace('/', '_')}"),
    ("hex", lambda text, mac: f"{text}.{base64.b64decode(mac + '=').hex()}"),
    ("extra dot", lambda text, mac: f"{text}..{mac}"),
    ("extra part", lambda text, mac: f"{text}.{mac}.x"),
    ("MAC twice", lambda text, mac: f"{text}.{mac}.{mac}"),
    ("no text", lambda text, mac: f".{mac}"),
    ("no dot", lambda text, mac: f"{text}{mac}"),
    ("MAC alone", lambda text, mac: mac),
    ("text alone", lambda text, mac: text),
    ("text and dot", lambda text, mac: f"{text}."),
    ("dot alone", lambda text, mac: "."),
    ("nothing", lambda text, mac: ""),
    ("other text", lambda text, mac: f"{text}x.{mac}"),
    ("upper case", lambda text, mac: f"{text}.{mac.upper()}"),
    ("cut MAC", lambda text, mac: f"{text}.{mac[:42]}"),
    ("full-width characters", lambda text, mac: f"{text}.{mac[:42]}\uff21"),
    ("octets of UTF-8", lambda text, mac: f"{text}.{mac[:41]}é"),
    ("surrogate in the text", lambda text, mac: f"{text}\ud800.{mac}"),
    ("surrogate in the MAC", lambda text, mac: f"{text}.{mac[:42]}\udcff"),
    ("zero octets", lambda text, mac: f"{text}.{'A' * 43}"),
    ("NULs", lambda text, mac: f"{text}.{chr(0) * 43}"),
]


@pytest.mark.parametrize("forge", [row[1] for row in FORGED], ids=[row[0] for row in FORGED])
def test_forgeries_are_refused(signing: ModuleType, forge: Callable[[str, str], str]) -> None:
    """R-19, R-21: what looks like a signature, or nearly is one."""
    keyring = signing.Keyring([b"other", CAT])
    text, signature = EXPRESS[0][0], EXPRESS[0][2]
    assert 1 == keyring.verify(f"{text}.{signature}")
    assert -1 == keyring.verify(forge(text, signature))


@given(text=st.text(st.characters(codec=None), max_size=100))
def test_verify_never_raises_on_text(signing: ModuleType, text: str) -> None:
    """R-42: surrogates, NUL, anything: it isn't ours."""
    keyring = signing.Keyring([CAT])
    assert -1 == keyring.verify(text)
    assert -1 == keyring.verify(f"{text}.{'A' * 43}")
    assert (-1 if text else 0) == keyring.verify(f"apple.{text}{EXPRESS[3][2]}")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_first_key_signs_and_every_key_verifies(signing: ModuleType, count: int) -> None:
    """R-23: the index tells which key it was, also when the same one is there twice."""
    keys = [f"key {number}".encode() for number in range(count)]
    keyring = signing.Keyring(keys)
    assert count == len(keyring)
    assert signing.Keyring(keys[:1]).sign(SID) == keyring.sign(SID)
    assert signing.Keyring(keys[:1]).fingerprint(SID) == keyring.fingerprint(SID)
    for index, key in enumerate(keys):
        signed = signing.Keyring([key]).sign(SID)
        assert index == keyring.verify(signed)
        rest = keys[:index] + keys[index + 1 :]
        if rest:
            assert -1 == signing.Keyring(rest).verify(signed)
        assert index == signing.Keyring(keys + keys).verify(signed)
    assert -1 == keyring.verify(signing.Keyring([b"gone"]).sign(SID))


def test_the_dots_of_a_text_are_part_of_it(signing: ModuleType) -> None:
    """The text ends at the last dot."""
    keyring = signing.Keyring([CAT])
    for text in ("", ".", "a.b.c", "...", f"a.{'A' * 43}", "é.ü", "\0", "\n", "x" * 10**5):
        assert 0 == keyring.verify(keyring.sign(text))


COOKIES = [  # what, header, (verdict, value, key, seen) with skip=0, most=3
    ("no header", "", ("ABSENT", None, -1, 0)),
    ("another cookie", "a=s:{new}", ("ABSENT", None, -1, 0)),
    ("an empty cookie", "sid=", ("ABSENT", None, -1, 1)),
    ("signed", "sid=s:{new}", ("SIGNED", SID, 0, 1)),
    ("signed and escaped", "a=1; sid=s%3A{escaped}; b=2", ("SIGNED", SID, 0, 1)),
    ("signed by an old key", "sid=s:{old}", ("SIGNED", SID, 1, 1)),
    ("signed by nobody", "sid=s:{gone}", ("FORGED", None, -1, 1)),
    ("no prefix", "sid={new}", ("MALFORMED", None, -1, 1)),
    ("another prefix", "sid=S:{new}", ("MALFORMED", None, -1, 1)),
    ("prefix alone", "sid=s:", ("FORGED", None, -1, 1)),
    ("cut prefix", "sid=s", ("MALFORMED", None, -1, 1)),
    ("signed, but nothing", "sid=s:{empty}", ("MALFORMED", None, -1, 1)),
    ("signed, not ASCII", "sid=s:{accent}", ("SIGNED", "åpple", 0, 1)),
    ("dots in the text", "sid=s:{dots}", ("SIGNED", "a.b.c", 0, 1)),
    ("second one signed", "sid=x; sid=s:{old}", ("SIGNED", SID, 1, 2)),
    ("third one signed", "sid=; sid=s:{gone}; sid=s:{new}", ("SIGNED", SID, 0, 3)),
    ("fourth one signed", "sid=; sid=x; sid=s:{gone}; sid=s:{new}", ("FORGED", None, -1, 3)),
    ("the last one tells", "sid=s:{gone}; sid=x", ("MALFORMED", None, -1, 2)),
    ("unless it is empty", "sid=s:{gone}; sid=", ("FORGED", None, -1, 2)),
]


@pytest.mark.parametrize(
    ("header", "expected"), [row[1:] for row in COOKIES], ids=[row[0] for row in COOKIES]
)
def test_the_first_signed_cookie_of_a_name_counts(
    signing: ModuleType, header: str, expected: tuple[str, str | None, int, int]
) -> None:
    """R-37: garbage and forgeries in front of it are stepped over, up to a limit."""
    keyring = signing.Keyring([b"new", b"old"])
    signed = {"new": keyring.sign(SID), "old": signing.Keyring([b"old"]).sign(SID)}
    signed["escaped"] = signed["new"].replace("+", "%2B").replace("/", "%2F")
    signed["gone"] = signing.Keyring([b"gone"]).sign(SID)
    signed |= {
        "empty": keyring.sign(""),
        "accent": keyring.sign("åpple"),
        "dots": keyring.sign("a.b.c"),
    }
    filled = header.format_map(signed)
    verdict, *rest = expected
    for form in (filled, filled.encode("latin-1")):
        found = keyring.first_signed(form, "sid", "s:", 0, 3)
        assert (getattr(signing, verdict), *rest) == found
    assert 4 == len({signing.ABSENT, signing.MALFORMED, signing.FORGED, signing.SIGNED})


def test_a_search_for_a_signed_cookie_has_limits(signing: ModuleType) -> None:
    """Cookies skipped, octets and pairs beyond the limits are not looked at."""
    keyring = signing.Keyring([CAT])
    first, second = keyring.sign("first"), keyring.sign("second")
    header = f"sid=s:{first}; sid=s:{second}"
    assert (signing.SIGNED, "first", 0, 1) == keyring.first_signed(header, "sid", "s:")
    assert (signing.SIGNED, "second", 0, 2) == keyring.first_signed(header, "sid", "s:", 1, 2)
    for skip, most in ((1, 1), (2, 1), (2, 3), (0, 0)):
        found = keyring.first_signed(header, "sid", "s:", skip, most)
        assert (signing.ABSENT, None, -1, skip) == found
    nothing = (signing.ABSENT, None, -1, 0)
    assert nothing == keyring.first_signed(header, "sid", "s:", 0, 2, max_bytes=9)
    assert nothing == keyring.first_signed(f"a=1; {header}", "sid", "s:", most=2, max_pairs=1)


def test_a_keyring_takes_any_sequence_of_bytes(signing: ModuleType) -> None:
    """Of bytes of any length, none included, and keeps what it was given."""
    keys = [CAT, b""]
    keyring = signing.Keyring(keys)
    keys.clear()
    assert 2 == len(keyring)
    assert 0 == keyring.verify(signing.Keyring((CAT,)).sign(SID))
    assert 1 == keyring.verify(signing.Keyring(secrets=[b""]).sign(SID))


@pytest.mark.parametrize(
    ("secrets", "error"),
    [
        ([], ValueError),
        ((), ValueError),
        (b"", ValueError),
        ("", ValueError),
        (b"keyboard cat", TypeError),
        ("keyboard cat", TypeError),
        (["keyboard cat"], TypeError),
        ([CAT, None], TypeError),
        ([CAT, bytearray(b"x")], TypeError),
        ([memoryview(CAT)], TypeError),
        ([7], TypeError),
        (None, TypeError),
    ],
)
def test_a_keyring_without_keys_of_bytes_is_refused(
    signing: ModuleType, secrets: object, error: type[Exception]
) -> None:
    """R-23: an empty list, and text where bytes are meant."""
    with pytest.raises(error):
        signing.Keyring(secrets)


def test_what_has_no_utf_8_cannot_be_signed(signing: ModuleType) -> None:
    """Lone surrogates: the caller's mistake."""
    keyring = signing.Keyring([CAT])
    for text in ("\ud800", "a\udfff", "é\udc80€"):
        for act in (keyring.sign, keyring.fingerprint):
            with pytest.raises(ValueError, match=r"^value has lone surrogates$"):
                act(text)


def test_only_text_is_signed_and_verified(signing: ModuleType) -> None:
    """Bytes and None are the caller's mistake."""
    keyring = signing.Keyring([CAT])
    for thing in (b"apple", None, 1):
        with pytest.raises(TypeError, match=r"^value must be str$"):
            keyring.sign(thing)
        with pytest.raises(TypeError, match=r"^value must be str$"):
            keyring.fingerprint(thing)
        with pytest.raises(TypeError, match=r"^text must be str$"):
            keyring.verify(thing)


def test_a_keyring_cannot_be_copied_out(signing: ModuleType) -> None:
    """Neither copy nor pickle, by any protocol."""
    keyring = signing.Keyring([CAT])
    acts: list[Callable[[], object]] = [lambda: copy.copy(keyring), lambda: copy.deepcopy(keyring)]
    acts += [
        lambda protocol=protocol: pickle.dumps(keyring, protocol)  # type: ignore[misc]
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for act in acts:
        with pytest.raises(TypeError, match="secrets"):
            act()


def test_a_claim_is_the_first_signed_cookie_and_its_fingerprint(signing: ModuleType) -> None:
    """From a str or from an ASGI request's headers, of which several may be Cookie headers."""
    keyring, index = signing.Keyring([b"key"]), signing.Keyring([b"index"])
    text = f"a=1; sid=s:{keyring.sign(SID)}"
    pairs = [(b"host", b"x"), (b"cookie", b"a=1"), (b"cookie", text.encode()), (b"x", b"sid=s:")]
    rest = ("sid", "s:", 0, 4, 16384, 256)
    found = (signing.SIGNED, SID, 0, 1)
    assert (*found, index.fingerprint(SID)) == keyring.claim(text, *rest, index)
    assert (*found, index.fingerprint(SID)) == keyring.claim(pairs, *rest, index)
    assert (*found, None) == keyring.claim(pairs, *rest, None)
    for nothing in ("", "sid=", [], [(b"cookie", b"")], pairs[:2]):
        assert (signing.ABSENT, None, -1) == keyring.claim(nothing, *rest, index)[:3]


def test_a_keyring_shows_no_secret(signing: ModuleType) -> None:
    """Not in repr, str or any public attribute, nor its hash."""
    keyring = signing.Keyring([CAT, b"0123456789abcdef" * 9])
    assert "<Keyring of 2>" == repr(keyring) == str(keyring) == f"{keyring}"
    for name in dir(keyring):
        shown = repr(getattr(keyring, name, None))
        assert name.startswith("_") or callable(getattr(keyring, name))
        for secret in ("keyboard", CAT.hex(), "0123456789", "cat"):
            assert secret not in shown


def test_an_unfinished_keyring_is_freed(signing: ModuleType) -> None:
    """A constructor that fails midway leaves nothing behind that could be freed twice."""
    for _ in range(1000):
        with pytest.raises(TypeError):
            signing.Keyring([CAT, None])


def test_the_path_of_this_machine_has_a_name(signing: ModuleType) -> None:
    """For reports of what runs where."""
    assert signing.cpu_path() in ("hashlib", "sha-ni", "armv8", "scalar")


@pytest.fixture(scope="module", params=["scalar", "hardware"])
def sha256(
    request: pytest.FixtureRequest, twins: Callable[[str], tuple[ModuleType, ModuleType]]
) -> Callable[[bytes], bytes]:
    """Our own SHA-256, by plain C and by the processor's instructions."""
    compiled = twins("signing")[1]
    path = "scalar" if request.param == "scalar" else compiled.cpu_path()
    if request.param != path == "scalar":
        pytest.skip("this processor has no instructions for SHA-256")
    return lambda data: bytes(compiled.sha256(data, path))


@pytest.mark.parametrize(("data", "digest"), FIPS_180, ids=[str(len(row[0])) for row in FIPS_180])
def test_our_sha256_is_that_of_fips_180(
    sha256: Callable[[bytes], bytes], data: bytes, digest: str
) -> None:
    """Published digests."""
    assert digest == sha256(data).hex()


def test_every_length_agrees_with_hashlib(sha256: Callable[[bytes], bytes]) -> None:
    """0 to 300 octets: every place of the padding in several blocks."""
    for size in range(301):
        for data in (bytes(size), b"\xff" * size, bytes(octet * 7 & 255 for octet in range(size))):
            assert hashlib.sha256(data).digest() == sha256(data)


@given(data=st.binary(max_size=300))
def test_every_text_agrees_with_hashlib(sha256: Callable[[bytes], bytes], data: bytes) -> None:
    """Whatever the octets are."""
    assert hashlib.sha256(data).digest() == sha256(data)


def test_a_path_that_is_not_there_is_refused(
    twins: Callable[[str], tuple[ModuleType, ModuleType]],
) -> None:
    """A test that asks for an instruction set does not get another one."""
    compiled = twins("signing")[1]
    assert hashlib.sha256(b"abc").digest() == compiled.sha256(b"abc")
    with pytest.raises(ValueError, match="md5"):
        compiled.sha256(b"abc", "md5")
