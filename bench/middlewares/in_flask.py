"""How a session interface of Flask is asked and measured: the whole wsgi_app, routing included.

The bare app is the same Flask with an interface that opens and saves nothing, so that what is
left after subtracting is the interface's work alone.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import flask

from bench.inputs import SECRET
from bench.middlewares.proof import Spoken, ask_wsgi
from bench.race import clock
from bench.requests import Action, Call, environ

NEEDS = {"wsgi.input": BytesIO()}


class NoSessions:
    """A session interface that does nothing; Flask asks for these three alone."""

    session = flask.sessions.NullSession()

    def open_session(self, app: Any, request: Any) -> Any:
        return self.session

    def is_null_session(self, session: Any) -> bool:
        return True

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        """Never called: null sessions aren't saved."""


def flask_app(action: Action | None, interface: Any = None, **settings: Any) -> Any:
    """A Flask whose one view does `action` with flask.session.

    interface: opens and saves sessions; None for Flask's own, settings: more of app.config
    """
    app: Any = flask.Flask("bench")
    app.config.update(SECRET_KEY=SECRET, SESSION_COOKIE_SAMESITE="Lax", **settings)
    if interface is not None:
        app.session_interface = interface

    def show(number: int) -> Any:
        if action is not None:
            action(flask.session)
        return "ok"

    app.add_url_rule("/articles/<int:number>", view_func=show)
    return app


def bare() -> Any:
    """The same without sessions."""
    return flask_app(None, NoSessions())


def ask(app: Any, cookie: str) -> list[str]:
    return ask_wsgi(app.wsgi_app, cookie, NEEDS)


def loop(app: Any, cookie: str) -> Call:
    template = environ(cookie) | NEEDS
    call = app.wsgi_app

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return None

    def run(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            for _ in call(dict(template), start_response):
                pass
        return clock() - start

    return run


FLASK = Spoken(ask, loop)
