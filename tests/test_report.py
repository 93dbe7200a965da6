"""The report of the benchmarks: what it keeps, compares, judges, writes and draws.

On results that are made up: nothing is measured here.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import bench.__main__ as command
from bench import figures, markdown, plots, report, suites, targets, text
from bench.results import (
    COLUMNS,
    Results,
    Row,
    compared,
    from_figures,
    from_pytest,
    merged,
    only,
    parts,
    read,
    write,
)
from bench.suites import FailedError, Progress

US = 1e-6


def row(suite: str, contest: str, who: str, above: float, **extra: Any) -> Row:
    """A row that takes `above` µs above a bare app of 1 µs."""
    found = {"above": above * US, "above_spread": 0.02 * above * US, **extra}
    return Row(suite, contest, who, (above + 1) * US, 0.02 * US, found)


def run(
    rows: list[Row], measured: str = "2020-01-01T10:00:00+00:00", quick: bool = False
) -> Results:
    about = {"measured": measured, "seconds": 9.0, "quick": quick, "versions": {"sessfast": "1"},
             "machine": {"python": "CPython 3.11", "cpu": "a CPU", "cores": 2}}  # fmt: skip
    return Results({each.suite: about for each in rows}, rows)


def request_rows(ours: float = 1.0) -> list[Row]:
    """All six columns of both fronts. ours: how many times as much as usual we take."""
    rows = []
    for front in ("wsgi", "asgi"):
        for place, column in enumerate(COLUMNS, 1):
            name = f"{front}, small, {column}"
            rows += [
                Row("requests", name, "bare", 1 * US, 0.01 * US, {}),
                row("requests", name, "floor", place),
                row("requests", name, "compiled", 1.5 * place * ours),
                row("requests", name, "pure", 5 * place),
            ]
            if front == "asgi":
                rows.append(row("requests", name, "starlette", 30 * place))
    return rows


def peer_rows() -> list[Row]:
    rows = []
    for name in ("Beaker, memory", "express-session, memory"):
        for place, column in enumerate(COLUMNS, 1):
            extra = {"front": "wsgi", "version": "2", "leaves_out": "no | clock"}
            contest = f"{name}, small, {column}"
            rows += [row("peers", contest, "peer", 40 * place, **extra),
                     row("peers", contest, "sessfast", 2 * place, **extra)]  # fmt: skip
    return rows


def other_rows() -> list[Row]:
    rows = [
        row("curves", f"cookies: {x}", who, x * k, curve="cookies", x=x, unit="cookies")
        for x in (1, 10, 100)
        for who, k in (("floor", 1), ("compiled", 2))
        if (x, who) != (100, "floor")
    ]
    rows += [
        Row("table", f"{verb}, {n} entries", who, k * US, 0.0, {"times_slower": {"compiled": k}})
        for verb in ("get", "touch")
        for n in (1000, 1_000_000)
        for who, k in (("compiled", 1), ("dict of tuples", 2))
    ]
    rows += from_figures([
        {"suite": "servers", "contest": f"uvicorn, asgi, {column}", "who": who, "rps": 9000.0,
         "ratio_to_bare": share, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_us": 90.0}
        for column in ("read", "write")
        for who, share in (("bare", 1.0), ("sessfast", 0.95))
    ])  # fmt: skip
    rows.append(Row("store", "store", "compiled", US, 0.0, {"bytes_per_session": 64.0}))
    rows.append(Row("hotpath", "find: one", "compiled", US, 0.0, {"times_slower": {"pure": 9}}))
    rows.append(Row("hotpath", "find: one", "pure", 9 * US, 0.0, {"times_slower": {}}))
    rows.append(Row("import", "import", "compiled", 0.03, 0.0, {"above": 0.02}))
    rows.append(Row("new", "something", "compiled", 0.03, 0.0, {}))
    return rows


EVERYTHING = [*request_rows(), *peer_rows(), *other_rows()]
NOTHING = Results({}, [])


# -- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contest", "expected"),
    [
        ("asgi, 1 KB, no cookie, untouched", ("asgi", "1 KB", "no cookie, untouched")),
        ("Beaker, memory, small, reads a key", ("Beaker, memory", "small", "reads a key")),
        ("gunicorn sync, wsgi, read", ("gunicorn sync", "wsgi", "read")),
    ],
)
def test_a_contest_has_three_parts(contest: str, expected: tuple[str, str, str]) -> None:
    """Although names and columns have commas."""
    assert expected == parts(contest)


def test_results_are_the_same_after_a_trip_through_a_file(tmp_path: Path) -> None:
    """And a file that isn't there holds none."""
    write(tmp_path / "deep" / "latest.json", run(EVERYTHING))
    found = read(tmp_path / "deep" / "latest.json")
    assert run(EVERYTHING).rows == found.rows
    assert run(EVERYTHING).suites == found.suites
    assert {} == read(tmp_path / "none.json").rows


def test_a_run_of_one_suite_replaces_that_suite_alone() -> None:
    """As a whole: a row that isn't measured any more is gone."""
    old = run([row("requests", "a", "compiled", 1), row("requests", "b", "compiled", 1),
               row("peers", "c", "peer", 1)])  # fmt: skip
    new = run([row("requests", "a", "compiled", 2)], "2020-01-02T10:00:00+00:00")
    both = merged(old, new)
    assert {("requests", "a", "compiled"): 2 * US, ("peers", "c", "peer"): 1 * US} == {
        key: each.figure for key, each in both.rows.items()
    }
    assert "2020-01-02" == both.suites["requests"]["measured"][:10]
    assert "2020-01-01" == both.suites["peers"]["measured"][:10]
    assert ["peers"] == list(only(both, ["peers", "unknown"]).suites)


def test_rows_of_pytest_benchmark_are_ours_where_they_name_a_suite() -> None:
    """Others may be in the same file."""
    stats = {"median": 2 * US, "iqr": 0.5 * US}
    extra = {"suite": "s", "contest": "c", "who": "w", "above": US}
    document = {"benchmarks": [{"stats": stats, "extra_info": extra},
                               {"stats": stats, "extra_info": {}}]}  # fmt: skip
    assert [Row("s", "c", "w", 2 * US, 0.5 * US, {"above": US})] == from_pytest(document)


@pytest.mark.parametrize(
    ("ours", "machine", "expected"),
    [
        (1.0, 1.0, 0),
        (1.0, 1.3, 0),  # everything is slower, peers and bare app too: it is the machine
        (1.02, 1.0, 0),  # within the noise
        (1.5, 1.0, 12),
        (0.5, 1.3, 12),
    ],
)
def test_a_change_is_what_exceeds_noise_and_the_machines_own(
    ours: float, machine: float, expected: int
) -> None:
    """Both fronts, six columns, compiled; nothing else of ours changed."""
    now = [
        each._replace(
            median=(each.median or 0) * machine,
            extra={n: v * machine for n, v in each.extra.items()},
        )
        for each in request_rows(ours)
    ]
    later = run(now, "2020-01-02T10:00:00+00:00")
    found = compared(later, run(request_rows()), "requests")
    assert found is not None
    assert machine - 1 == pytest.approx(found.drift)
    real = {key: each for key, each in found.changes.items() if each.is_real}
    assert expected == len(real)
    assert {"compiled"} >= {who for _, _, who in real}
    assert all(ours - 1 == pytest.approx(each.by) for each in real.values())
    assert expected == len(report.changes(later, run(request_rows())).body)


def test_a_suite_is_not_compared_with_itself() -> None:
    """After a run of another suite both files hold the same."""
    same = run(request_rows())
    assert None is compared(same, same, "requests")
    assert "no earlier run" in report.changes(same, same).note


# -- targets -------------------------------------------------------------------------------------

RATIO = {"what": "{front}: {column}", "suite": "requests", "contest": "{front}, small, {column}",
         "ratio": ["compiled", "floor"], "each": {"front": ["wsgi", "asgi"]}}  # fmt: skip
BYTES = {"what": "bytes", "suite": "store", "contest": "store", "who": "compiled",
         "figure": "bytes_per_session", "unit": "bytes"}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "slack", "expected"),
    [
        ({**RATIO, "at_most": {"reads a key": 2}}, 0.0, [("ok", "1.5x", "<= 2x")] * 2),
        ({**RATIO, "at_most": {"reads a key": 1}}, 0.0, [("MISSED", "1.5x", "<= 1x")] * 2),
        ({**RATIO, "at_most": {"reads a key": 1.4}}, 0.1, [("ok", "1.5x", "<= 1.54x")] * 2),
        ({**RATIO, "at_least": {"reads a key": 1.6}}, 0.1, [("ok", "1.5x", ">= 1.44x")] * 2),
        ({**RATIO, "at_most": {"no such": 2}}, 0.0, [("not measured", "-", "<= 2x")] * 2),
        ({**BYTES, "at_most": 60}, 0.0, [("MISSED", "64 bytes", "<= 60 bytes")]),
        ({**BYTES, "figure": "nothing", "at_most": 60}, 0.0,
         [("not measured", "-", "<= 60 bytes")]),
        ({**BYTES, "suite": "requests", "contest": "asgi, small, *", "figure": "time",
          "unit": "s", "at_most": 1e-5}, 0.0, [("ok", "9.00 µs", "<= 10.00 µs")]),
    ],
)  # fmt: skip
def test_a_target_is_met_missed_or_not_measured(
    target: dict[str, Any], slack: float, expected: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    """With its figure and its limit; of several rows the worst counts."""
    path = tmp_path / "budget.json"
    path.write_text(json.dumps({"targets": [target]}))
    found = targets.verdicts(run(EVERYTHING), slack, path)
    assert expected == [(each.word, each.figure, each.limit) for each in found]


def test_every_target_of_budget_json_can_be_read() -> None:
    """Each has another name, and none is met by having measured nothing."""
    found = targets.verdicts(NOTHING)
    assert len(found) == len({each.what for each in found}) > 50
    assert {None} == {each.is_met for each in found}
    assert 0 < targets.slack() < 1


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (NOTHING, 1),
        (run(request_rows(), quick=True), 0),
        (run(request_rows(ours=9), quick=True), 1),
        (run([each for each in request_rows() if each.who != "pure"]), 1),  # full, but not all
    ],
)
def test_a_check_fails_where_something_is_missed_or_was_not_looked_at(
    results: Results, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quick run may leave things out."""
    assert expected == command.check(results)
    assert "slack" in capsys.readouterr().out


def test_where_we_lose_is_every_contest_that_a_rival_wins() -> None:
    """The floor and the bare app are no rivals, and our two backends are none to each other."""
    assert [] == report.losses(run(EVERYTHING)).body
    slow = [*request_rows(ours=40), *peer_rows(), *other_rows()]
    found = [(each[0], each[1], each[2]) for each in report.losses(run(slow)).body]
    assert [(f"requests: asgi, small, {c}", "compiled", "Starlette's") for c in COLUMNS] == found
    peers = [each._replace(extra={**each.extra, "above": each.figure * 30})
             if each.who == "sessfast" else each for each in peer_rows()]  # fmt: skip
    assert 12 == len(report.losses(run(peers)).body)


# -- pages ---------------------------------------------------------------------------------------


def test_the_report_names_every_suite_and_every_row_of_a_table_is_whole() -> None:
    """As text and as Markdown."""
    results = run(EVERYTHING)
    for made in report.tables(results, NOTHING):
        assert {len(made.head)} == set(map(len, made.body)), made.title
    plain = text.text(results, NOTHING)
    page = markdown.markdown(results, NOTHING, plots.plots(results))
    for words in ("Beaker, memory 2", "something", "uvicorn, asgi, read", "10⁶ entries", "a CPU",
                  "64", "sessfast 1", "MISSED"):  # fmt: skip
        assert words in plain
        assert words in page
    assert "no \\| clock" in page
    assert "nothing has been measured" in text.text(NOTHING, NOTHING)


def test_publishing_replaces_what_is_between_the_marks_and_nothing_else(tmp_path: Path) -> None:
    """Twice is the same as once; what was not measured is named; old plots go."""
    page = tmp_path / "docs" / "performance.md"
    (tmp_path / "docs" / "plots").mkdir(parents=True)
    (tmp_path / "docs" / "plots" / "old.svg").touch()
    (tmp_path / "floor.svg").write_text("<svg/>")
    page.write_text("before\n<!-- bench:requests-asgi-small -->\nold\n<!-- /bench -->\nbetween\n"
                    "<!-- bench:nonsense -->\n<!-- /bench -->\n<!-- bench:plot-floor -->\n"
                    "<!-- /bench -->\nafter\n")  # fmt: skip
    results = run(request_rows())
    drawn = [plot for plot in plots.plots(results) if plot.name == "floor"]
    for _ in range(2):
        assert ["nonsense"] == markdown.publish(page, results, drawn, tmp_path)
        found = page.read_text()
        assert found.startswith("before\n<!-- bench:requests-asgi-small -->\n|")
        assert found.endswith("(plots/floor.svg)\n<!-- /bench -->\nafter\n")
        assert 1 == found.count("sessfast, compiled")
        assert "old" not in found
        assert markdown.NOTHING in found
    assert ["floor.svg"] == [path.name for path in (tmp_path / "docs" / "plots").iterdir()]


def test_the_page_shows_every_plot_that_was_published() -> None:
    """And no other: docs/plots/ and docs/performance.md are written together."""
    page = command.PAGE.read_text()
    for path in (command.PAGE.parent / "plots").glob("*.svg"):
        assert f"(plots/{path.name})" in page


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.span(88e-9), "88 ns"),
        (figures.span(1.614e-6), "1.61 µs"),
        (figures.span(31.2), "31.20 s"),
        (figures.span(None), "-"),
        (figures.micro(9.999e-6), "10.0"),
        (figures.micro(99.99e-6), "100"),
        (figures.micro(0.0012), "1,200"),
        (figures.times(0.5), "0.50x"),
        (figures.times(21.4), "21x"),
        (figures.percent(-0.041), "-4 %"),
        (figures.clock(0.2), "1 s"),
        (figures.clock(600), "10 min"),
        (figures.count(1000), "1,000"),
        (figures.count(10**7), "10⁷"),
    ],
)
def test_a_figure_has_a_unit_and_as_many_digits_as_one_can_believe(
    shown: str, expected: str
) -> None:
    assert expected == shown


# -- plots ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_plots_are_the_same_file_each_time_and_hold_their_words_as_text(tmp_path: Path) -> None:
    """Readable on light and dark grounds; slow for matplotlib's sake."""
    if importlib.util.find_spec("matplotlib") is None:
        missing = "matplotlib is not installed: pip install -e '.[bench]'"
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    made = plots.plots(run(EVERYTHING))
    assert ["floor", "peers", "curve-cookies", "table", "servers"] == [plot.name for plot in made]
    for plot in made:
        first = plots.save(plot, tmp_path / "first").read_text()
        assert first == plots.save(plot, tmp_path / "second").read_text()
        words = "".join(ElementTree.fromstring(first).itertext())
        assert plot.title in words
        assert "sessfast" in words
        assert "prefers-color-scheme: dark" in first


def test_labels_move_apart_as_little_as_they_must() -> None:
    """In the order they had."""
    assert [0.0, 1.0, 5.0] == plots.spread_out([0.0, 1.0, 5.0], 1.0)
    assert [-0.5, 0.5] == plots.spread_out([0.0, 0.0], 1.0)
    assert [2.0, 0.0, 1.0] == plots.spread_out([1.2, 0.8, 1.0], 1.0)


# -- running -------------------------------------------------------------------------------------


def test_every_file_of_benchmarks_is_a_suite() -> None:
    """Or it would never be run."""
    names = suites.suites()
    for path in suites.HERE.glob("test_*.py"):
        stem = path.stem.removeprefix("test_")
        assert stem in names or stem in suites.FILES.values()
    assert names.index("hotpath") < names.index("requests") < names.index("store")
    assert set(names) == set(suites.expected(names, False, NOTHING))


def test_suites_are_kept_as_soon_as_they_are_complete_and_a_failed_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a suite replaces is what it is compared with; the failed one keeps its old rows."""
    write(tmp_path / "latest.json", run([row("a", "x", "compiled", 1), row("b", "x", "pure", 1)]))

    def measure(name: str, quick: bool, progress: Progress) -> Results:
        if name == "b":
            raise FailedError("it broke")
        return run([row(name, "x", "compiled", 2)], "2020-01-02T10:00:00+00:00", quick)

    monkeypatch.setattr(suites, "measure", measure)
    assert 1 == command.run(["a", "b"], True, tmp_path)
    told = capsys.readouterr().err
    assert "[1/2] a: 1 rows" in told
    assert "[2/2] b: FAILED" in told
    assert "it broke" in told
    latest, previous = (read(tmp_path / f"{name}.json") for name in ("latest", "previous"))
    assert [2 * US, 1 * US] == [latest.of(name)[0].figure for name in ("a", "b")]
    assert ["a"] == list(previous.suites)
    assert 1 * US == previous.of("a")[0].figure


def test_a_suite_of_pytest_that_fails_shows_what_it_wrote(tmp_path: Path) -> None:
    """The real thing: a process, its pipe, its output."""
    path = tmp_path / "test_broken.py"
    path.write_text("def test_it(benchmark):\n    benchmark(int)\n    assert 'this' == 'that'\n")
    progress = Progress({"broken": 1.0}, io.StringIO())
    progress.begin("broken")
    with pytest.raises(FailedError, match="this"):
        suites.run_pytest(path, False, progress, str(tmp_path))


def test_progress_says_what_is_measured_and_how_long_it_still_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From what it took the last time, then from how far it is."""
    now = [100.0]
    monkeypatch.setattr("bench.suites.time.monotonic", lambda: now[0])
    out = io.StringIO()
    progress = Progress({"one": 60.0, "two": 600.0}, out)
    progress.begin("one")
    now[0] += 20
    progress.say("a row", 0.5)
    now[0] += 1
    progress.say("too soon for a line", 0.6)
    progress.end("9 rows")
    first, second, third = out.getvalue().splitlines()
    assert "[1/2] one   0%, about 11 min still:" == first.rstrip()
    assert "[1/2] one  50%, about 10 min still: a row" == second
    assert "[1/2] one: 9 rows, 21 s" == third
