"""The floor: an all-C prototype without rules, to be raced beside sessfast. See prototype.pyx."""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SOURCES = (HERE / "prototype.pyx", ROOT / "sessfast" / "hotpath" / "sha256.h")


@functools.cache
def built() -> tuple[Any, str]:
    """The prototype's module, built where it is missing or stale, and ""; or None and why not."""
    path = HERE / f"prototype{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    newest = max(source.stat().st_mtime for source in SOURCES)
    if not path.exists() or path.stat().st_mtime < newest:
        command = [sys.executable, "-m", "bench.floor.build"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    try:
        return importlib.import_module("bench.floor.prototype"), ""
    except ImportError as error:
        return None, f"the floor doesn't load: {error}"
