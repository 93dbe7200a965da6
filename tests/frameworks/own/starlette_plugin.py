"""A pytest plugin: Starlette's own tests find our middleware in the place of theirs."""

from __future__ import annotations

import os
from typing import Any

import starlette.middleware.sessions

from sessfast.frameworks.starlette import SessionMiddleware


class OnServer(SessionMiddleware):
    """The one with a store."""

    def __init__(self, app: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(app, *arguments, **{"store": "memory://", **options})


is_on_server = os.environ["SESSFAST_VARIANT"] == "store"
module: Any = starlette.middleware.sessions
module.SessionMiddleware = OnServer if is_on_server else SessionMiddleware
