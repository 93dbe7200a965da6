"""What importing costs, in fresh processes that take turns.

The time is the CPU time of the whole process, from start to end, as the kernel counted it: what
Python needs for itself is in every figure, and a busy machine isn't.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bench.race import Runner
from sessfast import BACKEND

ROOT = Path(__file__).parent.parent


def started(code: str, switches: Mapping[str, str], calls: int) -> float:
    """CPU seconds of `calls` processes that run `code`, one after another."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    environment = {**kept, "PYTHONPATH": str(ROOT), **switches}
    total = 0.0
    for _ in range(calls):
        child = os.posix_spawn(sys.executable, [sys.executable, "-c", code], environment)
        _, status, usage = os.wait4(child, 0)
        if status:
            raise RuntimeError(f"{code!r} failed: its error is above")
        total += usage.ru_utime + usage.ru_stime
    return total


def runners() -> list[Runner]:
    """Python itself, the one dependency that `import sessfast` loads, and sessfast twice."""
    codes = {
        "bare": ("pass", "0"),
        "msgspec": ("import msgspec", "0"),
        "compiled": ("import sessfast", "0"),
        "pure": ("import sessfast", "1"),
    }
    if BACKEND == "pure":
        del codes["compiled"]
    return [
        Runner(who, partial(started, code, {"SESSFAST_PURE": pure}), most=1)
        for who, (code, pure) in codes.items()
    ]
