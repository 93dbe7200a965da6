"""The races over real servers work: they count what they should, and leave nothing behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.requests import header
from bench.servers import contest, process
from bench.servers.__main__ import table
from bench.servers.contest import COLUMNS, Figure, Place, check, check_written, figure, row, turn
from bench.servers.lineup import SERVERS, Server, missing, versions
from bench.servers.load import SET_UP, Burst, figures
from bench.servers.process import Process, ServerError, cores, family, free_port, numbers

BY_NAME = {server.title: server for server in SERVERS}
UVICORN = BY_NAME["uvicorn, asgi"]


def skip(reason: str) -> None:
    """Skip a person's run; fail where everything is asked for."""
    if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason}, and SESSFAST_REQUIRE_ALL=1 asks for it")
    pytest.skip(reason)


def need(server: Server) -> Server:
    if lacks := missing(server):
        skip(f"{server.title} is missing: {lacks}")
    return server


def need_wrk() -> str:
    path = shutil.which("wrk")
    if path is None:
        skip(f"there is no wrk: {SET_UP}")
    return path or ""


@contextmanager
def up(server: Server, who: str, folder: Path) -> Iterator[Process]:
    port = free_port()
    log = folder / f"{who}.log"
    with Process(need(server).line(who, port), port, cores()[0], log) as running:
        yield running


@contextmanager
def watched(pids: list[int]) -> Iterator[list[int]]:
    """The handles of processes, for `left`."""
    handles = [os.pidfd_open(pid) for pid in pids]
    try:
        yield handles
    finally:
        for handle in handles:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)


def left(handles: list[int], patience: float = 0.0) -> int:
    """How many of these processes still run."""
    deadline = time.monotonic() + patience
    running = list(handles)
    while running:
        wait = max(0.0, deadline - time.monotonic())
        ended = select.select(running, [], [], wait)[0]
        if not ended:
            break
        running = [handle for handle in running if handle not in ended]
    return len(running)


# -- real servers ------------------------------------------------------------------------------


@pytest.mark.parametrize("title", BY_NAME)
def test_each_server_does_the_work_of_every_column_and_ends(title: str, tmp_path: Path) -> None:
    """Bare and with sessions, one after the other; nothing of them is left."""
    server = BY_NAME[title]
    for who in server.who:
        with up(server, who, tmp_path) as running:
            cookie = "" if who == "bare" else contest.sessions(running)[0]
            check(who, running, cookie)
            before = running.cpu()
            with watched(running.pids) as handles:
                for _ in range(20):
                    running.get("/", header(cookie))
                assert running.cpu() > before
                running.end()
                assert 0 == left(handles)


def test_an_app_without_sessions_is_not_measured_as_one_that_has_them(tmp_path: Path) -> None:
    """The check sees that /read answers without a session."""
    with (
        up(UVICORN, "bare", tmp_path) as running,
        pytest.raises(ServerError, match="/read without a session: expected 500, got 200"),
    ):
        check("sessfast", running, "connect.sid=x")


def test_a_load_that_left_a_session_out_is_refused() -> None:
    """Every session of the load has to have been written."""
    before = [b"%d" % number for number in range(64)]
    check_written(before, [b"99"] * 64)
    with pytest.raises(ServerError, match="wrote into 63 of 64"):
        check_written(before, [before[0], *[b"99"] * 63])


def test_a_turn_of_load_counts_requests_time_and_cpu(tmp_path: Path) -> None:
    """wrk's figures and the server's CPU time fit together, and every session was written."""
    program = need_wrk()
    place = Place(program, *cores(), tmp_path)
    with up(UVICORN, "sessfast", tmp_path) as running:
        cookies = contest.sessions(running)
        before = contest.visits(running, cookies)
        seen, cpu = turn(running, COLUMNS["write"], cookies, place)
        check_written(before, contest.visits(running, cookies))
        assert seen.requests > 64
        assert 0 < seen.p50 <= seen.p99 < seen.seconds
        assert 0 < cpu < 1.5 * seen.seconds  # one core; wrk's clock starts a little later
        with pytest.raises(ServerError, match="status"):
            turn(running, COLUMNS["read"], [""], place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process(number: signal.Signals) -> None:
    """Servers and wrk have ended when the run has."""
    need_wrk()
    need(UVICORN)
    command = [sys.executable, "-m", "bench.servers", "--quick", "--only", "uvicorn"]
    run = subprocess.Popen(command, cwd=process.ROOT, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not runs_wrk(pids := family(run.pid)):
            assert run.poll() is None
            assert time.monotonic() < deadline
            select.select([], [], [], 0.02)
        with watched(pids[1:]) as handles:
            run.send_signal(number)
            assert 128 + number == run.wait(20)
            assert len(handles) >= 7  # three servers with the process around each, and wrk
            assert 0 == left(handles)
    finally:
        run.kill()
        run.communicate()


def runs_wrk(pids: list[int]) -> bool:
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "wrk":
                return True
    return False


# -- processes ---------------------------------------------------------------------------------


def python(code: str, port: int) -> list[str]:
    return [sys.executable, "-c", code, str(port)]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """Its own last words are in the error."""
    command = python("raise SystemExit('no such app')", free_port())
    with (
        pytest.raises(ServerError, match="it ended: no such app"),
        Process(command, free_port(), cores()[0], tmp_path / "log"),
    ):
        pass


def test_a_server_that_does_not_answer_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints its pid, so that we can see."""
    monkeypatch.setattr(process, "PATIENCE", 1.0)
    command = python("import os, time; print(os.getpid(), flush=True); time.sleep(60)", 0)
    with (
        pytest.raises(ServerError, match=r"no answer within 1 s: \d+"),
        Process(command, free_port(), cores()[0], tmp_path / "log"),
    ):
        pass
    assert not Path(f"/proc/{(tmp_path / 'log').read_text().strip()}").exists()


STUBBORN = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    while True:
        signal.pause()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_server_that_ignores_the_request_to_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the child it made."""
    port = free_port()
    with Process(python(STUBBORN, port), port, cores()[0], tmp_path / "log") as running:
        assert 3 == len(running.pids)
        with watched(running.pids) as handles:
            monkeypatch.setattr(process, "PATIENCE", 0.4)
            running.end()
            assert 0 == left(handles, patience=5)


def test_a_server_is_pinned_and_we_are_not(tmp_path: Path) -> None:
    """To its core, with all its processes; ours may run where they could before."""
    before = os.sched_getaffinity(0)
    with up(UVICORN, "bare", tmp_path) as running:
        assert [{cores()[0]}] * 2 == [os.sched_getaffinity(pid) for pid in running.pids]
    assert before == os.sched_getaffinity(0)


@pytest.mark.parametrize(
    ("text", "expected"), [("0\n", [0]), ("0-3\n", [0, 1, 2, 3]), ("1,5,8-9\n", [1, 5, 8, 9])]
)
def test_a_list_of_the_kernel_is_read(text: str, expected: list[int]) -> None:
    assert expected == list(numbers(text))


# -- figures -----------------------------------------------------------------------------------


def test_what_wrk_says_is_read() -> None:
    """Microseconds become seconds; what wrk itself prints is passed over."""
    output = "Running 1s test\nfigures 5000 1001000 640 2100 0 0 0 0 0\nRequests/sec: 4995.00\n"
    assert Burst(5000, 1.001, 0.00064, 0.0021) == figures(output)


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ("figures 5000 1001000 640 2100 0 0 0 0 7", "status 7"),
        ("figures 5000 1001000 640 2100 0 2 0 0 0", "read 2"),
        ("figures 0 1001000 0 0 0 0 0 0 0", "of 0 requests"),
        ("unable to connect to 127.0.0.1:1 Connection refused", "Connection refused"),
    ],
)
def test_a_load_that_was_not_answered_well_is_no_figure(output: str, fault: str) -> None:
    with pytest.raises(ServerError, match=fault):
        figures(output)


def test_turns_are_added_up() -> None:
    """Requests, seconds and CPU as sums, so that a longer turn counts more."""
    taken = [(Burst(1000, 1.0, 0.001, 0.002), 0.9), (Burst(5000, 2.0, 0.002, 0.004), 1.5)]
    expected = Figure(rps=2000, p50=0.0015, p99=0.003, cpu=0.0004, busy=0.8)
    assert pytest.approx(tuple(expected)) == tuple(figure(taken))


def test_ratios_are_medians_of_what_was_compared_within_a_round() -> None:
    """Not ratios of medians: the machine was three times slower in the second round."""
    bare = [Figure(rps, 0.001, 0.002, cpu, 1.0) for rps, cpu in ((9e3, 1e-4), (3e3, 3e-4))]
    mine = [Figure(rps, 0.001, 0.002, cpu, 1.0) for rps, cpu in ((9e3, 1e-4), (1.5e3, 6e-4))]
    found = row("uvicorn, asgi, read", "sessfast", mine, bare)
    assert 0.75 == found["ratio_to_bare"]
    assert 0.75 == found["cpu_ratio_to_bare"]
    assert 150 == pytest.approx(found["cpu_above_us"])
    assert 5250 == found["rps"]
    assert ("servers", "uvicorn, asgi, read", "sessfast") == tuple(found.values())[:3]


@pytest.mark.parametrize(
    ("rps", "busy", "verdict"),
    [(9100.0, 0.99, "kept"), (8900.0, 0.99, "MISSED"), (9100.0, 0.8, "unclear")],
)
def test_the_table_says_what_became_of_the_target(rps: float, busy: float, verdict: str) -> None:
    """Of reads alone, by requests per second, where the server was what limited them."""
    bare, mine = ([Figure(each, 0.001, 0.002, 1e-4, busy)] for each in (10_000.0, rps))
    rows = [
        row(f"granian, wsgi, {column}", who, figures, bare)
        for column in ("untouched", "read")
        for who, figures in (("bare", bare), ("sessfast", mine))
    ]
    verdicts = [line for line in table(rows) if "by CPU)" in line]
    assert [f"  {verdict:8} {rps / 1e4:.1%} (100.0% by CPU)  granian, wsgi, read"] == verdicts


# -- what is missing ---------------------------------------------------------------------------


def test_what_is_missing_is_skipped_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how to get it."""
    said: list[str] = []
    monkeypatch.setattr(contest, "wrk", lambda say: "")
    assert [] == contest.measure(True, said.append)
    assert ["servers: skipped, there is no wrk: apt-get install -y wrk"] == said
    said.clear()
    monkeypatch.setattr(contest, "wrk", lambda say: "wrk")
    rival = Server("rival", "wsgi", (), ("no-such-distribution", "nor-this"))
    monkeypatch.setattr(contest, "SERVERS", [rival])
    assert [] == contest.measure(True, said.append)
    assert "rival, wsgi: skipped: pip install no-such-distribution nor-this" == said[-1]


def test_every_part_has_a_version() -> None:
    """Also one that isn't installed."""
    found: dict[str, Any] = versions()
    assert {"sessfast", "backend", "python", "uvicorn", "granian", "gunicorn"} <= found.keys()
    assert all(found.values())
