"""Instruction counts per request and per hot path, by callgrind: `python -m bench.instructions`.

Where a ratio of times is too coarse (this machine or that, a busy one), a count of instructions
is the same to a per mille from run to run. Each case is repeated a fixed number of times inside
one process under valgrind; an empty loop, and for requests the bare app, is subtracted.

Callgrind writes its counters out whenever the process calls `getppid`, and sets them to zero:
so the cases are told apart without starting Python for each.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
CALLS = 200
WARM_UP = 20
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
    from bench.tables import OPERATIONS, table_runners
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
    for name in OPERATIONS:
        runners = table_runners(name)
        yield Case(
            f"table: {name}", "empty walk", next(r.run for r in runners if r.name == BACKEND)
        )
    for front in requests.FRONTS:
        for column in requests.COLUMNS:
            cell = requests.Cell(front, "small", column)
            base = f"{front}: the bare app, {column}"
            yield Case(base, "empty walk", requests.bare(cell))
            yield Case(f"{front}: {column}", base, requests.ours(cell))


def walk(calls: int) -> float:
    """The loop that requests and tables are called from."""
    for _ in range(calls):
        pass
    return 0.0


def child() -> None:
    """Run under callgrind: every case between two marks. Prints the names in order."""
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
            found[name] = totals[name] - (totals[minus] if minus else 0)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().child:
        child()
        return 0
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: no instruction counts")
        return 0
    from bench.report import lines
    from sessfast import BACKEND

    backends = ["compiled", "pure"] if BACKEND == "compiled" else ["pure"]
    tables = {name: counted(name == "pure") for name in backends}
    body = [
        [name, *(f"{table[name]:,.0f}" for table in tables.values())]
        for name in tables[backends[0]]
    ]
    print(f"instructions per call ({CALLS} calls each; requests: above the bare app)\n")
    print("\n".join(lines(["", *backends], body)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
