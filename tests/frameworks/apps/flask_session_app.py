"""An app on Flask-Session; the replacement imports its `Session` from elsewhere."""

# mypy: ignore-errors
from __future__ import annotations

from typing import Any

import flask

from tests.frameworks.apps.flask_app import shop, watched

PROTOCOL = "wsgi"


def build(
    kind: str,
    config: dict[str, Any] | None = None,
    redis: str | None = None,
    database: str | None = None,
    memcached: int | None = None,
    **options: Any,
) -> Any:
    app = flask.Flask("shop")
    app.secret_key = "the secret of a shop, long enough: 9fQ2-mX"
    app.config.update(config or {})
    if redis is not None:
        from redis import Redis

        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(redis))
    if memcached is not None:
        from pymemcache.client.base import PooledClient

        client = PooledClient(("127.0.0.1", memcached), timeout=10)
        app.config.update(SESSION_TYPE="memcached", SESSION_MEMCACHED=client)
    if database is not None:
        from flask_sqlalchemy import SQLAlchemy

        app.config["SQLALCHEMY_DATABASE_URI"] = database
        app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=SQLAlchemy(app))
    if kind == "replacement":
        from sessfast.frameworks.flask import Session

        Session(app, **options, **watched(app))
    else:
        from flask_session import Session as TheirSession

        TheirSession(app)
    return shop(app)
