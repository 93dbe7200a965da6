"""The envelope of native records: its bytes, what is no envelope, and that both twins agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

Twins = Callable[[str], tuple[ModuleType, ModuleType]]

KEY = "Zq3vX0aB8kLmN2pQ"
CREATED, END = 1700000000.123, 1700043200.5
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def made(created: float, end: float | None, cookie: dict[str, Any]) -> tuple[Any, ...]:
    """What the tests have made of an envelope."""
    return created, end, cookie


def outcome(act: Callable[..., object], *args: object) -> tuple[object, ...]:
    """What a call gives or raises, in a form that tells 1 from 1.0 and 0.0 from -0.0."""
    try:
        given = act(*args)
    except (*UNREADABLE, TypeError, OverflowError) as error:
        return type(error), str(error)
    return type(given), repr(given)


WRITTEN = [
    ((KEY, b"{}", CREATED, END, {}), b'"c":1700000000.123,"e":1700043200.5,"d":{}}'),
    ((KEY, b'{"n":1}', CREATED, None, {}), b'"c":1700000000.123,"e":null,"d":{"n":1}}'),
    ((KEY, b"{}", 1.00049, 2.0006, {}), b'"c":1.0,"e":2.001,"d":{}}'),
    ((KEY, b"{}", 1e9, 2e9, {}), b'"c":1000000000.0,"e":2000000000.0,"d":{}}'),
    ((KEY, b"{}", 7.05, 10.01, {}), b'"c":7.05,"e":10.01,"d":{}}'),
    ((KEY, b"{}", 0.0, -0.0, {}), b'"c":0.0,"e":0.0,"d":{}}'),
    ((KEY, b"{}", -1.5, 0.001, {}), b'"c":-1.5,"e":0.001,"d":{}}'),
    ((KEY, b"{}", 1, 99_999_999_999.999, {}), b'"c":1.0,"e":99999999999.999,"d":{}}'),
    ((KEY, b"{}", 1.0, 8.64e12, {}), b'"c":1.0,"e":8640000000000.0,"d":{}}'),
    ((KEY, b"{}", 1.0, None, {"max_age": 60}), b'"c":1.0,"e":null,"m":60.0,"d":{}}'),
    ((KEY, b"{}", 1.0, None, {"max_age": None}), b'"c":1.0,"e":null,"m":null,"d":{}}'),
    ((KEY, b"{}", 1.0, None, {"max_age": False}), b'"c":1.0,"e":null,"m":null,"d":{}}'),
    ((KEY, b"{}", 1.0, None, {"path": "/"}), b'"c":1.0,"e":null,"d":{}}'),
]


@pytest.mark.parametrize(("parts", "tail"), WRITTEN)
def test_an_envelope_has_fixed_bytes_and_the_data_last(
    envelope: ModuleType, parts: tuple[Any, ...], tail: bytes
) -> None:
    """The bytes are a format: another version of this library must read them."""
    blob = envelope.wrap(*parts)
    assert b'{"v":1,"k":"8kLmN2pQ",' + tail == blob
    data, (created, end, cookie) = envelope.unwrap(KEY, blob, made)
    assert msgspec.json.decode(parts[1]) == data
    assert blob == envelope.wrap(KEY, parts[1], created, end, cookie)
    assert envelope.wraps(blob, parts[1])


READ = [
    ("another order", b'{"d":{"a":1},"e":null,"c":5,"k":"8kLmN2pQ","v":1}', (5.0, None, {})),
    ("blanks", b' {"v": 1,"k":"8kLmN2pQ","c":1.5,"e":2.5,"d":{"a":1} } ', (1.5, 2.5, {})),
    ("an int", b'{"v":1,"k":"8kLmN2pQ","c":1,"e":2.5,"d":{"a":1}}', (1.0, 2.5, {})),
    ("more digits", b'{"v":1,"k":"8kLmN2pQ","c":1.2345,"e":2.5,"d":{"a":1}}', (1.2345, 2.5, {})),
    ("an exponent", b'{"v":1,"k":"8kLmN2pQ","c":1.5e3,"e":2.5,"d":{"a":1}}', (1500.0, 2.5, {})),
    (
        "a span behind the data",
        b'{"v":1,"k":"8kLmN2pQ","c":1.5,"e":2.5,"d":{"a":1},"m":60}',
        (1.5, 2.5, {"max_age": 60.0}),
    ),
    (
        "a time again behind the data",
        b'{"v":1,"k":"8kLmN2pQ","c":1.5,"e":2.5,"d":{"a":1},"c":9.5}',
        (9.5, 2.5, {}),
    ),
    (
        "data twice",
        b'{"v":1,"k":"8kLmN2pQ","c":1.5,"e":2.5,"d":{"b":1},"d":{"a":1}}',
        (1.5, 2.5, {}),
    ),
]


@pytest.mark.parametrize(("case", "blob", "rest"), READ)
def test_an_envelope_may_be_written_otherwise(
    envelope: ModuleType, case: str, blob: bytes, rest: tuple[Any, ...]
) -> None:
    """Whoever else writes JSON may order and space it as he likes."""
    assert ({"a": 1}, rest) == envelope.unwrap(KEY, blob, made), case


GOOD = b'{"v":1,"k":"8kLmN2pQ","c":1700000000.123,"e":1700043200.5,"d":{"user":"bob"}}'
BAD = [
    b"",
    b"{",
    b"{}",
    GOOD[:-1],
    GOOD + b"}",
    GOOD.replace(b'"v":1', b'"v":2'),
    GOOD.replace(b'"v":1', b'"v":1.0'),
    GOOD.replace(b"8kLmN2pQ", b"8kLmN2pR"),
    GOOD.replace(b"8kLmN2pQ", b"8kLmN2p"),
    GOOD.replace(b'"c":1700000000.123', b'"c":01700000000.123'),
    GOOD.replace(b'"c":1700000000.123', b'"c":1700000000.'),
    GOOD.replace(b'"c":1700000000.123', b'"c":.123'),
    GOOD.replace(b'"c":1700000000.123', b'"c":'),
    GOOD.replace(b'"c":1700000000.123', b'"c":null'),
    GOOD.replace(b'"c":1700000000.123', b'"c":8640000000000.001'),
    GOOD.replace(b'"c":1700000000.123', b'"c":1e300'),
    GOOD.replace(b'"e":1700043200.5', b'"e":nul'),
    GOOD.replace(b'"e":1700043200.5', b'"e":NaN'),
    GOOD.replace(b'"e":1700043200.5', b'"e":-8640000000000.001'),
    GOOD.replace(b',"d":', b',"x":1,"d":'),
    GOOD.replace(b'{"user":"bob"}', b'{"user":"bob"},"x":{}'),
    GOOD.replace(b'{"user":"bob"}', b'["bob"]'),
    GOOD.replace(b'{"user":"bob"}', b'{"user":"bob"'),
    GOOD.replace(b'{"user":"bob"}', b'{"user":"bob"}{}'),
    GOOD.replace(b"bob", b"b\xffb"),
    GOOD.replace(b"bob", b"b\nb"),
    GOOD.replace(b"bob", b"\\ud800"),
    GOOD.replace(b'"bob"', b"1e999"),
]


@pytest.mark.parametrize("blob", BAD)
def test_anything_else_is_no_envelope(envelope: ModuleType, blob: bytes) -> None:
    """Of three kinds of exception, which the codec knows."""
    envelope.unwrap(KEY, GOOD, made)
    with pytest.raises(UNREADABLE):
        envelope.unwrap(KEY, blob, made)


@pytest.mark.parametrize("size", range(len(GOOD)))
def test_no_part_of_an_envelope_is_one(envelope: ModuleType, size: int) -> None:
    """Neither a beginning nor an end."""
    for part in (GOOD[:size], GOOD[len(GOOD) - size :]):
        with pytest.raises(UNREADABLE):
            envelope.unwrap(KEY, part, made)


def test_octets_may_come_in_other_objects(envelope: ModuleType) -> None:
    """Some clients hand out what they read into."""
    for kind in (bytearray, memoryview):
        assert {"user": "bob"} == envelope.unwrap(KEY, kind(GOOD), made)[0]
    assert envelope.wraps(bytearray(GOOD), b'{"user":"bob"}')
    assert not envelope.wraps(bytearray(GOOD), b'{"user":"eve"}')


keys = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.text('ab"\\\n\x1f\x7f é😀', max_size=12),
    st.text("abcXYZ019-_", min_size=8, max_size=12),
)
times = st.one_of(
    st.integers(-(10**14), 10**14).map(lambda thousandths: thousandths / 1000),
    st.integers(-(2 * 10**6), 2 * 10**6).map(lambda halves: halves / 2000),
    st.floats(-8.64e12, 8.64e12),
    st.floats(1, 1e11),
    st.sampled_from([0.9995, 0.9994999, 99999999999.9995, 99999999999.9994, 1e11, 8.64e12]),
    st.integers(-10, 10),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e300]),
)
texts = st.text(st.characters(codec="utf-8"), max_size=6)
data = st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=4)
cookies = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"max_age": st.none() | st.just(False) | times}),
)
bounded = st.floats(-8.64e12, 8.64e12) | times.filter(lambda time: abs(time) <= 8.64e12)


@given(key=keys, created=times, end=st.none() | times, cookie=cookies)
@example(key=KEY, created=2.0005, end=2.0015, cookie={})
@example(key=KEY, created=True, end=1.5, cookie={})
def test_both_write_the_same(
    twins: Twins, key: str, created: float, end: float | None, cookie: dict[str, Any]
) -> None:
    """To the octet, or refuse alike."""
    pure, compiled = twins("envelope")
    args = (key, b'{"a":1}', created, end, cookie)
    assert outcome(pure.wrap, *args) == outcome(compiled.wrap, *args)


@given(key=keys, held=data, created=bounded, end=st.none() | bounded, cookie=cookies)
def test_what_is_written_is_read(
    envelope: ModuleType,
    key: str,
    held: dict[str, Any],
    created: float,
    end: float | None,
    cookie: dict[str, Any],
) -> None:
    """Times to the millisecond, the rest exactly."""
    if not abs(cookie.get("max_age") or 0) <= 8.64e12:
        cookie = {}
    held = {name: value for name, value in held.items() if abs(hash(value)) < 2**60}
    text = msgspec.json.encode(held)
    blob = envelope.wrap(key, text, created, end, cookie)
    found, (created_then, end_then, _) = envelope.unwrap(key, blob, made)
    assert repr(msgspec.json.decode(text)) == repr(found)
    assert round(created * 1000) / 1000 == created_then
    assert (None if end is None else round(end * 1000) / 1000) == end_then
    assert envelope.wraps(blob, text)


PIECES = [b'"', b"\\", b"{", b"}", b",", b":", b"null", b"0", b"1", b".", b"-", b"e5", b" "]
PIECES += [b'"d":{}', b'"m":60', b',"x":1', b'"c":1.5', b"\\u0038", b"\x00", b"\xff", b"[" * 2000]


@given(
    key=st.sampled_from([KEY, "short", 'q"uote', "é" * 9]),
    held=data,
    created=bounded,
    end=st.none() | bounded,
    cookie=st.sampled_from([{}, {"max_age": 60}]),
    changes=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 3),
            st.sampled_from(PIECES) | st.binary(max_size=2) | st.just(b""),
        ),
        max_size=3,
    ),
)
def test_both_read_the_same_from_damaged_records(
    twins: Twins,
    key: str,
    held: dict[str, Any],
    created: float,
    end: float | None,
    cookie: dict[str, Any],
    changes: list[tuple[float, int, bytes]],
) -> None:
    """The quick way of the compiled twin is no other way: results and errors are the same."""
    pure, compiled = twins("envelope")
    held = {name: value for name, value in held.items() if abs(hash(value)) < 2**60}
    text = msgspec.json.encode(held)
    blob = pure.wrap(key, text, created, end, cookie)
    for place, gone, piece in changes:
        at = round(place * len(blob))
        blob = blob[:at] + piece + blob[at + gone :]
    assert outcome(pure.unwrap, key, blob, made) == outcome(compiled.unwrap, key, blob, made)
    assert pure.wraps(blob, text) == compiled.wraps(blob, text)


def test_both_read_the_same_whatever_octet_stands_anywhere(twins: Twins) -> None:
    """Each octet of a record replaced by each other one, and each left out."""
    pure, compiled = twins("envelope")
    for at in range(len(GOOD)):
        for other in [b"", *(bytes([octet]) for octet in range(256))]:
            blob = GOOD[:at] + other + GOOD[at + 1 :]
            expected = outcome(pure.unwrap, KEY, blob, made)
            assert expected == outcome(compiled.unwrap, KEY, blob, made)


@given(blob=st.binary(max_size=40), text=st.binary(max_size=12))
@example(blob=b'"d":{}}', text=b"{}")
@example(blob=b'd":{}}', text=b"{}")
@example(blob=b"", text=b"")
def test_both_compare_the_same_way(twins: Twins, blob: bytes, text: bytes) -> None:
    """Whatever the octets are."""
    pure, compiled = twins("envelope")
    assert pure.wraps(blob, text) == compiled.wraps(blob, text)
    whole = blob + b'"d":' + text + b"}"
    assert pure.wraps(whole, text) is compiled.wraps(whole, text) is True
