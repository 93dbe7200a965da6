"""The report as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench import report
from bench.report import Table
from bench.results import Results
from bench.targets import verdicts

FIRST = 30  # least width of the first column


def text(results: Results, before: Results) -> str:
    """The whole report."""
    if not results.suites:
        return "nothing has been measured yet"
    judged = verdicts(results)
    parts = [
        table(report.measured(results)),
        report.versions(results),
        *map(table, report.tables(results, before)),
        table(report.losses(results)),
        table(report.changes(results, before)),
        table(report.targets(judged)),
        report.summary(judged),
    ]
    return "\n\n".join(parts)


def table(made: Table) -> str:
    """One table under its title."""
    body = "\n".join(lines(made.head, made.body, FIRST)) if made.body else ""
    return "\n".join(filter(None, (made.title, body, made.note)))


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
        yield ("  " + "   ".join(cells)).rstrip()


def halves(title: str) -> tuple[str, str]:
    """A column's title on two lines, cut where they get shortest; a short one stays whole."""
    if len(title) <= 12:
        return "", title
    words = title.split()
    cuts = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(len(words))]
    return min(cuts, key=lambda cut: max(map(len, cut)))
