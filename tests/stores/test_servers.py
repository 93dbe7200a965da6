"""The servers for the tests: started once, found again, ended, and nobody else's ended."""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.servers import ROOT, ServerError, running_in, start, stop
from tests.stores.servers import own, url_of

SCRIPT = ROOT / "scripts" / "servers"


def test_a_server_is_started_once_and_ended(tmp_path: Path) -> None:
    """A second start finds it; after stop nothing listens, and stop may be called again."""
    url_of("memcached")  # skips where it is not installed
    running = start("memcached", tmp_path / "x")
    assert running == start("memcached", tmp_path / "x") == running_in(tmp_path / "x")
    socket.create_connection(("127.0.0.1", running.port)).close()
    assert running == stop(tmp_path / "x")
    assert stop(tmp_path / "x") is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port))


def test_a_process_that_has_the_number_by_chance_is_left_alone(tmp_path: Path) -> None:
    """Numbers of processes are used again: the time of the start must be that of ours."""
    words = {"name": "redis", "pid": os.getpid(), "port": 1, "url": "", "started": "5"}
    (tmp_path / "server.json").write_text(json.dumps(words))
    assert running_in(tmp_path) is None
    assert stop(tmp_path) is None


@pytest.mark.parametrize("words", ["", "{}", "[]", '{"pid": 1}'])
def test_a_spoilt_note_is_no_server(words: str, tmp_path: Path) -> None:
    """As after a full disk."""
    (tmp_path / "server.json").write_text(words)
    assert running_in(tmp_path) is None


def test_a_server_that_does_not_come_up_is_told_with_its_log(tmp_path: Path) -> None:
    """A port that is taken, say."""
    url_of("redis")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ServerError, match=r"did not come up:\n[\s\S]*in use"),
    ):
        start("redis", tmp_path / "x", taken.getsockname()[1])
    assert running_in(tmp_path / "x") is None


def test_a_missing_program_skips_a_persons_run_and_fails_the_full_one(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """One line, with the command that helps."""
    monkeypatch.setattr(servers, "program_of", lambda name: None)
    monkeypatch.delenv("SESSFAST_REQUIRE_ALL", raising=False)
    line = "redis-server is not installed: scripts/servers install redis"
    with pytest.raises(pytest.skip.Exception, match=line):
        own("redis", tmp_path)
    monkeypatch.setenv("SESSFAST_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=line):
        own("redis", tmp_path)


def test_the_environment_names_a_server(monkeypatch: Any) -> None:
    """SESSFAST_TEST_REDIS, and nothing is started."""
    monkeypatch.setenv("SESSFAST_TEST_REDIS", "redis://there")
    assert url_of("redis") == "redis://there"


def test_the_command_lists_and_refuses(tmp_path: Path) -> None:
    """Every kind has its line; an unknown name is an error that tells the known ones."""
    run = [sys.executable, str(SCRIPT)]
    listed = subprocess.run([*run, "list"], capture_output=True, text=True, check=True).stdout
    assert list(servers.KINDS) == [line.split()[0] for line in listed.splitlines()]
    wrong = subprocess.run([*run, "start", "oracle"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "no server is known as oracle" in wrong.stderr


@pytest.mark.parametrize("package", ["redis", "psycopg", "psycopg_pool"])
def test_the_full_run_has_every_package(package: str) -> None:
    """Where one is missing, the tests of its store are skipped: a full run must not hide that."""
    if os.environ.get("SESSFAST_REQUIRE_ALL") != "1":
        pytest.skip("SESSFAST_REQUIRE_ALL=1 is not set")
    importlib.import_module(package)
