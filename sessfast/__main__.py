"""`python -m sessfast`: what is installed, secrets, options explained, and the demo.

Exit codes: 0 fine; 1 `explain` found options that weaken security; 2 an error of the user's,
told in one line on stderr.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import secrets
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

import sessfast
from sessfast.demo.serving import ServingError, listening, serve_asgi, serve_wsgi, url
from sessfast.explain import LoadError, Row, explain, express_preset, load
from sessfast.hotpath import BACKEND, PURE_BY_REQUEST, cpu_path

COMPILED = ("cookies_cy", "signing_cy", "ids_cy", "ttltable_cy")
REQUIRED = ("msgspec", "werkzeug", "itsdangerous")
EXTRAS = {"asgi": "uvicorn"}  # by the extra's name, as in pip install 'sessfast[asgi]'
STORES = ("memory",)
FEWEST_BYTES, MOST_BYTES = 24, 1024  # 24 octets make the 32 characters that options ask for


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print `message` on stderr and exit with 2."""
        self.exit(2, f"{self.prog}: {message} (try --help)\n")


class UserError(Exception):
    """A mistake that the user can mend; the text says how, in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    parser = command_line()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    try:
        code: int = arguments.run(arguments)
    except (UserError, LoadError, ServingError) as error:
        line = " ".join(str(error).split())
        print(f"sessfast {arguments.command}: {line}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def command_line() -> Parser:
    """The parser of all commands."""
    parser = Parser(prog="sessfast", description="Sessions for Python web apps.")
    parser.add_argument("--version", action="version", version=f"sessfast {sessfast.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=Parser)

    info = commands.add_parser("info", help="show what is installed and at work")
    info.add_argument("--json", action="store_true", help="as one JSON object")
    info.set_defaults(run=run_info)

    genkey = commands.add_parser("genkey", help="print a fresh secret, and nothing else")
    genkey.add_argument(
        "--bytes", type=int, default=32, metavar="N", help="random octets in it (default: 32)"
    )
    genkey.set_defaults(run=run_genkey)

    explained = commands.add_parser(
        "explain",
        help="compare options with the secure preset",
        description="Compare options with the secure preset. Exits with 1 if some are weaker.",
    )
    explained.add_argument(
        "target",
        nargs="?",
        metavar="module:attribute",
        help="a SessionOptions or a SessionMiddleware; without it, the express preset",
    )
    explained.add_argument("--all", action="store_true", help="list every option")
    explained.set_defaults(run=run_explain)

    demo = commands.add_parser("demo", help="serve a page that shows sessions at work")
    demo.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: 8000)")
    demo.add_argument("--asgi", action="store_true", help="serve it by ASGI (uvicorn)")
    demo.add_argument("--express", action="store_true", help="with the express preset")
    demo.set_defaults(run=run_demo)
    return parser


# -- info --------------------------------------------------------------------------------------


def run_info(arguments: argparse.Namespace) -> int:
    """Print what is installed."""
    facts = installed()
    if arguments.json:
        print(json.dumps(facts))
        return 0
    packages = facts["packages"].items()
    extras = [f"[{extra}] {name}" for extra, name in EXTRAS.items() if facts["packages"][name]]
    lines = {
        "sessfast": facts["version"],
        "backend": f"{facts['backend']} ({facts['backend_reason']})",
        "SHA-256": facts["cpu_path"],
        "Python": facts["python"],
        "packages": ", ".join(f"{name} {found or '(missing)'}" for name, found in packages),
        "extras": ", ".join(extras) or "none",
        "stores": ", ".join(f"{scheme}://" for scheme in facts["stores"]),
    }
    for name, value in lines.items():
        print(f"{name:10}{value}")
    return 0


def installed() -> dict[str, Any]:
    """What `info` tells: version, backend and why, CPU path, Python, packages, stores."""
    return {
        "version": sessfast.__version__,
        "backend": BACKEND,
        "backend_reason": backend_reason(),
        "cpu_path": cpu_path(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: version_of(name) for name in (*REQUIRED, *EXTRAS.values())},
        "extras": {extra: version_of(name) is not None for extra, name in EXTRAS.items()},
        "stores": list(STORES),
    }


def backend_reason() -> str:
    """Why the hot paths are the ones they are."""
    if BACKEND == "compiled":
        return "the compiled modules were found"
    if PURE_BY_REQUEST:
        return "SESSFAST_PURE=1 is set"
    for name in COMPILED:
        try:
            importlib.import_module(f"sessfast.hotpath.{name}")
        except ModuleNotFoundError:
            return "no compiled modules for this Python: reinstall where there is a C compiler"
        except ImportError as error:
            return f"{name} can't be loaded: {error}"
    return "the compiled modules appeared after the start"


def version_of(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


# -- genkey ------------------------------------------------------------------------------------


def run_genkey(arguments: argparse.Namespace) -> int:
    """Print a fresh secret."""
    if not FEWEST_BYTES <= arguments.bytes <= MOST_BYTES:
        raise UserError(f"--bytes must be from {FEWEST_BYTES} to {MOST_BYTES}")
    print(secrets.token_urlsafe(arguments.bytes))
    return 0


# -- explain -----------------------------------------------------------------------------------


def run_explain(arguments: argparse.Namespace) -> int:
    """Print how options differ from the secure preset; 1 if some are weaker."""
    options = load(arguments.target) if arguments.target else express_preset()
    title = arguments.target or "SessionOptions.express(…)"
    rows = explain(options)
    weaker = [row for row in rows if row.mark == "weaker"]
    rest = [row for row in rows if row.mark in ("different", "stronger")]
    same = [row for row in rows if row.mark == "same"]
    print(f"{title} against the secure preset: {counted(weaker, rest)}.")
    print("The line below an option says what the secure preset does there, and why.")
    listed = [*weaker, *rest, *(same if arguments.all else ())]
    if listed:
        print()
    width = max((len(row.name) for row in listed), default=0)
    for row in listed:
        print_row(row, width)
    return 1 if weaker else 0


def counted(weaker: list[Row], rest: list[Row]) -> str:
    """How many options differ, in words."""
    total = len(weaker) + len(rest)
    if not total:
        return "no option differs"
    options = "1 option differs" if total == 1 else f"{total} options differ"
    if not weaker:
        return f"{options}, none weakens security"
    return f"{options}, {len(weaker)} weaken{'s' if len(weaker) == 1 else ''} security"


def print_row(row: Row, width: int) -> None:
    """Print one option: its mark and values, and below them the reason."""
    secure = "" if row.mark == "same" or row.value == row.secure else f"  (secure: {row.secure})"
    print(f"{row.mark:11}{row.name:{width}}  {row.value}{secure}")
    print(f"{'':11}{row.reason}")


# -- demo --------------------------------------------------------------------------------------


def run_demo(arguments: argparse.Namespace) -> int:
    """Serve the demo until Ctrl-C."""
    if not 0 <= arguments.port <= 65535:
        raise UserError("--port must be from 0 to 65535")
    needed, fix = ("uvicorn", "[asgi]") if arguments.asgi else ("werkzeug", "")
    if importlib.util.find_spec(needed) is None:
        raise UserError(f"{needed} is not installed: pip install 'sessfast{fix}'")
    serve = serve_asgi if arguments.asgi else serve_wsgi
    with listening(arguments.port) as sock:
        print(f"The demo is at {url(sock)}  (Ctrl-C stops it)", flush=True)
        try:
            serve(sock, arguments.express)
        except KeyboardInterrupt:
            pass
    print("\nStopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
