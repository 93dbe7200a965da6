"""Ids: random, of one shape, and never the same twice, in whatever process."""

from __future__ import annotations

import base64
import os
import random
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

SHAPE = re.compile(r"[A-Za-z0-9_-]{32}")
POOL = 170  # ids that one draw lasts for

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

# All that a script's processes tell must fit into a pipe: the parent reads at the end.
HEAD = """
import os, sys
import {module} as ids

read, write = os.pipe()

def tell(count):
    for _ in range(count):
        os.write(write, (new_id() + "\\n").encode())

def in_child(act, fork=os.fork):
    pid = fork()
    if pid == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return pid

def collect(pids):
    os.close(write)
    with open(read) as lines:  # ends when the last child does
        told = lines.read()
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0, "a child failed"
    sys.stdout.write(told)

new_id = {maker}
"""

FORK_FROM_MAIN = """
    tell(85)  # half of the pool
    pids = []
    for _ in range(200):
        pids.append(in_child(lambda: tell(5)))
        tell(1)
    tell(200)
    collect(pids)
"""

FORK_OF_FORK = """
    def generation(depth):
        tell(3)
        if depth:
            pids = [in_child(lambda: generation(depth - 1)) for _ in range(3)]
            tell(3)
            for pid in pids:
                os.waitpid(pid, 0)

    tell(1)
    collect([in_child(lambda: generation(3))])
"""

FORK_AT_THE_EDGE = """
    pids = []
    for used in range(1, 345):
        tell(1)
        if used % 170 in (0, 1, 168, 169):
            pids.append(in_child(lambda: tell(100)))
    collect(pids)
"""

FORK_FROM_A_THREAD = """
    import threading

    sys.setswitchinterval(1e-5)
    drawn, pids, done = [], [], threading.Event()

    def draw():
        while not done.is_set():
            drawn.append(new_id())

    def fork():
        try:
            for _ in range(60):
                pids.append(in_child(lambda: tell(20)))
        finally:
            done.set()

    threads = [threading.Thread(target=draw) for _ in range(4)]
    threads.append(threading.Thread(target=fork))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn and len(pids) == 60
    collect(pids)
    print("\\n".join(drawn[:20000]))
"""

RAW_CLONE = """
    import ctypes, platform, signal

    # No fork handler runs: the system call itself, with the interpreter's lock held.
    number = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
    if number is None:
        sys.exit(77)
    call = ctypes.PyDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long

    def clone():
        pid = call(ctypes.c_long(number), ctypes.c_long(signal.SIGCHLD), *[ctypes.c_long(0)] * 4)
        assert pid >= 0, ctypes.get_errno()
        return pid

    tell(85)
    pids = []
    for _ in range(50):
        pids.append(in_child(lambda: tell(10), clone))
        tell(1)
    collect(pids)
"""

FORK_WHILE_DRAWING = """
    draw = os.urandom
    random = sys.modules.get("random")
    pids = []

    def source(size):
        # As a signal handler does, between two reads of the source: both hold these octets.
        octets = draw(size)
        if not pids:
            pid = os.fork()
            pids.append(pid)
            if pid == 0:
                global is_child
                is_child = True
        return octets

    is_child = False
    os.urandom = source
    tell(100)
    if is_child:
        os._exit(0)
    os.urandom = draw
    collect(pids)
"""

SCRIPTS = {
    "from the main thread": (FORK_FROM_MAIN, 85 + 200 * 6 + 200),
    "from a child": (FORK_OF_FORK, 1 + 3 * (1 + 3 + 9 + 27) + 3 * (1 + 3 + 9)),
    "at the edge of the pool": (FORK_AT_THE_EDGE, 344 + 9 * 100),
    "from a thread while others draw": (FORK_FROM_A_THREAD, 60 * 20),
    "by a raw clone": (RAW_CLONE, 85 + 50 * 11),
}


def run(script: str) -> list[str]:
    """The lines that a script prints in an interpreter of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # From 3.12 on, a fork beside threads warns; here it is the point.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this machine's system calls have other numbers")
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.split()


def scripted(module: ModuleType, script: str, maker: str = "ids.new_id") -> list[str]:
    """The ids that a script tells, of all its processes."""
    head = HEAD.replace("{module}", module.__name__).replace("{maker}", maker)
    return run(head + textwrap.dedent(script))


def test_an_id_is_24_octets_in_base64url(ids: ModuleType) -> None:
    """R-29: 32 characters, the shape of express's own."""
    for _ in range(1000):
        made = ids.new_id()
        assert isinstance(made, str)
        assert SHAPE.fullmatch(made)
        assert 24 == len(base64.urlsafe_b64decode(made))


def test_ids_do_not_repeat(ids: ModuleType) -> None:
    """R-29: nor do they lean towards some character at any place."""
    made = [ids.new_id() for _ in range(64000)]
    assert 64000 == len(set(made))
    for place in range(32):
        counts: dict[str, int] = {}
        for one in made:
            counts[one[place]] = counts.get(one[place], 0) + 1
        assert 64 == len(counts)
        # 1000 expected, deviation 31: seven of them would be a fault, not chance
        assert 780 < min(counts.values())
        assert 1220 > max(counts.values())


def test_threads_share_no_id(ids: ModuleType) -> None:
    """R-30: eight of them that are switched as often as can be."""
    made: list[list[str]] = [[] for _ in range(8)]

    def draw(into: list[str]) -> None:
        for _ in range(3000):
            into.append(ids.new_id())

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=draw, args=(into,)) for into in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert 24000 == len({one for into in made for one in into})


@needs_fork
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_child_repeats_an_id(ids: ModuleType, script: str) -> None:
    """R-30: a child finds nothing of its parent's pool."""
    text, expected = SCRIPTS[script]
    told = scripted(ids, text)
    assert expected <= len(told)
    assert len(told) == len(set(told))
    assert all(SHAPE.fullmatch(one) for one in told)


@needs_fork
@pytest.mark.parametrize("script", SCRIPTS)
def test_process_ids_serve_where_the_kernel_wipes_nothing(
    twins: Callable[[str], tuple[ModuleType, ModuleType]], script: str
) -> None:
    """R-30: the second defence alone, as on systems without MADV_WIPEONFORK."""
    text, expected = SCRIPTS[script]
    told = scripted(twins("ids")[1], text, "ids.Pool(False).take")
    assert expected <= len(told)
    assert len(told) == len(set(told))


@needs_fork
def test_a_fork_during_a_draw_shares_nothing(
    twins: Callable[[str], tuple[ModuleType, ModuleType]],
) -> None:
    """R-30: a signal handler may fork while the kernel is being read."""
    told = scripted(twins("ids")[1], FORK_WHILE_DRAWING)
    assert 200 == len(told)
    assert 200 == len(set(told))


def test_spawned_processes_share_no_id(ids: ModuleType) -> None:
    """R-30: multiprocessing's other way to begin a process."""
    script = f"""
        import multiprocessing, os, sys
        import {ids.__name__} as ids

        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            made = [ids.new_id() for _ in range(85)]
            with context.Pool(2) as pool:
                for _ in range(4):
                    jobs = [pool.apply_async(ids.new_id) for _ in range(25)]
                    made += [job.get(30) for job in jobs]
            print("\\n".join(made))
    """
    told = run(textwrap.dedent(script))
    assert 185 == len(told)
    assert 185 == len(set(told))


def test_nothing_is_drawn_at_import(ids: ModuleType) -> None:
    """An import asks the system for nothing, and hangs nothing onto fork."""
    script = f"""
        import importlib.util, os, random, sys, types

        # The packages around it have imports of their own.
        for name in ("sessfast", "sessfast.hotpath"):
            places = importlib.util.find_spec(name).submodule_search_locations
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = list(places)

        def refuse(*args, **handlers):
            raise AssertionError("called at import")

        draw, os.urandom, os.register_at_fork = os.urandom, refuse, refuse
        random._urandom = refuse
        import {ids.__name__} as ids
        os.urandom = random._urandom = draw
        print(ids.new_id())
    """
    assert 1 == len(run(textwrap.dedent(script)))


@pytest.fixture
def broken_source(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system whose random source fails, wherever it is asked."""

    def fail(size: int) -> bytes:
        raise OSError(38, "no random source")

    monkeypatch.setattr(os, "urandom", fail)
    monkeypatch.setattr(random, "_urandom", fail)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("broken_source")
def test_a_failing_source_raises(ids: ModuleType) -> None:
    """R-29: never a weak id; what was drawn before may still be used up."""
    made: list[str] = []

    def use_up() -> None:
        for _ in range(POOL + 1):
            made.append(ids.new_id())

    with pytest.raises(OSError, match="no random source"):
        use_up()
    assert POOL >= len(made) == len(set(made))
    for _ in range(3):
        with pytest.raises(OSError, match="no random source"):
            ids.new_id()


@pytest.mark.parametrize("answer", [b"", b"x" * 4079, bytearray(4080), None])
def test_a_source_that_gives_too_little_raises(
    twins: Callable[[str], tuple[ModuleType, ModuleType]],
    monkeypatch: pytest.MonkeyPatch,
    answer: object,
) -> None:
    """R-29: a short answer does not become an id."""
    pool = twins("ids")[1].Pool()
    monkeypatch.setattr(os, "urandom", lambda size: answer)
    with pytest.raises(OSError, match="too few octets"):
        pool.take()
    monkeypatch.undo()
    assert SHAPE.fullmatch(pool.take())


def test_what_the_source_gives_is_used_once_and_in_order(
    twins: Callable[[str], tuple[ModuleType, ModuleType]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every octet of a draw is in one id; the next draw comes when it is used up."""
    pool = twins("ids")[1].Pool()
    drawn: list[bytes] = []

    def source(size: int) -> bytes:
        drawn.append(random.Random(len(drawn)).randbytes(size))
        return bytes(bytearray(drawn[-1]))

    monkeypatch.setattr(os, "urandom", source)
    octets = b"".join(base64.urlsafe_b64decode(pool.take()) for _ in range(3 * POOL))
    assert octets == b"".join(drawn)
    assert 3 == len(drawn)
