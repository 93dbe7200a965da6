"""Builds the floor's prototype in place: `python -m bench.floor.build`. No part of any wheel."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SOURCE = Path(__file__).with_name("prototype.pyx")
HOTPATH = ROOT / "sessfast" / "hotpath"
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "binding": False,
}


def main() -> int:
    """0 where it was built; 1, and a line that says what is missing, where it can't be."""
    try:
        setuptools: Any = importlib.import_module("setuptools")
        cython: Any = importlib.import_module("Cython.Build")
    except ImportError as error:
        print(f"the floor needs Cython and setuptools to be built: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        extension = setuptools.Extension(
            "bench.floor.prototype",
            [str(SOURCE.relative_to(ROOT))],
            include_dirs=[str(HOTPATH)],
            extra_compile_args=["-O3"],
        )
        os.chdir(ROOT)
        try:
            made = cython.cythonize(
                [extension], build_dir=folder, compiler_directives=DIRECTIVES, quiet=True
            )
            distribution = setuptools.Distribution({"ext_modules": made})
            command = distribution.get_command_obj("build_ext")
            command.build_temp = command.build_lib = folder
            command.ensure_finalized()
            command.run()
            [output] = command.get_outputs()
        except Exception as error:  # noqa: BLE001
            # No compiler, no headers, a fault in the source: each has an exception of its own.
            print(
                f"the floor can't be built ({type(error).__name__}: {error}); it needs a C "
                "compiler and Python's headers (on Debian: apt-get install gcc python3-dev)",
                file=sys.stderr,
            )
            return 1
        fresh = SOURCE.with_name(Path(output).name + ".new")
        shutil.copy(output, fresh)
        fresh.replace(SOURCE.with_name(Path(output).name))  # at once, for who imports it now
    return 0


if __name__ == "__main__":
    sys.exit(main())
