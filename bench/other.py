"""A process beside this one that takes its turns when it is told to: `python -m bench.other`.

A process has one backend, and memory that it gave back is not quite as it was: what can't be
measured beside the others in one process is measured over here, in turns with them all the same.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parent.parent
Call = Callable[[int], float]


class Other:
    """The process, and the orders that it is given.

    pure: whether its backend is the pure one
    """

    def __init__(self, pure: bool = True) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.other"],
            cwd=ROOT,
            env={**os.environ, "SESSFAST_PURE": "1" if pure else "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, module: str, who: str, cell: Sequence[Any]) -> Call:
        """A contestant that runs over there: what bench.`module`.WHO[`who`] makes of `cell`."""

        def run(calls: int) -> float:
            orders, answers = self._pipes()
            print(json.dumps([module, who, cell, calls]), file=orders, flush=True)
            answer = answers.readline()
            if not answer:
                raise RuntimeError("the other process died: its error is above")
            return float(answer)

        return run

    def close(self) -> None:
        """End the process: it stops where its orders do."""
        orders, answers = self._pipes()
        orders.close()
        self.process.wait()
        answers.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout


@contextmanager
def other(pure: bool = True) -> Iterator[Other]:
    """Such a process, ended when the block is left."""
    made = Other(pure)
    try:
        yield made
    finally:
        made.close()


def serve() -> None:
    """Answer each line `[module, who, cell, calls]` by the seconds it took."""
    present, calls = None, dict[str, Call]()
    for line in sys.stdin:
        module, who, cell, number = json.loads(line)
        if present != (module, cell):
            present, calls = (module, cell), {}  # old stores would only fill the caches
        if who not in calls:
            calls[who] = importlib.import_module(f"bench.{module}").WHO[who](cell)
            gc.collect()
            gc.freeze()
        print(calls[who](number), flush=True)


if __name__ == "__main__":
    serve()
