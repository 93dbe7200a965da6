"""The documentation is true: its code runs, its commands exist, its links lead somewhere.

In all pages of the root, docs/ and bench/
- all ```python blocks of a page run in order, as one program, with warnings as errors;
  after `<!-- not run: reason -->` a block is only compiled
- what a block prints must be the ```text block that follows `<!-- output -->`
- every command in a ```sh or ```console block starts with something that is there
- every relative link leads to a file, and to a heading of it
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
WITH_CODE = ("README.md",)  # pages that must have code

RUNNER = """
import contextlib, io, json, sys

page, blocks = json.load(sys.stdin)
namespace = {"__name__": "__main__"}
told = []
with contextlib.redirect_stdout(io.StringIO()) as out:
    for line, code in blocks:
        before = len(out.getvalue())
        # the padding makes line numbers in tracebacks those of the page
        exec(compile("\\n" * line + code, page, "exec"), namespace)
        told.append(out.getvalue()[before:])
print(json.dumps(told))
"""


class Block(NamedTuple):
    """A fenced block: where its first line is, counted from 0, and the comment before it."""

    line: int
    language: str
    text: str
    mark: str


def blocks(text: str) -> Iterator[Block]:
    """All fenced blocks of a page."""
    lines = text.split("\n")
    start, fence, language, mark = 0, "", "", ""
    for number, line in enumerate(lines):
        opening = re.fullmatch(r"\s*(`{3,}|~{3,})\s*(\w*).*", line)
        if fence and line.strip() == fence:
            yield Block(start, language, "\n".join(lines[start:number]) + "\n", mark)
            fence = mark = ""
        elif not fence and opening:
            fence, language, start = opening[1], opening[2], number + 1
        elif not fence and line.strip():
            comment = re.fullmatch(r"\s*<!--\s*(.*?)\s*-->\s*", line)
            mark = comment[1] if comment else ""
    assert not fence, f"the block of line {start} has no end"


def outputs(page: Path) -> list[tuple[int, str, str]]:
    """For each block whose output a page states: its line, that output, and the true one."""
    programs: list[tuple[int, str]] = []
    stated: dict[int, str] = {}
    runs = True
    for block in blocks(page.read_text()):
        if block.language == "python" and block.mark.startswith("not run:"):
            compile(block.text, f"{page.name}:{block.line}", "exec")
            runs = False
        elif block.language == "python":
            programs.append((block.line, block.text))
            runs = True
        elif block.mark == "output" and runs:
            stated[len(programs) - 1] = block.text
    printed = run(page, programs) if programs else []
    return [(programs[index][0], text, printed[index]) for index, text in stated.items()]


def run(page: Path, programs: list[tuple[int, str]]) -> list[str]:
    """What each block of a page prints, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUNNER],
        input=json.dumps([page.name, programs]),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, f"{page.name}: {done.stderr}"
    printed: list[str] = json.loads(done.stdout)
    return printed


def commands(text: str) -> Iterator[str]:
    """The commands of a page's shell blocks, without comments, variables and prompts."""
    for block in blocks(text):
        if block.language not in {"sh", "bash", "console", "shell"}:
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            is_output = block.language == "console" and not line.startswith("$ ")
            command = re.sub(r"(^|\s)#.*", "", line.removeprefix("$ ")).strip()
            command = re.sub(r"^(\w+=\S*\s+)+", "", command)
            if command and not is_output:
                yield command


def is_known(command: str, root: Path) -> bool:
    """Whether a command starts with something that a reader of the page has."""
    words = command.split()
    match words:
        case (
            ["pip", "install" | "wheel", *_] | ["git", "clone", *_] | ["cd", _] | ["uvicorn", _, *_]
        ):
            return True
        case ["python" | "python3", "-m", "pytest" | "pip" | "venv" | "build", *_]:
            return True
        case ["python" | "python3", "-m", module, *_]:
            place = root / module.replace(".", "/")
            return place.with_suffix(".py").exists() or (place / "__main__.py").exists()
        case ["python" | "python3", script, *_] if not script.startswith("-"):
            return (root / script).exists()
        case [script, *_]:
            return "/" in script and os.access(root / script, os.X_OK)
    return False


def prose(text: str) -> str:
    """A page without its fenced blocks and code spans."""
    for block in blocks(text):
        text = text.replace(block.text, "", 1)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(text: str) -> set[str]:
    """What #fragments of a page lead to: its headings, written as the hosting sites do it."""
    for block in blocks(text):
        text = text.replace(block.text, "", 1)
    found: set[str] = set()
    for title in re.findall(r"^#+\s+(.+?)\s*#*$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        same = [each for each in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", each)]
        found.add(f"{slug}-{len(same)}" if same else slug)
    return found


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", prose(page.read_text()))
    return [link for link in targets if not re.match(r"[a-z]+:", link) and not leads(page, link)]


def leads(page: Path, link: str) -> bool:
    """Whether a relative link of a page leads to a file, and to a heading if it names one."""
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or (target.is_dir() and fragment):
        return False
    return not fragment or target.suffix != ".md" or fragment in anchors(target.read_text())


every_page = pytest.mark.parametrize(
    "page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES]
)


@every_page
def test_the_code_of_a_page_runs(page: Path) -> None:
    """All of it, in order, and it prints what the page says."""
    wrong = [row for row in outputs(page) if row[1] != row[2]]
    assert "" == "\n".join(
        f"{page.name}:{line} prints\n{real}and not\n{text}" for line, text, real in wrong
    )


@every_page
def test_the_commands_of_a_page_exist(page: Path) -> None:
    """Nobody is told to run what isn't there."""
    assert [] == [each for each in commands(page.read_text()) if not is_known(each, ROOT)]


@every_page
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """To a file of the repository and to a heading in it."""
    assert [] == broken_links(page)


@pytest.mark.parametrize("name", WITH_CODE)
def test_a_page_that_must_have_code_has(name: str) -> None:
    """A page whose blocks are not found would pass everything else."""
    languages = [block.language for block in blocks((ROOT / name).read_text())]
    assert languages.count("python") >= 2
    assert languages.count("sh") + languages.count("console") >= 1


SAMPLE = """# A page

## What: it `does`
```python
x = 1
print(x)
```
<!-- output -->
```text
2
```

[here](#what-it-does) [there](#nowhere) [file](other.md#a-page) [gone](gone.md) [web](https://x/)

<!-- not run: needs a server -->
```python
raise SystemExit
```
```sh
scripts/nothing            # a comment
A=1 python -m sessfast info
```
```console
$ frobnicate
output
```
"""


def test_a_page_that_lies_is_found_out(tmp_path: Path) -> None:
    """Wrong output, commands and links that lead nowhere are named; the rest passes."""
    page = tmp_path / "page.md"
    page.write_text(SAMPLE)
    (tmp_path / "other.md").write_text(SAMPLE)
    assert [(4, "2\n", "1\n")] == outputs(page)
    assert ["#nowhere", "gone.md"] == broken_links(page)
    unknown = [each for each in commands(SAMPLE) if not is_known(each, ROOT)]
    assert ["scripts/nothing", "frobnicate"] == unknown


@pytest.mark.parametrize(
    "text",
    [
        "```python\n1/0\n```\n",
        "```python\nimport warnings\nwarnings.warn('x')\n```\n",
        "<!-- not run: shows a fault -->\n```python\n1 +\n```\n",
        "```python\nx = 1\n",
    ],
)
def test_code_that_fails_fails_the_page(text: str, tmp_path: Path) -> None:
    """Exceptions, warnings, syntax errors, and a block that never ends."""
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises((AssertionError, SyntaxError)):
        outputs(page)
