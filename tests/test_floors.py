"""The plan of the house, as rules that read every file: imports go down, rules do no I/O.

Each rule is a function of a source tree that returns its faults; a second test feeds each a
tree that breaks it, since a rule that can't fail is no rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "sessfast"
SOURCES = Path(__file__).parent.parent / PACKAGE

CELLAR = 9  # may import everything, imported by nobody
FACE = 6
FRONTS = 4
RULES = 2
FLOORS = {
    "records": 0, "errors": 0,
    "called": 1, "hotpath": 1, "rawdict": 1,
    "codec": RULES, "decision": RULES, "express_record": RULES, "express_text": RULES,
    "importing": RULES, "keywords": RULES,
    "lifecycle": RULES, "lifetime": RULES, "loading": RULES, "meta": RULES, "native_record": RULES,
    "options": RULES,
    "policy": RULES, "saving": RULES, "session": RULES, "session_cookie": RULES,
    "state": RULES,
    "storable": RULES,
    "drivers": 3, "legacy": 3, "stores": 3,
    "asgi": FRONTS, "front": FRONTS, "report": FRONTS, "wsgi": FRONTS,
    "frameworks": 5,
    "__init__": FACE,
    "__main__": CELLAR, "demo": CELLAR, "explain": CELLAR, "ops": CELLAR, "testing": CELLAR,
}  # fmt: skip

VAGUE = {"utils", "helpers", "common", "base", "manager"}
LINES = 450
NOT_IN_RULES = {"asyncio", "logging", "os", "select", "socket", "ssl", "threading", "time"}
CLOCKS = {"now", "today", "utcnow"}
DANGEROUS = {"dill", "http.cookies", "marshal", "pickle", "shelve"}
ENVIRONMENT = ("hotpath/__init__.py",)  # who may read it


class Source(NamedTuple):
    """One file: its path below the package, its dotted name, its text; no tree for Cython."""

    path: str
    name: str
    text: str
    tree: ast.Module | None

    @property
    def room(self) -> str:
        """What the table of floors calls it: the first name below the package.

        The second name of a file (`compiled/session.pxd` of `session.py`) is the same room.
        """
        path = self.path.removeprefix("compiled/")
        return "stores" if path == "memory.pxd" else path.split("/")[0].partition(".")[0]

    @property
    def floor(self) -> int | None:
        return FLOORS.get(self.room)


def sources(root: Path) -> Iterator[Source]:
    """All Python and Cython files of the package at `root`."""
    for file in sorted(root.rglob("*.p*")):
        if file.suffix not in {".py", ".pyx", ".pxd"}:
            continue
        path = file.relative_to(root).as_posix()
        dotted = path.partition(".")[0].replace("/", ".").removesuffix("__init__").rstrip(".")
        text = file.read_text()
        tree = ast.parse(text, path) if file.suffix == ".py" else None
        yield Source(path, f"{PACKAGE}.{dotted}".rstrip("."), text, tree)


def imports(source: Source) -> Iterator[str]:
    """Dotted names that a file imports, anywhere in it; `from a import b` gives `a.b`."""
    if source.tree is None:
        yield from imports_of_cython(source.text)
        return
    is_package = source.path.endswith("__init__.py")
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = source.name.split(".")
                above = above[: len(above) - level + is_package] if level else []
                prefix = ".".join([*above, *([module] if module else [])])
                yield from (f"{prefix}.{alias.name}" for alias in names)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(func).endswith(("import_module", "__import__")):
                    yield name


def imports_of_cython(text: str) -> Iterator[str]:
    """The same for a .pyx or .pxd file, line by line."""
    for line in re.sub(r"\(\s*|,\s*\n\s*", lambda m: m[0].replace("\n", " "), text).splitlines():
        if found := re.match(r"\s*from\s+([\w.]+)\s+c?import\s+\(?\s*(.+)", line):
            names = found[2].strip("() ").split(",")
            yield from (f"{found[1]}.{name.split()[0]}" for name in names if name.strip())
        elif found := re.match(r"\s*c?import\s+(.+)", line):
            yield from (name.split()[0] for name in found[1].split(","))


def calls(source: Source) -> Iterator[str]:
    """Text of what a file calls: `eval`, `datetime.now`; of Cython, all that stands before (."""
    if source.tree is None:
        yield from re.findall(r"([\w.]+)\(", code(source))
    else:
        called = (node.func for node in ast.walk(source.tree) if isinstance(node, ast.Call))
        yield from map(ast.unparse, called)


def is_within(name: str, module: str) -> bool:
    """Whether `name` is `module` or something in it."""
    return name == module or name.startswith(module + ".")


def room_of(name: str, known: set[str]) -> str:
    """The room that an import of ours leads to; what is no module is a name of the face."""
    parts = name.replace(".compiled.", ".", 1).split(".")
    return parts[1] if len(parts) > 1 and parts[1] in known else "__init__"


def arrows_go_down(root: Path) -> Iterator[str]:
    """No import of a higher floor, nor of the cellar; hotpath imports nothing of ours."""
    files = list(sources(root))
    known = {source.room for source in files} | FLOORS.keys()
    for source in files:
        floor = source.floor
        if floor is None:
            yield f"{source.path}: has no floor in the table"
            continue
        for name in imports(source):
            if not is_within(name, PACKAGE):
                continue
            room = room_of(name, known)
            target = FLOORS.get(room)
            if target is None or target > floor or (source.room == "hotpath" != room):
                yield f"{source.path}: imports {name}, which is above it"


def no_import_runs_in_a_circle(root: Path) -> Iterator[str]:
    """Also within a floor, and also where an import is hidden in a function."""
    files: dict[str, list[Source]] = {}
    for source in sources(root):
        files.setdefault(source.name, []).append(source)  # x.pyx and x.pxd are one module

    def leads_to(name: str) -> set[str]:
        targets = set()
        for found in (target for source in files[name] for target in imports(source)):
            while found and found not in files:
                found = found.rpartition(".")[0]
            if found and found not in {name, PACKAGE}:
                targets.add(found)
        return targets

    graph = {name: leads_to(name) for name in files}
    while leaves := [name for name, targets in graph.items() if not targets & graph.keys()]:
        for name in leaves:
            del graph[name]
    # what is left is in a circle or leads into one
    for name in sorted(graph):
        if any(name in graph[target] for target in graph[name] & graph.keys()):
            yield f"{files[name][0].path}: imports what imports it"
    if graph:
        yield f"in circles: {', '.join(sorted(graph))}"


def names_say_something(root: Path) -> Iterator[str]:
    """No module is called after nothing."""
    for source in sources(root):
        if VAGUE & set(re.split(r"[/.]", source.path)):
            yield f"{source.path}: a name that says nothing"


def files_are_short(root: Path) -> Iterator[str]:
    """A file can be read in one sitting."""
    for file in sorted(root.rglob("*.*")):
        if file.suffix in {".py", ".pyx", ".pxd", ".h"}:
            count = len(file.read_text().splitlines())
            if count > LINES:
                yield f"{file.relative_to(root)}: {count} lines, more than {LINES}"


def one_file_reads_the_environment(root: Path) -> Iterator[str]:
    """SESSFAST_PURE, and nothing else."""
    for source in sources(root):
        if source.path in ENVIRONMENT:
            continue
        imported = any(re.fullmatch(r"os\.(environ|getenv)b?", name) for name in imports(source))
        if imported or re.search(r"\bos\.(environ|getenv)b?\b", code(source)):
            yield f"{source.path}: reads the environment"


def code(source: Source) -> str:
    """The text of a file without comments, and for Python without docstrings."""
    if source.tree is None:
        return re.sub(r'"""[\s\S]*?"""|#.*', "", source.text)
    tree = ast.parse(source.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(value=...)
    return ast.unparse(tree)


def fronts_alone_write_the_header(root: Path) -> Iterator[str]:
    """`Set-Cookie` as a header's name is a literal of the fronts; the cellar may read it."""
    header = re.compile(r"""["']set-cookie(["']|:)""", re.IGNORECASE)
    for source in sources(root):
        if source.floor not in {FRONTS, CELLAR} and header.search(code(source)):
            yield f"{source.path}: names the header Set-Cookie"


def nothing_dangerous_is_used(root: Path) -> Iterator[str]:
    """Neither pickle and its like, nor eval."""
    for source in sources(root):
        for name in imports(source):
            for module in DANGEROUS:
                if is_within(name, module):
                    yield f"{source.path}: imports {module}"
        if {"eval", "exec"} & set(calls(source)):
            yield f"{source.path}: evaluates text"


def rules_do_no_io(root: Path) -> Iterator[str]:
    """The rules read no clock, wait for nobody and tell nobody."""
    for source in sources(root):
        if source.floor != RULES:
            continue
        for name in imports(source):
            if name.partition(".")[0] in NOT_IN_RULES:
                yield f"{source.path}: imports {name}"
        for name in calls(source):
            if name.rpartition(".")[2] in CLOCKS:
                yield f"{source.path}: reads a clock: {name}()"


CHECKS: list[Callable[[Path], Iterator[str]]] = [
    arrows_go_down,
    no_import_runs_in_a_circle,
    names_say_something,
    files_are_short,
    one_file_reads_the_environment,
    fronts_alone_write_the_header,
    nothing_dangerous_is_used,
    rules_do_no_io,
]

BAD = [  # rule, file, its text, the file that must be named (if not that one)
    (arrows_go_down, "records.py", "from sessfast.errors import X\nimport sessfast.options"),
    (arrows_go_down, "errors.py", "from sessfast import policy"),
    (arrows_go_down, "errors.py", "from . import policy"),
    (arrows_go_down, "stores/redis.py", "from ..wsgi import SessionMiddleware"),
    (arrows_go_down, "stores/__init__.py", "from ..wsgi import SessionMiddleware"),
    (arrows_go_down, "stores/__init__.py", "from .. import front"),
    (arrows_go_down, "session.py", "from sessfast import Session"),
    (arrows_go_down, "session.py", "import sessfast"),
    (arrows_go_down, "session.py", "def f():\n    import sessfast.drivers as d"),
    (arrows_go_down, "session.py", "if TYPE_CHECKING:\n    from sessfast.drivers import X"),
    (arrows_go_down, "session.py", "import_module('sessfast.stores.memory')"),
    (arrows_go_down, "wsgi.py", "from sessfast.testing import FakeClock"),
    (arrows_go_down, "asgi.py", "from sessfast.frameworks import flask"),
    (arrows_go_down, "hotpath/ids_py.py", "from sessfast.errors import StoreError"),
    (arrows_go_down, "hotpath/ids_py.py", "from ..records import Meta"),
    (arrows_go_down, "hotpath/ids_cy.pyx", "from sessfast.errors cimport StoreError"),
    (arrows_go_down, "hotpath/ids_cy.pyx", "import os, sessfast.records"),
    (arrows_go_down, "hotpath/ids_cy.pxd", "from sessfast cimport records"),
    (arrows_go_down, "hotpath/ids_cy.pyx", "from sessfast import (\n    records,\n)"),
    (arrows_go_down, "novelty.py", ""),
    (no_import_runs_in_a_circle, "policy.py", "def f(): from sessfast.wsgi import X"),
    (names_say_something, "utils.py", ""),
    (names_say_something, "stores/base.py", ""),
    (names_say_something, "common/things.py", ""),
    (files_are_short, "wsgi.py", "\n" * (LINES + 1)),
    (files_are_short, "hotpath/sha256.h", "\n" * (LINES + 1)),
    (one_file_reads_the_environment, "options.py", "import os\nx = os.environ['HOME']"),
    (one_file_reads_the_environment, "demo/app.py", "import os\nx = os.getenv('PORT')"),
    (one_file_reads_the_environment, "demo/app.py", "from os import environ\nx = environ['A']"),
    (one_file_reads_the_environment, "hotpath/ids_cy.pyx", "import os\nx = os.environ.get('A')"),
    (fronts_alone_write_the_header, "lifecycle.py", "x = 'Set-Cookie'"),
    (fronts_alone_write_the_header, "lifecycle.py", "x = b'set-cookie'"),
    (fronts_alone_write_the_header, "stores/memory.py", "x = f'Set-Cookie: {1}'"),
    (fronts_alone_write_the_header, "hotpath/cookies_cy.pyx", 'x = b"Set-Cookie"'),
    (nothing_dangerous_is_used, "codec.py", "import pickle"),
    (nothing_dangerous_is_used, "codec.py", "def f():\n    from marshal import loads"),
    (nothing_dangerous_is_used, "wsgi.py", "from http.cookies import SimpleCookie"),
    (nothing_dangerous_is_used, "wsgi.py", "from http import cookies"),
    (nothing_dangerous_is_used, "demo/app.py", "x = eval('1')"),
    (nothing_dangerous_is_used, "hotpath/ids_cy.pyx", "cimport pickle"),
    (rules_do_no_io, "lifetime.py", "import time"),
    (rules_do_no_io, "policy.py", "def f():\n    from os import urandom"),
    (rules_do_no_io, "options.py", "from datetime import datetime\nx = datetime.now()"),
    (rules_do_no_io, "codec.py", "import asyncio.locks"),
    (nothing_dangerous_is_used, "hotpath/ids_cy.pyx", "x = eval('1')"),
]

GOOD = {  # what the rules must let pass
    "__init__.py": "from sessfast.wsgi import X",
    "errors.py": '"""No os.environ here, no pickle, no eval(), no "Set-Cookie"."""',
    "hotpath/__init__.py": "import os\nfrom . import ids_py\nx = os.environ.get('SESSFAST_PURE')",
    "hotpath/ids_py.py": "import time  # sessfast.records",
    "hotpath/ids_cy.pyx": "from libc.string cimport memchr\nfrom sessfast.hotpath cimport x",
    "options.py": "text = 'not valid in a Set-Cookie header'\nfrom datetime import datetime",
    "stores/memory.py": "import time, threading\nfrom sessfast.hotpath import TTLTable",
    "wsgi.py": "from sessfast.policy import X\nx = environ['Set-Cookie']",
    "testing/clock.py": "from sessfast import wsgi\nimport sessfast",
    "demo/app.py": "from sessfast.testing import clock\nimport sessfast.__main__",
    "policy.py": "from .options import X\nself.exec('eval(1)')\nraise X('use datetime.now()')",
}


def planted(root: Path, files: dict[str, str]) -> Path:
    """A package with these files in it."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize("rule", CHECKS, ids=lambda rule: rule.__name__)
def test_the_house_follows_its_plan(rule: Callable[[Path], Iterator[str]]) -> None:
    """Every file under sessfast/ keeps every rule."""
    assert "" == "\n".join(rule(SOURCES))


def test_there_is_a_house() -> None:
    """The rules have files to look at."""
    names = {source.name for source in sources(SOURCES)}
    assert {PACKAGE, f"{PACKAGE}.records", f"{PACKAGE}.hotpath.cookies_cy"} <= names


@pytest.mark.parametrize(
    ("rule", "path", "text"), BAD, ids=[f"{row[0].__name__}-{i}" for i, row in enumerate(BAD)]
)
def test_a_file_that_breaks_a_rule_is_named(
    rule: Callable[[Path], Iterator[str]], path: str, text: str, tmp_path: Path
) -> None:
    """One bad file among good ones, and it alone is found."""
    faults = list(rule(planted(tmp_path, {**GOOD, path: text})))
    assert faults
    assert [fault for fault in faults if fault.startswith((path, "in circles"))]


@pytest.mark.parametrize("rule", CHECKS, ids=lambda rule: rule.__name__)
def test_what_only_looks_like_a_fault_passes(
    rule: Callable[[Path], Iterator[str]], tmp_path: Path
) -> None:
    """Docstrings, messages, methods of the same name, and all arrows that go down."""
    assert "" == "\n".join(rule(planted(tmp_path, GOOD)))
