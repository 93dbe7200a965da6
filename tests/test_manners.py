"""Importing sessfast changes nothing in the process that imports it.

A fresh process imports every module but the demo and ops, and tells what it was before, what it
has become, and what was asked of it meanwhile. The same is done with modules that misbehave.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

# Belongs to extras, to development, or to nobody who imports a session library.
STRANGERS = (
    "Cython", "aiohttp", "cysignals", "django", "fastapi", "flask", "gevent", "http.cookies",
    "httpx", "hypothesis", "lmdb", "marshmallow", "memcache", "multiprocessing", "pydantic",
    "pylibmc", "pymemcache", "pymongo", "pytest", "redis", "sqlalchemy", "sqlite3", "starlette",
    "tornado",
    "uvicorn", "valkey", "wsgiref",
)  # fmt: skip

PROBE = """
import asyncio, faulthandler, gc, importlib, json, logging, os, pkgutil, signal, sys, threading
import warnings

APART = (
    "sessfast.demo", "sessfast.frameworks", "sessfast.ops", "sessfast.stores.lmdb",
    "sessfast.stores.postgres", "sessfast.stores.redis",
)
CLOCKS = {
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
    "process_time", "process_time_ns", "thread_time", "clock_gettime", "clock_gettime_ns",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
}
CHANCE = {"urandom", "getrandom", "Random.random", "Random.getrandbits"}
asked = {"environment": set(), "clock": set(), "chance": set()}


def import_all(package):
    module = importlib.import_module(package)
    yield package
    for found in pkgutil.iter_modules(module.__path__, package + "."):
        if found.name.startswith(APART):
            continue
        elif found.ispkg:
            yield from import_all(found.name)
        else:
            importlib.import_module(found.name)
            yield found.name


def is_ours(frame):
    return frame.f_globals.get("__name__", "").split(".")[0] == "sessfast"


class Watched(type(os.environ)):
    def __getitem__(self, name):
        frame = sys._getframe(1)  # compiled code has no frame: its importer is asked for it
        while frame and frame.f_globals.get("__name__", "").startswith(
            ("os", "collections.abc", "importlib", "_frozen_importlib")
        ):
            frame = frame.f_back
        if frame and is_ours(frame):
            asked["environment"].add(name)
        return super().__getitem__(name)


def profile(frame, event, function):
    if event == "c_call" and is_ours(frame):
        name = getattr(function, "__qualname__", "")
        if name in CLOCKS:
            asked["clock"].add(name)
        if name in CHANCE:
            asked["chance"].add(name)


def state():
    with open("/proc/self/status") as file:
        masks = [line for line in file if line.startswith("Sig")]
    loggers = [logging.getLogger(), *(
        logging.getLogger(name) for name in sorted(logging.root.manager.loggerDict)
        if name.startswith("sessfast")
    )]
    return {
        "signal masks": masks,
        "signal handlers": [repr(signal.getsignal(each)) for each in signal.valid_signals()],
        "fault handler": faulthandler.is_enabled(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "loggers": [
            (each.name, each.level, each.propagate, each.disabled, repr(each.handlers))
            for each in loggers
            if each.level or each.handlers or each.disabled or not each.propagate
        ],
        "environment": dict(os.environ),
        "open files": len(os.listdir("/proc/self/fd")),
        "warnings": repr(warnings.filters),
        "paths": [list(sys.path), repr(sys.meta_path), repr(sys.path_hooks)],
        "hooks": [repr(hook) for hook in (sys.excepthook, sys.unraisablehook, sys.displayhook)],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), gc.get_threshold()],
        "folder": os.getcwd(),
    }


def visit():
    os.environ.__class__ = Watched
    sys.setprofile(profile)
    try:
        imported.extend(import_all("sessfast"))
    finally:
        sys.setprofile(None)
        os.environ.__class__ = Watched.__base__


imported = []
threading.Thread(target=int).start()  # the first thread makes libc catch two signals
modules = set(sys.modules)
before = state()
if sys.argv[1] == "another thread":
    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
else:
    visit()
after = state()
print(json.dumps({
    "imported": imported,
    "modules": sorted(set(sys.modules) - modules),
    "changed": {
        name: [was, after[name]] for name, was in before.items() if was != after[name]
    },
    **{name: sorted(names) for name, names in asked.items()},
}))
"""


@cache
def visit(thread: str = "the main thread", twins: str = "any", root: Path = ROOT) -> dict[str, Any]:
    """What the probe tells, run in `thread` on the package at `root`."""
    names = {name: value for name, value in os.environ.items() if name != "SESSFAST_PURE"}
    names["PYTHONPATH"] = str(root)
    if twins == "pure":
        names["SESSFAST_PURE"] = "1"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, thread],
        cwd=root, env=names, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not run.stderr, run.stderr
    assert 0 == run.returncode
    told: dict[str, Any] = json.loads(run.stdout)
    return told


linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
everywhere = pytest.mark.parametrize(
    ("thread", "twins"),
    [("the main thread", "any"), ("the main thread", "pure"), ("another thread", "any")],
)


@linux
@everywhere
class TestImport:
    """What importing everything does, in any thread, on either twin."""

    def test_imports_every_module(self, thread: str, twins: str) -> None:
        """Also where it isn't the main thread, without any output or warning."""
        found = visit(thread, twins)["imported"]
        assert {"sessfast", "sessfast.hotpath.cookies_py", "sessfast.wsgi"} <= set(found)

    def test_leaves_the_process_as_it_was(self, thread: str, twins: str) -> None:
        """Signals, threads, loggers, environment, files, warnings, paths, hooks, limits."""
        assert {} == visit(thread, twins)["changed"]

    def test_reads_one_environment_variable(self, thread: str, twins: str) -> None:
        """SESSFAST_PURE, which chooses the twins."""
        assert ["SESSFAST_PURE"] == visit(thread, twins)["environment"]

    def test_asks_no_clock_and_draws_nothing(self, thread: str, twins: str) -> None:
        """Times come from a request, ids when one is needed: a fork must not share them."""
        assert ([], []) == (visit(thread, twins)["clock"], visit(thread, twins)["chance"])

    def test_brings_no_strangers(self, thread: str, twins: str) -> None:
        """None of the extras, no development tool, no second cookie parser."""
        found = visit(thread, twins)["modules"]
        assert [] == [n for n in found if any(f"{n}.".startswith(f"{s}.") for s in STRANGERS)]


RUDE = [  # what a module does, where the probe must tell of it
    ("import signal; signal.signal(signal.SIGTERM, print)", "signal handlers"),
    ("import signal; signal.signal(signal.SIGTERM, print)", "signal masks"),
    ("import faulthandler; faulthandler.enable()", "fault handler"),
    ("from threading import *; Thread(target=Event().wait, daemon=True).start()", "threads"),
    ("import logging; logging.basicConfig()", "loggers"),
    ("import logging; logging.getLogger('sessfast.x').setLevel(10)", "loggers"),
    ("import os; os.environ['X_SESSFAST'] = '1'", "environment"),
    ("import os; fd = os.open('/dev/null', os.O_RDONLY)", "open files"),
    ("import warnings; warnings.simplefilter('ignore')", "warnings"),
    ("import sys; sys.path.append('/')", "paths"),
    ("import sys; sys.excepthook = print", "hooks"),
    ("import gc; gc.set_threshold(1)", "limits"),
    ("import os; os.environ.get('HOME')", ("environment", "HOME")),
    ("from os import getenv; getenv('SESSFAST_X')", ("environment", "SESSFAST_X")),
    ("import time; time.monotonic()", ("clock", "monotonic")),
    ("from datetime import datetime, UTC; datetime.now(UTC)", ("clock", "datetime.now")),
    ("import os; os.urandom(1)", ("chance", "urandom")),
    ("import http.cookies", ("modules", "http.cookies")),
    ("import sqlite3", ("modules", "sqlite3")),
]


@linux
@pytest.mark.parametrize(("text", "where"), RUDE)
def test_bad_manners_are_noticed(text: str, where: str | tuple[str, str], tmp_path: Path) -> None:
    """A module that does it, deep in a package of our name, is told of."""
    rude = tmp_path / "sessfast" / "hotpath"
    rude.mkdir(parents=True)
    for file, content in (("../__init__.py", ""), ("__init__.py", ""), ("ids_py.py", text)):
        (rude / file).write_text(content)
    told = visit(root=tmp_path)
    assert ["sessfast", "sessfast.hotpath", "sessfast.hotpath.ids_py"] == told["imported"]
    if isinstance(where, str):
        assert where in told["changed"]
    else:
        assert where[1] in told[where[0]]
