"""`python -m sessfast`: what it prints, how it exits, and that a mistake is one line."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import sessfast
import sessfast.__main__
from sessfast import open_store
from sessfast.__main__ import EXTRAS, main
from sessfast.explain import COOKIE_REASONS, REASONS, Row, explain, express_preset, secure_preset
from sessfast.options import EXPRESS, CookieOptions, SessionOptions
from sessfast.stores.opening import OPENERS
from sessfast.testing import FakeClock

ROOT = Path(sessfast.__file__).parents[1]
SECRET = "Zx81-qL0 the secret of these tests, long enough"
PASSWORD = "hunter2hunter2"
TINY = "tiny-4711"

MODULE = f"""
from sessfast import SessionOptions
import sessfast.asgi, sessfast.wsgi

def app(environ, start_response): ...

options = SessionOptions(secret={SECRET!r}, name="__Host-id", cookie={{"secure": True}})
plain = SessionOptions(secret={SECRET!r})
lax = SessionOptions(secret=["{TINY}", {SECRET!r}], strict_secret=False, hash_ids=False,
                     store="redis://user:{PASSWORD}@host/0")
wsgi = sessfast.wsgi.SessionMiddleware(app, secret={SECRET!r}, rolling=True)
asgi = sessfast.asgi.SessionMiddleware(app, secret={SECRET!r}, derive_keys=False)
class holder: inner = wsgi
"""
BROKEN = {
    "faulty": "from sessfast import SessionOptions\nSessionOptions(secret='short', idle=-1)",
    "crashing": "raise ValueError('two\\nlines')",
    "lacking": "import no_such_module_at_all",
    "misspelt": "def broken(:",
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that can be named on the command line."""
    (tmp_path / "their_app.py").write_text(MODULE, "utf-8")
    for name, text in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("their_app", *BROKEN):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sessfast", *arguments], cwd=cwd, capture_output=True, text=True,
        timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
    )  # fmt: skip


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of a command that the user got wrong."""
    try:
        code: Any = main(arguments)
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    assert (2, "") == (code, captured.out)
    assert captured.err.endswith("\n")
    assert 1 == captured.err.count("\n"), captured.err
    return captured.err


# -- info and genkey ---------------------------------------------------------------------------


def test_info_tells_what_is_at_work(capsys: pytest.CaptureFixture[str]) -> None:
    """As lines and as JSON, the same facts."""
    assert 0 == main(["info", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert sessfast.__version__ == facts["version"]
    assert sessfast.BACKEND == facts["backend"]
    assert facts["cpu_path"] in ("sha-ni", "armv8", "scalar", "hashlib")
    assert facts["extras"]["asgi"] is (importlib.util.find_spec("uvicorn") is not None)
    assert {scheme for store in facts["stores"].values() for scheme in store["schemes"]} == {
        *OPENERS
    }
    assert facts["packages"]["msgspec"]
    assert 0 == main(["info"])
    lines = capsys.readouterr().out
    for name in ("version", "backend", "backend_reason", "cpu_path", "python"):
        assert facts[name] in lines


def test_info_lists_every_store_with_what_it_lacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed, or the command that installs it; an extra is whole or not there."""
    there = {"redis": "6", "hiredis": "3", "psycopg": "3"}  # without psycopg-pool
    monkeypatch.setattr(sessfast.__main__, "version_of", there.get)
    assert 0 == main(["info"])
    lines = capsys.readouterr().out.partition("stores\n")[2].splitlines()
    assert [
        ["memory://", "installed"],
        ["sqlite://", "installed"],
        ["lmdb://", 'pip install "sessfast[lmdb]"'],
        ["file://", "installed"],
        ["redis://", "installed"],
        ["memcached://", "installed"],
        ["postgresql://", 'pip install "sessfast[postgres]"'],
    ] == [line.split(maxsplit=1) for line in lines]


def test_every_extra_of_a_store_is_known_with_its_packages() -> None:
    """As pyproject.toml has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = project["optional-dependencies"]
    extras = {opener.extra for opener in OPENERS.values() if opener.extra}
    assert extras | {"asgi"} == set(EXTRAS)
    for extra, packages in EXTRAS.items():
        names = {re.split(r"[\[>=]", requirement)[0] for requirement in declared[extra]}
        assert names == set(packages)


def test_info_says_why_the_backend_is_pure(tmp_path: Path) -> None:
    """Where it was asked for, that is the reason."""
    done = run("info", cwd=tmp_path, SESSFAST_PURE="1")
    assert (0, "") == (done.returncode, done.stderr)
    assert "pure (SESSFAST_PURE=1 is set)" in done.stdout
    assert "hashlib" in done.stdout


def test_genkey_prints_one_secret_and_nothing_else(tmp_path: Path) -> None:
    """A new one each time, which the options take."""
    made = [run("genkey", cwd=tmp_path) for _ in range(2)]
    assert [(0, ""), (0, "")] == [(done.returncode, done.stderr) for done in made]
    first, second = (done.stdout for done in made)
    assert re.fullmatch(r"[\w-]{43}\n", first)
    assert first != second
    assert SessionOptions(secret=first.strip())


@pytest.mark.parametrize(("count", "length"), [(24, 32), (32, 43), (64, 86), (1024, 1366)])
def test_genkey_takes_a_number_of_octets(
    capsys: pytest.CaptureFixture[str], count: int, length: int
) -> None:
    """The fewest still make a secret that the options take."""
    assert 0 == main(["genkey", "--bytes", str(count)])
    secret = capsys.readouterr().out.strip()
    assert length == len(secret)
    assert SessionOptions(secret=secret)


# -- explain: the reasons ------------------------------------------------------------------------


def test_every_option_has_a_reason_of_one_line() -> None:
    """No option may be added without one."""
    assert [field.name for field in fields(SessionOptions)] == list(REASONS)
    assert [field.name for field in fields(CookieOptions)] == list(COOKIE_REASONS)
    texts = [reason.text for reason in (*REASONS.values(), *COOKIE_REASONS.values())]
    assert [] == [text for text in texts if not re.fullmatch(r"\S.{10,86}\.", text)]
    assert len(texts) == len(set(texts))


def test_the_secure_preset_differs_in_nothing() -> None:
    """Every option and every cookie attribute has its row."""
    rows = explain(secure_preset())
    assert {"same"} == {row.mark for row in rows}
    assert len(REASONS) - 1 + len(COOKIE_REASONS) == len(rows)


def test_the_express_preset_differs_in_its_own_keywords() -> None:
    """In all that options.EXPRESS names, and nothing else."""
    expected = {name for name in EXPRESS if name != "cookie"}
    expected |= {"cookie.secure", "cookie.same_site"}
    assert expected == {row.name for row in explain(express_preset()) if row.mark != "same"}


def row(option: str, given: dict[str, Any]) -> Row:
    """The row of one option of a configuration."""
    options = SessionOptions(**{"secret": SECRET, **given})
    [found] = [row for row in explain(options) if row.name == option]
    return found


MARKS: list[tuple[str, dict[str, Any], str]] = [
    ("secret", {"secret": [SECRET, SECRET + "2"]}, "same"),
    ("store", {"store": object()}, "different"),
    ("name", {"name": "sid"}, "different"),
    ("name", {"name": "__Host-sid", "cookie": {"secure": True}}, "stronger"),
    ("cookie", {"cookie": lambda facts: {}}, "different"),
    ("genid", {"genid": str}, "different"),
    ("proxy", {"proxy": True}, "weaker"),
    ("proxy", {"proxy": False}, "same"),
    ("proxy", {"proxy": 1}, "different"),
    ("resave", {"resave": True}, "different"),
    ("save_uninitialized", {"save_uninitialized": True}, "weaker"),
    ("on_conflict", {"on_conflict": "last"}, "weaker"),
    ("on_conflict", {"on_conflict": "reject"}, "different"),
    ("on_outage", {"on_outage": "stale"}, "weaker"),
    ("on_outage", {"on_outage": "anonymous"}, "different"),
    ("stale_for", {"stale_for": 600}, "same"),
    ("stale_for", {"stale_for": 600, "on_outage": "stale"}, "weaker"),
    ("stale_for", {"stale_for": timedelta(minutes=1), "on_outage": "stale"}, "stronger"),
    ("stale_for", {"stale_for": 300.0}, "same"),
    ("idle", {"idle": 1800}, "same"),
    ("idle", {"idle": timedelta(hours=1)}, "weaker"),
    ("idle", {"idle": 60}, "stronger"),
    ("absolute", {"absolute": 43200}, "same"),
    ("absolute", {"absolute": math.inf}, "weaker"),
    ("absolute", {"absolute": 86400}, "weaker"),
    ("absolute", {"absolute": 86400, "cookie": {"max_age": 60}}, "stronger"),
    ("hash_ids", {"hash_ids": False}, "weaker"),
    ("derive_keys", {"derive_keys": False}, "weaker"),
    ("strict_path", {"strict_path": False}, "weaker"),
    ("cache_headers", {"cache_headers": "off"}, "weaker"),
    ("cache_headers", {"cache_headers": "private"}, "different"),
    ("duplicates", {"duplicates": "first"}, "weaker"),
    ("duplicates", {"duplicates": "reject"}, "stronger"),
    ("read_insecure", {"read_insecure": True}, "weaker"),
    ("read_insecure", {"read_insecure": True, "cookie": {"secure": False}}, "different"),
    ("max_cookie_pairs", {"max_cookie_pairs": 1000}, "weaker"),
    ("max_session_bytes", {"max_session_bytes": 4096}, "stronger"),
    ("cookie.domain", {"cookie": {"domain": "example.com"}}, "weaker"),
    ("cookie.path", {"cookie": {"path": "/app"}}, "different"),
    ("cookie.max_age", {"cookie": {"max_age": 86400}}, "weaker"),
    ("cookie.max_age", {"cookie": {"max_age": 86400}, "idle": 600}, "different"),
    ("cookie.max_age", {"cookie": {"max_age": False}}, "same"),
    ("cookie.http_only", {"cookie": {"http_only": False}}, "weaker"),
    ("cookie.secure", {"cookie": {"secure": True}}, "stronger"),
    ("cookie.secure", {"cookie": {"secure": None}}, "weaker"),
    ("cookie.same_site", {"cookie": {"same_site": "Lax"}}, "same"),
    ("cookie.same_site", {"cookie": {"same_site": True}}, "stronger"),
    ("cookie.same_site", {"cookie": {"same_site": None}}, "weaker"),
    ("cookie.same_site", {"cookie": {"same_site": "none"}}, "weaker"),
    ("cookie.partitioned", {"cookie": {"partitioned": True}}, "different"),
]


@pytest.mark.parametrize(("name", "given", "mark"), MARKS)
def test_a_difference_is_judged(name: str, given: dict[str, Any], mark: str) -> None:
    """Weaker, stronger or a matter of taste."""
    assert mark == row(name, given).mark


def test_a_weak_secret_is_a_row_of_its_own() -> None:
    """Where `strict_secret` is off, it gets past the options."""
    with pytest.warns(UserWarning, match="well known"):
        found = row("secret", {"secret": "keyboard cat", "strict_secret": False})
    assert ("weaker", "(hidden)") == (found.mark, found.value)


# -- explain: the command ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "code", "expected"),
    [
        ("their_app:plain", 0, "no option differs"),
        ("their_app:options", 0, "2 options differ, none weakens security"),
        ("their_app:wsgi", 0, "1 option differs, none weakens security"),
        ("their_app:holder.inner", 0, "1 option differs"),
        ("their_app:asgi", 1, "1 option differs, 1 weakens security"),
        ("their_app:lax", 1, "4 options differ, 3 weaken security"),
    ],
)
@pytest.mark.usefixtures("modules")
def test_explain_exits_with_1_where_something_is_weaker(
    capsys: pytest.CaptureFixture[str], target: str, code: int, expected: str
) -> None:
    """For options and for the middleware of both fronts."""
    assert code == main(["explain", target])
    assert expected in capsys.readouterr().out


def test_explain_shows_the_express_preset_where_nothing_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Value, secure value and reason; the weaker ones first."""
    assert 1 == main(["explain"])
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if " hash_ids " in line)
    assert re.fullmatch(r"weaker +hash_ids +False  \(secure: True\)", lines[at])
    assert REASONS["hash_ids"].text == lines[at + 1].strip()
    marks = [line.split()[0] for line in lines[3::2]]
    assert marks == sorted(marks, key=lambda mark: mark != "weaker")


def test_explain_all_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """With its reason, also those that don't differ."""
    assert 1 == main(["explain", "--all"])
    out = capsys.readouterr().out
    for name, reason in REASONS.items():
        assert name == "cookie" or (f" {name} " in out and reason.text in out)
    for name in COOKIE_REASONS:
        assert f" cookie.{name} " in out


@pytest.mark.usefixtures("modules")
def test_explain_never_prints_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor a password in a store's URL."""
    main(["explain", "their_app:lax", "--all"])
    out = capsys.readouterr().out
    assert "(2 secrets, hidden)" in out
    assert "redis:…" in out
    assert [] == [hidden for hidden in (SECRET, TINY, PASSWORD) if hidden in out]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("their_app", "is not module:attribute"),
        (":app", "is not module:attribute"),
        ("their_app:", "is not module:attribute"),
        ("their_app:nothing", "has no nothing"),
        ("their_app:holder.nothing", "has no holder.nothing"),
        ("their_app:app", "type function: name a SessionOptions or a SessionMiddleware"),
        ("no_such_module:app", "no module no_such_module"),
        (".relative:app", "can't be imported: TypeError"),
        ("faulty:app", "secret is well known, repetitive or shorter"),
        ("faulty:app", "idle must be positive"),
        ("crashing:app", "can't be imported: ValueError: two lines"),
        ("lacking:app", "no module no_such_module_at_all"),
        ("misspelt:app", "can't be imported: SyntaxError"),
    ],
)
@pytest.mark.usefixtures("modules")
def test_explain_says_in_one_line_what_can_not_be_explained(
    capsys: pytest.CaptureFixture[str], target: str, expected: str
) -> None:
    """Whatever the user's module does when it is imported."""
    assert expected in fails(capsys, "explain", target)


def test_explain_finds_modules_where_the_user_stands(modules: Path) -> None:
    """As `python -m` does; a weak secret's warning is left to the row."""
    done = run("explain", "their_app:lax", cwd=modules)
    assert (1, "") == (done.returncode, done.stderr)
    assert "4 options differ, 3 weaken security" in done.stdout


# -- schema and sweep ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["postgresql"], 'CREATE TABLE IF NOT EXISTS "sessfast_sessions" ('),
        (["postgresql", "--table", "app.s"], 'CREATE TABLE IF NOT EXISTS "app"."s" ('),
        (["postgresql", "--layout", "connect-pg-simple"], 'CREATE TABLE IF NOT EXISTS "session" ('),
        (["sqlite"], "PRAGMA journal_mode=WAL;"),
    ],
)
def test_schema_prints_sql(
    capsys: pytest.CaptureFixture[str], arguments: list[str], first: str
) -> None:
    """And nothing else."""
    assert 0 == main(["schema", *arguments])
    out = capsys.readouterr().out
    assert first == out.splitlines()[0]
    assert out.rstrip().endswith(";")


@pytest.mark.parametrize("layout", [None, "connect-sqlite3"])
def test_the_schema_for_sqlite_is_the_one_that_the_store_makes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, layout: str | None
) -> None:
    """A file made by the command has what a file made by the store has."""
    main(["schema", "sqlite", "--table", "t", *(["--layout", layout] if layout else [])])
    with closing(sqlite3.connect(tmp_path / "ours")) as connection:
        connection.executescript(capsys.readouterr().out)
        made = connection.execute("SELECT sql FROM sqlite_master").fetchall()
        mode = connection.execute("PRAGMA journal_mode").fetchall()
    store = open_store(f"sqlite:///{tmp_path}/theirs", layout, table="t")
    store.create_schema()
    store.close()
    with closing(sqlite3.connect(tmp_path / "theirs")) as connection:
        assert made == connection.execute("SELECT sql FROM sqlite_master").fetchall()
        assert mode == connection.execute("PRAGMA journal_mode").fetchall()


@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("url", ["sqlite:///{}/s.db", "file:///{}/f"])
def test_sweep_removes_all_that_has_expired_and_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, url: str, batch: int
) -> None:
    """Wherever the expired ones are among the others, and however small the batches."""
    url = url.format(tmp_path)
    clock = FakeClock(time.time() - 1000)
    store = open_store(url, clock=clock)
    for number in range(60):
        store.create(f"sid-{number}", b"{}", 5000.0 if number % 30 < 20 else 500.0)
    assert 0 == main(["sweep", url, "--batch", str(batch)])
    assert f"removed {20} expired sessions." in capsys.readouterr().out
    assert {f"sid-{number}" for number in range(60) if number % 30 < 20} == {
        sid for sid, _ in store.all()
    }
    store.close()
    assert 0 == main(["sweep", url])
    assert "removed 0 expired sessions." in capsys.readouterr().out


class Interrupted:
    """A store during whose third sweep Ctrl-C is pressed."""

    def __init__(self) -> None:
        self.sweeps = 0
        self.closed = False

    def length(self) -> int:
        return 10**9

    def sweep(self, limit: int) -> int:
        self.sweeps += 1
        if self.sweeps == 3:
            raise KeyboardInterrupt
        return limit

    def close(self) -> None:
        self.closed = True


def test_ctrl_c_ends_a_sweep_between_two_batches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells what was done; the store is closed; the exit code says that it is not all."""
    store = Interrupted()
    monkeypatch.setattr(sessfast.__main__, "open_store", lambda url: store)
    assert 130 == main(["sweep", f"postgresql://bob:{PASSWORD}@host/db", "--batch", "10"])
    told = "postgresql://host/db: removed 20 expired sessions. Stopped: the rest is left.\n"
    assert told == capsys.readouterr().out
    assert store.closed


# -- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["frob"], "invalid choice: 'frob'"),
        (["genkey", "--bytes", "8"], "--bytes must be from 24 to 1024"),
        (["genkey", "--bytes", "many"], "invalid int value"),
        (["demo", "--port", "70000"], "--port must be from 0 to 65535"),
        (["demo", "--port", "-1"], "--port must be from 0 to 65535"),
        (["info", "--yaml"], "unrecognized arguments: --yaml"),
        (["schema", "redis"], "invalid choice: 'redis'"),
        (["schema", "sqlite", "--layout", "x"], "has no layout 'x': use connect-sqlite3, or none"),
        (["schema", "postgresql", "--layout", "x"], "use native or connect-pg-simple, or none"),
        (["schema", "sqlite", "--table", "a b"], "table must be a name"),
        (["schema", "postgresql", "--table", "a b"], "table must be a name"),
        (["sweep", "memory://"], "there is nothing to sweep"),
        (["sweep", "memcached://h"], "memcached://h drops what has expired by itself"),
        (["sweep", "sqlite:////nowhere/s.db"], "there is no folder /nowhere"),
        (["sweep", "nothing"], "a str must be a URL"),
        (["sweep", "memory://", "--batch", "0"], "--batch must be from 1 to 100000"),
        (["demo", "--port", "0", "--store", "oracle://x"], "no store is known as 'oracle'"),
        (
            ["demo", "--port", "0", "--store", f"memcached://u:{PASSWORD}@127.0.0.1:1"],
            "memcached://127.0.0.1:1: ",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    """On stderr; stdout stays empty, and no password is in it."""
    line = fails(capsys, *arguments)
    assert expected in line
    assert PASSWORD not in line


def test_a_taken_port_is_told_with_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    """Another port, or any free one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = fails(capsys, "demo", "--port", str(port))
    assert f"port {port} is taken: use --port" in line
    assert "--port 0" in line


def test_a_missing_server_is_told_with_the_fix(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvicorn is an extra."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    line = fails(capsys, "demo", "--asgi", "--port", "0")
    assert "uvicorn is not installed: pip install 'sessfast[asgi]'" in line


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command is in it."""
    assert 0 == main([])
    out = capsys.readouterr().out
    for command in ("info", "genkey", "explain", "schema", "sweep", "demo"):
        assert f" {command} " in out
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert 0 == caught.value.code
    assert f"sessfast {sessfast.__version__}\n" == capsys.readouterr().out
