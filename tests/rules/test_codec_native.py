"""The native record: what it keeps, what it refuses, and that nothing else can be read as one."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pickle
import random
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessfast.codec import ExpressCodec, NativeCodec, codec_for
from sessfast.errors import DecodeError, EncodeError
from sessfast.meta import Meta

CODEC = NativeCodec()
KEY = "Zq3vX0aB8kLmN2pQ"
CREATED, END = 1700000000.123, 1700043200.5
META = Meta(CREATED, END, {})


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Name(enum.StrEnum):
    CART = "cart"


class Markup(str):
    __slots__ = ()


class Count(int):
    pass


class Ratio(float):
    pass


class Point(NamedTuple):
    x: int


@dataclasses.dataclass
class Item:
    price: int = 1


class Lazy(dict[str, Any]):
    """Like our Session: reading it through its own methods has effects."""

    def items(self) -> Any:
        raise AssertionError("asked through items()")

    keys = values = __iter__ = __len__ = items


def encoded(data: dict[Any, Any], meta: Meta = META, key: str = KEY) -> bytes:
    return CODEC.encode(key, data, CODEC.dumps(data), meta)


def nested(levels: int) -> dict[str, Any]:
    """Data of so many levels, the dict itself being the first."""
    inner: Any = []
    for _ in range(levels - 2):
        inner = [inner]
    return {"a": inner}


# -- the bytes -----------------------------------------------------------------------------

RECORDS = [
    ("{}", META, b'"c":1700000000.123,"e":1700043200.5,"d":{}}'),
    ('{"n":1}', Meta(CREATED, None, {}), b'"c":1700000000.123,"e":null,"d":{"n":1}}'),
    ("{}", Meta(1.00049, 2.0006, {}), b'"c":1.0,"e":2.001,"d":{}}'),
    ("{}", Meta(1.0, None, {"max_age": 60}), b'"c":1.0,"e":null,"m":60.0,"d":{}}'),
    ("{}", Meta(1.0, None, {"max_age": None}), b'"c":1.0,"e":null,"m":null,"d":{}}'),
    ("{}", Meta(1.0, None, {"max_age": False}), b'"c":1.0,"e":null,"m":null,"d":{}}'),
]


@pytest.mark.parametrize(("text", "meta", "tail"), RECORDS)
def test_a_record_is_an_envelope_in_fixed_order_with_the_data_last(
    text: str, meta: Meta, tail: bytes
) -> None:
    """The bytes are a format: another version of this library must read them."""
    blob = CODEC.encode(KEY, json.loads(text), text.encode(), meta)
    assert b'{"v":1,"k":"8kLmN2pQ",' + tail == blob
    data, kept = CODEC.decode(KEY, blob)
    assert blob == CODEC.encode(KEY, data, text.encode(), kept)


def test_the_tag_is_json_whatever_the_key() -> None:
    """Keys of one's own `genid` may hold quotes, and less than eight characters."""
    for key in ("", "a", 'sess:"\\\n', "sess:é😀", "x" * 500):
        assert ({"a": 1}, META) == CODEC.decode(key, encoded({"a": 1}, key=key))


# -- what is kept --------------------------------------------------------------------------

ints = st.integers(-(2**63), 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | ints | floats | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)
sessions = st.dictionaries(texts, values, max_size=6)
milliseconds = st.integers(-(10**13), 10**13).map(lambda ms: ms / 1000)
metas = st.builds(
    Meta,
    milliseconds,
    st.none() | milliseconds,
    st.just({}) | st.fixed_dictionaries({"max_age": st.none() | milliseconds}),
    st.just(0),
)


@settings(deadline=None)
@given(data=sessions, meta=metas)
def test_decoding_gives_back_what_was_encoded(data: dict[str, Any], meta: Meta) -> None:
    """Identity on every persisted field, types, signs of zero and key order included (R-69)."""
    blob = encoded(data, meta)
    assert repr((data, meta)) == repr(CODEC.decode(KEY, blob))
    assert CODEC.same(blob, CODEC.dumps(data))


@settings(deadline=None)
@given(data=sessions, other=sessions)
def test_same_tells_equal_data_from_other_data(data: dict[str, Any], other: dict[str, Any]) -> None:
    """Equal means equal JSON: True, 1 and 1.0 are three things."""
    assert (repr(data) == repr(other)) == CODEC.same(encoded(data), CODEC.dumps(other))


LOOKALIKES = [
    ({"d": {"a": 1}}, {"a": 1}),
    ({"x": 1, "d": {"a": 1}}, {"a": 1}),
    ({'x"d': {"a": 1}}, {"a": 1}),
    ({"d": {}}, {}),
    ({"x": '"d":{}'}, {}),
    ({"x": '"d":{}}'}, {}),
    ({"x": [{"d": {}}]}, {}),
    ({"a": True}, {"a": 1}),
    ({"a": 1}, {"a": 1.0}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
]


@pytest.mark.parametrize(("data", "other"), LOOKALIKES)
def test_same_is_not_fooled_by_data_that_looks_like_an_envelope(data: Any, other: Any) -> None:
    """The suffix test compares the whole data, never a part of it that ends alike."""
    assert not CODEC.same(encoded(data), CODEC.dumps(other))


ACCEPTED: list[tuple[str, dict[Any, Any], dict[str, Any]]] = [
    ("a tuple is a list", {"t": (1, (2,))}, {"t": [1, [2]]}),
    ("a dict subclass is a dict", {"d": collections.OrderedDict(a=1)}, {"d": {"a": 1}}),
    (
        "a defaultdict too",
        {"d": collections.defaultdict(list, a=[None, True])},
        {"d": {"a": [None, True]}},
    ),
    ("a list subclass is a list", {"l": type("L", (list,), {})([1, 2])}, {"l": [1, 2]}),
    ("a StrEnum can be a key", {Name.CART: {Name.CART: 1}}, {"cart": {"cart": 1}}),
    ("a session asked through no method of its own", Lazy(a=1, b=[1]), {"a": 1, "b": [1]}),
    ("one of those within", {"a": Lazy(a=1)}, {"a": {"a": 1}}),
    ("the ends of 64 bits", {"a": -(2**63), "b": [2**64 - 1]}, {"a": -(2**63), "b": [2**64 - 1]}),
    ("an integral float stays one", {"a": 1.0, "b": [-0.0]}, {"a": 1.0, "b": [-0.0]}),
    ("text of any plane", {"é😀\x00": "\u2028\uffff"}, {"é😀\x00": "\u2028\uffff"}),
]


@pytest.mark.parametrize(("case", "given_data", "expected"), ACCEPTED)
def test_what_json_can_hold_is_taken(
    case: str, given_data: dict[Any, Any], expected: dict[str, Any]
) -> None:
    """Containers are taken as what they hold; their elements keep their types."""
    assert repr(expected) == repr(CODEC.decode(KEY, encoded(given_data))[0]), case


def test_a_mapping_that_is_no_dict_is_taken() -> None:
    """The protocol says Mapping."""
    assert b'{"a":1}' == CODEC.dumps(collections.UserDict(a=1))


# -- what is refused -----------------------------------------------------------------------

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
loop: dict[str, Any] = {}
loop["self"] = loop
thicket: list[Any] = []
thicket += [thicket, thicket]
doubled: list[Any] = []
for _ in range(50):
    doubled = [doubled, doubled]

REFUSED: list[tuple[dict[Any, Any], str, str]] = [
    ({"at": NOW}, "at", "value.isoformat()"),
    ({"a": {"on": NOW.date()}}, "a.on", "value.isoformat()"),
    ({"a": NOW.time()}, "a", "value.isoformat()"),
    ({"a": datetime.timedelta(1)}, "a", "value.total_seconds()"),
    ({"cart": [1, 2, {"price": decimal.Decimal(1)}]}, "cart[2].price", "store str(value)"),
    ({"id": uuid.UUID(int=1)}, "id", "store str(value)"),
    ({"a": b"x"}, "a", "base64"),
    ({"a": bytearray(b"x")}, "a", "base64"),
    ({"a": memoryview(b"x")}, "a", "base64"),
    ({"a": [{1, 2}]}, "a[0]", "sorted(value)"),
    ({"a": frozenset()}, "a", "sorted(value)"),
    ({"a": Colour.RED}, "a", "value.value"),
    ({"a": Level.LOW}, "a", "value.value"),
    ({"a": Name.CART}, "a", "value.value"),
    ({"a": Markup("x")}, "a", "str.__str__(value)"),
    ({"a": Count(1)}, "a", "int(value)"),
    ({"a": Ratio(1.5)}, "a", "float(value)"),
    ({"a": (Point(1),)}, "a[0]", "list(value)"),
    ({"a": Item()}, "a", "dataclasses.asdict(value)"),
    ({"a": collections.UserDict()}, "a", "dict(value)"),
    ({"a": collections.deque()}, "a", "plain data"),
    ({"a": object()}, "a", "plain data"),
    ({"a": 1j}, "a", "plain data"),
    ({"a": float("nan")}, "a", "store None"),
    ({"a": [1.0, float("-inf")]}, "a[1]", "store None"),
    ({"a": 2**64}, "a", "store str(value)"),
    ({"a": [-(2**63) - 1]}, "a[0]", "store str(value)"),
    ({1: 2}, "the top", "use str(key)"),
    ({"a": {True: 2}}, "a", "use str(key)"),
    ({"a": {None: 2}}, "a", "use text as keys"),
    ({"a": {(1, 2): 2}}, "a", "use text as keys"),
    ({"a": {b"x": 2}}, "a", "use text as keys"),
    ({"a": "x\ud800"}, "a", "UTF-8"),
    ({"a": ["\udfff"]}, "a[0]", "UTF-8"),
    ({"unit price": {"\ud800": 1}}, r"['unit price']['\ud800']", "UTF-8"),
    (nested(65), "a[0][0]", "64 levels"),
    (loop, "self.self", "contains itself"),
    ({"a": thicket}, "a[0][0]", "contains itself"),
    ({"a": doubled}, "a", "10000 keys"),
    ({str(i): i for i in range(10_001)}, "the top", "10000 keys"),
    ({"a": [{"b": 1}] * 10_001}, "a[9998]", "10000 keys"),
]


@pytest.mark.parametrize(("data", "path", "fix"), REFUSED)
def test_what_would_not_come_back_as_it_was_is_refused(
    data: dict[Any, Any], path: str, fix: str
) -> None:
    """The message names the path and says what to do; msgspec alone would change most of it."""
    with pytest.raises(EncodeError) as caught:
        CODEC.dumps(data)
    message = str(caught.value)
    assert message.startswith(f"session data at {path}")
    assert fix in message
    assert len(message) < 300


def test_the_limits_themselves_are_allowed() -> None:
    """64 levels and 10,000 keys can be stored, and read again."""
    for data in (nested(64), {str(i): i for i in range(10_000)}, {"a": [{"b": 1}] * 9_998}):
        assert data == CODEC.decode(KEY, encoded(data))[0]


def test_numpy_is_told_from_numbers_by_its_module() -> None:
    """numpy.float64 is a float subclass; its fix is its own."""
    float64 = type("float64", (float,), {"__module__": "numpy"})
    with pytest.raises(EncodeError, match=r"value\.item\(\)"):
        CODEC.dumps({"a": float64(1.5)})


# -- what is not a record ------------------------------------------------------------------

GOOD = encoded({"user": "bob"})
BAD: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no JSON", b"\x80\x04."),
    ("no object", b"[]"),
    ("another version", GOOD.replace(b'"v":1', b'"v":2')),
    ("no version", GOOD.replace(b'"v":1,', b"")),
    ("a version of another type", GOOD.replace(b'"v":1', b'"v":true')),
    ("no data", GOOD.partition(b',"d"')[0] + b"}"),
    ("data that is no object", GOOD.partition(b'"d":')[0] + b'"d":[]}'),
    ("another key's tag", GOOD.replace(b"8kLmN2pQ", b"8kLmN2pR")),
    ("a longer tag", GOOD.replace(b"8kLmN2pQ", b"B8kLmN2pQ")),
    ("an unknown field", GOOD.replace(b'"c":', b'"x":1,"c":')),
    ("a time beyond time", GOOD.replace(b"1700000000.123", b"1e300")),
    ("a time that is none", GOOD.replace(b"1700000000.123", b"null")),
    ("NaN", GOOD.replace(b'"bob"', b"NaN")),
    ("a number out of range", GOOD.replace(b'"bob"', b"1e999")),
    ("an endless number", GOOD.replace(b'"bob"', b"9" * 5000)),
    ("half a surrogate pair", GOOD.replace(b'"bob"', b'"\\ud800"')),
    ("broken UTF-8", GOOD.replace(b"bob", b"b\xff")),
    ("an endless nest", GOOD.replace(b'"bob"', b"[" * 100_000 + b"]" * 100_000)),
    ("65 levels", GOOD.replace(b'"bob"', b"[" * 64 + b"]" * 64)),
    ("too many keys", GOOD.replace(b'"bob"', b'[%b{"a":1}]' % (b'{"a":1},' * 10_000))),
    ("something behind", GOOD + b"{}"),
    ("something before", b" x" + GOOD),
    ("a tombstone", CODEC.tombstone(KEY) or b""),
    ("an express record", b'{"cookie":{"originalMaxAge":null},"user":"bob"}'),
    *((f"pickle {n}", pickle.dumps({"user": "bob"}, n)) for n in range(6)),
]


@pytest.mark.parametrize(("case", "blob"), BAD)
def test_anything_but_a_record_for_this_key_is_a_decode_error(case: str, blob: bytes) -> None:
    """One exception for the caller to catch, whatever a store hands out (R-17, R-19, R-65)."""
    with pytest.raises(DecodeError):
        CODEC.decode(KEY, blob)


def test_a_tombstone_is_told_from_a_record() -> None:
    """Also from a record whose data imitates one."""
    assert CODEC.is_tombstone(CODEC.tombstone(KEY) or b"")
    assert b'{"v":1,"k":"8kLmN2pQ","gone":true}' == CODEC.tombstone(KEY)
    for data in ({}, {"gone": True}, {"x": ',"gone":true}'}, {"a": {"b": 1, "gone": True}}):
        assert not CODEC.is_tombstone(encoded(data))
    assert not CODEC.is_tombstone(b"")


SAMPLES = [
    encoded({}),
    encoded({"user": "bób", "n": 1, "ok": True, "none": None}),
    encoded({"cart": [{"sku": "a", "price": 19.99, "qty": 2}], "big": 2**63}, META),
    encoded({'a"\\\n': "\u2028😀", "e": {}}, Meta(1.0, None, {"max_age": 60})),
    CODEC.tombstone(KEY) or b"",
]
TOKENS = [b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"null", b"NaN", b"1e999", b"-", b"\\u"]
TOKENS += [b"\\ud800", b"\xff", b"\x00", b'"d":{}', b'"m":0,', b"[" * 70, b'"cookie":', b"0", b"."]


def mutants(samples: list[bytes], tokens: list[bytes], count: int) -> Iterator[bytes]:
    """`count` damaged records, the same ones in every run."""
    chance = random.Random(20231114)
    for number in range(count):
        blob = bytearray(samples[number % len(samples)])
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(blob) + 1)
            act = chance.randrange(5)
            if act == 0 and at < len(blob):
                blob[at] ^= 1 << chance.randrange(8)
            elif act == 1:
                del blob[at : at + chance.randint(1, 4)]
            elif act == 2:
                blob[at:at] = chance.choice(tokens)
            elif act == 3:
                piece = samples[chance.randrange(len(samples))]
                start = chance.randrange(len(piece))
                blob[at : at + 8] = piece[start : start + 8]
            else:
                blob[at : at + 1] = chance.choice(tokens)
        yield bytes(blob)


def test_a_damaged_record_is_read_or_refused_and_nothing_else() -> None:
    """10^5 mutants; what is read has the right shape."""
    read = 0
    for blob in mutants(SAMPLES, TOKENS, 100_000):
        try:
            data, meta = CODEC.decode(KEY, blob)
        except DecodeError:
            continue
        read += 1
        assert (dict, Meta, float) == (type(data), type(meta), type(meta.created))
        assert meta.cookie.keys() <= {"max_age"}
    assert 1_000 < read < 60_000


@given(blob=st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_no_record(blob: bytes) -> None:
    """Not even by accident."""
    with pytest.raises(DecodeError):
        CODEC.decode(KEY, blob)
    assert not CODEC.same(blob, b'{"a":1}')


def test_every_truncation_is_refused() -> None:
    """No prefix of a record is a record."""
    for sample in SAMPLES:
        for length in range(len(sample)):
            with pytest.raises(DecodeError):
                CODEC.decode(KEY, sample[:length])


# -- choosing ------------------------------------------------------------------------------


def test_the_codec_is_chosen_by_configuration() -> None:
    """Two names, or an object of the app's own; never an import path."""
    assert type(codec_for("native")) is NativeCodec
    assert type(codec_for("express")) is ExpressCodec
    assert codec_for(CODEC) is CODEC
    assert (False, True) == (NativeCodec.keeps_cookie, ExpressCodec.keeps_cookie)
