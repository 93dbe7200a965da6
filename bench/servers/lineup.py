"""Which servers are measured, how each is started, and what is missing for it.

One worker each, access logs off (uvicorn's is on by default: it would hide what a session
costs), else as people get them:

uvicorn           `uvicorn[standard]`: httptools and uvloop
granian           ASGI on uvloop, WSGI on its threads; both as they are by default
gunicorn gthread  4 threads: its common way to keep connections alive
gunicorn sync     what plain `gunicorn app` starts; no keep-alive, a connection per request
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from bench import twins

APPS = "bench.servers.apps"
PYTHON = sys.executable
DISTRIBUTIONS = ("uvicorn", "uvloop", "httptools", "granian", "gunicorn", "starlette")


class Server(NamedTuple):
    """One way to serve.

    command: with {port} and {app} in it, the name of the function that makes the app
    needs:   distributions, by the names pip knows
    who:     whose apps it serves: "bare", "sessfast", "starlette"
    """

    name: str
    front: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    who: tuple[str, ...] = ("bare", "sessfast")

    @property
    def title(self) -> str:
        return f"{self.name}, {self.front}"

    def line(self, who: str, port: int) -> list[str]:
        """The command that serves `who`'s app on `port`. "bare again" is another bare one."""
        app = f"{self.front}_{who.partition(' ')[0]}"
        return [part.format(app=app, port=port) for part in self.command]


def granian(interface: str, *options: str) -> tuple[str, ...]:
    return (
        PYTHON, "-m", "granian", "--interface", interface, "--factory", *options,
        "--host", "127.0.0.1", "--port", "{port}", "--workers", "1", "--log-level", "warning",
        f"{APPS}:{{app}}",
    )  # fmt: skip


def gunicorn(*options: str) -> tuple[str, ...]:
    return (
        PYTHON, "-m", "gunicorn", *options, "--bind", "127.0.0.1:{port}", "--workers", "1",
        "--log-level", "warning", "--no-control-socket", f"{APPS}:{{app}}()",
    )  # fmt: skip


UVICORN = (
    PYTHON, "-m", "uvicorn", "--http", "httptools", "--loop", "uvloop", "--lifespan", "off",
    "--no-access-log", "--log-level", "warning", "--host", "127.0.0.1", "--port", "{port}",
    "--factory", f"{APPS}:{{app}}",
)  # fmt: skip

# asginl: ASGI without lifespan events, which the app doesn't answer
SERVERS = (
    Server("uvicorn", "asgi", UVICORN, ("uvicorn", "httptools", "uvloop", "starlette"),
           ("bare", "sessfast", "starlette")),
    Server("granian", "asgi", granian("asginl", "--loop", "uvloop"), ("granian", "uvloop")),
    Server("granian", "wsgi", granian("wsgi"), ("granian",)),
    Server("gunicorn gthread", "wsgi",
           gunicorn("--worker-class", "gthread", "--threads", "4"), ("gunicorn",)),
    Server("gunicorn sync", "wsgi", gunicorn("--worker-class", "sync"), ("gunicorn",)),
)  # fmt: skip


def missing(server: Server) -> str:
    """What to install for a server, as a command; "" where nothing is missing."""
    lacks = [name for name in server.needs if not installed(name)]
    return f"pip install {' '.join(lacks)}" if lacks else ""


def installed(distribution: str) -> str:
    """The version of a distribution, or "" where it isn't installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def versions() -> dict[str, str]:
    """What is measured with: sessfast and its peers, Python, every server, wrk."""
    found = twins.versions()
    found["python"] = platform.python_version()
    found |= {name: installed(name) or "not installed" for name in DISTRIBUTIONS}
    if path := shutil.which("wrk"):
        run = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        found["wrk"] = run.stdout.split()[1]
    return found
