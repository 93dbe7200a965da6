"""From pytest-benchmark's JSON to tables that a person can read, and to verdicts on targets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
BUDGET = HERE / "budget.json"
COLUMNS = (
    "no cookie, untouched", "valid, untouched", "reads a key", "writes a key", "new session",
    "forged cookie",
)  # fmt: skip
OURS = ("compiled", "pure")
NAMES = {"bare": "(the bare app itself)", "starlette": "Starlette's"}


class Row(NamedTuple):
    """One contestant's figures. median: seconds per call, or None where it has no such time."""

    suite: str
    contest: str
    who: str
    median: float
    extra: dict[str, Any]


class Results:
    """One run: its rows by suite, contest and who, and the machine it ran on."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.machine = document["machine_info"]
        self.rows: dict[tuple[str, str, str], Row] = {}
        for item in document["benchmarks"]:
            extra = item["extra_info"]
            key = (extra["suite"], extra["contest"], extra["who"])
            self.rows[key] = Row(*key, item["stats"]["median"], extra)
        self.suites = list(dict.fromkeys(row.suite for row in self.rows.values()))

    def of(self, suite: str) -> list[Row]:
        """All rows of a suite, in the order they were measured."""
        return [row for row in self.rows.values() if row.suite == suite]

    def ratio(self, suite: str, contest: str, slow: str, fast: str) -> float | None:
        """How many times `fast` is faster; None if that was not measured.

        For requests it is what both cost above the bare app that is compared.
        """
        low = self.rows.get((suite, contest, fast))
        high = self.rows.get((suite, contest, slow))
        if low is None or high is None:
            return None
        if "above" in low.extra and "above" in high.extra:
            below = low.extra["above"]
            return float(high.extra["above"] / below) if below > 0 else math.inf
        return float(low.extra["times_slower"][slow])


def read(path: Path) -> Results:
    """The results of a run."""
    return Results(json.loads(path.read_text()))


# -- text --------------------------------------------------------------------------------------


def span(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for unit, size, digits in (("ns", 1e-9, 0), ("µs", 1e-6, 2), ("ms", 1e-3, 2)):
        if abs(seconds) < 1000 * size:
            number = seconds / size
            return f"{number:.{max(0, digits - (abs(number) >= 100))}f} {unit}"
    return f"{seconds:.2f} s"


def times(ratio: float | None) -> str:
    """A ratio, with as many digits as one can believe."""
    if ratio is None or math.isinf(ratio):
        return "-" if ratio is None else "∞"
    return f"{ratio:.{0 if ratio >= 20 else 1 if ratio >= 1 else 2}f}x"


def lines(head: Sequence[str], body: Iterable[Sequence[str]], width: int = 0) -> Iterator[str]:
    """A table: the first column to the left, the others to the right under two-line heads."""
    body = [list(row) for row in body]
    split = [halves(title) for title in head[1:]]
    tops, bottoms = ["", *(top for top, _ in split)], [head[0], *(bottom for _, bottom in split)]
    columns = list(zip(tops, bottoms, *body, strict=True))
    widths = [max(map(len, column)) for column in columns]
    widths[0] = max(widths[0], width)
    for row in ([tops] if any(tops) else []) + [bottoms, *body]:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(size) for cell, size in zip(row[1:], widths[1:], strict=True)]
        yield "   ".join(cells).rstrip()


def halves(title: str) -> tuple[str, str]:
    """A column's title on two lines, cut where they get shortest; a short one stays whole."""
    if len(title) <= 12:
        return "", title
    words = title.split()
    cuts = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(len(words))]
    return min(cuts, key=lambda cut: max(map(len, cut)))


# -- tables ------------------------------------------------------------------------------------


def hotpath_table(results: Results, previous: Results | None) -> Iterator[str]:
    """Rows are cases, columns contestants; a ratio is how much slower than ours that is."""
    families: dict[str, dict[str, list[Row]]] = {}
    for row in results.of("hotpath"):
        family, _, case = row.contest.partition(": ")
        families.setdefault(family, {}).setdefault(case, []).append(row)
    yield "hot paths: time of one call, and how many times ours it is"
    for family, cases in families.items():
        who = list(dict.fromkeys(row.who for rows in cases.values() for row in rows))
        yield ""
        body = []
        for case, rows in cases.items():
            by_name = {row.who: row for row in rows}
            best = by_name[next(name for name in OURS if name in by_name)]
            cells = [f"  {case or 'one call'}"]
            for name in who:
                row = by_name[name]
                cell = span(row.median)
                if row is not best:
                    cell += f" {times(best.extra['times_slower'][name]):>6}"
                cells.append(cell)
            cells.append(change(best, previous))
            body.append(cells)
        yield from lines([family, *who, "last run"], body, width=30)


def change(row: Row, previous: Results | None) -> str:
    """What the same row took in the previous run."""
    key = (row.suite, row.contest, row.who)
    before = previous.rows.get(key) if previous else None
    return "-" if before is None else span(before.median)


def requests_table(results: Results, floor: dict[str, Any]) -> Iterator[str]:
    """One block per front and size of session; figures above the bare app."""
    rows = {(row.contest, row.who): row for row in results.of("requests")}
    parts = [contest.split(", ") for contest, _ in rows]
    fronts, sizes = (dict.fromkeys(part[n] for part in parts) for n in (0, 1))
    yield "requests: µs above the bare app"
    for front, size in product(fronts, sizes):
        yield ""
        body = []
        names = [f"{front}, {size}, {column}" for column in COLUMNS]
        for who in ("bare", "compiled", "pure", "starlette"):
            found = [rows.get((name, who)) for name in names]
            if any(found):
                body.append([f"  {NAMES.get(who, 'sessfast, ' + who)}", *map(micro, found)])
        for slow, label in (("pure", "pure / compiled"), ("starlette", "Starlette's / ours")):
            fast = next((who for who in OURS if (names[0], who) in rows), "compiled")
            found_ratios = [results.ratio("requests", name, slow, fast) for name in names]
            if any(found_ratios) and slow != fast:
                body.append([f"  {label}", *map(times, found_ratios)])
        if size == "small" and front in floor:
            body.append(["  floor (all in C, once)", *(f"{floor[front][c]:.2f}" for c in COLUMNS)])
        yield from lines([f"{front.upper()}, session: {size}", *COLUMNS], body, width=26)


def micro(row: Row | None) -> str:
    """What a row costs above the bare app (the bare app itself: at all), in µs."""
    return "-" if row is None else f"{row.extra.get('above', row.median) * 1e6:.2f}"


def store_table(results: Results) -> Iterator[str]:
    """Memory and the longest calls; CPU time, wall time in brackets."""
    rows = results.of("store")
    names = {"compiled": "MemoryStore, compiled", "pure": "MemoryStore, pure"}
    yield f"store: {rows[0].extra['entries']:,} sessions of 200 bytes, keys of 32"
    yield ""
    head = ["", "bytes over key and value", "create", "slowest create", "(wall)",
            "slowest sweep call", "(wall)", "whole sweep"]  # fmt: skip
    body = []
    for row in rows:
        extra = row.extra
        body.append([
            f"  {names.get(row.who, 'dict of tuples')}",
            f"{extra['bytes_per_session']:.0f}",
            span(row.median),
            *(span(extra[name]) for name in ("slowest_create", "slowest_create_wall")),
            *(span(extra[name]) for name in ("slowest_sweep", "slowest_sweep_wall")),
            span(extra["sweep_seconds"]),
        ])  # fmt: skip
    yield from lines(head, body, width=26)


# -- targets -----------------------------------------------------------------------------------


def verdict(results: Results, target: dict[str, Any], slack: float) -> tuple[bool | None, str]:
    """Whether a target is met (None: not measured), and the line that says so."""
    if "figure" in target:
        row = results.rows.get((target["suite"], target["contest"], target["fast"]))
        figure = None if row is None else row.extra[target["figure"]]
        limit = target["at_most"] * (1 + slack)
        met = None if figure is None else figure <= limit
        shown, wanted = "-" if figure is None else f"{figure:.0f}", f"<= {limit:.0f}"
    else:
        place = (target["suite"], target["contest"], target["slow"], target["fast"])
        ratio = results.ratio(*place)
        limit = target["at_least"] * (1 - slack)
        met = None if ratio is None else ratio >= limit
        shown, wanted = times(ratio), f">= {limit:.2g}x"
    word = {True: "ok", False: "MISSED", None: "not measured"}[met]
    return met, f"  {word:<12} {target['what']:<62} {shown:>7}   {wanted}"


def targets(results: Results, kinds: Sequence[str], slack: float) -> tuple[bool, list[str]]:
    """Whether everything that should have been measured is met, and a line for each.

    kinds: lists of budget.json
    """
    budget = json.loads(BUDGET.read_text())
    wanted = [t for kind in kinds for t in budget[kind] if t["suite"] in results.suites]
    judged = [verdict(results, target, slack) for target in wanted]
    return all(met for met, _ in judged), [line for _, line in judged]


def machine(results: Results) -> str:
    """One line about what was measured and where."""
    info = results.machine
    versions = ", ".join(f"{name} {value}" for name, value in info["versions"].items())
    cpu = info["cpu"].get("brand_raw", info["machine"])
    python = f"{info['python_implementation']} {info['python_version']}"
    return f"{python} on {cpu} x {info['cpu'].get('count', '?')}; {versions}"


def text(results: Results, previous: Results | None) -> str:
    """The whole report."""
    floor = json.loads(BUDGET.read_text())["floor"]
    parts = [[machine(results)]]
    if "hotpath" in results.suites:
        parts.append(list(hotpath_table(results, previous)))
    if "requests" in results.suites:
        parts.append(list(requests_table(results, floor)))
    if "store" in results.suites:
        parts.append(list(store_table(results)))
    parts.append(["targets", *targets(results, ["targets"], slack=0.0)[1]])
    return "\n\n".join("\n".join(part) for part in parts)
