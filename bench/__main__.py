"""`python -m bench`: measure, then print tables, targets, and what changed since the last run.

Results go to bench/results/: latest.json, previous.json, report.md and plots/*.svg; those of
--quick to bench/results/quick/, so that they never stand beside full ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import markdown, plots, report, targets
from bench.report import Table
from bench.results import Results, merged, only, read, write
from bench.suites import BESIDE, NOT_QUICK, FailedError, Progress, expected, measured, suites
from bench.text import table, text

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "performance.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 1 where a suite failed, or with --check a target; 130 after Ctrl-C; else 0."""
    names = suites()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes, less exact")
    parser.add_argument(
        "--only", choices=[*names, *BESIDE], action="append", help="this suite (repeatable)"
    )
    parser.add_argument("--show", action="store_true", help="print the last run, measure nothing")
    parser.add_argument(
        "--check", action="store_true", help="fail where a target is missed by more than the slack"
    )
    parser.add_argument(
        "--publish", action="store_true", help="write figures and plots into docs/performance.md"
    )
    options = parser.parse_args(arguments)
    folder = RESULTS / "quick" if options.quick else RESULTS
    status = 0
    if not (options.show or options.publish):
        usual = [name for name in names if not (options.quick and name in NOT_QUICK)]
        chosen = [BESIDE.get(name, name) for name in options.only or usual]
        status = run([name for name in names if name in chosen], options.quick, folder)
    latest, before = read(folder / "latest.json"), read(folder / "previous.json")
    print("\n" + text(latest, before), flush=True)
    drawn = draw(latest, before, folder) if latest.suites else []
    if options.publish and latest.suites:
        for part in markdown.publish(PAGE, latest, drawn, folder / "plots"):
            print(f"not measured, so not in {PAGE.name}: {part}")
    if options.check:
        status = status or check(latest)
    return status


def run(names: Sequence[str], quick: bool, folder: Path) -> int:
    """Measure these suites, and keep each as soon as it is complete; 0, 1 or 130.

    What is replaced in latest.json moves to previous.json, suite by suite: what isn't measured
    now stays as it is, in both.
    """
    latest, previous = folder / "latest.json", folder / "previous.json"
    progress = Progress(expected(names, quick, read(latest)), sys.stderr)
    status = 0
    try:
        for name, fresh in measured(names, quick, progress):
            if isinstance(fresh, FailedError):
                print(f"\n{name} failed:\n{fresh}", file=sys.stderr)
                status = 1
                continue
            old = read(latest)
            write(previous, merged(read(previous), only(old, fresh.suites)))
            write(latest, merged(old, fresh))
    except KeyboardInterrupt:
        print("\nstopped; suites that were complete are kept", file=sys.stderr)
        status = 130
    return status


def draw(latest: Results, before: Results, folder: Path) -> list[plots.Plot]:
    """Write report.md and the plots; those that were drawn."""
    drawn = plots.plots(latest)
    for old in (folder / "plots").glob("*.svg"):
        old.unlink()
    try:
        for plot in drawn:
            plots.save(plot, folder / "plots")
    except ModuleNotFoundError as error:
        print(f"no plots: there is no {error.name} here (pip install -e '.[bench]')")
        drawn = []
    path = folder / "report.md"
    path.write_text(markdown.markdown(latest, before, drawn))
    print(f"\nwritten: {path}" + (f" and {len(drawn)} plots beside it" if drawn else ""))
    return drawn


def check(results: Results) -> int:
    """Say which targets are missed by more than the slack; 1 if one is.

    A target that was not measured fails where its suite was measured in full: a check that looks
    at nothing must not pass.
    """
    slack = targets.slack()
    judged = targets.verdicts(results, slack)
    wrong = [
        each
        for each in judged
        if each.is_met is False
        or (each.is_met is None and not results.suites.get(each.suite, {"quick": True})["quick"])
    ]
    made = report.targets(wrong)
    print("\n" + table(Table(made.name, f"check, with {slack:.0%} slack", made.head, made.body)))
    print(f"{len(wrong)} of {len(judged)} targets are not met" if wrong else "all is well")
    return 1 if wrong or not results.suites else 0


if __name__ == "__main__":
    sys.exit(main())
