"""No input makes the compiled modules read or write where they must not.

Runs only where cysignals is installed, in a process of its own: importing it takes over nine of
the signals of a process.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sessfast

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
EXAMPLES = 4000 if os.environ.get("SESSFAST_SOAK") == "1" else 200

BUILD = """
import os, sys
from Cython.Build import cythonize
from setuptools import Extension, setup

source, folder, cysignals = sys.argv[1:]
extension = Extension("_guarded", [source], include_dirs=[cysignals])
setup(
    name="guarded",
    ext_modules=cythonize([extension], build_dir=folder, language_level=3, quiet=True),
    script_args=["--quiet", "build_ext", "--build-lib", folder, "--build-temp", folder],
)
"""

# Looked for, not imported: this is the process of all the other tests.
CYSIGNALS = importlib.util.find_spec("cysignals")


def run(*command: str | Path, cwd: Path) -> str:
    """What a python command prints; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CYSIGNALS_CRASH_NDEBUG": "1"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(CYSIGNALS is None, reason="cysignals is not installed")
@pytest.mark.skipif(sessfast.BACKEND == "pure", reason="for the compiled modules")
def test_hostile_input_makes_no_fault(tmp_path: Path) -> None:
    """And planted wild reads are caught, so a real one would have been."""
    assert CYSIGNALS is not None
    [place] = CYSIGNALS.submodule_search_locations or []
    source = Path(tmp_path / "_guarded.pyx")
    source.write_text((HERE / "_guarded.pyx").read_text())
    run("-c", BUILD, source.name, ".", place, cwd=tmp_path)
    told = run("-m", "tests.fuzz.guarded", tmp_path, str(EXAMPLES), cwd=ROOT)
    assert "compiled: 3 planted faults survived, no other found\n" == told
