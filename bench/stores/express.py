"""express-session with connect-redis on Node, in a process that loads itself when it is told to.

What it does is in node/crowd.mjs; its packages come from the committed lock file by `npm ci`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

from bench.inputs import AFTER, BEFORE, SECRET, SMALL
from bench.servers.process import pinned
from bench.stores.crowd import LANES, Took
from bench.stores.places import MissingError

HERE = Path(__file__).parent / "node"
LOCK = json.loads((HERE / "package-lock.json").read_text())
PACKAGES = ("express-session", "connect-redis", "redis")
VERSIONS = {name: LOCK["packages"][f"node_modules/{name}"]["version"] for name in PACKAGES}


class ExpressCrowd:
    """The same face as `Crowd`, in another process."""

    def __init__(self, url: str, core: int) -> None:
        with pinned(core):
            self.process = subprocess.Popen(
                [program(), "crowd.mjs"],
                cwd=HERE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        try:
            cookies = {"before": BEFORE, "after": AFTER, "secret": SECRET, "lanes": LANES}
            self._order(prepare={"url": url, "data": SMALL, **cookies})
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, column: str, calls: int) -> Took:
        """What about so many requests took."""
        answer = self._order(run=column, calls=calls)
        return Took(answer["wall"], answer["cpu"])

    def close(self) -> None:
        """End the process: it stops where its orders do."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _order(self, **order: Any) -> dict[str, Any]:
        """What it answers; AssertionError with its text where it answers by an error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the node process died: its error is above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"connect-redis: {answer['error']}")
        return answer


def program() -> str:
    """Path of node, with the packages fetched. MissingError where that fails."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingError("connect-redis: needs node and npm, version 20 or newer")
    if not all((HERE / "node_modules" / name).exists() for name in PACKAGES):
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                install, cwd=HERE, capture_output=True, text=True, check=True, timeout=300
            )
        except subprocess.CalledProcessError as error:
            first = error.stderr.strip().partition("\n")[0]
            raise MissingError(f"connect-redis: `npm ci` failed: {first}") from None
        except subprocess.TimeoutExpired:
            raise MissingError("connect-redis: `npm ci` took more than five minutes") from None
    return node
