"""Node's packages for the interop tests: where they are, and how they get there.

They are installed once, with npm, into .servers/node, and again when the lock file or Node has
changed. SESSFAST_NODE_MODULES names a node_modules folder to use instead.

connect-sqlite3 needs sqlite3, which is compiled: its ready-made binary is on another host than
npm's registry. Compiled without node-gyp, which would fetch Node's headers if they lie elsewhere,
and whose version in sqlite3 needs a Python before 3.12. The headers are those beside Node.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import FOLDER, ServerError, run

PROJECT = Path(__file__).with_name("node")
INSTALLED = FOLDER / "node"
OLDEST = 20  # of Node, for the `redis` that connect-redis works with
LISTS = ("package.json", "package-lock.json")
NPM_CI = ("ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund",
          "--fetch-retries=1", "--loglevel=error")  # fmt: skip
ADDON = "sqlite3/build/Release/node_sqlite3.node"
# those of sqlite3's deps/sqlite3.gyp that change what it can do here
SQLITE = ("-DNDEBUG", "-D_REENTRANT=1", "-DSQLITE_THREADSAFE=1", "-DHAVE_USLEEP=1")
BINDING = ("-DNDEBUG", "-DNAPI_VERSION=6", "-DNAPI_DISABLE_CPP_EXCEPTIONS=1", "-std=c++17")


@functools.cache
def node() -> str:
    """The path of Node. ServerError where it is missing."""
    found = shutil.which("node")
    if found is None:
        raise ServerError("node is not on PATH: Express and its stores were not run")
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    version = done.stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        raise ServerError(f"Node is {version}, and not {OLDEST} or newer: Express was not run")
    return found


def modules(compiled: bool) -> Path:
    """The node_modules folder, filled if need be; `compiled`: with a sqlite3 that works.

    ServerError where that can't be done, each time it is asked for.
    """
    found = _found(compiled)
    if isinstance(found, ServerError):
        raise found
    return found


@functools.cache
def _found(compiled: bool) -> Path | ServerError:
    """The folder, or why there is none: nobody should wait for that twice."""
    try:
        if compiled:
            return _with_sqlite(modules(False))
        given = os.environ.get("SESSFAST_NODE_MODULES")
        return Path(given).resolve() if given else _installed()
    except ServerError as error:
        return error


def _installed() -> Path:
    """The folder in .servers, with what the lock file says."""
    wanted = _stamp()
    INSTALLED.mkdir(parents=True, exist_ok=True)
    stamp = INSTALLED / "installed"
    with _alone():
        if not stamp.exists() or stamp.read_text() != wanted:
            npm = shutil.which("npm")
            if npm is None:
                raise ServerError("npm is not on PATH: Express and its stores were not run")
            stamp.unlink(missing_ok=True)
            for name in LISTS:
                shutil.copy(PROJECT / name, INSTALLED)
            with _told("npm ci"):
                run([npm, *NPM_CI], INSTALLED)
            stamp.write_text(wanted)
    return INSTALLED / "node_modules"


def _with_sqlite(folder: Path) -> Path:
    """The folder, with sqlite3 compiled."""
    with _alone():
        if not (folder / ADDON).exists():
            with _told("compiling Node's sqlite3"):
                _compile(folder)
    return folder


def _stamp() -> str:
    """What an installation is for: the lock file, and the Node whose headers it was built with."""
    lists = b"".join((PROJECT / name).read_bytes() for name in LISTS)
    return hashlib.sha256(lists).hexdigest() + " " + str(_facts()["abi"])


@functools.cache
def _facts() -> dict[str, Any]:
    """What Node says of itself: its ABI, and where its headers should be."""
    script = (
        "console.log(JSON.stringify({abi: process.versions.modules,"
        " headers: require('path').resolve(process.execPath, '../../include/node')}))"
    )
    done = subprocess.run([node(), "-e", script], capture_output=True, check=True, text=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _compile(folder: Path) -> None:
    """Build sqlite3's addon: SQLite itself, and its binding for Node."""
    headers = Path(_facts()["headers"])
    if not (headers / "uv.h").exists():
        raise ServerError(
            f"connect-sqlite3 was not run: Node's headers are not in {headers}"
            " (on Debian: apt-get install libnode-dev)"
        )
    for compiler in ("gcc", "g++"):
        if shutil.which(compiler) is None:
            raise ServerError(f"connect-sqlite3 was not run: there is no {compiler} for sqlite3")
    package, work = folder / "sqlite3", folder / "sqlite3" / "build"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    (source,) = (package / "deps").glob("sqlite-autoconf-*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(work, filter="data")
    (sqlite,) = work.glob("sqlite-autoconf-*")
    usual = ["nice", "-n", "10"]
    library = str(work / "sqlite3.o")
    run([*usual, "gcc", "-c", "-O1", "-fPIC", *SQLITE, "-o", library, str(sqlite / "sqlite3.c")],
        work)  # fmt: skip
    sources = [str(path) for path in sorted((package / "src").glob("*.cc"))]
    places = [headers, folder / "node-addon-api", sqlite]
    built = work / "node_sqlite3.node"
    run([*usual, "g++", "-shared", "-O1", "-fPIC", *BINDING, *(f"-I{place}" for place in places),
         "-o", str(built), *sources, library], work)  # fmt: skip
    (folder / ADDON).parent.mkdir(exist_ok=True)
    built.replace(folder / ADDON)


@contextmanager
def _alone() -> Iterator[None]:
    """Only one run of the tests installs, the others wait for it."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what takes so long."""
    begin = time.monotonic()
    print(f"\n{what} …", flush=True)
    yield
    print(f"{what}: {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    print(modules(True))
