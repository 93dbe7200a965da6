"""CPython interpreters of this machine, and virtual environments in .venvs/ for them.

An environment is made anew when pyproject.toml, setup.py or its interpreter changes, and is
otherwise used as it is; its compiled modules are brought up to date each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
OLDEST = (3, 11)

PROBE = """
import json, os, platform, sys, sysconfig
try:
    import ensurepip, venv
    has_venv = True
except ImportError:
    has_venv = False
print(json.dumps({
    "path": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "implementation": platform.python_implementation(),
    "numbers": sys.version_info[:3],
    "version": platform.python_version(),
    "threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
    "venv": has_venv,
}))
"""


class Interpreter(NamedTuple):
    """One CPython: `missing` says what it lacks for a build, in words; "" if nothing."""

    path: Path
    numbers: tuple[int, ...]
    version: str
    minor: str  # "3.13", or "3.13t" where it is free-threaded
    missing: str


class SetUpError(Exception):
    """An environment could not be made; the text is the output of the command that failed."""


def probe(path: Path | str) -> Interpreter | None:
    """What is at `path`, or None where that is no CPython we support or doesn't start."""
    try:
        run = subprocess.run(
            [path, "-I", "-c", PROBE], capture_output=True, text=True, timeout=30, check=True
        )
        found = json.loads(run.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None  # a shim of a version that isn't there, say
    numbers = tuple(found["numbers"])
    if found["implementation"] != "CPython" or numbers < OLDEST:
        return None
    minor = f"{numbers[0]}.{numbers[1]}"
    missing = []
    if not found["venv"]:
        missing.append(f"no venv module (on Debian: apt-get install python{minor}-venv)")
    if not found["headers"]:
        missing.append(f"no Python.h (on Debian: apt-get install python{minor}-dev)")
    return Interpreter(
        path=Path(found["path"]),
        numbers=numbers,
        version=found["version"],
        minor=minor + "t" * found["threaded"],
        missing=" and ".join(missing),
    )


def interpreters() -> list[Interpreter]:
    """One CPython of each minor version we support, oldest first.

    Looked for in PATH (python3.N) and among pyenv's versions. Of several of one minor version
    it is the newest that lacks nothing.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [Path(sys.executable), *pyenv.glob("versions/*/bin/python3")]
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        names = Path(folder or ".").glob("python3.*")
        places += [path for path in names if re.fullmatch(r"python3\.\d+t?", path.name)]
    found = [interpreter for interpreter in map(probe, places) if interpreter is not None]
    best: dict[str, Interpreter] = {}
    for interpreter in sorted(found, key=lambda each: (not each.missing, each.numbers)):
        best[interpreter.minor] = interpreter
    return sorted(best.values(), key=lambda each: (each.numbers, each.minor))


def here() -> Interpreter:
    """The interpreter that runs this script; SystemExit where it can't make environments."""
    found = probe(sys.executable)
    if found is None or "venv" in found.missing:
        sys.exit(f"{sys.executable}: {found.missing if found else 'not a CPython we support'}")
    return found


def environment(name: str, interpreter: Interpreter, extras: str, require: bool) -> Path:
    """Path of the python of .venvs/`name`, with this tree installed, editable and compiled.

    extras:  of pyproject.toml, comma-separated
    require: fail without the compiled modules, instead of going on with the pure ones
    Raises SetUpError.
    """
    folder = VENVS / name
    python = folder / "bin" / "python"
    stamp = folder / "made-from"
    inputs = [(ROOT / file).read_bytes() for file in ("pyproject.toml", "setup.py")]
    inputs.append(f"{interpreter.path} {interpreter.version} {extras}".encode())
    digest = hashlib.sha256(b"\0".join(inputs)).hexdigest()
    fresh = not (stamp.exists() and stamp.read_text() == digest and python.exists())
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
        project = tomllib.loads(inputs[0].decode())
        pip: list[Path | str] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        call([interpreter.path, "-m", "venv", folder])
        call([*pip, *project["build-system"]["requires"]])
        what = f"{ROOT}[{extras}]" if extras else str(ROOT)
        call([*pip, "--no-build-isolation", "--editable", what], SESSFAST_PURE="1")
    force = ["--force"] if fresh else []
    switches = {"SESSFAST_REQUIRE_CY": "1"} if require else {}
    call([python, "setup.py", "--quiet", "build_ext", "--inplace", *force], **switches)
    stamp.write_text(digest)
    return python


def surroundings(**switches: str) -> dict[str, str]:
    """This process's environment variables without Python's and our own, and with `switches`."""
    foreign = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "SESSFAST_PURE", "SESSFAST_REQUIRE_CY"}
    kept: Mapping[str, str] = {k: v for k, v in os.environ.items() if k not in foreign}
    return {**kept, "PYTHONNOUSERSITE": "1", **switches}


def call(command: list[Path | str], **switches: str) -> None:
    """Run a command in the root of the tree, silently; SetUpError with its output if it fails."""
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=surroundings(**switches),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        shown = " ".join(map(str, command))
        raise SetUpError(f"{run.stdout.rstrip()}\nexit status {run.returncode} of: {shown}")
