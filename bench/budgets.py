"""Budgets of instructions: what each hot path and each request may take, and who exceeds them.

A count depends on the interpreter's build as much as on our code. So budget.json holds counts by
interpreter, under "instructions", with the versions of what else is in them:

    {key(): {"with": made_with(), "compiled": {case: instructions}, "pure": {…}}}

Where the bare app, which is none of our code, takes the same count here as there, it is the same
build, and a count may exceed its budget by SLACK. Elsewhere counts are scaled by the bare app's,
and may exceed the budget of the interpreter that is most like this one by WIDE_SLACK: that catches
a lost fast path, not some per cent.
"""

from __future__ import annotations

import json
import platform
import re
import statistics
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

BUDGET = Path(__file__).parent / "budget.json"
SLACK = 0.05
WIDE_SLACK = 0.35
SAME = 0.02  # by how much the bare app's counts may differ in one build
BARE = "the bare app"
NOT_OURS = (BARE, "the floor", "empty loop", "empty walk")
Counts = Mapping[str, float]


class Excess(NamedTuple):
    """A case that takes more than its budget. over: the part by which it does."""

    name: str
    instructions: float
    budget: float

    @property
    def over(self) -> float:
        return self.instructions / self.budget - 1


class Judged(NamedTuple):
    """What came of a check. about: what was compared with what, in one line."""

    about: str
    looked_at: int
    exceeded: list[Excess]


def key() -> str:
    """This interpreter: `cpython-3.11.7-gcc-12.2.0-x86_64`."""
    compiler = re.sub(r"[^\w.]+", "-", platform.python_compiler()).strip("-").lower()
    threaded = "t" * (not getattr(sys, "_is_gil_enabled", lambda: True)())
    name = sys.implementation.name
    return f"{name}-{platform.python_version()}{threaded}-{compiler}-{platform.machine()}"


def made_with() -> dict[str, str]:
    """Versions of what is counted besides our code."""
    import sessfast.hotpath  # noqa: F401 - its compiled modules bring one that is named so

    cython = [name[8:].replace("_", ".") for name in sys.modules if name.startswith("_cython_")]
    return {
        "msgspec": version("msgspec"),
        "cython": max(cython, default="not compiled"),
        "libc": " ".join(platform.libc_ver()),
    }


def record(counts: Mapping[str, Counts], path: Path = BUDGET) -> None:
    """Make these counts, {backend: {case: instructions}}, the budget of this interpreter."""
    budget = json.loads(path.read_text())
    ours = budget["instructions"].setdefault(key(), {})
    if ours.get("with") != made_with():
        ours.clear()
    ours["with"] = made_with()
    for backend, table in counts.items():
        ours[backend] = {name: round(count) for name, count in table.items()}
    budget["instructions"] = dict(sorted(budget["instructions"].items()))
    path.write_text(written(budget))


def written(budget: dict[str, Any]) -> str:
    """budget.json: one line for each target and each count, so that a change shows as such."""
    rest = {name: value for name, value in budget.items() if name != "targets"}
    text = json.dumps(rest, ensure_ascii=False, indent=2)
    targets = ",\n".join(f"    {json.dumps(t, ensure_ascii=False)}" for t in budget["targets"])
    place = text.index('  "instructions"')
    return f'{text[:place]}  "targets": [\n{targets}\n  ],\n{text[place:]}\n'


def judged(backend: str, counts: Counts, path: Path = BUDGET) -> Judged:
    """Compare one backend's counts with the budget that is most like this interpreter's."""
    recorded = json.loads(path.read_text())["instructions"]
    known = {name: each for name, each in recorded.items() if backend in each}
    if not known:
        return Judged("no budget was ever recorded: --record", 0, [])
    name = nearest(list(known))
    budget: Counts = known[name][backend]
    scale = bare_ratio(counts, budget)
    there = known[name]["with"]
    if name == key() and there == made_with() and abs(scale - 1) <= SAME:
        scale, slack, about = 1.0, SLACK, f"the budget of {name}, and {SLACK:.0%}"
    else:
        slack = WIDE_SLACK
        about = (
            f"there is no budget for {key()} with {words(made_with())}; compared with that of "
            f"{name} with {words(there)}, times {scale:.2f} (the bare app), and {slack:.0%}"
        )
    looked = {case: count for case, count in counts.items() if is_ours(case) and case in budget}
    exceeded = [
        Excess(case, count, budget[case] * scale)
        for case, count in looked.items()
        if count > budget[case] * scale * (1 + slack)
    ]
    return Judged(about, len(looked), sorted(exceeded, key=lambda each: -each.over))


def is_ours(case: str) -> bool:
    return not any(words in case for words in NOT_OURS)


def words(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def nearest(keys: list[str]) -> str:
    """Of some keys this interpreter's, or the one that agrees longest with it."""

    def alike(other: str) -> int:
        pairs = zip(re.split(r"[-.]", key()), re.split(r"[-.]", other), strict=False)
        return next((n for n, (a, b) in enumerate(pairs) if a != b), 99)

    return max(sorted(keys), key=alike)


def bare_ratio(here: Counts, there: Counts) -> float:
    """How many times as many instructions the bare app takes here; 1.0 if unknown."""
    shared = [case for case in here if BARE in case and case in there]
    return statistics.median(here[case] / there[case] for case in shared) if shared else 1.0
