"""The software that sessfast stands in for: each at its newest version, in its own environment.

An environment is `.venvs/incumbent-NAME`, made of `requirements/NAME.txt` when it is first asked
for. sessfast itself comes from this tree. The interpreter is the one that runs the tests.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
VENVS = ROOT / ".venvs"
REQUIREMENTS = Path(__file__).parent / "requirements"
PLUGINS = Path(__file__).parent / "own"
NEEDS = ["msgspec", "werkzeug", "itsdangerous"]  # sessfast's own
PATIENCE = 60.0  # seconds


class Answer(NamedTuple):
    """A response. headers: pairs, as the app sent them."""

    status: int
    headers: list[list[str]]
    body: str

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def set_cookie(self) -> list[str]:
        """The Set-Cookie headers."""
        return self.all("set-cookie")

    @property
    def cookies(self) -> dict[str, str]:
        """Name and value, as a browser would send them back, of the cookies that were set."""
        pairs = (header.partition(";")[0].partition("=") for header in self.set_cookie)
        return {name: value for name, _, value in pairs}

    @property
    def cookie(self) -> str | None:
        """What a browser would send back, or None if nothing was set."""
        return "; ".join(f"{k}={v}" for k, v in self.cookies.items()) or None

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    def attributes(self, name: str) -> dict[str, str]:
        """The attributes of one cookie that was set, names in lower case."""
        for header in self.set_cookie:
            if header.startswith(f"{name}="):
                parts = (part.strip().partition("=") for part in header.split(";")[1:])
                return {key.lower(): value for key, _, value in parts}
        raise AssertionError(f"no cookie {name} in {self.set_cookie}")


class Talk:
    """An app in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    def together(self, requests: list[dict[str, Any]]) -> list[Answer]:
        """The answers to requests that are made side by side."""
        pipe = self.process.stdin
        assert pipe is not None
        pipe.write(json.dumps(requests) + "\n")
        pipe.flush()
        return [Answer(**each) for each in json.loads(self.line())]

    def line(self) -> str:
        """The next line that the app's process says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the app has ended:\n{self.log.read_text()[-3000:]}")
        return line

    def get(self, path: str, cookie: str | None = None, **more: Any) -> Answer:
        """The answer to a request; `more` as in `request`."""
        return self.together([request(path, cookie, **more)])[0]


def request(
    path: str,
    cookie: str | None = None,
    *,
    method: str = "GET",
    scheme: str = "http",
    body: str = "",
    headers: tuple[tuple[str, str], ...] = (),
) -> dict[str, Any]:
    """A request for `Talk.together`. method "WEBSOCKET": the body's lines are its messages."""
    sent = [["Host", "localhost"], *map(list, headers), *([["Cookie", cookie]] if cookie else [])]
    return {"path": path, "method": method, "scheme": scheme, "body": body, "headers": sent}


@contextmanager
def talking(name: str, kind: str, app: str | None = None, **settings: Any) -> Iterator[Talk]:
    """An app of `apps/{app or name}_app.py`, run in the environment `name`.

    kind: "incumbent" or "replacement"
    """
    log = ROOT / "build" / "frameworks" / f"{app or name}-{kind}-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    module = f"tests.frameworks.apps.{app or name}_app"
    command = [
        str(python_of(name)),
        "-m",
        "tests.frameworks.talk",
        module,
        kind,
        json.dumps(settings),
    ]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=surroundings(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as process,
    ):
        talk = Talk(process, log)
        try:
            assert "ready\n" == talk.line()
            yield talk
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def surroundings() -> dict[str, str]:
    """The environment variables of an incumbent's process."""
    foreign = {"PYTHONHOME", "VIRTUAL_ENV", "PYTHONPATH"}
    kept = {key: value for key, value in os.environ.items() if key not in foreign}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONNOUSERSITE": "1"}


@functools.cache
def python_of(name: str) -> Path:
    """The interpreter of an incumbent's environment, made if need be.

    Where that can't be done a person's run skips, and SESSFAST_REQUIRE_ALL=1 fails.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text()
    folder = VENVS / f"incumbent-{name}"
    python, stamp = folder / "bin" / "python", folder / "made-from"
    digest = hashlib.sha256(f"{sys.version}\0{wanted}\0{NEEDS}".encode()).hexdigest()
    VENVS.mkdir(exist_ok=True)
    with (VENVS / f"incumbent-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest:
            return python
        shutil.rmtree(folder, ignore_errors=True)
        packages = [line for line in wanted.splitlines() if line and not line.startswith("#")]
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [*pip, *packages, *NEEDS],
        ):
            run = subprocess.run(
                command, capture_output=True, text=True, check=False, env=surroundings()
            )
            if run.returncode:
                unavailable(
                    f"no environment for {name}: {(run.stderr or run.stdout).strip()[-300:]}"
                )
        stamp.write_text(digest)
    return python


@functools.cache
def sources_of(name: str, package: str, version: str | None = None) -> Path:
    """The folder of a package's source distribution, of the version that its environment has.

    What a wheel leaves out is in it: the package's own tests.
    version: another one, where the newest has no tests in it
    """
    python = python_of(name)
    if version is None:
        say = f"import importlib.metadata as m; print(m.version({package!r}))"
        asked = [str(python), "-c", say]
        version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    folder = ROOT / "build" / "frameworks" / "sources"
    place = folder / f"{package}-{version}"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        download = [
            str(python), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
            "--disable-pip-version-check", "--dest", str(folder), f"{package}=={version}",
        ]  # fmt: skip
        subprocess.run(download, check=False, env=surroundings(), capture_output=True)
        found = [*folder.glob(f"*{version}.tar.gz")]
        stem = package.lower().replace("-", "_")
        archives = [each for each in found if each.name.lower().replace("-", "_").startswith(stem)]
        if not archives:
            unavailable(f"no source distribution of {package} {version} could be had")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, filter="data")
        unpacked = folder / archives[0].name.removesuffix(".tar.gz")
        if unpacked != place:
            unpacked.rename(place)
    return place


def outcomes(name: str, command: list[str], folder: Path, **variables: str) -> dict[str, str]:
    """What became of each test that pytest ran in an environment: its id, "passed" and so on.

    command: arguments of pytest; `-p NAME` for a plugin in own/
    """
    report = ROOT / "build" / "frameworks" / f"own-{name}-{os.getpid()}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    whole = [
        str(python_of(name)), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore",
        "-c", os.devnull, f"--rootdir={folder}", f"--junitxml={report}", *command,
    ]  # fmt: skip
    # plugins have names of their own: the package's tests are called `tests`, too
    path = os.pathsep.join(map(str, (folder, PLUGINS, ROOT)))
    run = subprocess.run(
        whole,
        cwd=folder,
        env={**surroundings(), **variables, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), run.stdout[-3000:] + run.stderr[-3000:]
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        bad = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        found[f"{case.get('classname')}::{case.get('name')}"] = bad[0] if bad else "passed"
    assert found, run.stdout[-3000:]
    return found


def unavailable(why: str) -> NoReturn:
    """Skip a person's run; fail where everything must run."""
    if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
        pytest.fail(why)
    pytest.skip(why)


def unquoted(value: str) -> str:
    """A cookie's value as a framework reads it."""
    return SimpleCookie(f"x={value}")["x"].value
