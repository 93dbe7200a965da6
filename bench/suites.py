"""The suites, and running them one after another, each in a process of its own, with progress.

A suite is a file test_*.py here, run by pytest-benchmark, or `servers`, which no pytest runs.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from bench.figures import clock
from bench.results import Results, Row, from_figures, from_pytest

HERE = Path(__file__).parent
ROOT = HERE.parent
PROGRESS = "BENCH_PROGRESS"  # names the file descriptor that conftest.py reports to
EVERY = 10.0  # seconds between two lines where there is no terminal
FILES = {"peers": "middlewares"}  # suites whose file has another name
BESIDE = {"table": "store"}  # suites whose rows come with those of another
ORDER = ("hotpath", "requests", "curves", "peers", "replacements", "store", "import", "stores",
         "servers")  # fmt: skip
USUAL = {  # suite: seconds, quick and full, as long as it was never measured here
    "hotpath": (10, 60), "requests": (20, 100), "curves": (25, 150), "peers": (30, 300),
    "replacements": (40, 200),
    "store": (15, 400), "import": (5, 15), "stores": (30, 180), "servers": (0, 400),
}  # fmt: skip
NOT_QUICK = ("stores", "servers")


class FailedError(Exception):
    """A suite broke off; the text is what its process wrote."""


def suites() -> list[str]:
    """The suites that are here, in order."""
    names = {file: name for name, file in FILES.items()}
    found = {path.stem.removeprefix("test_") for path in HERE.glob("test_*.py")}
    found = {names.get(stem, stem) for stem in found}
    if (HERE / "servers").is_dir() or (HERE / "servers.py").exists():
        found.add("servers")
    known = [name for name in ORDER if name in found]
    return known + sorted(found.difference(ORDER))


class Progress:
    """Says which suite and which row is measured, and about how long it still takes.

    expected: {suite: seconds} of all that will be run, in order
    """

    def __init__(self, expected: Mapping[str, float], out: IO[str]) -> None:
        self.expected = expected
        self.out = out
        self.is_terminal = out.isatty()
        self.suite = ""
        self.began = self.said = 0.0

    def begin(self, suite: str) -> None:
        self.suite = suite
        self.began = time.monotonic()
        self.said = 0.0
        self.say("", 0.0)

    def say(self, row: str, part: float) -> None:
        """row: what is measured now; part: of the suite that is done, 0 to 1."""
        now = time.monotonic()
        if not self.is_terminal and now - self.said < EVERY:
            return
        self.said = now
        names = list(self.expected)
        took = now - self.began
        guess = self.expected[self.suite]
        left = took / part - took if part > 0.15 else max(guess * (1 - part), guess - took, 0.0)
        left += sum(self.expected[name] for name in names[names.index(self.suite) + 1 :])
        head = f"[{names.index(self.suite) + 1}/{len(names)}] {self.suite}"
        self._line(f"{head} {part:4.0%}, about {clock(left)} still: {row}", "\r")

    def end(self, word: str) -> None:
        """word: what became of the suite."""
        names = list(self.expected)
        took = clock(time.monotonic() - self.began)
        head = f"[{names.index(self.suite) + 1}/{len(names)}] {self.suite}"
        self._line(f"{head}: {word}, {took}", "\n")

    def _line(self, text: str, end: str) -> None:
        if self.is_terminal:
            room = shutil.get_terminal_size().columns - 1  # a line that wraps can't be overwritten
            self.out.write(f"\r\x1b[K{text.rstrip()[:room]}" + end * (end == "\n"))
        else:
            self.out.write(f"{text.rstrip()}\n")
        self.out.flush()


def expected(names: Iterable[str], quick: bool, last: Results) -> dict[str, float]:
    """About how many seconds each suite takes: as long as the last time."""
    usual = {name: USUAL.get(name, (10, 60))[0 if quick else 1] for name in names}
    return {
        name: last.suites[name]["seconds"] if name in last.suites else seconds
        for name, seconds in usual.items()
    }


def measured(
    names: Sequence[str], quick: bool, progress: Progress
) -> Iterator[tuple[str, Results | FailedError]]:
    """What each suite brought, as soon as it is there, or why it didn't."""
    for name in names:
        progress.begin(name)
        try:
            results = measure(name, quick, progress)
        except FailedError as error:
            progress.end("FAILED")
            yield name, error
            continue
        count = len(results.rows)
        progress.end(f"{count} rows" if count else "nothing could be measured")
        yield name, results


def measure(name: str, quick: bool, progress: Progress) -> Results:
    """Run one suite; its rows may name other suites than the file. Raises FailedError."""
    began = time.monotonic()
    when = datetime.now(UTC).isoformat(timespec="seconds")
    if name == "servers":
        rows, about = by_itself(quick, progress)
    else:
        rows, about = by_pytest(name, quick, progress)
    took = round(time.monotonic() - began, 1)
    told = {"measured": when, "seconds": took, "quick": quick, **about}
    return Results({row.suite: told for row in rows}, rows)


# -- suites of pytest-benchmark ------------------------------------------------------------------


def by_pytest(name: str, quick: bool, progress: Progress) -> tuple[list[Row], dict[str, Any]]:
    """Rows and machine of a file of benchmarks."""
    with tempfile.TemporaryDirectory() as folder:
        document = run_pytest(HERE / f"test_{FILES.get(name, name)}.py", quick, progress, folder)
    info = document["machine_info"]
    cpu = info["cpu"]
    machine = {
        "python": f"{info['python_implementation']} {info['python_version']}",
        "cpu": cpu.get("brand_raw", info["machine"]),
        "cores": cpu.get("count", os.cpu_count()),
    }
    return from_pytest(document), {"machine": machine, "versions": info["versions"]}


def run_pytest(path: Path, quick: bool, progress: Progress, folder: str) -> dict[str, Any]:
    """pytest-benchmark's JSON of one file. A failed test fails it all: figures would be missing."""
    answer, log = Path(folder) / "rows.json", Path(folder) / "log"
    reader, writer = os.pipe()
    command = [
        sys.executable, "-m", "pytest", str(path), "--benchmark-only", "--benchmark-quiet",
        f"--benchmark-json={answer}", "-q", "-rf", "-o", "addopts=", "-p", "no:cacheprovider",
        f"--rootdir={ROOT}", *(["--bench-quick"] if quick else []),
    ]  # fmt: skip
    environment = {**os.environ, PROGRESS: str(writer)}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, pass_fds=[writer], stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    os.close(writer)
    try:
        with os.fdopen(reader) as lines:
            for line in lines:
                row, done, whole = json.loads(line)
                progress.say(row, done / whole)
    finally:
        if process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)  # Ctrl-C went to it as well
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode or not answer.exists():
        raise FailedError(f"exit status {process.returncode} of {path.name}\n{log.read_text()}")
    document: dict[str, Any] = json.loads(answer.read_text())
    return document


# -- servers -------------------------------------------------------------------------------------


def by_itself(quick: bool, progress: Progress) -> tuple[list[Row], dict[str, Any]]:
    """Rows of the servers; they are loaded from processes of their own."""
    servers = importlib.import_module("bench.servers")
    said: list[str] = []
    planned = 30  # rounds of all servers; only the estimate rests on it

    def say(text: str) -> None:
        said.append(text)
        progress.say(text, min(0.95, len(said) / planned))

    try:
        figures = servers.measure(quick, say)
    except Exception as error:  # whatever a server dies of
        raise FailedError(f"{type(error).__name__}: {error}") from error
    versions: Callable[[], dict[str, str]] = getattr(servers, "versions", dict)
    about = {"machine": machine_here(), "versions": {**own_versions(), **versions()}}
    return from_figures(figures), about


def machine_here() -> dict[str, Any]:
    """The same three words that pytest-benchmark's JSON yields."""
    import cpuinfo  # which pytest-benchmark brings

    cpu = cpuinfo.get_cpu_info()
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cpu": cpu.get("brand_raw", platform.machine()),
        "cores": os.cpu_count(),
    }


def own_versions() -> dict[str, str]:
    from bench.twins import versions

    return versions()
