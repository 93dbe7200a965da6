"""The table in memory: versions, expiry, bounds, sweeping, and many hands at once."""

from __future__ import annotations

import copy
import enum
import inspect
import math
import pickle
import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Twins = Callable[[str], tuple[ModuleType, ModuleType]]

LONG = 10**12
NOW = 1_700_000_000.0
THEN = NOW + 60.0
AFTER = NOW + 61.0

METHODS = (
    "get", "peek", "create", "update", "touch", "destroy", "sweep", "keys", "clear",
    "nbytes", "evictions", "__len__", "__repr__", "__reduce__",
)  # fmt: skip


class Colour(enum.StrEnum):
    """A str whose hash is not that of its text."""

    RED = "key"


class Octets(bytes):
    """A subclass of bytes."""


def table_of(ttltable: ModuleType, entries: int = 1000, octets: int = LONG) -> Any:
    return ttltable.TTLTable(entries, octets)


def all_keys(table: Any, now: float, limit: int = 100) -> list[str]:
    """Every live key, in the order of the walk."""
    found, cursor = table.keys(0, limit, now)
    while cursor:
        more, cursor = table.keys(cursor, limit, now)
        found += more
    return list(found)


# -- one entry -----------------------------------------------------------------------------


def test_an_entry_lives_until_its_end_and_no_longer(ttltable: ModuleType) -> None:
    """At the very end it is gone: for get, peek, touch and update, and create takes its place."""
    table = table_of(ttltable)
    version = table.create("k", b"one", THEN, NOW)
    just_before = math.nextafter(THEN, 0)
    assert (b"one", version, THEN) == table.get("k", just_before) == table.peek("k", just_before)
    assert table.peek("k", THEN) is None
    assert table.touch("k", AFTER, THEN) is False
    assert table.create("k", b"two", AFTER, NOW) > version
    assert table.update("k", b"three", AFTER, version, AFTER) == 0
    assert table.create("k", b"four", math.inf, AFTER) > 0
    assert table.get("k", 1e300) is not None
    assert len(table) == 1


def test_an_end_that_is_no_number_has_passed(ttltable: ModuleType) -> None:
    """NaN compares with nothing, and such an entry must not live for ever."""
    table = table_of(ttltable)
    table.create("k", b"", math.nan, NOW)
    assert table.peek("k", NOW) is None
    assert table.get("k", NOW) is None
    assert len(table) == 0


def test_create_does_not_overwrite(ttltable: ModuleType) -> None:
    """0, and the entry is as it was."""
    table = table_of(ttltable)
    version = table.create("k", b"one", THEN, NOW)
    assert table.create("k", b"two", AFTER, NOW) == 0
    assert table.get("k", NOW) == (b"one", version, THEN)


@pytest.mark.parametrize("sizes", [(3, 3), (3, 300), (300, 3), (0, 1), (1, 0), (700, 90_000)])
def test_update_compares_and_sets(ttltable: ModuleType, sizes: tuple[int, int]) -> None:
    """The stored version gets through once; blobs may shrink and grow, and nbytes follows."""
    table = table_of(ttltable)
    old, new = (bytes([i]) * size for i, size in enumerate(sizes))
    table.create("other", b"x", THEN, NOW)
    version = table.create("k", old, THEN, NOW)
    before = table.nbytes
    newer = table.update("k", new, AFTER, version, NOW)
    assert newer > version
    assert table.update("k", old, AFTER, version, NOW) == -1
    assert table.get("k", NOW) == (new, newer, AFTER)
    assert table.nbytes == before + len(new) - len(old)
    assert table.update("unknown", new, AFTER, version, NOW) == 0


@pytest.mark.parametrize("version", [0, -1, 2**64, 2**64 + 1, -(2**63), 2**200])
def test_a_number_that_is_no_version_conflicts(ttltable: ModuleType, version: int) -> None:
    """Also those beyond 64 bits, which must not wrap around to one."""
    table = table_of(ttltable)
    assert table.create("k", b"", THEN, NOW) == 1
    assert table.update("k", b"x", THEN, version, NOW) == -1


def test_versions_never_return(ttltable: ModuleType) -> None:
    """One counter per table: destroying, clearing and emptying it don't set it back."""
    table = table_of(ttltable)
    seen = [table.create("k", b"", THEN, NOW)]
    seen.append(table.update("k", b"", THEN, seen[-1], NOW))
    table.destroy("k")
    seen.append(table.create("k", b"", THEN, NOW))
    table.clear()
    seen.append(table.create("other", b"", THEN, NOW))
    assert seen == sorted(set(seen))


def test_touch_moves_the_end_alone(ttltable: ModuleType) -> None:
    """Blob and version stay; it never creates."""
    table = table_of(ttltable)
    version = table.create("k", b"one", THEN, NOW)
    assert table.touch("k", AFTER, NOW) is True
    assert table.get("k", THEN) == (b"one", version, AFTER)
    assert table.touch("unknown", AFTER, NOW) is False
    assert len(table) == 1


def test_destroy_says_whether_there_was_an_entry(ttltable: ModuleType) -> None:
    """Live or not; again and again."""
    table = table_of(ttltable)
    table.create("live", b"", THEN, NOW)
    table.create("expired", b"", NOW, NOW)
    assert [table.destroy(key) for key in ("live", "expired", "live", "unknown")] == [
        True, True, False, False
    ]  # fmt: skip
    assert (len(table), table.nbytes) == (0, 0)


KEYS = [
    *["", "k", "K", "k\0", "k\0a", "\xff", "é", "e\u0301", "\u212a", "𝄞", "\n", "\ufffd"],
    "k" * 5000,
]


def test_every_key_is_its_own(ttltable: ModuleType) -> None:
    """Empty, with NUL, not normalised, long: they come back as they went in."""
    table = table_of(ttltable)
    versions = {key: table.create(key, key.encode(), THEN, NOW) for key in KEYS}
    assert sorted(KEYS) == sorted(all_keys(table, NOW))
    for key, version in versions.items():
        assert table.get(key, NOW) == (key.encode(), version, THEN)


@pytest.mark.parametrize("key", ["\ud800", "a\udcff", "\udc00" * 3])
def test_a_key_with_half_a_surrogate_pair_is_refused(ttltable: ModuleType, key: str) -> None:
    """ValueError from every method that takes one, and the message doesn't quote it."""
    table = table_of(ttltable)
    calls: list[Callable[[], object]] = [
        lambda: table.get(key, NOW),
        lambda: table.peek(key, NOW),
        lambda: table.create(key, b"", THEN, NOW),
        lambda: table.update(key, b"", THEN, 1, NOW),
        lambda: table.touch(key, THEN, NOW),
        lambda: table.destroy(key),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"^a key can't hold lone surrogates$"):
            call()


def test_subclasses_of_str_and_bytes_count_as_what_they_hold(ttltable: ModuleType) -> None:
    """A member of a StrEnum, whose hash differs, finds the entry of its text."""
    table = table_of(ttltable)
    table.create(Colour.RED, Octets(b"one"), THEN, NOW)
    record = table.get("key", NOW)
    assert (b"one", bytes) == (record[0], type(record[0]))
    assert table.get(Colour.RED, NOW) == record
    assert [str] == [type(key) for key in all_keys(table, NOW)]
    assert table.destroy(Colour.RED)


WRONG: list[tuple[str, tuple[object, ...], type[Exception]]] = [
    ("get", (b"k", NOW), TypeError),
    ("get", (None, NOW), TypeError),
    ("get", ("k", "now"), TypeError),
    ("create", ("k", "text", THEN, NOW), TypeError),
    ("create", ("k", bytearray(b"x"), THEN, NOW), TypeError),
    ("create", ("k", None, THEN, NOW), TypeError),
    ("create", ("k", b"", "soon", NOW), TypeError),
    ("update", ("k", b"", THEN, None, NOW), TypeError),
    ("update", ("k", b"", THEN, 1.0, NOW), TypeError),
    ("update", ("k", memoryview(b""), THEN, 1, NOW), TypeError),
    ("touch", (1, THEN, NOW), TypeError),
    ("touch", ("k", None, NOW), TypeError),
    ("destroy", (["k"],), TypeError),
    ("sweep", (NOW, 0), ValueError),
    ("sweep", (NOW, -1), ValueError),
    ("keys", (0, 0, NOW), ValueError),
    ("keys", (-1, 5, NOW), ValueError),
    ("create", ("k", b"x" * 2000, THEN, NOW), ValueError),
    ("create", ("k" * 2000, b"", THEN, NOW), ValueError),
    ("update", ("k", b"x" * 2000, THEN, 1, NOW), ValueError),
]


@pytest.mark.parametrize(("method", "arguments", "error"), WRONG)
def test_what_can_not_be_stored_is_refused(
    ttltable: ModuleType, method: str, arguments: tuple[object, ...], error: type[Exception]
) -> None:
    """TypeError or ValueError, and the table is as it was."""
    table = table_of(ttltable, octets=ttltable.OVERHEAD + 1000)
    version = table.create("k", b"one", THEN, NOW)
    with pytest.raises(error):
        getattr(table, method)(*arguments)
    assert table.get("k", NOW) == (b"one", version, THEN)
    assert (len(table), table.evictions) == (1, 0)


@pytest.mark.parametrize(
    ("entries", "octets", "error"),
    [
        (0, 1, ValueError), (1, 0, ValueError), (-1, 1, ValueError), (2**32 - 1, 1, ValueError),
        (1, 2**62 + 1, ValueError), (1.0, 1, TypeError), (1, "1", TypeError), (None, 1, TypeError),
    ],
)  # fmt: skip
def test_bounds_are_checked(
    ttltable: ModuleType, entries: object, octets: object, error: type[Exception]
) -> None:
    """Both are ints of at least 1; the largest ones cost nothing."""
    ttltable.TTLTable(2**32 - 2, 2**62)
    with pytest.raises(error):
        ttltable.TTLTable(entries, octets)


def test_a_table_is_not_copied_and_shows_no_keys(ttltable: ModuleType) -> None:
    """Copies would share or lose entries; keys are session ids."""
    table = table_of(ttltable)
    table.create("secret", b"data", THEN, NOW)
    for act in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="can't be copied"):
            act(table)
    assert repr(table) == f"<TTLTable of 1 entries, {10 + ttltable.OVERHEAD} bytes>"


# -- bounds --------------------------------------------------------------------------------


def test_the_least_recently_used_make_room(ttltable: ModuleType) -> None:
    """Used is: created, got, touched, updated. Not: peeked, listed, or refused."""
    table = table_of(ttltable, entries=5)
    versions = {key: table.create(key, b"", THEN, NOW) for key in "abcde"}
    table.get("a", NOW)
    table.touch("b", THEN, NOW)
    table.update("c", b"", THEN, versions["c"], NOW)
    table.peek("d", NOW)
    table.create("d", b"", THEN, NOW)
    table.update("d", b"", THEN, 0, NOW)
    table.keys(0, 10, NOW)
    for key, left in zip("fghij", ["abcef", "abcfg", "bcfgh", "cfghi", "fghij"], strict=True):
        table.create(key, b"", THEN, NOW)
        assert sorted(left) == sorted(all_keys(table, NOW))
    assert table.evictions == 5


@pytest.mark.parametrize("seed", range(3))
def test_a_large_table_keeps_the_order_of_last_use(ttltable: ModuleType, seed: int) -> None:
    """Whatever it is made of inside: the stalest goes first."""
    chance = random.Random(seed)
    table = table_of(ttltable, entries=20_000)
    order: dict[str, None] = {}  # from stale to fresh
    for i in range(40_000):
        now = NOW + i / 1000
        key, kind = f"{chance.randrange(i // 2, i + 1)}", chance.random()
        if kind < 0.2:
            used = table.get(key, now) is not None
        elif kind < 0.4:
            used = table.touch(key, LONG, now)
        elif kind < 0.42:
            assert table.destroy(key) == (key in order)
            order.pop(key, None)
            continue
        else:
            key, used = f"{i}", table.create(f"{i}", b"", LONG, now) > 0
            order[key] = None
        assert used == (key in order)
        if used:
            del order[key]
            order[key] = None
        if len(order) > 20_000:
            del order[next(iter(order))]
    assert sorted(order) == sorted(all_keys(table, NOW, 1000))
    assert table.evictions > 1000


def test_what_comes_in_stays_however_the_clock_runs(ttltable: ModuleType) -> None:
    """Standing still, or set back: the bound is kept, and never at the cost of the newest."""
    table = table_of(ttltable, entries=1_000_000, octets=50 * (ttltable.OVERHEAD + 3))
    for i in range(1000):
        now = NOW - i // 300
        table.create(f"{i:03}", b"", LONG, now)
        assert table.peek(f"{i:03}", now) is not None
        assert len(table) == min(50, i + 1)
    large = table.peek("999", NOW)
    assert table.update("999", b"x" * 49 * ttltable.OVERHEAD, LONG, large[1], NOW - 10) > 0
    assert "999" in all_keys(table, NOW)
    assert table.nbytes <= 50 * (ttltable.OVERHEAD + 3)


def test_octets_are_bounded_too(ttltable: ModuleType) -> None:
    """Key, blob and OVERHEAD count; what comes in stays, even if all others must go."""
    each = ttltable.OVERHEAD + 1 + 100
    table = table_of(ttltable, octets=10 * each)
    for i in range(10):
        table.create(str(i), bytes(100), THEN, NOW)
    assert (10, 10 * each) == (len(table), table.nbytes)
    record = table.get("0", NOW)
    assert table.update("0", bytes(101), THEN, record[1], NOW) > 0
    assert sorted("023456789") == sorted(all_keys(table, NOW))
    assert table.create("x", bytes(10 * each - ttltable.OVERHEAD - 1), THEN, NOW) > 0
    assert all_keys(table, NOW) == ["x"]
    assert (10 * each, 10) == (table.nbytes, table.evictions)


def test_dropping_an_expired_entry_is_no_eviction(ttltable: ModuleType) -> None:
    """`evictions` counts the sessions that somebody may miss."""
    table = table_of(ttltable, entries=1)
    table.create("a", b"", THEN, NOW)
    table.create("b", b"", THEN + 60, AFTER)
    assert table.evictions == 0
    table.create("c", b"", THEN + 60, AFTER)
    assert table.evictions == 1


# -- sweeping and walking --------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 64, 1000, 10**9])
def test_a_sweep_is_bounded_and_complete(ttltable: ModuleType, limit: int) -> None:
    """Never more than `limit` per call, all of the expired within the promised calls."""
    table = table_of(ttltable)
    for i in range(200):
        table.create(str(i), b"", THEN if i % 3 else math.inf, NOW)
    removed = [table.sweep(AFTER, limit) for _ in range(-(-200 // limit) + 1)]
    assert max(removed) <= limit
    assert sum(removed) == 133
    assert sorted(str(i) for i in range(0, 200, 3)) == sorted(all_keys(table, AFTER))
    assert table.evictions == 0


def test_a_walk_meets_what_lives_through_it_once(ttltable: ModuleType) -> None:
    """While others come, go and expire between two steps; a limit is kept to."""
    table = table_of(ttltable, entries=100_000)
    stay = {f"stay{i}" for i in range(500)}
    for i in range(500):
        table.create(f"stay{i}", b"", math.inf, NOW)
        table.create(f"go{i}", b"", math.inf, NOW)
        table.create(f"expire{i}", b"", THEN, NOW)
    found, cursor, rounds = [], 0, 0
    while True:
        keys, cursor = table.keys(cursor, 32, AFTER)
        assert len(keys) <= 32
        found += keys
        if cursor == 0:
            break
        table.destroy(f"go{499 - rounds}")
        table.create(f"come{rounds}", b"", math.inf, AFTER)
        table.sweep(AFTER, 5)
        rounds += 1
    assert len(found) == len(set(found))
    assert stay <= set(found)
    assert not any(key.startswith("expire") for key in found)


def test_a_walk_through_nothing_ends_at_once(ttltable: ModuleType) -> None:
    """An empty table, and a cursor from before it was emptied."""
    table = table_of(ttltable)
    assert table.keys(0, 10, NOW) == ([], 0)
    for i in range(100):
        table.create(str(i), b"", THEN, NOW)
    _, cursor = table.keys(0, 50, NOW)
    table.clear()
    assert table.keys(cursor, 10, NOW) == ([], 0)
    assert table.keys(2**40, 2**40, NOW) == ([], 0)


def test_clear_leaves_an_empty_table_that_works(ttltable: ModuleType) -> None:
    """Also when it held thousands, and again."""
    table = table_of(ttltable, entries=100_000)
    for _ in range(3):
        for i in range(5000):
            table.create(str(i), b"x", THEN, NOW)
        table.clear()
        assert (0, 0, []) == (len(table), table.nbytes, all_keys(table, NOW))
        assert table.sweep(AFTER, 100) == 0


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_entries_agree_with_a_dict(ttltable: ModuleType, seed: int) -> None:
    """The index grows to many segments and shrinks again, and nothing is lost on the way."""
    chance = random.Random(seed)
    table = table_of(ttltable, entries=100_000)
    model: dict[str, tuple[bytes, int, float]] = {}
    for goal in (20_000, 300, 9_000, 0, 3_000):
        while len(model) != goal:
            if len(model) < goal:
                key, blob = f"{chance.getrandbits(64):x}", chance.randbytes(chance.randrange(40))
                model[key] = (blob, table.create(key, blob, THEN, NOW), THEN)
            else:
                key, _ = model.popitem() if chance.random() < 0.5 else (next(iter(model)), None)
                model.pop(key, None)
                assert table.destroy(key)
        assert len(table) == goal
        assert sorted(model) == sorted(all_keys(table, NOW))
        for key in chance.sample(sorted(model), min(goal, 500)):
            assert model[key] == table.peek(key, NOW)
        assert table.nbytes == sum(
            len(key) + len(record[0]) + ttltable.OVERHEAD for key, record in model.items()
        )


# -- twins -----------------------------------------------------------------------------------


def test_the_twins_have_the_same_face(twins: Twins) -> None:
    """Names, kinds and defaults of all parameters; the same constants."""
    pure, compiled = twins("ttltable")

    def face(thing: Any) -> list[tuple[str, object, object]]:
        found = inspect.signature(thing).parameters.values()
        # the compiled methods take self by position alone, as all that is written in C
        return [(each.name, each.kind, each.default) for each in found if each.name != "self"]

    for name in METHODS:
        ours, theirs = getattr(pure.TTLTable, name), getattr(compiled.TTLTable, name)
        if inspect.isfunction(ours) and not name.startswith("__"):
            assert face(ours) == face(theirs), name
            assert inspect.getdoc(ours) == inspect.getdoc(theirs), name
    assert face(pure.TTLTable) == face(compiled.TTLTable)
    for name in ("REVISION", "MOST_ENTRIES", "MOST_BYTES"):
        assert getattr(pure, name) == getattr(compiled, name)
