"""Plain data: what is written as it is, what is not plain, and that both twins agree."""

from __future__ import annotations

import collections
import enum
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

Twins = Callable[[str], tuple[ModuleType, ModuleType]]

WIDE = (-(2**63), 2**64 - 1, 0.0, math.inf, True, 64, 10_000)
NARROW = (-(2**53), 2**53, 1e-5, 2.0**53, False, 64, 10_000)  # as JavaScript writes numbers
encode = msgspec.json.Encoder().encode


class Level(enum.IntEnum):
    LOW = 1


class Name(enum.StrEnum):
    CART = "cart"


class Point(NamedTuple):
    x: int


class Lazy(dict[str, Any]):
    """Reading it through its own methods has effects."""

    def items(self) -> Any:
        raise AssertionError("asked through items()")

    keys = values = __iter__ = __len__ = items


def nested(levels: int, empty: bool = True) -> dict[str, Any]:
    """Data of so many levels, the dict itself being the first."""
    inner: Any = [] if empty else [1]
    for _ in range(levels - 2):
        inner = [inner]
    return {"a": inner}


PLAIN: list[dict[str, Any]] = [
    {},
    {"user": "ada", "role": "editor", "visits": 3},
    {"a": None, "b": True, "c": False, "d": [], "e": {}, "f": ()},
    {"a": [1, (2, [3, {"b": [4]}])], "b": {"c": {"d": 1}}},
    {"a": [0, -1, 10, 99, 100, -(2**63), 2**63, 2**64 - 1]},
    {"a": [0.0, -0.0, 1.0, -1.5, 12.5, 19.99, 0.001, 1e300, 5e-324, 1e11, 99999999999.999]},
    {"a": [1700000000.123, 1700000000.123456, 1 / 3, 1e15 + 0.3]},
    {'"': '\\"', "\n": "\x00\x1f\x7f", "é": "😀\u2028"},
    {"long": 'eight or more"', "also long": "\t" * 9, "quote\"": "back\\slash", "\x7f" * 9: "~"},
    {"a": "x" * 5000, "b": ["y" * 5000]},
    {f"key {n}": [n] for n in range(900)},
    {"a": [{"b": n} for n in range(2000)]},
    nested(16), nested(17), nested(18), nested(64), nested(64, empty=False),
    {str(n): n for n in range(10_000)},
    {"a": [{"b": 1}] * 9_998},
]  # fmt: skip


@pytest.mark.parametrize("data", PLAIN, ids=range(len(PLAIN)))
def test_plain_data_is_written_as_msgspec_does(plain: ModuleType, data: dict[str, Any]) -> None:
    """To the octet, so that both twins can compare each other's records."""
    assert encode(data) == plain.plain_writer(*WIDE).write(data)


@pytest.mark.parametrize("size", range(4050, 4110))
def test_no_length_matters(plain: ModuleType, size: int) -> None:
    """Around the octets that the compiled twin has room for, whatever comes last."""
    writer = plain.plain_writer(*WIDE)
    for last in ("", 1, -1, None, True, False, 1.5, -1.5, {}, [], {"a": 1}, ["b"], 2**63):
        data = {"a": "x" * size, "b": last}
        assert encode(data) == writer.write(data)


loop: dict[str, Any] = {}
loop["self"] = loop
thicket: list[Any] = []
thicket += [thicket, thicket]
doubled: list[Any] = []
for _ in range(50):
    doubled = [doubled, doubled]

NOT_PLAIN: list[dict[Any, Any]] = [
    {1: 2}, {None: 1}, {b"a": 1}, {("a",): 1}, {Name.CART: 1}, {"a": {1: 2}},
    {"a": b"x"}, {"a": {1, 2}}, {"a": object()}, {"a": 1j}, {"a": Level.LOW}, {"a": Name.CART},
    {"a": [Point(1)]}, {"a": collections.OrderedDict()}, {"a": Lazy()},
    {"a": math.nan}, {"a": [math.inf]}, {"a": -math.inf}, {"a": 2**64}, {"a": -(2**63) - 1},
    {"a": 2**200}, {"a": -(2**200)},
    nested(65), loop, {"a": thicket}, {"a": doubled},
    {str(n): n for n in range(10_001)}, {"a": [{"b": 1}] * 10_001}, {"a": [[]] * 10_000},
]  # fmt: skip


@pytest.mark.parametrize("data", NOT_PLAIN, ids=range(len(NOT_PLAIN)))
def test_what_would_not_come_back_is_not_written(plain: ModuleType, data: dict[Any, Any]) -> None:
    """msgspec alone would write most of it as something else."""
    assert None is plain.plain_writer(*WIDE).write(data)


BOUNDS: list[tuple[dict[str, Any], bool]] = [
    ({"a": 2**53}, True),
    ({"a": 2**53 + 1}, False),
    ({"a": -(2**53)}, True),
    ({"a": -(2**53) - 1}, False),
    ({"a": 2**63}, False),
    ({"a": 1.5}, True),
    ({"a": -12.25}, True),
    ({"a": 2.0}, False),
    ({"a": 0.0}, False),
    ({"a": 1e-5}, True),
    ({"a": 9e-6}, False),
    ({"a": 1e300}, False),
]


@pytest.mark.parametrize(("data", "expected"), BOUNDS)
def test_a_format_has_bounds_of_its_own(
    plain: ModuleType, data: dict[str, Any], expected: bool
) -> None:
    """Express's numbers are narrower than ours."""
    assert (encode(data) if expected else None) == plain.plain_writer(*NARROW).write(data)


def test_a_subclass_of_dict_is_asked_through_none_of_its_methods(plain: ModuleType) -> None:
    """A session may be one."""
    assert b'{"a":1,"b":[1]}' == plain.plain_writer(*WIDE).write(Lazy(a=1, b=[1]))


@pytest.mark.parametrize(
    "data", [{"a": "\ud800"}, {"\udfff": 1}, {"a": [{"b": ["x" * 99, "\ud83d"]}]}]
)
def test_half_a_surrogate_pair_is_an_error(plain: ModuleType, data: dict[str, Any]) -> None:
    """Of the kind that str.encode has."""
    with pytest.raises(UnicodeEncodeError):
        plain.plain_writer(*WIDE).write(data)


@pytest.mark.parametrize("data", [None, 1, "{}", [("a", 1)], collections.UserDict()])
def test_what_is_no_dict_is_a_type_error(plain: ModuleType, data: Any) -> None:
    """A caller's mistake."""
    with pytest.raises(TypeError):
        plain.plain_writer(*WIDE).write(data)


def test_bounds_have_64_bits(plain: ModuleType) -> None:
    """No int that passes is written as another one."""
    for lowest, highest in ((-(2**63) - 1, 0), (2**63, 0), (0, 2**64), (0, -1)):
        with pytest.raises(OverflowError, match="a bound beyond 64 bits"):
            plain.plain_writer(lowest, highest, *WIDE[2:])


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**64) - 2, 2**64 + 2),
        st.sampled_from([2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64, 2**53, 2**53 + 1]),
        st.floats(),
        st.integers(-(10**15), 10**15).map(lambda thousandths: thousandths / 1000),
        st.text(st.characters(codec=None), max_size=20),
        st.text('abc "\\\n\x7fé', max_size=20),
        st.sampled_from([b"x", Level.LOW, Name.CART, Point(1), Lazy(a=1), object, 1j]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=9) | st.sampled_from([1, Name.CART]), inner, max_size=4),
    ),
    max_leaves=12,
)
data = st.dictionaries(st.text(st.characters(codec=None), max_size=9), values, max_size=4)


def outcome(act: Callable[..., object], *args: object) -> object:
    """What a call gives, or the kind of error."""
    try:
        return act(*args)
    except (UnicodeEncodeError, TypeError) as error:
        return type(error)


@given(
    data=data,
    bounds=st.sampled_from([WIDE, NARROW]),
    depth=st.integers(1, 5) | st.just(64),
    keys=st.integers(0, 12) | st.just(10_000),
)
@example(data={"a": [{}, {}, {}]}, bounds=WIDE, depth=64, keys=3)
@example(data={"a": [{}, {}, {}]}, bounds=WIDE, depth=64, keys=4)
def test_both_write_the_same(
    twins: Twins, data: dict[str, Any], bounds: tuple[Any, ...], depth: int, keys: int
) -> None:
    """To the octet, or find the same data not plain."""
    pure, compiled = (module.plain_writer(*bounds[:5], depth, keys) for module in twins("plain"))
    assert outcome(pure.write, data) == outcome(compiled.write, data)
