"""The tables of the report: rows in, words out. text.py and markdown.py write them down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from bench.figures import count, micro, percent, span, times
from bench.results import COLUMNS, OURS, Results, Row, compared, parts
from bench.targets import Verdict

WHO = ("bare", "floor", "compiled", "pure", "starlette")
NAMES = {
    "bare": "(the bare app itself)",
    "floor": "floor: all in C",
    "compiled": "sessfast, compiled",
    "pure": "sessfast, pure",
    "starlette": "Starlette's",
    "sessfast": "sessfast",
}
WITH_RIVALS = ("hotpath", "requests", "curves", "peers", "table", "stores")
NO_RIVALS = (*OURS, "sessfast", "floor", "bare", "pure bare", "peer bare", "raw")
SEEN_AT_MOST = 40  # changes that are named


class Table(NamedTuple):
    """One table. name: of the part of a page it goes into; head[0] belongs to the first column."""

    name: str
    title: str
    head: Sequence[str]
    body: Sequence[Sequence[str]]
    note: str = ""


def name_of(who: str) -> str:
    return NAMES.get(who, who)


def tables(results: Results, before: Results) -> Iterator[Table]:
    """All that the report shows of the suites, in order."""
    for suite in results.suites:
        make = MAKERS.get(suite, plain)
        yield from (table for table in make(results, before, suite) if table.body)


Maker = Callable[[Results, Results, str], Iterator[Table]]


def by_contest(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Rows as {contest: {who: row}}."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.contest, {})[row.who] = row
    return found


def best_of(rows: dict[str, Row]) -> Row:
    """The contestant that others are compared with: ours, the faster one first."""
    return next(
        (rows[who] for who in (*OURS, "sessfast") if who in rows), next(iter(rows.values()))
    )


def timed(rows: dict[str, Row], who: str) -> str:
    """What one contestant takes, and how many times ours that is."""
    if who not in rows:
        return "-"
    best, row = best_of(rows), rows[who]
    if row is best:
        return span(row.median)
    return f"{span(row.median)} {times(best.extra.get('times_slower', {}).get(who)):>6}"


def changed(results: Results, before: Results, suite: str) -> Callable[[Row], str]:
    """What a row's change since the last run looks like; a `*` where it is more than noise."""
    comparison = compared(results, before, suite)

    def change(row: Row) -> str:
        found = comparison.changes.get(row.key) if comparison else None
        return "-" if found is None else percent(found.by) + (" *" if found.is_real else "")

    return change


# -- suites --------------------------------------------------------------------------------------


def hotpath(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """A table per family of calls: rows are cases, columns contestants."""
    families: dict[str, dict[str, dict[str, Row]]] = {}
    for contest, rows in by_contest(results.of(suite)).items():
        family, _, case = contest.partition(": ")
        families.setdefault(family, {})[case] = rows
    change = changed(results, before, suite)
    for family, cases in families.items():
        who = list(dict.fromkeys(name for rows in cases.values() for name in rows))
        body = [
            [case or "one call", *(timed(rows, name) for name in who), change(best_of(rows))]
            for case, rows in cases.items()
        ]
        title = f"hot path {family}: time of one call, and how many times ours it is"
        yield Table("hotpath", title, [family, *who, "last run"], body)


def hotpath_short(results: Results) -> Table:
    """The hot paths in one table, as a page shows them."""
    body = []
    for contest, rows in by_contest(results.of("hotpath")).items():
        others = [f"{who} {span(row.median)}" for who, row in rows.items() if who not in OURS]
        ours = [span(rows[who].median) if who in rows else "-" for who in OURS]
        body.append([contest, *ours, ", ".join(others)])
    head = ["one call", "compiled", "pure Python", "what people use"]
    return Table("hotpath", "time of one call", head, body)


def requests(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """A table per front and size of session; what was spent above the bare app."""
    contests = by_contest(results.of(suite))
    fronts, sizes = (list(dict.fromkeys(parts(contest)[n] for contest in contests)) for n in (0, 1))
    change = changed(results, before, suite)
    for front, size in product(fronts, sizes):
        cells = [contests.get(f"{front}, {size}, {column}", {}) for column in COLUMNS]
        present = [who for who in WHO if any(who in cell for cell in cells)]
        body = []
        for who in present:
            body.append([name_of(who), *(micro(cell[who].figure) if who in cell else "-"
                                         for cell in cells)])  # fmt: skip
        for slow, fast, label in (
            ("compiled", "floor", "compiled: times the floor"),
            ("pure", "compiled", "pure: times compiled"),
            ("starlette", "compiled", "Starlette's: times compiled"),
            ("starlette", "pure", "Starlette's: times pure"),
        ):
            if slow in present and fast in present:
                names = [f"{front}, {size}, {column}" for column in COLUMNS]
                ratios = [results.ratio(suite, name, slow, fast) for name in names]
                body.append([label, *map(times, ratios)])
        for who in OURS:
            if who in present and any(who in cell and change(cell[who]) != "-" for cell in cells):
                found = [change(cell[who]) if who in cell else "-" for cell in cells]
                body.append([f"{who}: since the last run", *found])
        title = f"requests, {front.upper()}, session: {size}; µs above the bare app"
        yield Table(f"requests-{front}-{size.replace(' ', '')}", title, ["", *COLUMNS], body)


def peers(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """A table per size of session: every peer in six columns, each above its own bare app."""
    contests = by_contest(results.of(suite))
    names, sizes = (list(dict.fromkeys(parts(contest)[n] for contest in contests)) for n in (0, 1))
    for size in sizes:
        body = []
        for name in names:
            cells = [contests.get(f"{name}, {size}, {column}", {}) for column in COLUMNS]
            row = next((cell["peer"] for cell in cells if "peer" in cell), None)
            if row is None:
                continue
            label = f"{name} {row.extra.get('version', '')}".rstrip()
            figures = [micro(cell["peer"].figure) if "peer" in cell else "-" for cell in cells]
            body.append([label, row.extra.get("front", "-"), *figures])
            ratios = [
                times(results.ratio(suite, f"{name}, {size}, {column}", "peer", "sessfast"))
                for column in COLUMNS
            ]
            body.append(["    times ours", "", *ratios])
        title = f"peers, session: {size}; µs above the bare app, measured in turns with ours"
        yield Table(f"peers-{size.replace(' ', '')}", title, ["", "front", *COLUMNS], body)


def replacements(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """A table per size of session: each incumbent, what stands in for it, and how often cheaper."""
    contests = by_contest(results.of(suite))
    names, sizes = (list(dict.fromkeys(parts(contest)[n] for contest in contests)) for n in (0, 1))
    for size in sizes:
        body = []
        for name in names:
            cells = [contests.get(f"{name}, {size}, {column}", {}) for column in COLUMNS]
            ours, _, theirs = name.partition(" beside ")
            for who, label in (("incumbent", theirs), ("replacement", ours)):
                figures = [micro(cell[who].figure) if who in cell else "-" for cell in cells]
                body.append([label, *figures])
            ratios = [
                times(results.ratio(suite, f"{name}, {size}, {column}", "incumbent", "replacement"))
                for column in COLUMNS
            ]
            body.append(["    times cheaper", *ratios])
        title = f"incumbents and what stands in for them, session: {size}; µs above the bare app"
        yield Table(f"replacements-{size.replace(' ', '')}", title, ["", *COLUMNS], body)


def leaves_out(results: Results) -> Table:
    """What each peer does not do, in the words of its own file."""
    found = {
        f"{row.parts[0]} {row.extra.get('version', '')}": row.extra.get("leaves_out", "")
        for row in results.of("peers")
        if row.who == "peer"
    }
    head = ["peer", "what it doesn't do that sessfast does, or does besides"]
    return Table("leaves-out", "what each peer does not do", head, list(found.items()))


def replaced_leaves_out(results: Results) -> Table:
    """What each replacement does not do, in the words of its own file."""
    found = {
        row.parts[0].partition(" beside ")[0]: row.extra.get("leaves_out", "")
        for row in results.of("replacements")
        if row.who == "replacement"
    }
    head = ["replacement", "what it doesn't do, or does otherwise"]
    return Table("replaced", "what each replacement does not do", head, list(found.items()))


def curves(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """A table per curve: rows are its points, columns contestants; above the bare app."""
    for curve, points in curve_points(results).items():
        who = [name for name in WHO if any(name in rows for rows in points.values())]
        who += list(dict.fromkeys(n for rows in points.values() for n in rows if n not in WHO))
        who = [name for name in who if name != "bare" and not name.endswith(" bare")]
        body = [
            [f"{x:,g}", *(micro(rows[name].figure) if name in rows else "-" for name in who)]
            for x, rows in points.items()
        ]
        unit = next(row.extra.get("unit", "") for rows in points.values() for row in rows.values())
        yield Table(f"curve-{slug(curve)}", f"curve, {curve}; µs above the bare app",
                    [unit or "x", *map(name_of, who)], body)  # fmt: skip


def curve_points(results: Results) -> dict[str, dict[float, dict[str, Row]]]:
    """{curve: {x: {who: row}}}, in the order of x."""
    found: dict[str, dict[float, dict[str, Row]]] = {}
    for row in results.of("curves"):
        if "x" in row.extra:
            points = found.setdefault(row.extra.get("curve", row.contest.partition(": ")[0]), {})
            points.setdefault(float(row.extra["x"]), {})[row.who] = row
    return {curve: dict(sorted(points.items())) for curve, points in found.items()}


def table_points(results: Results) -> dict[str, dict[float, dict[str, Row]]]:
    """{operation: {entries: {who: row}}} of `<operation>, <entries> entries`."""
    found: dict[str, dict[float, dict[str, Row]]] = {}
    for row in results.of("table"):
        operation, _, rest = row.contest.partition(", ")
        number = row.extra.get("entries", row.extra.get("x"))
        if number is None:
            number = rest.split(" ")[0].replace(",", "").replace("_", "")
            number = 10 ** int(number[3:]) if number.startswith("10^") else float(number)
        found.setdefault(operation, {}).setdefault(float(number), {})[row.who] = row
    return {name: dict(sorted(points.items())) for name, points in found.items()}


def table(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """Rows are operations at a size, columns contestants."""
    change = changed(results, before, suite)
    points = table_points(results)
    cells = [(name, n, rows) for name, sizes in points.items() for n, rows in sizes.items()]
    who = list(dict.fromkeys(name for _, _, rows in cells for name in rows))
    body = [
        [f"{name}, {count(n)} entries", *(timed(rows, each) for each in who), change(best_of(rows))]
        for name, n, rows in cells
    ]
    title = "in-memory table: time of one call, and how many times ours it is"
    yield Table("table", title, ["", *who, "last run"], body)


def store(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """Memory and the longest calls; CPU time, wall time beside it."""
    names = {"compiled": "MemoryStore, compiled", "pure": "MemoryStore, pure",
             "dict": "dict of tuples"}  # fmt: skip
    head = ["", "bytes over key and value", "create", "slowest create", "(wall)",
            "slowest call in use", "(wall)", "slowest sweep call", "(wall)",
            "whole sweep"]  # fmt: skip
    spans = ("slowest_create", "slowest_create_wall", "slowest_mixed", "slowest_mixed_wall",
             "slowest_sweep", "slowest_sweep_wall", "sweep_seconds")  # fmt: skip
    body = []
    for row in results.of(suite):
        size, entries = row.extra.get("bytes_per_session"), row.extra.get("entries")
        label = names.get(row.who, row.who)
        body.append([
            label if entries is None else f"{label}, {count(entries)} sessions",
            "-" if size is None else f"{size:.0f}",
            span(row.median),
            *(span(row.extra.get(name)) for name in spans),
        ])  # fmt: skip
    yield Table("store", "store: sessions of 200 bytes, keys of 32", head, body)


def imports(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """What importing costs: a whole process, and what of it is whose."""
    change = changed(results, before, suite)
    names = {"bare": "python -c pass", "msgspec": "import msgspec",
             "compiled": "import sessfast, compiled", "pure": "import sessfast, pure"}  # fmt: skip
    body = [
        [names.get(row.who, row.who), span(row.median), span(row.extra.get("above")),
         span(row.extra.get("above_msgspec")), change(row)]
        for row in results.of(suite)
    ]  # fmt: skip
    head = ["", "CPU time of the process", "above Python itself", "above msgspec too", "last run"]
    yield Table("import", "import: CPU time of a process that imports and ends", head, body)


def servers(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """One row per server, front, column and contestant."""
    body = []
    for row in results.of(suite):
        extra: dict[str, Any] = row.extra
        ratio = extra.get("ratio_to_bare")
        body.append([
            row.contest,
            "bare app" if row.who == "bare" else name_of(row.who),
            f"{extra['rps']:,.0f}",
            "-" if ratio is None else f"{ratio:.2f}",
            *("-" if extra.get(n) is None else f"{extra[n]:.2f}" for n in ("p50_ms", "p99_ms")),
            "-" if extra.get("cpu_us") is None else f"{extra['cpu_us']:.0f}",
        ])  # fmt: skip
    head = ["", "who", "requests/s", "of the bare app's", "p50, ms", "p99, ms", "CPU µs/request"]
    yield Table("servers", "behind real servers", head, body)


def stores(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """Calls beside the raw client's; requests at once, per second."""
    contests = by_contest(results.of(suite))
    change = changed(results, before, suite)
    calls, crowds = [], []
    who = list(dict.fromkeys(w for rows in contests.values() if "raw" not in rows for w in rows))
    for contest, rows in contests.items():
        if "sessfast" not in rows:
            continue
        if "raw" in rows:
            both = [span(rows[name].median) for name in ("sessfast", "raw")]
            ratio = times(results.ratio(suite, contest, "sessfast", "raw"))
            calls.append([contest, *both, ratio, change(rows["sessfast"])])
        else:
            cells = [rate(results, rows[name]) if name in rows else "-" for name in who]
            crowds.append([contest, *cells, change(rows["sessfast"])])
    title = "stores: requests per second, and how many times as many ours are"
    yield Table("stores-crowd", title, ["", *who, "last run"], crowds)
    head = ["", "sessfast", "the raw client", "times the raw client", "last run"]
    yield Table("stores-calls", "stores: time of one call", head, calls)


def rate(results: Results, row: Row) -> str:
    """A row's calls per second, and how many times as many sessfast's are."""
    if not row.median:
        return "-"
    shown = f"{1 / row.median:,.0f}"
    ratio = results.ratio(row.suite, row.contest, row.who, "sessfast")
    return shown if ratio is None else f"{shown} {times(ratio):>6}"


def plain(results: Results, before: Results, suite: str) -> Iterator[Table]:
    """Any other suite: rows are contests, columns contestants."""
    contests = by_contest(results.of(suite))
    change = changed(results, before, suite)
    who = list(dict.fromkeys(name for rows in contests.values() for name in rows))
    body = [
        [contest, *(timed(rows, name) for name in who), change(best_of(rows))]
        for contest, rows in contests.items()
    ]
    yield Table(slug(suite), f"{suite}: time, and how many times ours it is",
                ["", *who, "last run"], body)  # fmt: skip


MAKERS: dict[str, Maker] = {
    "hotpath": hotpath,
    "requests": requests,
    "peers": peers,
    "replacements": replacements,
    "curves": curves,
    "table": table,
    "store": store,
    "import": imports,
    "stores": stores,
    "servers": servers,
}


def slug(title: str) -> str:
    """A title as part of a file's name."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


# -- what belongs to the whole run ---------------------------------------------------------------


def measured(results: Results) -> Table:
    """When and where each suite was measured."""
    body = []
    for suite, about in results.suites.items():
        where = about["machine"]
        body.append([suite, about["measured"][:16].replace("T", " "),
                     "quick" if about["quick"] else "full", f"{about['seconds']:.0f} s",
                     where["python"], f"{where['cpu']}, {where['cores']} cores"])  # fmt: skip
    head = ["suite", "measured (UTC)", "rounds", "took", "Python", "CPU"]
    return Table("measured", "when each suite was measured", head, body)


def versions(results: Results) -> str:
    """All versions of what was measured, each once."""
    found = [f"{name} {value}" for about in results.suites.values()
             for name, value in about["versions"].items()]  # fmt: skip
    return ", ".join(dict.fromkeys(found))


def targets(verdicts: Sequence[Verdict]) -> Table:
    """Every target with its figure and its limit."""
    body = [[each.what, each.word, each.figure, each.limit] for each in verdicts]
    return Table("targets", "targets", ["", "verdict", "measured", "limit"], body)


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many targets are met."""
    words = [each.word for each in verdicts]
    return ", ".join(f"{words.count(word)} {name}" for word, name in (
        ("ok", "met"), ("MISSED", "missed"), ("not measured", "not measured")))  # fmt: skip


def losses(results: Results) -> Table:
    """Every contest in which somebody else's code takes less time than ours."""
    body = []
    for suite, contest in dict.fromkeys((row.suite, row.contest) for row in results.rows.values()):
        rows = {row.who: row for row in results.of(suite) if row.contest == contest}
        for ours in (who for who in (*OURS, "sessfast") if who in rows and suite in WITH_RIVALS):
            for rival in rows:
                ratio = results.ratio(suite, contest, rival, ours)
                if rival in NO_RIVALS or ratio is None or ratio >= 1:
                    continue
                if rows[rival].figure >= rows[ours].figure:
                    continue  # the medians disagree with the rounds: it is a draw
                name = rows[rival].extra.get("peer", name_of(rival))
                body.append([f"{suite}: {contest}", ours, name, span(rows[ours].figure),
                             span(rows[rival].figure), times(1 / max(ratio, 1e-9))])  # fmt: skip
    head = ["", "ours", "who is faster", "ours takes", "theirs takes", "times as much"]
    return Table("losses", "where somebody else is faster", head, body)


def changes(results: Results, before: Results) -> Table:
    """What became slower or faster since the last run, by more than noise; ours alone."""
    found, notes = [], []
    for suite in results.suites:
        comparison = compared(results, before, suite)
        if comparison is None:
            continue
        notes.append(f"{suite} {percent(comparison.drift)}")
        found += [c for c in comparison.changes.values() if c.is_real and c.row.who in
                  (*OURS, "sessfast")]  # fmt: skip
    found.sort(key=lambda change: -abs(change.by) / change.noise)
    body = [
        [f"{c.row.suite}: {c.row.contest}", c.row.who, span(c.before.figure), span(c.row.figure),
         percent(c.by), f"{c.noise * 100:.0f} %"]
        for c in found[:SEEN_AT_MOST]
    ]  # fmt: skip
    hidden = len(found) - len(body)
    note = "The machine itself (peers, floor, bare app; taken out): " + ", ".join(notes) + "."
    if hidden > 0:
        note += f" {hidden} smaller changes are left out."
    if not notes:
        note = "There is no earlier run to compare with."
    elif not body:
        note = f"Nothing changed by more than noise. {note}"
    head = ["", "who", "before", "now", "change", "noise"]
    return Table("changes", "what changed since the last run", head, body, note)
