"""No hot path and no kind of request takes more instructions than its budget, and 5 %.

Counted by callgrind, so that a busy machine changes nothing. The rules of the comparison are
tested on counts that are made up.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sessfast
from bench import budgets
from bench.budgets import SLACK, WIDE_SLACK, judged, key, made_with, nearest, record

ROOT = Path(__file__).parent.parent
BARE = {"wsgi: the bare app, reads a key": 3000.0, "asgi: the bare app, reads a key": 8000.0}
COUNTS = {**BARE, "find": 1500.0, "wsgi: reads a key": 9000.0, "wsgi: the floor, reads": 4000.0}


@pytest.mark.slow
def test_no_hot_path_and_no_request_takes_more_instructions_than_its_budget() -> None:
    """Of the compiled backend: about half a minute."""
    if shutil.which("valgrind") is None:
        missing = "valgrind is not installed (on Debian: apt-get install valgrind)"
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    if sessfast.BACKEND != "compiled":
        pytest.skip("the budget is the compiled backend's")
    done = subprocess.run(
        [sys.executable, "-m", "bench.instructions", "--check", "--backend", "compiled"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A budget.json in which COUNTS are this interpreter's."""
    path = tmp_path / "budget.json"
    path.write_text(json.dumps({"slack": 0.3, "targets": [{"what": "µ"}], "instructions": {}}))
    record({"compiled": COUNTS}, path)
    return path


def more(counts: dict[str, float], by: float, *names: str) -> dict[str, float]:
    """The counts, with some of them larger by a part."""
    return {n: c * (1 + by) if n in names or not names else c for n, c in counts.items()}


@pytest.mark.parametrize(
    ("names", "by", "exceeded"),
    [
        (("find",), 0.04, []),
        (("find",), 0.06, ["find"]),
        (("wsgi: reads a key",), 0.06, ["wsgi: reads a key"]),
        (("find", "wsgi: reads a key"), 0.5, ["find", "wsgi: reads a key"]),
        (("find", "wsgi: reads a key"), -0.5, []),
        (("wsgi: the floor, reads",), 0.5, []),  # the floor and the bare app are not ours
    ],
)
def test_a_count_may_exceed_its_budget_by_five_per_cent(
    names: tuple[str, ...], by: float, exceeded: list[str], path: Path
) -> None:
    """And no more, where the interpreter is the one that was recorded."""
    found = judged("compiled", more(COUNTS, by, *names), path)
    assert exceeded == sorted(each.name for each in found.exceeded)
    assert 2 == found.looked_at
    assert f"{SLACK:.0%}" in found.about


def test_another_build_of_the_same_version_is_known_by_its_bare_app(path: Path) -> None:
    """All counts half as large again, the bare app's too: it is the interpreter that is slower."""
    found = judged("compiled", more(COUNTS, 0.5), path)
    assert [] == found.exceeded
    assert f"{WIDE_SLACK:.0%}" in found.about
    slow = more(more(COUNTS, 0.5), 0.4, "find")
    assert ["find"] == [each.name for each in judged("compiled", slow, path).exceeded]


@pytest.mark.parametrize("what", ["key", "with"])
def test_another_interpreter_or_library_gets_the_wide_slack(path: Path, what: str) -> None:
    """A new msgspec or Cython may take more: that is for a person to look at, not for CI."""
    budget = json.loads(path.read_text())
    own = budget["instructions"].pop(key())
    changed = {**own, "with": {**own["with"], "msgspec": "0.1"}} if what == "with" else own
    name = "cpython-3.9.0-gcc-1-x86_64" if what == "key" else key()
    path.write_text(json.dumps({**budget, "instructions": {name: changed}}))
    found = judged("compiled", more(COUNTS, 0.3, "find"), path)
    assert [] == found.exceeded
    assert key() in found.about
    much = judged("compiled", more(COUNTS, 0.4, "find"), path)
    assert ["find"] == [each.name for each in much.exceeded]


def test_a_check_without_any_budget_looks_at_nothing_and_says_so(path: Path) -> None:
    """It must not pass for that: bench.instructions --check fails then."""
    found = judged("pure", COUNTS, path)
    assert (0, []) == (found.looked_at, found.exceeded)


def test_recording_keeps_the_other_backend_unless_versions_changed(path: Path) -> None:
    """And leaves the targets as they are, one on a line."""
    record({"pure": {"find": 20000.4}}, path)
    ours = json.loads(path.read_text())["instructions"][key()]
    assert {"with", "compiled", "pure"} == set(ours)
    assert {"find": 20000} == ours["pure"]
    assert '    {"what": "µ"}\n' in path.read_text()
    text = path.read_text().replace(made_with()["msgspec"], "0.1")
    path.write_text(text)
    record({"pure": {"find": 3.0}}, path)
    assert {"with", "pure"} == set(json.loads(path.read_text())["instructions"][key()])


def test_the_nearest_interpreter_is_the_one_whose_name_agrees_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Same minor version before same compiler."""
    monkeypatch.setattr(budgets, "key", lambda: "cpython-3.12.4-gcc-13.2.0-x86_64")
    keys = ["cpython-3.11.7-gcc-13.2.0-x86_64", "cpython-3.12.1-clang-15-arm64", "pypy-3.12.4"]
    assert keys[1] == nearest(keys)


def test_budget_json_holds_every_case_of_a_request() -> None:
    """A column that isn't recorded is never checked."""
    from bench.requests import COLUMNS, FRONTS

    wanted = {f"{front}: {column}" for front in FRONTS for column in COLUMNS}
    recorded = json.loads(budgets.BUDGET.read_text())["instructions"]
    assert recorded
    for name, each in recorded.items():
        assert set() == wanted - set(each["compiled"]), name
