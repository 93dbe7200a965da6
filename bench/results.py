"""Results of the benchmarks: rows, when each suite was measured, and what changed since.

A file of results is one JSON object:

    suites  {suite: {"measured": ISO time, "seconds": what it took, "quick": bool,
                     "machine": {"python": …, "cpu": …, "cores": n}, "versions": {name: version}}}
    rows    [{"suite", "contest", "who", "median", "spread", "extra"}]

median: seconds per call, None where a row has no such time; spread: what lies between the
quartiles of the rounds, in seconds. extra holds what the suite measured besides: `above` (seconds
above the bare app), `above_spread`, `times_slower` {rival: ratio}, and figures of its own.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

COLUMNS = (
    "no cookie, untouched", "valid, untouched", "reads a key", "writes a key", "new session",
    "forged cookie",
)  # fmt: skip
OURS = ("compiled", "pure")
MOVING = ("compiled", "pure", "sessfast")  # whose code changes from run to run
LEAST_NOISE = 0.03


class Row(NamedTuple):
    """One contestant's figures in one contest."""

    suite: str
    contest: str
    who: str
    median: float | None
    spread: float
    extra: dict[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.suite, self.contest, self.who)

    @property
    def figure(self) -> float:
        """Seconds: above the bare app where that was measured, else in all; nan if neither."""
        found = self.extra.get("above", self.median)
        return math.nan if found is None else float(found)

    @property
    def noise(self) -> float:
        """Seconds between the quartiles of `figure`'s rounds."""
        return float(self.extra.get("above_spread", self.spread))

    @property
    def parts(self) -> tuple[str, str, str]:
        """The three of a contest `who or front, size or front, column`."""
        return parts(self.contest)


def parts(contest: str) -> tuple[str, str, str]:
    """A contest in three: what it is of, its size or front, and its column, which may have commas.

    The first may have some as well: `Beaker, memory, small, valid, untouched`.
    """
    column = next((c for c in COLUMNS if contest.endswith(f", {c}")), contest.rpartition(", ")[2])
    first, _, second = contest.removesuffix(f", {column}").rpartition(", ")
    return first, second, column


class Results:
    """What was measured last, suite by suite."""

    def __init__(self, suites: dict[str, dict[str, Any]], rows: Iterable[Row]) -> None:
        self.suites = suites
        self.rows = {row.key: row for row in rows}

    def of(self, suite: str) -> list[Row]:
        """All rows of a suite, in the order they were measured."""
        return [row for row in self.rows.values() if row.suite == suite]

    def ratio(self, suite: str, contest: str, slow: str, fast: str) -> float | None:
        """How many times as much `slow` takes as `fast`; None if that was not measured.

        For requests it is what both cost above the bare app that is compared.
        """
        low, high = (self.rows.get((suite, contest, who)) for who in (fast, slow))
        if low is None or high is None:
            return None
        if "above" in low.extra and "above" in high.extra:
            return high.figure / low.figure if low.figure > 0 else math.inf
        ratio = low.extra.get("times_slower", {}).get(slow)
        return None if ratio is None else float(ratio)


def read(path: Path) -> Results:
    """The results in a file; of none where it isn't there."""
    if not path.exists():
        return Results({}, [])
    document = json.loads(path.read_text())
    return Results(document["suites"], [Row(**row) for row in document["rows"]])


def write(path: Path, results: Results) -> None:
    """Put results into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"suites": results.suites, "rows": [row._asdict() for row in results.rows.values()]}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def merged(old: Results, new: Results) -> Results:
    """`old` with the suites of `new` put in their places: a suite is replaced as a whole."""
    suites = {**old.suites, **new.suites}
    kept = [row for row in old.rows.values() if row.suite not in new.suites]
    return Results(suites, [*kept, *new.rows.values()])


def only(results: Results, suites: Iterable[str]) -> Results:
    """Those suites of the results."""
    chosen = {name: results.suites[name] for name in suites if name in results.suites}
    return Results(chosen, [row for row in results.rows.values() if row.suite in chosen])


def from_pytest(document: dict[str, Any]) -> list[Row]:
    """The rows of pytest-benchmark's JSON; what carries no `suite` is none of ours."""
    rows = []
    for item in document["benchmarks"]:
        extra, stats = dict(item["extra_info"]), item["stats"]
        if "suite" in extra:
            suite, contest, who = (extra.pop(name) for name in ("suite", "contest", "who"))
            rows.append(Row(suite, contest, who, stats["median"], stats["iqr"], extra))
    return rows


def from_figures(figures: Sequence[dict[str, Any]]) -> list[Row]:
    """Rows of a suite that pytest doesn't run: dicts with `suite`, `contest`, `who`, and more."""
    rows = []
    for each in figures:
        extra = dict(each)
        suite, contest, who = (extra.pop(name) for name in ("suite", "contest", "who"))
        median, spread = extra.pop("median", None), extra.pop("spread", 0.0)
        rows.append(Row(suite, contest, who, median, spread, extra))
    return rows


# -- what changed --------------------------------------------------------------------------------


class Change(NamedTuple):
    """What a row takes now, and took in the run before.

    by:    0.1 where it takes 10 % longer now, what the machine changed by taken out
    noise: what `by` may be by chance
    """

    row: Row
    before: Row
    by: float
    noise: float

    @property
    def is_real(self) -> bool:
        return abs(self.by) > self.noise


class Comparison(NamedTuple):
    """A suite's changes. drift: by how much the rows changed whose code did not."""

    drift: float
    changes: dict[tuple[str, str, str], Change]


def compared(now: Results, before: Results, suite: str) -> Comparison | None:
    """What changed in a suite since the run before; None if there is none to compare with.

    Peers, the floor and the bare app have the same code in both runs. The median of their
    changes is the machine's; how they scatter is the least that counts as noise.
    """
    pairs = [
        (row, before.rows[row.key])
        for row in now.of(suite)
        if row.key in before.rows and row.figure > 0 and before.rows[row.key].figure > 0
    ]
    if not pairs or now.suites[suite]["measured"] == before.suites[suite]["measured"]:
        return None
    steady = [new.figure / old.figure for new, old in pairs if new.who not in MOVING]
    drift, scatter = 1.0, 0.0
    if len(steady) >= 4:
        low, drift, high = statistics.quantiles(steady, n=4)
        scatter = (high - low) / drift
    changes = {}
    for new, old in pairs:
        by = new.figure / old.figure / drift - 1
        spread = max(new.noise / new.figure, old.noise / old.figure)
        changes[new.key] = Change(new, old, by, max(spread, scatter, LEAST_NOISE))
    return Comparison(drift - 1, changes)
