"""The load: wrk, for some seconds, on a core of its own, with cookies that take turns."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.servers.process import HOST, ServerError, pinned

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 16
SET_UP = "apt-get install -y wrk"
Say = Callable[[str], None]


class Burst(NamedTuple):
    """What one run of wrk saw. seconds: how long it ran; p50, p99: seconds of latency."""

    requests: int
    seconds: float
    p50: float
    p99: float


def wrk(say: Say) -> str:
    """Path of wrk, or "" where there is none. As root it is installed (Debian's package)."""
    path = shutil.which("wrk")
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"wrk is missing: {SET_UP}")
        for command in (["apt-get", "update", "-qq"], SET_UP.split()):
            subprocess.run(command, capture_output=True, timeout=300, check=False)
        path = shutil.which("wrk")
    return path or ""


def burst(
    program: str, port: int, path: str, cookies: Sequence[str], seconds: int, core: int,
    folder: Path,
) -> Burst:  # fmt: skip
    """Load one path as fast as it answers. ServerError where one request was not answered well.

    cookies: Cookie headers, which take turns
    folder:  for the file in which wrk finds them
    """
    listing = folder / "cookies"
    listing.write_text("".join(f"{cookie}\n" for cookie in cookies))
    command = [
        program, "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s",
        "--timeout", "5s", "--script", str(SCRIPT), f"http://{HOST}:{port}{path}", "--",
        str(listing),
    ]  # fmt: skip
    with pinned(core):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    try:
        output = process.communicate(timeout=seconds + 15)[0]
    except BaseException:
        process.kill()
        process.wait()
        raise
    return figures(output)


def figures(output: str) -> Burst:
    """What load.lua printed, read."""
    for line in output.splitlines():
        if line.startswith("figures "):
            requests, duration, p50, p99, *errors = map(float, line.split()[1:])
            if any(errors) or not requests:
                names = ("connect", "read", "write", "timeout", "status")
                counted = ", ".join(f"{n} {e:.0f}" for n, e in zip(names, errors, strict=True))
                raise ServerError(f"of {requests:.0f} requests some failed: {counted}")
            return Burst(int(requests), duration / 1e6, p50 / 1e6, p99 / 1e6)
    raise ServerError(f"wrk failed: {output.strip()}")
