"""Verdicts on the targets of budget.json: met, missed, or not measured.

A target is one JSON object:

    what      how it is called in the report
    suite, contest       where its rows are; `contest` is a pattern (`*` for anything)
    ratio     [slow, fast]: how many times as much the first takes as the second; or
    who, figure          a figure of one row: a name in its `extra`, or "time" (seconds)
    unit      of the figure: "s" or "bytes"; "" where it has none
    at_most, at_least    the limit; an object where each column has its own
    each      {word: [values]}: one target for each value of `{word}` in what and contest
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import span
from bench.results import Results, Row

BUDGET = Path(__file__).parent / "budget.json"


class Verdict(NamedTuple):
    """is_met: None where it was not measured."""

    suite: str
    what: str
    is_met: bool | None
    figure: str
    limit: str

    @property
    def word(self) -> str:
        return {True: "ok", False: "MISSED", None: "not measured"}[self.is_met]


def verdicts(results: Results, slack: float = 0.0, path: Path = BUDGET) -> list[Verdict]:
    """One for each target. slack: the part by which a limit may be missed."""
    budget = json.loads(path.read_text())
    return [judge(results, each, slack) for target in budget["targets"] for each in spread(target)]


def slack(path: Path = BUDGET) -> float:
    """What `--check` lets pass: a busy machine is no fault of the code."""
    return float(json.loads(path.read_text())["slack"])


def spread(target: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A target for each of the values that it stands for."""
    sense = "at_most" if "at_most" in target else "at_least"
    limit = target[sense]
    each = dict(target.get("each", {}))
    if isinstance(limit, dict):
        each["column"] = list(limit)
    for values in product(*each.values()):
        words = dict(zip(each, values, strict=True))
        one = {**target, sense: limit[words["column"]] if isinstance(limit, dict) else limit}
        for name in ("what", "contest"):
            one[name] = target[name].format(**words)
        yield one


def judge(results: Results, target: dict[str, Any], slack: float) -> Verdict:
    """What became of one target; where several contests match, the worst of them counts."""
    at_most = "at_most" in target
    limit = target["at_most"] * (1 + slack) if at_most else target["at_least"] * (1 - slack)
    rows = [
        row for row in results.of(target["suite"]) if fnmatchcase(row.contest, target["contest"])
    ]
    found = [value for row in rows if not math.isnan(value := figure(results, row, target))]
    unit = "x" if "ratio" in target else target.get("unit", "")
    allowed = f"{'<=' if at_most else '>='} {shown(limit, unit)}"
    if not found:
        return Verdict(target["suite"], target["what"], None, "-", allowed)
    worst = max(found) if at_most else min(found)
    is_met = worst <= limit if at_most else worst >= limit
    return Verdict(target["suite"], target["what"], is_met, shown(worst, unit), allowed)


def figure(results: Results, row: Row, target: dict[str, Any]) -> float:
    """What a target looks at in a row; nan where the row is another's or has it not."""
    if "ratio" in target:
        slow, fast = target["ratio"]
        ratio = results.ratio(row.suite, row.contest, slow, fast) if row.who == fast else None
        return math.nan if ratio is None else ratio
    if row.who != target["who"]:
        return math.nan
    found = row.figure if target["figure"] == "time" else row.extra.get(target["figure"])
    return math.nan if found is None else float(found)


def shown(value: float, unit: str) -> str:
    """A figure or a limit, with its unit."""
    if unit == "s":
        return span(value)
    if unit == "x":
        return f"{value:.3g}x"
    return f"{value:.0f} {unit}" if unit else f"{value:.3g}"
