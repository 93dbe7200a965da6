"""The contest: the same app bare and behind session layers, on one kind of server at a time.

All contestants of a server are up at once, on the same core, and are loaded in turns of a second;
those who wait use no CPU. Every round starts them anew: where a process's memory happens to lie
makes it some per cent faster or slower for as long as it lives, which no taking turns evens out.
"""

from __future__ import annotations

import operator
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from bench.requests import header
from bench.servers.lineup import SERVERS, Server, missing
from bench.servers.load import SET_UP, Burst, Say, burst, wrk
from bench.servers.process import Process, ServerError, cores, free_port

SUITE = "servers"
SESSIONS = 64  # each has its cookie, and they take turns: one alone would be written at once
TURN = 1  # second; wrk knows no shorter ones


class Column(NamedTuple):
    """One kind of request: its path, and whether it brings our cookie with four of others."""

    path: str
    with_session: bool


COLUMNS = {
    "no cookie": Column("/", False),
    "untouched": Column("/", True),
    "read": Column("/read", True),
    "write": Column("/write", True),
}


class Plan(NamedTuple):
    """rounds: how often everything is started anew; turns: of each contestant in one of them."""

    rounds: int
    turns: int


FULL = Plan(rounds=5, turns=2)
QUICK = Plan(rounds=2, turns=1)


class Figure(NamedTuple):
    """One contestant in one round. p50, p99, cpu: seconds; busy: share of its core it used."""

    rps: float
    p50: float
    p99: float
    cpu: float
    busy: float


class Place(NamedTuple):
    """What all bursts share: wrk's path, the cores of server and load, a folder for files."""

    program: str
    server_core: int
    load_core: int
    folder: Path


def measure(
    quick: bool, say: Say, only: Sequence[str] = (), again: bool = False
) -> list[dict[str, Any]]:
    """One row for each contestant, column and server.

    say:   is told what is measured now, and what is skipped for want of what
    only:  names of servers; all of them where there are none
    again: let a second bare app take part, "bare again": how exact is all this here and now?
    Rows: suite, contest ("<server>, <front>, <column>"), who; rps, p50_ms, p99_ms, cpu_us (CPU
    time per request, kernel included), busy (share of its core that the server used): medians of
    rounds. ratio_to_bare: rps as a share of the bare app's; cpu_above_us: cpu_us above the bare
    app's; cpu_ratio_to_bare: the bare app's cpu_us as a share of this one's, which is what
    ratio_to_bare would be if the server's CPU alone mattered: medians of what was compared
    within rounds. [] without wrk. Raises ServerError.
    """
    program = wrk(say)
    if not program:
        say(f"{SUITE}: skipped, there is no wrk: {SET_UP}")
        return []
    server_core, load_core = cores()
    if server_core == load_core:
        say(f"{SUITE}: one core for server and load, requests per second will mean little")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Place(program, server_core, load_core, Path(folder))
        for server in SERVERS:
            if only and server.name not in only:
                continue
            if lacks := missing(server):
                say(f"{server.title}: skipped: {lacks}")
                continue
            if again:
                server = server._replace(who=(*server.who, "bare again"))
            rows += rows_of(server, rounds(server, QUICK if quick else FULL, place, say))
    return rows


Rounds = dict[str, dict[str, list[Figure]]]


def rounds(server: Server, plan: Plan, place: Place, say: Say) -> Rounds:
    """Figures of one server: column -> who -> one per round."""
    found: Rounds = {column: {who: [] for who in server.who} for column in COLUMNS}
    for number in range(plan.rounds):
        say(f"{server.title}: round {number + 1} of {plan.rounds}")
        first = number % len(server.who)
        order = [*server.who[first:], *server.who[:first]]
        try:
            for column, figures in one_round(server, order, plan.turns, place).items():
                for who, figure in figures.items():
                    found[column][who].append(figure)
        except ServerError as error:
            raise ServerError(f"{server.title}: {error}") from error
    return found


def one_round(
    server: Server, order: Sequence[str], turns: int, place: Place
) -> dict[str, dict[str, Figure]]:
    """Start all, see that they do their work, load them in turns, end them."""
    figures: dict[str, dict[str, Figure]] = {}
    with ExitStack() as stack:
        running: dict[str, Process] = {}
        for who in order:
            port = free_port()
            log = place.folder / f"{who}.log"
            process = Process(server.line(who, port), port, place.server_core, log)
            running[who] = stack.enter_context(process)
        cookies = {who: sessions(running[who]) for who in order if not is_bare(who)}
        for who in filter(is_bare, order):
            cookies[who] = cookies["sessfast"]  # a header as long as ours, which nobody reads
        for who in order:
            check(who, running[who], cookies[who][0])
        before = visits(running["sessfast"], cookies["sessfast"])
        for who in order:  # to warm it up
            turn(running[who], COLUMNS["write"], cookies[who], place)
        for name, column in COLUMNS.items():
            bursts: dict[str, list[tuple[Burst, float]]] = {who: [] for who in order}
            for lap in range(turns):
                for who in order[:: -1 if lap % 2 else 1]:  # there and back: drift cancels
                    bursts[who].append(turn(running[who], column, cookies[who], place))
            figures[name] = {who: figure(taken) for who, taken in bursts.items()}
        check_written(before, visits(running["sessfast"], cookies["sessfast"]))
    return figures


def sessions(process: Process) -> list[str]:
    """Cookies of as many new sessions."""
    made = [process.get("/login").cookie for _ in range(SESSIONS)]
    expect("different cookies from /login", SESSIONS, len(set(filter(None, made))))
    return made


def check(who: str, process: Process, cookie: str) -> None:
    """Refuse to measure what doesn't do the work of its columns."""
    expect(f"{who}, /", (200, b"ok"), process.get("/", header(cookie))[:2])
    expect(f"{who}, /read", (200, b"me"), process.get("/read", header(cookie))[:2])
    expect(f"{who}, /write", (200, b"ok"), process.get("/write", header(cookie))[:2])
    if is_bare(who):
        return
    expect(f"{who}, /read without a session", 500, process.get("/read", header("")).status)
    seen = []
    for _ in range(2):
        cookie = process.get("/write", header(cookie)).cookie or cookie
        seen.append(process.get("/visits", header(cookie)).body)
    expect(f"{who}, two writes", 2, len(set(seen)))


def visits(process: Process, cookies: Sequence[str]) -> list[bytes]:
    """What is written in each session."""
    return [process.get("/visits", header(cookie)).body for cookie in cookies]


def check_written(before: Sequence[bytes], after: Sequence[bytes]) -> None:
    """Refuse figures of a load that did not write into the sessions it was given."""
    changed = sum(map(operator.ne, before, after))
    if changed < len(before):
        raise ServerError(f"the load wrote into {changed} of {len(before)} sessions")


def is_bare(who: str) -> bool:
    return who.startswith("bare")


def expect(what: str, expected: object, actual: object) -> None:
    if expected != actual:
        raise ServerError(f"{what}: expected {expected!r}, got {actual!r}")


def turn(
    process: Process, column: Column, cookies: Sequence[str], place: Place
) -> tuple[Burst, float]:
    """Load one server for a turn; what wrk saw, and the CPU seconds the server used."""
    headers = [header(cookie) for cookie in cookies] if column.with_session else [header("")]
    before = process.cpu()
    seen = burst(
        place.program, process.port, column.path, headers, TURN, place.load_core, place.folder
    )
    return seen, process.cpu() - before


def figure(taken: Sequence[tuple[Burst, float]]) -> Figure:
    """The turns of one contestant as if they had been one."""
    requests = sum(seen.requests for seen, _ in taken)
    seconds = sum(seen.seconds for seen, _ in taken)
    cpu = sum(used for _, used in taken)
    return Figure(
        rps=requests / seconds,
        p50=statistics.median(seen.p50 for seen, _ in taken),
        p99=statistics.median(seen.p99 for seen, _ in taken),
        cpu=cpu / requests,
        busy=cpu / seconds,
    )


def rows_of(server: Server, found: Rounds) -> list[dict[str, Any]]:
    """Medians, as `measure` gives them."""
    return [
        row(f"{server.title}, {column}", who, mine, contestants["bare"])
        for column, contestants in found.items()
        for who, mine in contestants.items()
    ]


def row(contest: str, who: str, mine: Sequence[Figure], bare: Sequence[Figure]) -> dict[str, Any]:
    def median(value: Callable[[Figure], float]) -> float:
        return statistics.median(map(value, mine))

    pairs = list(zip(mine, bare, strict=True))
    return {
        "suite": SUITE,
        "contest": contest,
        "who": who,
        "rps": median(lambda one: one.rps),
        "ratio_to_bare": statistics.median(one.rps / base.rps for one, base in pairs),
        "p50_ms": median(lambda one: one.p50 * 1e3),
        "p99_ms": median(lambda one: one.p99 * 1e3),
        "cpu_us": median(lambda one: one.cpu * 1e6),
        "cpu_above_us": statistics.median((one.cpu - base.cpu) * 1e6 for one, base in pairs),
        "cpu_ratio_to_bare": statistics.median(base.cpu / one.cpu for one, base in pairs),
        "busy": median(lambda one: one.busy),
    }
