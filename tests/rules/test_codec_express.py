"""express-session's record: the bytes are Node's, in both directions.

The golden vectors come from Node itself (make_express_vectors.mjs); test_codec_node.py asks it
again where it is installed.
"""

from __future__ import annotations

import json
import pickle
import struct
from collections import UserDict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessfast.codec import ExpressCodec, NativeCodec
from sessfast.errors import DecodeError, EncodeError
from sessfast.express_text import iso_ms, iso_text, number_text
from sessfast.meta import Meta
from tests.rules.test_codec_native import TOKENS, Lazy, Name, mutants, nested

CODEC = ExpressCodec()
KEY = "sess:abc"
VECTORS = json.loads((Path(__file__).parent / "express_vectors.json").read_text("ascii"))
RECORDS: list[str] = VECTORS["records"]
AT = datetime(2023, 11, 14, 22, 14, 20, 123000, UTC)
PLAIN = b'{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}'
COOKIE = {"original_max_age": None, "expires": None, "http_only": True, "path": "/"}


def wire(text: str) -> bytes:
    """Node's text as Node sends it; JSON.stringify leaves no lone surrogate in it."""
    return text.encode()


def rewritten(blob: bytes) -> bytes:
    """`blob` decoded and encoded again."""
    data, meta = CODEC.decode(KEY, blob)
    text = CODEC.dumps(data)
    assert CODEC.same(blob, text)
    return CODEC.encode(KEY, data, text, meta)


# -- golden vectors ------------------------------------------------------------------------


def test_numbers_are_printed_as_node_prints_them() -> None:
    """Every branch of Number::toString, and 400 arbitrary doubles."""
    for octets, expected in VECTORS["numbers"]:
        (number,) = struct.unpack(">d", bytes.fromhex(octets))
        assert expected == number_text(number), octets
        assert f'{{"n":[{expected}]}}'.encode() == CODEC.dumps({"n": [number]})


def test_dates_are_printed_and_read_as_node_does() -> None:
    """Years of four and six digits, before 1970 and to the ends of a Date's range."""
    for ms, expected in VECTORS["dates"]:
        assert expected == f'"{iso_text(ms)}"'
        assert ms == iso_ms(expected[1:-1])
        cookie = {"original_max_age": None, "expires": ms / 1000}
        blob = CODEC.encode(KEY, {}, b"{}", Meta(0.0, None, cookie))
        assert f'{{"cookie":{{"originalMaxAge":null,"expires":{expected}}}}}'.encode() == blob
        assert cookie == CODEC.decode(KEY, blob)[1].cookie


def test_strings_are_escaped_as_node_does() -> None:
    """Control characters, separators, lone surrogates, and pairs kept as two halves."""
    for units, expected in VECTORS["strings"]:
        text = "".join(map(chr, units))
        blob = wire(expected)
        assert b'{"s":%b}' % blob == CODEC.dumps({"s": text})
        assert b"{%b:1}" % blob == CODEC.dumps({text: 1})
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        record = b'{"cookie":%b,"s":%b}' % (PLAIN, blob)
        assert {"s": whole} == CODEC.decode(KEY, record)[0]


VALUES: dict[str, dict[Any, Any]] = {
    "nothing": {},
    "indices_first": {"b": 1, "10": 1, "01": 1, "2": 1, "1": 1, "a": {"z": 1, "0": 1}},
    "index_limits": {
        "x": 1, "4294967295": 1, "4294967294": 1, "-1": 1, "1.5": 1, " 1": 1, "1e3": 1,
    },
    "dates": {
        "at": AT,
        "inside": (AT.astimezone(timezone(timedelta(hours=-5))),),
        "long_ago": "-000001-12-31T23:59:59.999Z",
    },
    "invalid_date_and_numbers": {
        "a": float("nan"), "b": [float("inf"), float("-inf")], "c": -0.0, "d": 1.0,
    },
    "buffer": {"raw": b"hi", "none": bytearray()},
    "great_numbers": {"a": 2**53 + 2, "b": [2**64, 10**20, 10**21], "c": -(2**70)},
    "lone_surrogates": {"\ud800": "\udfff", "é": ["\ud83d", "😀"]},
    "nested": {
        "cart": [{"sku": "a", "price": 20.0, "qty": 2}, {"sku": "b", "price": 19.99, "qty": 1}],
        "e": {},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_values_are_written_as_json_stringify_writes_them(name: str) -> None:
    """Each Python value stands for the JavaScript value of the vector."""
    assert wire(VECTORS["values"][name]) == CODEC.dumps(VALUES[name])


def test_there_is_a_value_for_every_vector() -> None:
    """A vector that nobody looks at proves nothing."""
    assert VECTORS["values"].keys() == VALUES.keys()


@pytest.mark.parametrize("text", RECORDS)
def test_a_record_of_node_is_written_again_byte_for_byte(text: str) -> None:
    """Cookie attributes, the cookie's place, and all data."""
    assert wire(text) == rewritten(wire(text))


# -- the cookie object ---------------------------------------------------------------------


def test_cookie_attributes_have_python_names_and_seconds() -> None:
    """The one place where milliseconds become seconds."""
    data, meta = CODEC.decode(KEY, wire(RECORDS[4]))
    expected = {
        "original_max_age": 60.0,
        "partitioned": True,
        "priority": "high",
        "expires": 1700000060.123,
        "secure": True,
        "http_only": True,
        "domain": "example.com",
        "path": "/p",
        "same_site": "none",
    }
    assert ({}, Meta(0.0, None, expected, 0)) == (data, meta)


LENIENT: list[tuple[bytes, dict[str, Any], bytes]] = [
    # the cookie as stored             what it means                    as written again
    (b"{}", {}, b"{}"),
    (b"null", {}, b"{}"),
    (b"[1]", {}, b"{}"),
    (b'{"expires":false}', {"expires": False}, b'{"expires":false}'),
    (b'{"expires":"soon"}', {"expires": None}, b'{"expires":null}'),
    (b'{"expires":"2023-11-14T22:14:20"}', {"expires": None}, b'{"expires":null}'),
    (b'{"expires":"-000000-01-01T00:00:00.000Z"}', {"expires": None}, b'{"expires":null}'),
    (b'{"expires":"+999999-01-01T00:00:00.000Z"}', {"expires": None}, b'{"expires":null}'),
    (b'{"expires":true}', {"expires": None}, b'{"expires":null}'),
    (b'{"expires":{"$date":1}}', {"expires": None}, b'{"expires":null}'),
    (b'{"expires":1500}', {"expires": 1.5}, b'{"expires":"1970-01-01T00:00:01.500Z"}'),
    (b'{"expires":"1970-01-01T01:00:00+01:00"}', {"expires": 0.0},
     b'{"expires":"1970-01-01T00:00:00.000Z"}'),
    (b'{"originalMaxAge":"1 day"}', {"original_max_age": None}, b'{"originalMaxAge":null}'),
    (b'{"originalMaxAge":true}', {"original_max_age": None}, b'{"originalMaxAge":null}'),
    (b'{"originalMaxAge":1e300}', {"original_max_age": None}, b'{"originalMaxAge":null}'),
    (b'{"originalMaxAge":-1}', {"original_max_age": -0.001}, b'{"originalMaxAge":-1}'),
    (b'{"path":"/","originalMaxAge":1,"other":[]}', {"path": "/", "original_max_age": 0.001},
     b'{"originalMaxAge":1,"path":"/"}'),
    (b'{"secure":"auto","httpOnly":0}', {"secure": "auto", "http_only": 0},
     b'{"secure":"auto","httpOnly":0}'),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "attributes", "again"), LENIENT)
def test_cookies_of_other_writers_are_read_leniently(
    stored: bytes, attributes: dict[str, Any], again: bytes
) -> None:
    """Any key order, unknown keys, and dates that are none."""
    data, meta = CODEC.decode(KEY, b'{"cookie":%b,"n":1}' % stored)
    assert ({"n": 1}, attributes) == (data, meta.cookie)
    assert b'{"cookie":%b,"n":1}' % again == CODEC.encode(KEY, data, b'{"n":1}', meta)


def test_a_record_without_a_cookie_is_read_and_written_with_one() -> None:
    """Node answers 500 for a record without a cookie object."""
    data, meta = CODEC.decode(KEY, b'{"user":"bob"}')
    assert ({"user": "bob"}, Meta(0.0, None, {}, 0)) == (data, meta)
    assert b'{"cookie":{},"user":"bob"}' == CODEC.encode(KEY, data, b'{"user":"bob"}', meta)


PLACES: list[tuple[list[str], int, str]] = [
    ([], 0, "cookie"),
    ([], 3, "cookie"),
    (["a", "b"], 0, "cookie a b"),
    (["a", "b"], 1, "a cookie b"),
    (["a", "b"], 2, "a b cookie"),
    (["a", "b"], 9, "a b cookie"),
    (["a", "2", "b", "1"], 0, "1 2 cookie a b"),
    (["a", "2", "b", "1"], 1, "1 2 a cookie b"),
    (["1st", "a"], 0, "cookie 1st a"),
    (["7"], 0, "7 cookie"),
    (["\ud800", "é", "b"], 2, "\ud800 é cookie b"),
]


@pytest.mark.parametrize(("keys", "index", "order"), PLACES)
def test_the_cookie_stands_where_it_stood(keys: list[str], index: int, order: str) -> None:
    """Array indices stand before it, as JavaScript has them; `cookie_index` counts the rest."""
    data = {key: [1.0, {"9": 1, "a": 1}] for key in keys}
    meta = Meta(0.0, None, COOKIE, index)
    blob = CODEC.encode(KEY, data, CODEC.dumps(data), meta)
    assert order.split() == list(json.loads(blob))
    again, kept = CODEC.decode(KEY, blob)
    assert data == again
    assert blob == CODEC.encode(KEY, again, CODEC.dumps(again), kept)


@settings(deadline=None)
@given(ms=st.integers(-8_640_000_000_000_000, 8_640_000_000_000_000))
def test_milliseconds_survive_as_seconds(ms: int) -> None:
    """Over the whole range of a Date, in both fields."""
    record = b'{"cookie":{"originalMaxAge":%d,"expires":"%b"}}' % (
        ms,
        iso_text(ms).encode(),
    )
    assert record == rewritten(record)


def test_lifetimes_that_javascript_cannot_hold_are_null() -> None:
    """As JSON.stringify has it for NaN and an Invalid Date."""
    for span in (float("nan"), float("inf"), 1e300, True, "60"):
        meta = Meta(0.0, None, {"original_max_age": span, "expires": span})
        blob = CODEC.encode(KEY, {}, b"{}", meta)
        assert b'{"cookie":{"originalMaxAge":null,"expires":null}}' == blob


def test_an_attribute_that_cannot_be_stored_is_named() -> None:
    """The path says that it is the cookie's."""
    with pytest.raises(EncodeError, match=r"cookie\.path"):
        CODEC.encode(KEY, {}, b"{}", Meta(0.0, None, {"path": object()}))


# -- what is taken and what is not ---------------------------------------------------------

ACCEPTED: list[tuple[dict[Any, Any], bytes]] = [
    (Lazy(a=1), b'{"a":1}'),
    ({Name.CART: (1.0, 2.5)}, b'{"cart":[1,2.5]}'),
    ({"at": datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-1)))},
     b'{"at":"+010000-01-01T00:59:00.000Z"}'),
    ({"at": AT + timedelta(microseconds=999)}, b'{"at":"2023-11-14T22:14:20.123Z"}'),
    ({"n": 2**53 + 1}, b'{"n":9007199254740992}'),
    ({"n": 10**400}, b'{"n":null}'),
    ({"n": 10**22}, b'{"n":1e+22}'),
    ({"\ud83d\ude00": "\ud83d\ude00"}, '{"😀":"😀"}'.encode()),
    ({"inner": {"cookie": 1, "id": 2}}, b'{"inner":{"cookie":1,"id":2}}'),
    ({"phone": "0123456789", "list": ["1", "2"]}, b'{"phone":"0123456789","list":["1","2"]}'),
    ({"list": ["0"], "x0": 1}, b'{"list":["0"],"x0":1}'),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), ACCEPTED)
def test_python_data_becomes_what_javascript_would_hold(
    data: dict[Any, Any], expected: bytes
) -> None:
    """Numbers as doubles, datetimes as Dates, containers as what they hold."""
    assert expected == CODEC.dumps(data)


def test_a_mapping_that_is_no_dict_is_taken() -> None:
    """The protocol says Mapping."""
    data = UserDict({"a": 1, "1": 2})
    assert b'{"1":2,"a":1}' == CODEC.dumps(data)
    blob = CODEC.encode(KEY, data, CODEC.dumps(data), Meta(0.0, None, {}, 1))
    assert b'{"1":2,"a":1,"cookie":{}}' == blob


loop: dict[str, Any] = {}
loop["self"] = [loop]

REFUSED: list[tuple[dict[Any, Any], str, str]] = [
    ({"cookie": 1}, "cookie", "another one"),
    ({"a": 1, "id": 1}, "id", "another one"),
    ({"__proto__": {}}, "__proto__", "another one"),
    ({"toString": 1}, "toString", "another one"),
    ({"regenerate": 1}, "regenerate", "another one"),
    ({"cart": [{"at": AT.replace(tzinfo=None)}]}, "cart[0].at", "datetime.now(UTC)"),
    ({"on": AT.date()}, "on", "value.isoformat()"),
    ({"n": Decimal(1)}, "n", "store str(value)"),
    ({"n": {1}}, "n", "sorted(value)"),
    ({"n": Name.CART}, "n", "value.value"),
    ({"n": {1: 2}}, "n", "use str(key)"),
    ({"n": memoryview(b"")}, "n", "base64"),
    (nested(65), "a[0][0]", "64 levels"),
    (loop, "self[0].self", "contains itself"),
    ({"a": [b""] * 5_000}, "a[", "10000 keys"),
]


@pytest.mark.parametrize(("data", "path", "fix"), REFUSED)
def test_what_javascript_cannot_hold_is_refused(data: dict[Any, Any], path: str, fix: str) -> None:
    """With the path and what to do instead."""
    with pytest.raises(EncodeError) as caught:
        CODEC.dumps(data)
    assert str(caught.value).startswith(f"session data at {path}")
    assert fix in str(caught.value)


def test_a_buffer_at_the_deepest_level_counts_as_the_containers_it_is() -> None:
    """What can be written can be read again."""
    deep: Any = b"hi"
    for _ in range(61):
        deep = [deep]
    blob = CODEC.encode(KEY, {"a": deep}, CODEC.dumps({"a": deep}), Meta(0.0, None, {}))
    CODEC.decode(KEY, blob)
    with pytest.raises(EncodeError, match="64 levels"):
        CODEC.dumps({"a": [deep]})


def test_the_limits_themselves_are_allowed() -> None:
    """64 levels and 10,000 keys beside the cookie."""
    for data in (nested(64), {f"k{i}": i for i in range(10_000)}):
        blob = CODEC.encode(KEY, data, CODEC.dumps(data), Meta(0.0, None, COOKIE))
        assert data == CODEC.decode(KEY, blob)[0]


def test_names_that_node_drops_on_load_are_dropped() -> None:
    """They may have got there by `req.session.save = …`; the app must be able to save again."""
    stored = b'{"id":1,"a":2,"cookie":%b,"save":3,"__proto__":{"x":1}}' % PLAIN
    data, meta = CODEC.decode(KEY, stored)
    assert ({"a": 2}, 1) == (data, meta.cookie_index)
    assert CODEC.same(stored, CODEC.dumps(data))


# -- whether data changed ------------------------------------------------------------------

HEAD = b'{"cookie":' + PLAIN
SAME: list[tuple[str, bytes, bytes, bool]] = [
    ("as written", HEAD + b',"a":1}', b'{"a":1}', True),
    ("no data", HEAD + b"}", b"{}", True),
    ("data gone", HEAD + b',"a":1}', b"{}", False),
    ("data new", HEAD + b"}", b'{"a":1}', False),
    ("another value", HEAD + b',"a":1}', b'{"a":2}', False),
    ("only the end is equal", HEAD + b',"x":{"y":1},"a":1}', b'{"a":1}', False),
    ("a brace in an attribute", b'{"cookie":{"path":"/}"},"a":1}', b'{"a":1}', True),
    ("an escape in an attribute", b'{"cookie":{"path":"/\\"},"},"a":1}', b'{"a":1}', True),
    ("an object in the cookie", b'{"cookie":{"x":{}},"a":1}', b'{"a":1}', True),
    ("an attribute that looks like data", b'{"cookie":{"path":"/","a":1}}', b'{"a":1}', False),
    ("the cookie last", b'{"a":1,"cookie":{}}', b'{"a":1}', True),
    ("spaces", b'{"cookie": {}, "a": 1}', b'{"a":1}', True),
    ("other escapes", b'{"cookie":{},"a":"\\u00e9\\/"}', '{"a":"é/"}'.encode(), True),
    ("other numbers", b'{"cookie":{},"a":1.0}', b'{"a":1}', True),
    ("a deep cookie", b'{"cookie":{},"b":{"cookie":{},"a":1}}', b'{"a":1}', False),
    ("a key twice", b'{"cookie":{},"a":2,"a":1}', b'{"a":1}', True),
    ("no record", b'{"cookie":{},"a":', b'{"a":1}', False),
]


@pytest.mark.parametrize(("case", "blob", "text", "expected"), SAME)
def test_same_compares_the_data_and_nothing_else(
    case: str, blob: bytes, text: bytes, expected: bool
) -> None:
    """The quick comparison is taken only where the first object is the whole cookie."""
    assert expected == CODEC.same(blob, text), case


# -- what is not a record ------------------------------------------------------------------

NATIVE = NativeCodec()
BAD: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no object", b"[]"),
    ("no JSON", b"{'a':1}"),
    ("NaN", b'{"cookie":{},"a":NaN}'),
    ("NaN beside a surrogate", b'{"cookie":{},"a":NaN,"b":"\\ud800"}'),
    ("Infinity beside a surrogate", b'{"cookie":{},"a":-Infinity,"b":"\\ud800"}'),
    ("a great number", b'{"cookie":{},"a":1e999}'),
    ("a great number beside a surrogate", b'{"cookie":{},"a":1e999,"b":"\\ud800"}'),
    ("an endless int beside a surrogate", b'{"a":%b,"b":"\\ud800"}' % (b"9" * 5000)),
    ("a list with a surrogate", b'["\\uD800"]'),
    ("a raw surrogate", b'{"cookie":{},"a":"\xed\xa0\x80"}'),
    ("a raw surrogate beside an escaped one", b'{"a":"\xed\xa0\x80\\ud800"}'),
    ("a control character beside a surrogate", b'{"a":"\\ud800\x01"}'),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("a byte order mark and a surrogate", b'\xef\xbb\xbf{"a":"\\ud800"}'),
    ("an endless nest", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    ("an endless nest of surrogates", b'{"a":"\\ud800","b":' + b"[" * 100_000),
    ("65 levels", b'{"cookie":{},"a":' + b"[" * 64 + b"]" * 64 + b"}"),
    ("too many keys", b'{"a":[%b{}]}' % (b'{"b":1},' * 10_001)),
    ("a path that is no text", b'{"cookie":{"path":1}}'),
    ("a domain that is no text", b'{"cookie":{"domain":true}}'),
    ("a flag that is none", b'{"cookie":{"secure":[]}}'),
    ("a sameSite that is none", b'{"cookie":{"sameSite":1}}'),
    ("a native record", NATIVE.encode(KEY, {}, b'{"a":1}', Meta(1.0, None, {}))),
    ("a native tombstone", NATIVE.tombstone(KEY) or b""),
    *((f"pickle {n}", pickle.dumps({"cookie": {}}, n)) for n in range(6)),
]


@pytest.mark.parametrize(("case", "blob"), BAD)
def test_anything_but_a_record_is_a_decode_error(case: str, blob: bytes) -> None:
    """One exception for the caller to catch, whatever a store hands out (R-19, R-65, R-68)."""
    with pytest.raises(DecodeError):
        CODEC.decode(KEY, blob)


def test_a_damaged_record_is_read_or_refused_and_nothing_else() -> None:
    """10^5 mutants; whatever is read can be written again, and read as the same."""
    samples = [wire(text) for text in RECORDS]
    read = 0
    for blob in mutants(samples, TOKENS, 100_000):
        try:
            data, meta = CODEC.decode(KEY, blob)
        except DecodeError:
            continue
        read += 1
        if read % 4 == 0:
            text = CODEC.dumps(data)
            again = CODEC.decode(KEY, CODEC.encode(KEY, data, text, meta))
            assert data == again[0]
            assert CODEC.same(blob, text)
    assert 1_000 < read < 80_000


def test_there_are_no_tombstones() -> None:
    """Node would take one for a session."""
    assert (None, False) == (CODEC.tombstone(KEY), CODEC.is_tombstone(NATIVE.tombstone(KEY) or b""))
