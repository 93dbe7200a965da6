"""The commands that an app gets: `flask session sweep` and `flask session show`."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import click
from flask.cli import AppGroup

from sessfast.errors import SessfastError
from sessfast.records import shorten
from sessfast.stores.sweeping import sweeps

BATCH = 1000  # records of one call


def add_commands(cli: Any, store_of: Callable[[], Any], was_flask_session: bool) -> None:
    """Add the group `session` to an app's command line.

    store_of: gives the app's store, within an app context
    was_flask_session: whether it had `flask session_cleanup`, which is then `sweep`
    """
    group = AppGroup("session", help="Look after the stored sessions.")

    @group.command("sweep")  # type: ignore[untyped-decorator, unused-ignore]
    def sweep() -> None:
        """Remove expired sessions from the store."""
        store = told(store_of)
        if not hasattr(store, "sweep"):
            click.echo("The store drops what has expired by itself: there is nothing to sweep.")
            return
        removed = told(lambda: sum(sweeps(store, BATCH)))
        click.echo(f"Removed {removed} expired {'session' if removed == 1 else 'sessions'}.")

    @group.command("show")  # type: ignore[untyped-decorator, unused-ignore]
    @click.option("--limit", default=20, show_default=True, help="How many to list.")
    def show(limit: int) -> None:
        """Count the sessions and list some of them, ids cut short, and never their data."""
        store = told(store_of)
        if hasattr(store, "length"):
            click.echo(f"{told(store.length)} sessions.")
        if not hasattr(store, "all"):
            click.echo("The store can't list them.")
            return
        for key, (blob, _version, expires) in told(lambda: list(islice(store.all(), limit))):
            left = "no end" if expires is None else f"{expires - time.time():.0f} s left"
            click.echo(f"{shorten(key)}  {len(blob)} bytes  {left}")

    cli.add_command(group)
    if was_flask_session:
        cli.add_command(sweep, "session_cleanup")


def told(function: Callable[[], Any]) -> Any:
    """The function's result; an error of ours as one line on stderr."""
    try:
        return function()
    except SessfastError as error:
        raise click.ClickException(" ".join(str(error).split())) from error
