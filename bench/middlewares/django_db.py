"""Django's db engine, its default, over SQLite in memory."""

from __future__ import annotations

from importlib.metadata import version

from bench.middlewares.in_django import DJANGO, django_app, set_up, view
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "Django, db engine"
VERSION = version("django")
FRONT = "wsgi"
LEAVES_OUT = (
    "the id is not signed, and stored as it is; saves overwrite each other; a save after logout is"
    " refused, but the innocent request gets a 400. Nested changes are not seen, a read doesn't"
    " prolong the life, nothing finds a user's sessions. SQLite is in memory: no disk, no server."
    " Measured without Django's handler around it"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    set_up()
    from django.contrib.sessions.models import Session
    from django.db import connection

    if Session._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Session)

    def make(action: Action | None, writes: bool) -> object:
        return django_app(action, "db")

    return proved(DJANGO, make, view(None), size, column, Session.objects.all().delete)
