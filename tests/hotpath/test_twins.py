"""The compiled twins are the pure ones: same results, same exceptions, same signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

Twins = Callable[[str], tuple[ModuleType, ModuleType]]

PUBLIC = {
    "cookies": ["REVISION", "find", "serialize"],
    "signing": ["REVISION", "Keyring", "cpu_path", "ABSENT", "MALFORMED", "FORGED", "SIGNED"],
    "ids": ["REVISION", "new_id"],
    "envelope": ["REVISION", "wrap", "unwrap", "wraps"],
    "plain": ["REVISION", "plain_writer"],
}

CALLS = [
    ("cookies", "find"),
    ("cookies", "serialize"),
    ("ids", "new_id"),
    ("signing", "cpu_path"),
    ("signing", "Keyring"),
    ("signing", "Keyring.sign"),
    ("signing", "Keyring.verify"),
    ("signing", "Keyring.fingerprint"),
    ("signing", "Keyring.first_signed"),
    ("signing", "Keyring.claim"),
    ("cookies", "gathered"),
    ("signing", "Keyring.__reduce__"),
    ("envelope", "wrap"),
    ("envelope", "unwrap"),
    ("envelope", "wraps"),
    ("plain", "plain_writer"),
    ("plain", "PlainWriter.write"),
]


def outcome(act: Callable[..., object], *args: object, **options: object) -> tuple[object, ...]:
    """What a call gives or raises, in a form that can be compared."""
    try:
        given = act(*args, **options)
    except (TypeError, ValueError, OverflowError) as error:
        return type(error), str(error), type(error.__cause__)
    return type(given), given


def parameters(module: ModuleType, path: str) -> list[tuple[str, object, object]]:
    """Name, kind and default of each parameter; the pure twins alone have annotations."""
    thing: Any = module
    for name in path.split("."):
        thing = getattr(thing, name)
    found = inspect.signature(thing).parameters.values()
    return [(each.name, each.kind, each.default) for each in found]


# Text and octets that parsers trip over: surrogates, NUL, tabs, quotes, spaces of all kinds.
ODD = [
    *["\0", "\t", "\n", "\x0b", "\x1f", "\x7f", "\x85", "\xa0", "\xad", "\xff", "\u0100", "\u2000"],
    *[
        "\u2028",
        "\u3000",
        "\u017f",
        "\u212a",
        "\ud800",
        "\udcff",
        "\udfff",
        "\uffff",
        "😀",
        "é",
        "€",
    ],
    *[
        '"',
        "'",
        "\\",
        ",",
        "=",
        ";",
        "; ",
        " ",
        "%",
        "%4",
        "%41",
        "%c3%a9",
        "%C3",
        "%ed%a0%80",
        "%00",
    ],
]
NAMES = st.sampled_from(
    ["sid", "s", "__Host-sid", "", "a=b", "a;b", " sid", "sid\t", "é", "\u017f", "\ud800"]
)
HOSTILE = st.one_of(
    st.lists(st.sampled_from(["sid", "__Host-sid", "s", "=", ";", *ODD]), max_size=30).map("".join),
    st.text(st.characters(codec=None), max_size=60),
)
OCTETS = st.one_of(
    HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass")),
    HOSTILE.map(lambda text: text.encode("latin-1", "replace")),
    st.binary(max_size=60),
)
LIMIT = st.one_of(st.integers(-2, 70), st.sampled_from([16384, 2**40]))


def test_both_have_the_same_public_names(twins: Twins) -> None:
    """Beside those that are there for tests alone."""
    for name, public in PUBLIC.items():
        for module in twins(name):
            assert set(public) <= set(dir(module))
            assert isinstance(module.REVISION, int)
        pure, compiled = twins(name)
        assert pure.REVISION == compiled.REVISION


@pytest.mark.parametrize(("name", "path"), CALLS, ids=[path for _, path in CALLS])
def test_both_have_the_same_signature(twins: Twins, name: str, path: str) -> None:
    """Names, kinds and defaults of all parameters."""
    pure, compiled = twins(name)
    assert parameters(pure, path) == parameters(compiled, path)


@given(header=st.one_of(HOSTILE, OCTETS), name=NAMES, skip=st.integers(-1, 3))
@example(header="sid=%F0%9F%98%80\xff", name="sid", skip=0)
@example(header="sid=1; \ud800", name="sid", skip=0)
def test_find_agrees(twins: Twins, header: str | bytes, name: str, skip: int) -> None:
    """On every header, for every name."""
    pure, compiled = twins("cookies")
    assert outcome(pure.find, header, name, skip) == outcome(compiled.find, header, name, skip)


@given(
    header=st.one_of(HOSTILE, OCTETS),
    name=st.one_of(NAMES, HOSTILE),
    skip=st.integers(-1, 2),
    max_bytes=LIMIT,
    max_pairs=LIMIT,
)
def test_find_agrees_within_limits(twins: Twins, header: str | bytes, **rest: Any) -> None:
    """Wherever the limits cut."""
    pure, compiled = twins("cookies")
    assert outcome(pure.find, header, **rest) == outcome(compiled.find, header, **rest)


def test_find_agrees_at_every_cut(twins: Twins) -> None:
    """Each number of octets and of pairs, for a header of all sorts."""
    pure, compiled = twins("cookies")
    text = ';=x; sid ;sidx=1;\tsid\t= "a%20b" ; a=sid=2;;sid=%zz; sid="3;sid=\xe9%C3%A9;'
    for header in (text, text.encode("latin-1")):
        for limit in range(-1, len(header) + 2):
            for skip in range(5):
                for limits in ((limit, 256), (16384, limit), (limit, limit // 5)):
                    args = (header, "sid", skip, *limits)
                    assert outcome(pure.find, *args) == outcome(compiled.find, *args)


@pytest.mark.parametrize("header", [None, 1, bytearray(b"sid=1"), ["sid=1"], object])
@pytest.mark.parametrize("name", ["sid", b"sid", None])
def test_find_refuses_alike(twins: Twins, header: object, name: object) -> None:
    """Other types are TypeErrors with the same message."""
    pure, compiled = twins("cookies")
    refused = outcome(pure.find, header, name)
    assert TypeError is refused[0]
    assert refused == outcome(compiled.find, header, name)


TEXTS = st.one_of(
    st.none(),
    HOSTILE,
    st.text("abc.-_/;é", max_size=12),
    st.sampled_from(["/", "/p", "example.com", ".a-b.c"]),
    st.sampled_from(["lax", "Strict", "NONE", "low", "mediuM", "high"]),
    st.integers(),
    st.booleans(),
    st.binary(max_size=3),
)
TIMES = st.one_of(
    st.none(),
    st.floats(),
    st.floats(-8.7e12, 8.7e12),
    st.floats(0, 5e9),
    st.integers(),
    st.integers(-8640000000002, 8640000000002),
    st.booleans(),
    st.text(max_size=3),
)
FIELDS = {
    "domain": TEXTS,
    "path": TEXTS,
    "expires": TIMES,
    "max_age": st.one_of(TIMES, st.integers(-(2**63) - 2, -(2**63) + 2), st.integers(2**63 - 2)),
    "http_only": st.one_of(st.booleans(), st.none(), HOSTILE),
    "secure": st.one_of(st.booleans(), st.none(), HOSTILE),
    "partitioned": st.one_of(st.booleans(), st.none(), HOSTILE),
    "priority": TEXTS,
    "same_site": TEXTS,
}
TOKENS = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=9)


def same_cookie(twins: Twins, *args: object, **options: object) -> None:
    """Both write the same Set-Cookie value, or refuse it with the same words."""
    pure, compiled = twins("cookies")
    written = outcome(pure.serialize, *args, **options)
    assert written == outcome(compiled.serialize, *args, **options)
    assert written[0] in (str, ValueError)


@given(name=st.one_of(TOKENS, TEXTS), value=st.one_of(HOSTILE, TEXTS))
def test_serialize_agrees_on_names_and_values(twins: Twins, name: object, value: object) -> None:
    """Any text, or no text."""
    same_cookie(twins, name, value)


@given(name=TOKENS, value=st.text(max_size=5), options=st.fixed_dictionaries({}, optional=FIELDS))
def test_serialize_agrees_on_all_attributes(
    twins: Twins, name: str, value: str, options: dict[str, object]
) -> None:
    """Any mixture of good and bad ones."""
    same_cookie(twins, name, value, **options)


@pytest.mark.parametrize("field", FIELDS)
@given(data=st.data())
def test_serialize_agrees_on_each_attribute(twins: Twins, field: str, data: st.DataObject) -> None:
    """One at a time, so that no other fault hides it."""
    same_cookie(twins, "sid", "1", **{field: data.draw(FIELDS[field])})


@given(
    name=st.integers(4090, 4100) | st.integers(1, 9),
    size=st.integers(4080, 4100) | st.integers(1360, 1370) | st.integers(0, 9),
    unit=st.sampled_from(["x", ":", "é", "€", "😀"]),
    tail=st.sampled_from(["", "x", "é", "\ud800"]),
)
def test_serialize_agrees_on_sizes(
    twins: Twins, name: int, size: int, unit: str, tail: str
) -> None:
    """On both sides of the limit, whatever else is wrong."""
    same_cookie(twins, "s" * name, unit * size + tail)
    same_cookie(twins, "s" * name, "", path=unit * size, domain="a." * (size // 2))


@given(expires=TIMES)
def test_serialize_agrees_on_dates(twins: Twins, expires: object) -> None:
    """Over all the years that JavaScript knows."""
    same_cookie(twins, "sid", "", expires=expires)


SECRETS = st.lists(st.binary(max_size=140), min_size=1, max_size=4)
WRITTEN = st.one_of(HOSTILE, st.text("A+/=.-_\n\ud800é", max_size=50), st.integers(), st.binary())


@given(secrets=SECRETS, value=WRITTEN)
def test_keyrings_agree(twins: Twins, secrets: list[bytes], value: object) -> None:
    """On what they sign, and on what they make of it and of every other text."""
    pure, compiled = (module.Keyring(secrets) for module in twins("signing"))
    assert outcome(pure.sign, value) == outcome(compiled.sign, value)
    assert outcome(pure.fingerprint, value) == outcome(compiled.fingerprint, value)
    assert outcome(pure.verify, value) == outcome(compiled.verify, value)


@given(secrets=SECRETS, text=HOSTILE, key=st.integers(0, 3), data=st.data())
def test_keyrings_agree_on_what_is_nearly_right(
    twins: Twins, secrets: list[bytes], text: str, key: int, data: st.DataObject
) -> None:
    """Signed text with one character more, less or other than it had."""
    pure, compiled = (module.Keyring(secrets) for module in twins("signing"))
    text = text.encode("utf-8", "replace").decode()
    signed = twins("signing")[0].Keyring([secrets[key % len(secrets)]]).sign(text)
    assert pure.verify(signed) == compiled.verify(signed) >= 0
    place = data.draw(st.integers(0, len(signed)))
    other = data.draw(st.one_of(st.just(""), st.sampled_from(ODD), st.characters(codec=None)))
    gone = data.draw(st.integers(0, 2))
    nearly = signed[:place] + other + signed[place + gone :]
    assert outcome(pure.verify, nearly) == outcome(compiled.verify, nearly)


@given(
    parts=st.lists(
        st.tuples(
            st.sampled_from(["sid=s:", "sid=", "a=", "sid=s%3A"]),
            st.one_of(st.integers(0, 2), HOSTILE),
            st.sampled_from(["; ", ";", "", "x; "]),
        ),
        max_size=4,
    ),
    rest=st.tuples(
        st.integers(-1, 3), st.integers(-1, 4), st.integers(-1, 300), st.integers(-1, 5)
    ),
)
def test_keyrings_agree_on_headers(twins: Twins, parts: list[Any], rest: tuple[int, ...]) -> None:
    """On cookies of which some are signed, wherever the limits cut."""
    pure, compiled = (module.Keyring([b"0", b"1"]) for module in twins("signing"))
    signed = [twins("signing")[0].Keyring([key]).sign("a.é") for key in (b"0", b"1", b"2")]
    header = "".join(
        before + (signed[middle] if isinstance(middle, int) else middle) + after
        for before, middle, after in parts
    )
    for args in ((header, "sid", "s:", *rest), (header, "sid", "", 0, 4)):
        assert outcome(pure.first_signed, *args) == outcome(compiled.first_signed, *args)
    # and from the headers of an ASGI request, cut into two Cookie headers anywhere
    octets, cut = header.encode("latin-1", "replace"), rest[2] % (len(header) + 1)
    pairs = [(b"host", b"x"), (b"cookie", octets[:cut]), (b"Cookie", b"a=1"), (b"cookie", octets)]
    assert twins("cookies")[0].gathered(pairs) == twins("cookies")[1].gathered(pairs)
    for index in (False, True):
        found = [
            outcome(ring.claim, pairs, "sid", "s:", *rest[:2], 16384, 256, ring if index else None)
            for ring in (pure, compiled)
        ]
        assert found[0] == found[1]


@given(
    secrets=st.one_of(
        st.none(),
        st.integers(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.lists(st.one_of(st.binary(max_size=3), st.text(max_size=3), st.none()), max_size=3),
    )
)
def test_keyrings_are_refused_alike(twins: Twins, secrets: object) -> None:
    """Whatever is handed over as secrets."""

    def size(module: ModuleType) -> Callable[[], int]:
        return lambda: len(module.Keyring(secrets))

    pure, compiled = twins("signing")
    assert outcome(size(pure)) == outcome(size(compiled))


def test_keyrings_look_alike(twins: Twins) -> None:
    """In repr, and in what they say to whoever wants to copy them."""
    pure, compiled = (module.Keyring([b"a", b"b"]) for module in twins("signing"))
    assert repr(pure) == repr(compiled)
    assert outcome(pure.__reduce__) == outcome(compiled.__reduce__)
    public = [[name for name in dir(ring) if not name.startswith("_")] for ring in (pure, compiled)]
    assert public[0] == public[1]
