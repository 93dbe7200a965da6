"""The report as Markdown, and the generated parts of docs/performance.md.

A generated part of a page stands between `<!-- bench:NAME -->` and `<!-- /bench -->`, each on a
line of its own. NAME is a table's or a plot's; what is between is replaced as a whole.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import report
from bench.plots import Plot
from bench.report import Table
from bench.results import Results
from bench.targets import verdicts

PART = re.compile(r"(<!-- bench:([\w-]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)
NOTHING = "*Not measured yet.*"


def markdown(results: Results, before: Results, plots: Sequence[Plot]) -> str:
    """The whole report. Its plots lie in plots/, beside it."""
    judged = verdicts(results)
    parts = [
        "# Benchmarks of sessfast",
        table(report.measured(results), level=2),
        f"Versions: {report.versions(results)}.",
        table(report.targets(judged), level=2),
        report.summary(judged) + ".",
        table(report.changes(results, before), level=2),
        table(report.losses(results), level=2),
        *(f"## {plot.title}\n\n{image(plot)}" for plot in plots),
        *(table(each, level=2) for each in report.tables(results, before)),
        table(report.leaves_out(results), level=2, text=True),
    ]
    return "\n\n".join(parts) + "\n"


def table(made: Table, level: int = 0, text: bool = False) -> str:
    """One table; under a heading, if a level is given. text: its cells are words, not figures."""
    heading = f"{'#' * level} {made.title}" if level else ""
    rule = ["---", *["---" if text else "---:"] * (len(made.head) - 1)]
    rows = [made.head, rule, *made.body] if made.body else []
    body = "\n".join(f"| {' | '.join(map(cell, row))} |" for row in rows)
    return "\n\n".join(filter(None, (heading, body, made.note)))


def cell(text: str) -> str:
    """Text that doesn't end its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def image(plot: Plot) -> str:
    """A plot in a page; what it shows in words for those who can't see it."""
    return f"![{plot.title}](plots/{plot.name}.svg)"


# -- docs/performance.md -------------------------------------------------------------------------


def publish(page: Path, results: Results, plots: Sequence[Plot], drawn: Path) -> list[str]:
    """Write the generated parts of a page and copy the plots into plots/ beside it.

    drawn: folder of the plots. Returns the names of the parts that nothing was measured for.
    """
    made = parts(results, plots)
    folder = page.parent / "plots"
    folder.mkdir(exist_ok=True)
    text, missing = filled(page.read_text(), made)
    page.write_text(text)
    for plot in plots:
        shutil.copyfile(drawn / f"{plot.name}.svg", folder / f"{plot.name}.svg")
    for old in folder.glob("*.svg"):
        if old.stem not in {plot.name for plot in plots}:
            old.unlink()
    return missing


def parts(results: Results, plots: Sequence[Plot]) -> dict[str, str]:
    """Every generated part by its name."""
    nothing = Results({}, [])
    judged = verdicts(results)
    made = {
        "measured": f"{table(report.measured(results))}\n\nVersions: {report.versions(results)}.",
        "targets": f"{table(report.targets(judged))}\n\n{report.summary(judged)}.",
        "missed": table(report.targets([each for each in judged if each.is_met is False]))
        or "None of those that were measured.",
        "losses": table(report.losses(results)) or "In no contest that was measured.",
        "plots-curves": "\n\n".join(image(p) for p in plots if p.name.startswith("curve-")),
    }
    if "peers" in results.suites:
        made["leaves-out"] = table(report.leaves_out(results), text=True)
    if "replacements" in results.suites:
        made["replaced"] = table(report.replaced_leaves_out(results), text=True)
    if "hotpath" in results.suites:
        made["hotpath"] = table(report.hotpath_short(results))
    for each in report.tables(results, nothing):
        if each.name != "hotpath":
            whole = table(without(each, "last run"))
            made[each.name] = "\n\n".join(filter(None, (made.get(each.name), whole)))
    made |= {f"plot-{plot.name}": image(plot) for plot in plots}
    return made


def without(made: Table, column: str) -> Table:
    """A table without one of its columns."""
    keep = [n for n, title in enumerate(made.head) if title != column]
    return made._replace(
        head=[made.head[n] for n in keep], body=[[row[n] for n in keep] for row in made.body]
    )


def filled(page: str, made: Mapping[str, str]) -> tuple[str, list[str]]:
    """A page with its generated parts put in, and the names of those that are missing."""
    missing = []

    def part(match: re.Match[str]) -> str:
        content = made.get(match[2])
        if not content:
            missing.append(match[2])
        return f"{match[1]}{content or NOTHING}\n{match[3]}"

    return PART.sub(part, page), missing
