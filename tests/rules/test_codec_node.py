"""express-session's record, with Node itself as the judge of every byte where it is installed."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sessfast.codec import ExpressCodec
from sessfast.express_record import RESERVED
from sessfast.express_text import number_text, stringify
from sessfast.meta import Meta
from tests.rules.test_codec_express import COOKIE, KEY, RECORDS, VECTORS, rewritten

CODEC = ExpressCodec()

keys = (
    st.sampled_from(["0", "1", "7", "10", "01", "4294967294", "4294967295", "-1", "1.5"])
    | st.integers(0, 2**33).map(str)
    | st.text(max_size=5)
)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
characters = st.characters(codec=None) | st.characters(categories=["Cs", "Cc"])
atoms = st.none() | st.booleans() | numbers | st.text(characters, max_size=6)
values = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)
sessions = st.dictionaries(keys.filter(lambda key: key not in RESERVED), values, max_size=6)


def as_held(data: Any) -> Any:
    """`data` as JavaScript holds it: every number a double, surrogate pairs joined."""
    return json.loads(json.dumps(data), parse_int=float)


@settings(deadline=None)
@given(data=sessions)
def test_decoding_gives_back_what_was_encoded(data: dict[str, Any]) -> None:
    """Identity, but for what JavaScript does not tell apart."""
    text = CODEC.dumps(data)
    blob = CODEC.encode(KEY, data, text, Meta(0.0, None, COOKIE))
    again, meta = CODEC.decode(KEY, blob)
    assert (text, COOKIE) == (CODEC.dumps(again), meta.cookie)
    assert CODEC.same(blob, text)
    assert as_held(data) == as_held(again)


ECHO = """
process.stdout.write(require("fs").readFileSync(0, "latin1").trimEnd().split("\\n")
  .map((line) => JSON.stringify(JSON.parse(line))).join("\\n"));
"""


def node(*arguments: str, text: str = "") -> bytes:
    """What Node prints; skips where there is no Node."""
    found = shutil.which("node")
    if found is None:
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail("node is not on PATH, and SESSFAST_REQUIRE_ALL=1 asks for it")
        pytest.skip("node is not on PATH: only the stored vectors were compared")
    command = [found, *arguments]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout


def stringified(lines: list[str]) -> list[bytes]:
    """Each line of ASCII JSON as Node writes it, all in one run."""
    return node("-e", ECHO, text="\n".join(lines)).split(b"\n")


def examples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """`count` values of a strategy, the same ones in every run."""
    found: list[Any] = []

    @settings(
        max_examples=count,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(value=strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def test_node_writes_the_same_bytes_for_the_same_data() -> None:
    """Arbitrary data, dumped here and stringified there."""
    collected = examples(sessions, 400)
    for data, text in zip(collected, stringified([json.dumps(d) for d in collected]), strict=True):
        assert text == CODEC.dumps(data)


def test_whatever_node_wrote_is_written_again_byte_for_byte() -> None:
    """Whole records, the cookie anywhere among the data."""
    places = st.tuples(sessions, st.integers(0, 6), st.sampled_from(RECORDS[:14]))
    lines = []
    for data, place, record in examples(places, 200):
        items = list(data.items())
        items.insert(place, ("cookie", json.loads(record)["cookie"]))
        lines.append(json.dumps(dict(items)))
    for text in stringified(lines):
        assert text == rewritten(text)


def test_node_prints_doubles_the_same() -> None:
    """20,000 doubles by their bits, and all magnitudes where the layout changes."""
    chance = random.Random(20231114)
    doubles = list(struct.unpack(">20000d", chance.randbytes(160_000)))
    doubles += [m * 10.0**p for p in range(-30, 30) for m in (1.0, 1.5, 9.999999999999999, 123.25)]
    doubles = [number for number in doubles if number - number == 0.0]
    expected = stringified([json.dumps(doubles)])[0].decode()[1:-1].split(",")
    assert expected == [number_text(number) for number in doubles]
    for number, text in zip(doubles[:2_000], expected, strict=False):
        assert f'{{"n":{text}}}'.encode() == stringify({"n": number})


def test_the_stored_vectors_are_what_node_prints_today() -> None:
    """The script and its output belong together; only the version may differ."""
    printed = json.loads(node(str(Path(__file__).parent / "make_express_vectors.mjs")))
    assert {**VECTORS, "node": printed["node"]} == printed
