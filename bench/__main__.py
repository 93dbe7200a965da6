"""`python -m bench`: measure, then print one table per suite and what became of the targets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.report import BUDGET, Results, read, targets, text

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SUITES = ("hotpath", "requests", "store")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: pytest's where it failed; with --check 1 for a missed budget; else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes, less exact")
    parser.add_argument("--only", choices=SUITES, action="append", help="this suite (repeatable)")
    parser.add_argument("--show", action="store_true", help="print the last run, measure nothing")
    parser.add_argument(
        "--check", action="store_true", help="fail where a ratio is below bench/budget.json"
    )
    options = parser.parse_args(arguments)
    latest, previous = RESULTS / "latest.json", RESULTS / "previous.json"
    if not options.show:
        status = measure(options.only or SUITES, options.quick, latest, previous)
        if status:
            return status
    if not latest.exists():
        print("there is no run to show: leave --show out")
        return 2
    results = read(latest)
    print("\n" + text(results, read(previous) if previous.exists() else None))
    return check(results) if options.check else 0


def measure(suites: Sequence[str], quick: bool, latest: Path, previous: Path) -> int:
    """Run the suites; pytest's exit status. Only a complete run replaces the last one."""
    RESULTS.mkdir(exist_ok=True)
    fresh = RESULTS / "unfinished.json"
    arguments = [
        *(str(HERE / f"test_{suite}.py") for suite in SUITES if suite in suites),
        "--benchmark-only", "--benchmark-quiet", f"--benchmark-json={fresh}",
        "-q", "-o", "addopts=", "-p", "no:cacheprovider", f"--rootdir={HERE.parent}",
        *(["--bench-quick"] if quick else []),
    ]  # fmt: skip
    status = int(pytest.main(arguments))
    if status == 0:
        if latest.exists():
            latest.replace(previous)
        fresh.replace(latest)
    return status


def check(results: Results) -> int:
    """Say which budgets are kept, slack included; 1 if one is not."""
    slack = json.loads(BUDGET.read_text())["slack"]
    kept, judged = targets(results, ["targets", "budgets"], slack)
    print("\n".join([f"\nbudgets, with {slack:.0%} slack", *judged]))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
