"""express-session on Node with its MemoryStore, in a process that measures when it is told to.

What is called there, and in which clock, is said in bench/node/session.mjs. Its packages come from
the committed lock file by `npm ci`, at the first use.
"""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from bench.inputs import AFTER, BEFORE, SECRET, SESSIONS
from bench.middlewares import MissingError
from bench.requests import Call

HERE = Path(__file__).parent.parent / "node"
LOCK = json.loads((HERE / "package-lock.json").read_text())

NAME = "express-session, memory"
VERSION: str = LOCK["packages"]["node_modules/express-session"]["version"]
FRONT = "node"
LEAVES_OUT = (
    "another language and another loop: CPU time of its whole process, helper threads included,"
    " beside ours on WSGI. Saves overwrite each other, a slow request that writes brings a"
    " logged-out session back, the store key is the id itself. Nested changes are seen, and a read"
    " prolongs the life; for that it loads, hashes and stores again each session that is asked for."
    " No Vary; its store answers in the event loop's next turn"
)


class Node:
    """The other process."""

    def __init__(self, node: str) -> None:
        self.process = subprocess.Popen(
            [node, "session.mjs"],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    def order(self, **order: Any) -> dict[str, Any]:
        """What it answers; AssertionError with its text where it answers by an error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the node process died: its error is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{NAME}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process: it stops where its orders do."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@cache
def started() -> Node | str:
    """The process, or in one line why there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return f"{NAME}: needs node and npm, version 18 or newer"
    if not (HERE / "node_modules" / "express-session").exists():
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                install, cwd=HERE, capture_output=True, text=True, check=True, timeout=300
            )
        except subprocess.CalledProcessError as error:
            first = error.stderr.strip().partition("\n")[0]
            return f"{NAME}: `npm ci` in bench/node failed: {first}"
        except subprocess.TimeoutExpired:
            return f"{NAME}: `npm ci` in bench/node took more than five minutes"
    return Node(node)


def calls(size: str, column: str) -> tuple[Call, Call]:
    node = started()
    if isinstance(node, str):
        raise MissingError(node)
    cell = node.order(
        prepare={
            "column": column,
            "data": SESSIONS[size],
            "before": BEFORE,
            "after": AFTER,
            "secret": SECRET,
        }
    )["cell"]

    def call(who: str) -> Call:
        def run(calls: int) -> float:
            return float(node.order(run=who, cell=cell, calls=calls)["seconds"])

        return run

    return call("peer"), call("bare")
