"""What is built and installed: compiled where there is a compiler, pure where there is none.

Everything is built from one copy of the tree, with the tools of the environment that runs the
tests, and imported by a process that sees only what was built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
LEAVES = {"cookies_cy", "envelope_cy", "ids_cy", "plain_cy", "signing_cy", "ttltable_cy"}
TWINS = LEAVES | {path.stem for path in (ROOT / "sessfast" / "compiled").glob("*.pxd")}
NO_COMPILER = {"CC": "/bin/false"}
NOT_SOURCES = shutil.ignore_patterns(
    ".*", "build", "dist", "results", "*.so", "*.c", "*.egg-info", "__pycache__", "built_from.json"
)
TELL = "import sessfast, sessfast.wsgi; print(sessfast.BACKEND, sessfast.__file__)"


def run(
    *command: str | Path, variables: Mapping[str, str] | None = None, fails: bool = False
) -> str:
    """What a command prints; its environment has none of our switches but `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SESSFAST_", "PYTHON", "PIP_", "CC", "CFLAGS"))
    }
    done = subprocess.run(
        command,
        cwd="/",
        env={**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert fails == (done.returncode != 0), done.stdout
    return done.stdout


def copied(source: Path, target: Path) -> Path:
    """A copy of a source tree without anything that was built in it."""
    return Path(shutil.copytree(source, target, ignore=NOT_SOURCES))


def wheel(tree: Path, target: Path, **variables: str) -> Path:
    """The wheel that pip builds from a tree."""
    run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation",
        "--wheel-dir", target, tree, variables=variables,
    )  # fmt: skip
    [built] = target.glob("*.whl")
    return built


def backend(*command: str | Path, **variables: str) -> tuple[str, Path]:
    """Which twins an interpreter gets with `import sessfast`, and where from."""
    name, path = run(*command, "-W", "error", "-c", TELL, variables=variables).split(maxsplit=1)
    return name, Path(path.strip())


def unpacked(archive: Path, target: Path) -> Path:
    """A folder with the content of a wheel, fit for PYTHONPATH."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(target)
    return target


def names_in(archive: Path) -> list[str]:
    """Paths in a wheel."""
    with zipfile.ZipFile(archive) as file:
        return file.namelist()


def built_of(names: Iterable[str]) -> set[str]:
    """The compiled modules among some paths."""
    return {Path(name).name.partition(".")[0] for name in names if name.endswith(".so")}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the source tree; not for writing."""
    return copied(ROOT, tmp_path_factory.mktemp("copy") / "sessfast")


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist."""
    target = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", target, tree)
    [built] = target.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def compiled(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled wheel, built from the sdist: nothing that it needs may be left out of that."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as file:
        file.extractall(folder, filter="data")
    [source] = folder.iterdir()
    return wheel(source, tmp_path_factory.mktemp("wheel"), SESSFAST_REQUIRE_CY="1")


def test_the_sdist_holds_sources_alone(sdist: Path, tree: Path) -> None:
    """Every file of the package and of the tests, and nothing that was generated."""
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    files = [path.relative_to(tree) for room in ("sessfast", "tests") for path in tree.rglob("*.*")
             if path.is_relative_to(tree / room) and path.suffix != ".pyc"]  # fmt: skip
    assert [] == sorted(path.as_posix() for path in files if path.as_posix() not in names)
    assert {"LICENSE", "NOTICE", "CHANGES.md", "README.md", "sessfast/hotpath/sha256.h"} <= names
    assert [] == [name for name in names if name.endswith((".c", ".so", ".o", ".pyc"))]
    assert [] == [name for name in names if name.startswith("build")]


def test_the_wheel_holds_what_runs(compiled: Path, tree: Path) -> None:
    """Python files, compiled modules, py.typed, what the demo serves, licences: no sources."""
    names = names_in(compiled)
    assert TWINS == built_of(names)
    assert "sessfast/py.typed" in names
    assert [] == [name for name in names if name.endswith((".c", ".pyx", ".h", ".pyc"))]
    assert [] == [n for n in names if not n.startswith(("sessfast/", "sessfast-"))]
    static = {path.relative_to(tree).as_posix() for path in (tree / "sessfast/demo").rglob("*.*")}
    assert set() == static - set(names)
    licences = {Path(name).name for name in names if "/licenses/" in name}
    assert {"LICENSE", "NOTICE"} == licences


def test_the_wheel_installs_where_nothing_is(compiled: Path, tmp_path: Path) -> None:
    """With the dependencies it names, and no others, the compiled twins are used."""
    run(sys.executable, "-m", "venv", tmp_path)
    python = tmp_path / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", compiled)
    name, path = backend(python)
    assert ("compiled", True) == (name, path.is_relative_to(tmp_path))
    assert ("pure", path) == backend(python, SESSFAST_PURE="1")
    run(python, "-m", "pip", "check")


def test_without_a_compiler_the_install_is_pure(tree: Path, tmp_path: Path) -> None:
    """pip succeeds, and what it installed works."""
    folder = copied(tree, tmp_path / "tree")
    target = tmp_path / "target"
    run(
        sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation",
        "--target", target, folder, variables=NO_COMPILER,
    )  # fmt: skip
    assert set() == built_of(str(path) for path in target.rglob("*"))
    name, path = backend(sys.executable, PYTHONPATH=str(target))
    assert ("pure", True) == (name, path.is_relative_to(target))


def test_one_module_that_fails_leaves_none(tree: Path, tmp_path: Path) -> None:
    """All the twins or none: what was compiled before the failure is not installed."""
    folder = copied(tree, tmp_path / "tree")
    with (folder / "sessfast/hotpath/ttltable_cy.pyx").open("a") as file:
        file.write("\nthis is no Cython\n")
    built = wheel(folder, tmp_path / "pure")
    assert set() == built_of(names_in(built))
    assert "pure" == backend(sys.executable, PYTHONPATH=str(unpacked(built, tmp_path / "x")))[0]


def test_pure_is_built_on_demand(tree: Path, tmp_path: Path) -> None:
    """SESSFAST_PURE=1 makes a wheel for every platform."""
    built = wheel(copied(tree, tmp_path / "tree"), tmp_path / "wheel", SESSFAST_PURE="1")
    assert built.name.endswith("-py3-none-any.whl")
    assert set() == built_of(names_in(built))
    assert "pure" == backend(sys.executable, PYTHONPATH=str(unpacked(built, tmp_path / "x")))[0]


@pytest.mark.parametrize("fault", ["no compiler", "no Cython source", "both switches"])
def test_a_required_build_fails_aloud(fault: str, tree: Path, tmp_path: Path) -> None:
    """SESSFAST_REQUIRE_CY=1: no compiler, a file that Cython refuses, or asking for pure too."""
    folder = copied(tree, tmp_path / "tree")
    more = {"no compiler": NO_COMPILER, "both switches": {"SESSFAST_PURE": "1"}}.get(fault, {})
    if fault == "no Cython source":
        (folder / "sessfast/hotpath/cookies_cy.pyx").write_text("this is no Cython\n")
    run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation",
        "--wheel-dir", tmp_path, folder,
        fails=True, variables={"SESSFAST_REQUIRE_CY": "1", **more},
    )  # fmt: skip
    assert [] == list(tmp_path.glob("*.whl"))
