"""Hostile input to the compiled modules, each call under guard: `python -m tests.fuzz.guarded DIR`.

DIR is where test_guarded.py has built _guarded. A fault ends as a failing example, which
hypothesis makes small and prints, and not as a dead process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from typing import Any

import msgspec
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from sessfast.hotpath import BACKEND, Keyring, TTLTable, find, plain_writer, unwrap, wrap, wraps

Guard = Callable[..., Any]

WILD = (0, 8, 1 << 46)  # nothing is ever mapped there

TEXT = st.text() | st.text(st.sampled_from('sid=;," %\t\\\0é\ud800.:ABCs')) | st.binary()
KEYS = st.sampled_from(["a", "b", "c", "d" * 40])
NUMBERS = st.integers(0, 1000)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CALLS = st.one_of(
    st.tuples(st.just("get"), KEYS, NUMBERS),
    st.tuples(st.just("create"), KEYS, st.binary(max_size=300), NUMBERS, NUMBERS),
    st.tuples(st.just("update"), KEYS, st.binary(max_size=300), NUMBERS, NUMBERS, NUMBERS),
    st.tuples(st.just("touch"), KEYS, NUMBERS, NUMBERS),
    st.tuples(st.just("destroy"), KEYS),
    st.tuples(st.just("sweep"), NUMBERS, st.integers(1, 9)),
    st.tuples(st.just("keys"), NUMBERS, st.integers(1, 9), NUMBERS),
    st.tuples(st.just("clear")),
)


def fuzz(guarded: Guard, examples: int) -> None:
    """Many calls of every compiled function that sees what a client or a store sends."""
    keyring = Keyring([b"one", b"two" * 40])
    writer = plain_writer(-(2**63), 2**64 - 1, 0.0, inf, True, 64, 10_000)
    how = settings(max_examples=examples, deadline=None, database=None)

    @seed(1)
    @how
    @given(header=TEXT, name=st.text(), limits=st.tuples(NUMBERS, NUMBERS, NUMBERS))
    def finds(header: str | bytes, name: str, limits: tuple[int, int, int]) -> None:
        guarded(find, header, "sid")
        guarded(find, header, name, *limits)

    @seed(1)
    @how
    @given(signed=st.text() | st.text(st.sampled_from("ABC.+/=-_é\0\ud800"), min_size=43))
    def verifies(signed: str) -> None:
        guarded(keyring.verify, signed)

    @seed(1)
    @how
    @given(header=TEXT, prefix=st.text(max_size=3), limits=st.tuples(*[NUMBERS] * 4))
    def claims(header: str | bytes, prefix: str, limits: tuple[int, ...]) -> None:
        pairs = [(b"host", b"x"), (b"cookie", b"sid=s:" + keyring.sign("a").encode())]
        if isinstance(header, bytes):
            pairs.insert(header[:1] < b"a", (b"cookie", header))
        guarded(keyring.claim, pairs, "sid", prefix, *limits, keyring)
        guarded(keyring.claim, str(header), "sid", prefix, *limits, None)

    @seed(1)
    @how
    @given(key=st.text(), blob=st.binary(), end=st.floats(-1e13, 1e13), place=NUMBERS)
    def reads(key: str, blob: bytes, end: float, place: int) -> None:
        record = guarded(wrap, key.encode("utf-8", "replace").decode(), b'{"a":"b"}', 1e9, end, {})
        for damaged in (blob, record[:place], record[:place] + blob, record + blob):
            guarded(wraps, damaged, blob)
            try:
                guarded(unwrap, key, damaged, lambda *rest: rest)
            except (msgspec.MsgspecError, ValueError):
                pass

    @seed(1)
    @how
    @given(data=st.dictionaries(st.text(), DATA))
    def writes(data: dict[str, Any]) -> None:
        try:
            guarded(writer.write, data)
        except UnicodeEncodeError:
            pass

    @seed(1)
    @how
    @given(calls=st.lists(CALLS, max_size=60))
    def keeps(calls: list[tuple[Any, ...]]) -> None:
        table = TTLTable(3, 2000)
        for name, *arguments in calls:
            guarded(getattr(table, name), *arguments)

    for run in (finds, verifies, claims, reads, writes, keeps):
        run()


def main(folder: str, examples: str) -> None:
    """Plants faults, sees that they are survived, then looks for others."""
    sys.path.insert(0, folder)
    import _guarded
    from cysignals.signals import SignalError

    survived = 0
    for address in WILD:
        try:
            _guarded.guarded(_guarded.wild_read, address)
        except SignalError:
            survived += 1
    fuzz(_guarded.guarded, int(examples))
    print(f"{BACKEND}: {survived} planted faults survived, no other found")


if __name__ == "__main__":
    main(*sys.argv[1:])
