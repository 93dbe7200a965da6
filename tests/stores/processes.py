"""Two processes on one store: a fork, and a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


def in_fork(action: Callable[[], object]) -> str:
    """What `action` returned in a child made by fork(), as text; what it raised, too."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = str(action())
        except BaseException as error:  # noqa: BLE001 the parent hears of it
            told = f"raised {error!r}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        told = answer.read().decode()
    os.waitpid(child, 0)
    return told


def share_no_connection_in_a_fork(store: Any, rounds: int) -> None:
    """Parent and child go on with one store object, each with connections of its own."""
    store.create("a", b"parent", 60)

    def child() -> object:
        for i in range(rounds):
            store.create(f"child{i}", b"child", 60)
            if (store.get("a") or (b"",))[0] != b"parent":
                return "mixed up"
        store.close()
        return "fine"

    assert in_fork(child) == "fine"
    assert (store.get("a") or (b"",))[0] == b"parent"


COUNT_UP = """
import sys
from sessfast.records import Conflict
from sessfast.stores.{module} import {opener} as open_it
store, sid, times = open_it({url!r}, **{options!r}), {sid!r}, {times}
while times:
    blob, version, _ = store.get(sid)
    reply = store.update(sid, b"%d" % (int(blob) + 1), 60.0, version)
    times -= not isinstance(reply, Conflict)
store.close()
"""


def count_up_in_processes(
    module: str, opener: str, url: str, options: dict[str, object], sid: str, times: int
) -> None:
    """Two programs count the record under `sid` up together, `times` each."""
    code = COUNT_UP.format(
        module=module, opener=opener, url=url, options=options, sid=sid, times=times
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], env=environment)
        for _ in range(2)
    ]
    assert [0, 0] == [each.wait(60) for each in running]
