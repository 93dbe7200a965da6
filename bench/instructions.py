"""Instruction counts per request and per hot path, by callgrind: `python -m bench.instructions`.

    --record     make this run the budget of this interpreter, in bench/budget.json
    --check      exit 1, and say where, if a count is more than its budget and a twentieth
    --json       print the counts as JSON
    --backend B  count this backend alone: compiled or pure

Where a ratio of times is too coarse (this machine or that, a busy one), a count of instructions
is the same to some per mille from run to run. Each case is repeated a fixed number of times
inside one process under valgrind; an empty loop, and for requests the bare app, is subtracted.

Callgrind writes its counters out whenever the process calls `getppid`, and sets them to zero:
so the cases are told apart without starting Python for each.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from bench import budgets

ROOT = Path(__file__).parent.parent
CALLS = 200
WARM_UP = 20
ENTRIES = 10_000
TOTALS = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)
MARK = os.getppid  # the C function of this name is what callgrind waits for


class Case(NamedTuple):
    """What is counted. minus: name of the case whose instructions are subtracted."""

    name: str
    minus: str
    run: Callable[[int], float]


def cases() -> Iterator[Case]:
    """Everything that is counted, in order."""
    from bench import requests, test_hotpath
    from bench.inputs import HEADERS
    from bench.race import statement
    from bench.twins import TWINS
    from sessfast import BACKEND

    yield Case("empty loop", "", statement("", "pass").run)
    yield Case("empty walk", "", walk)
    races = {f"find: {name}": test_hotpath.find_runners(text) for name, text in HEADERS.items()}
    races |= {f"verify: {n}": test_hotpath.verify_runners(n) for n in (1, 3)}
    races |= {"sign": test_hotpath.sign_runners(1), "new_id": test_hotpath.id_runners()}
    races |= {"serialize": test_hotpath.serialize_runners()}
    races |= {"fingerprint": test_hotpath.fingerprint_runners()}
    for name, runners in races.items():
        yield Case(name, "empty loop", next(r.run for r in runners if r.name == BACKEND))
    for name, run in table_loops(TWINS[BACKEND].TTLTable(2 * ENTRIES, 1 << 30)).items():
        yield Case(f"table: {name}", "empty walk", run)
    for front in requests.FRONTS:
        for column in requests.COLUMNS:
            cell = requests.Cell(front, "small", column)
            base = f"{front}: the bare app, {column}"
            yield Case(base, "empty walk", requests.bare(cell))
            yield Case(f"{front}: {column}", base, requests.ours(cell))
            if not requests.no_floor():
                yield Case(f"{front}: the floor, {column}", base, requests.floor(cell))


def table_loops(table: Any) -> dict[str, Callable[[int], float]]:
    """Loops over single operations of a table of ENTRIES entries; every call has another key.

    The keys are made beforehand: bench.tables makes its own in each turn, outside its clock.
    """
    blob, now, expires = b"x" * 200, 1_700_000_000.0, 1_700_001_800.0
    calls = WARM_UP + CALLS
    keys = [f"{n:032}" for n in range(ENTRIES)]
    versions = [table.create(key, blob, expires, now) for key in keys]
    mixed = [n * 7919 % ENTRIES for n in range(3 * calls)]  # a prime: no key twice
    read, touched = (iter([keys[n] for n in mixed[k * calls : (k + 1) * calls]]) for k in (0, 1))
    updated = iter([(keys[n], versions[n]) for n in mixed[2 * calls :]])
    created = iter([f"{n:032}" for n in range(ENTRIES, ENTRIES + calls)])

    def get(calls: int) -> float:
        for key in islice(read, calls):
            table.get(key, now)
        return 0.0

    def touch(calls: int) -> float:
        for key in islice(touched, calls):
            table.touch(key, expires, now)
        return 0.0

    def update(calls: int) -> float:
        for key, version in islice(updated, calls):
            table.update(key, blob, expires, version, now)
        return 0.0

    def create(calls: int) -> float:
        for key in islice(created, calls):
            table.create(key, blob, expires, now)
        return 0.0

    return {"get": get, "create": create, "update": update, "touch": touch}


def walk(calls: int) -> float:
    """The loop that requests and tables are called from."""
    for _ in range(calls):
        pass
    return 0.0


def steady(cookie_for: Callable[..., str]) -> Callable[..., str]:
    """`cookie_for` with no percent escapes in the signature: their number is a matter of chance.

    The pure twins decode each escape by itself, which is some per cent of a request.
    """
    from bench.requests import header

    plain = header("").count("%")

    @functools.wraps(cookie_for)
    def drawn(*arguments: Any) -> str:
        while True:
            cookie = cookie_for(*arguments)
            if cookie.count("%") <= plain + 1:  # the one of `s%3A`
                return cookie

    return drawn


def child() -> None:
    """Run under callgrind: every case between two marks. Prints the names in order."""
    from bench import requests

    requests.cookie_for = steady(requests.cookie_for)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would fall into some case or other
    for case in cases():
        case.run(WARM_UP)
        MARK()
        case.run(CALLS)
        MARK()
        print(f"{case.name}\t{case.minus}", flush=True)


def counted(pure: bool) -> dict[str, float]:
    """Instructions per call of every case, what is to be subtracted subtracted."""
    environment = {**os.environ, "SESSFAST_PURE": "1" if pure else "0", "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        command = [
            "valgrind", "--tool=callgrind", "--dump-before=getppid", "--quiet",
            f"--callgrind-out-file={out}", sys.executable, "-m", "bench.instructions", "--child",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        named = [line.split("\t") for line in done.stdout.splitlines()]
        totals: dict[str, float] = {}
        found: dict[str, float] = {}
        for index, (name, minus) in enumerate(named):
            part = Path(f"{out}.{2 * index + 2}")  # dumps count from 1; the odd ones are in between
            match = TOTALS.search(part.read_text())
            assert match is not None, part
            totals[name] = int(match[1]) / CALLS
            found[name] = round(totals[name] - (totals[minus] if minus else 0), 1)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 1 where a budget is exceeded; 2 without valgrind; else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--backend", choices=("compiled", "pure"), action="append")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child()
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not installed (on Debian: apt-get install valgrind)", file=sys.stderr)
        return 2
    from sessfast import BACKEND

    here = ["compiled", "pure"] if BACKEND == "compiled" else ["pure"]
    backends = options.backend or here
    if "compiled" in backends and BACKEND != "compiled":
        parser.error("there is no compiled backend here")
    counts = {backend: counted(backend == "pure") for backend in backends}
    if options.json:
        print(json.dumps({"key": budgets.key(), "with": budgets.made_with(), **counts}, indent=1))
    elif not options.check:
        print_counts(counts)
    if options.record:
        budgets.record(counts)
        print(f"written: {budgets.BUDGET.name}, for {budgets.key()}", file=sys.stderr)
    return print_verdicts(counts) if options.check else 0


def print_counts(counts: Mapping[str, Mapping[str, float]]) -> None:
    """A table of all cases; requests beside the floor as well."""
    from bench.text import lines

    first = next(iter(counts.values()))
    body = [[name, *(f"{table.get(name, 0):,.0f}" for table in counts.values())] for name in first]
    print(f"instructions per call ({CALLS} calls each; requests: above the bare app)\n")
    print("\n".join(lines(["", *counts], body)))


def print_verdicts(counts: Mapping[str, Mapping[str, float]]) -> int:
    """What exceeds its budget; 1 if something does."""
    from bench.text import lines

    status = 0
    for backend, table in counts.items():
        judged = budgets.judged(backend, table)
        print(f"{backend}: {judged.about}")
        if judged.exceeded:
            body = [
                [each.name, f"{each.instructions:,.0f}", f"{each.budget:,.0f}", f"{each.over:+.1%}"]
                for each in judged.exceeded
            ]
            print("\n".join(lines(["", "instructions", "budget", "over it"], body)))
            status = 1
        else:
            print(f"  {judged.looked_at} counts are within their budgets")
        if judged.looked_at == 0:
            status = 1
    if status:
        print("where that is meant: python -m bench.instructions --record, and say why")
    return status


if __name__ == "__main__":
    sys.exit(main())
