"""`python -m sessfast`: what is installed, secrets, options explained, store tools, and the demo.

Exit codes: 0 fine; 1 `explain` found options that weaken security; 2 an error of the user's or a
store that can't be used, told in one line on stderr; 130 `sweep` was stopped by Ctrl-C.
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
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

import sessfast
from sessfast.demo.place import MEMORY, place, shown
from sessfast.demo.serving import ServingError, listening, serve_asgi, serve_wsgi, url
from sessfast.demo.settings import kept_secret
from sessfast.errors import OptionsError, StoreError
from sessfast.explain import LoadError, Row, explain, express_preset, load
from sessfast.hotpath import BACKEND, PURE_BY_REQUEST, cpu_path
from sessfast.stores.opening import OPENERS, open_store

COMPILED = ("cookies_cy", "signing_cy", "ids_cy", "ttltable_cy")
REQUIRED = ("msgspec", "werkzeug", "itsdangerous")
# what an extra brings, by its name, as in pip install "sessfast[asgi]"
EXTRAS: dict[str, tuple[str, ...]] = {
    "asgi": ("uvicorn",),
    "lmdb": ("lmdb",),
    "memcached": (),
    "postgres": ("psycopg", "psycopg-pool"),
    "redis": ("redis", "hiredis"),
}
SCHEMAS = ("postgresql", "sqlite")  # the stores that have one
MOST_SWEPT = 100_000  # records of one call
STOPPED = 130
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
    except (UserError, LoadError, ServingError, OptionsError, StoreError) as error:
        told = "; ".join(error.faults) if isinstance(error, OptionsError) else str(error)
        line = " ".join(told.split())
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

    schema = commands.add_parser("schema", help="print the SQL that makes a store's table")
    schema.add_argument("store", choices=SCHEMAS)
    schema.add_argument("--layout", help="of Node's: connect-pg-simple, connect-sqlite3")
    schema.add_argument("--table", help="its name, if not the usual one")
    schema.set_defaults(run=run_schema)

    sweep = commands.add_parser(
        "sweep",
        help="remove expired sessions from a store",
        description="Remove expired sessions from a store, so many at a time. Ctrl-C stops it.",
    )
    sweep.add_argument("url", help="of the store, such as sqlite:////var/lib/app/sessions.db")
    sweep.add_argument(
        "--batch", type=int, default=1000, metavar="N", help="records per call (default: 1000)"
    )
    sweep.set_defaults(run=run_sweep)

    demo = commands.add_parser("demo", help="serve a page that shows sessions at work")
    demo.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: 8000)")
    demo.add_argument("--asgi", action="store_true", help="serve it by ASGI (uvicorn)")
    demo.add_argument("--express", action="store_true", help="with the express preset")
    demo.add_argument(
        "--store", default=MEMORY, metavar="URL", help="where sessions are kept (default: memory)"
    )
    demo.add_argument(
        "--create-schema", action="store_true", help="make the store's table, if it needs one"
    )
    demo.add_argument(
        "--secret-file", metavar="FILE", help="keep the secret in it, for sessions that stay"
    )
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
    extras = [f"[{extra}]" for extra, is_there in facts["extras"].items() if is_there]
    lines = {
        "sessfast": facts["version"],
        "backend": f"{facts['backend']} ({facts['backend_reason']})",
        "SHA-256": facts["cpu_path"],
        "Python": facts["python"],
        "packages": ", ".join(f"{name} {found}" for name, found in packages if found),
        "missing": ", ".join(name for name in REQUIRED if facts["packages"][name] is None),
        "extras": ", ".join(extras) or "none",
    }
    for name, value in lines.items():
        if value:
            print(f"{name:10}{value}")
    print("stores")
    for name, store in facts["stores"].items():
        print(f"  {name + '://':16}{store['get'] or 'installed'}")
    return 0


def installed() -> dict[str, Any]:
    """What `info` tells: version, backend and why, CPU path, Python, packages, stores."""
    packages = [*REQUIRED, *(name for names in EXTRAS.values() for name in names)]
    found = {name: version_of(name) for name in packages}
    has = {extra: all(found[name] for name in names) for extra, names in EXTRAS.items()}
    return {
        "version": sessfast.__version__,
        "backend": BACKEND,
        "backend_reason": backend_reason(),
        "cpu_path": cpu_path(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": found,
        "extras": has,
        "stores": stores(has),
    }


def stores(has: dict[str, bool]) -> dict[str, dict[str, Any]]:
    """The stores that come with the library, by the first scheme of each.

    schemes: all that lead to it
    get:     the command that installs what it needs, None where it can be used
    """
    found: dict[str, dict[str, Any]] = {}
    first: dict[str, str] = {}  # by who opens them
    for scheme, opener in OPENERS.items():
        name = first.setdefault(opener.place, scheme)
        needed = f'pip install "sessfast[{opener.extra}]"'
        get = needed if opener.extra and not has[opener.extra] else None
        if name == "sqlite" and importlib.util.find_spec("sqlite3") is None:
            get = "this Python was built without sqlite3"
        found.setdefault(name, {"schemes": [], "get": get})["schemes"].append(scheme)
    return found


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


# -- schema and sweep --------------------------------------------------------------------------


def run_schema(arguments: argparse.Namespace) -> int:
    """Print the SQL that makes the table; no server and no client is needed for it."""
    schema = sqlite_schema if arguments.store == "sqlite" else postgres_schema
    print(schema(arguments.layout, arguments.table))
    return 0


def sqlite_schema(layout: str | None, table: str | None) -> str:
    """The statements for SQLite, which the store itself runs when it meets an empty file."""
    from sessfast.stores.sqlite import LAYOUTS, refuse_faults

    kind = LAYOUTS.get(layout)
    if kind is None:
        raise UserError(no_layout("sqlite", layout, LAYOUTS))
    name = table or "sessions"
    refuse_faults("sessions.db", name, 1.0)
    return f"PRAGMA journal_mode=WAL;\n{kind._SCHEMA.format(table=name)};"


def postgres_schema(layout: str | None, table: str | None) -> str:
    """The statements for PostgreSQL."""
    from sessfast.stores.postgres_statements import LAYOUTS

    found = LAYOUTS.get(layout or "native")
    if found is None:
        raise UserError(no_layout("postgresql", layout, LAYOUTS))
    make, usual = found
    return make(table or usual).sql.schema


def no_layout(store: str, layout: str | None, known: Iterable[str | None]) -> str:
    """What to say of a layout that a store doesn't have."""
    names = " or ".join(name for name in known if name)
    return f"{store} has no layout {layout!r}: use {names}, or none"


def run_sweep(arguments: argparse.Namespace) -> int:
    """Remove what has expired; 130 if Ctrl-C came first."""
    if not 1 <= arguments.batch <= MOST_SWEPT:
        raise UserError(f"--batch must be from 1 to {MOST_SWEPT}")
    name = shown(arguments.url)
    store = open_store(arguments.url)
    try:
        if name.startswith(MEMORY):
            raise UserError("a store in memory belongs to one process: there is nothing to sweep")
        if not hasattr(store, "sweep"):
            raise UserError(f"{name} drops what has expired by itself: there is nothing to sweep")
        removed, stopped = swept(store, arguments.batch)
    finally:
        if hasattr(store, "close"):
            store.close()
    end = ". Stopped: the rest is left" if stopped else ""
    print(f"{name}: removed {removed} expired {'session' if removed == 1 else 'sessions'}{end}.")
    return STOPPED if stopped else 0


def swept(store: Any, batch: int) -> tuple[int, bool]:
    """How many were removed, and whether Ctrl-C came before the end.

    A store doesn't tell when it has come round. So this goes on until it has looked at more
    records in a row without removing one than there are that live.
    """
    removed, idle, told = 0, 0, time.monotonic()
    try:
        while idle < store.length() + 2 * batch:
            gone = store.sweep(batch)
            removed += gone
            idle = 0 if gone else idle + batch
            if time.monotonic() - told >= 1.0:
                told = time.monotonic()
                print(f"removed {removed} so far …", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return removed, True
    return removed, False


# -- demo --------------------------------------------------------------------------------------


def run_demo(arguments: argparse.Namespace) -> int:
    """Serve the demo until Ctrl-C."""
    if not 0 <= arguments.port <= 65535:
        raise UserError("--port must be from 0 to 65535")
    needed, fix = ("uvicorn", "[asgi]") if arguments.asgi else ("werkzeug", "")
    if importlib.util.find_spec(needed) is None:
        raise UserError(f"{needed} is not installed: pip install 'sessfast{fix}'")
    secret = kept_secret(arguments.secret_file) if arguments.secret_file else None
    with listening(arguments.port) as sock:
        here = place(
            arguments.store,
            asynchronous=arguments.asgi,
            express=arguments.express,
            create_schema=arguments.create_schema,
        )
        print(f"The demo is at {url(sock)}  (Ctrl-C stops it)", flush=True)
        try:
            serve(sock, here, arguments, secret)
        except KeyboardInterrupt:
            pass
    print("\nStopped.")
    return 0


def serve(sock: Any, here: Any, arguments: argparse.Namespace, secret: str | None) -> None:
    """Serve the demo on one front, and close its store at the end."""
    if arguments.asgi:
        from sessfast.demo.asgi import build as build_asgi

        serve_asgi(sock, build_asgi(arguments.express, place=here, secret=secret))
        return
    from sessfast.demo.wsgi import build as build_wsgi

    try:
        serve_wsgi(sock, build_wsgi(arguments.express, place=here, secret=secret))
    finally:
        if hasattr(here.store, "close"):
            here.store.close()


if __name__ == "__main__":
    sys.exit(main())
