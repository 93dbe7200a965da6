"""An app on Flask's own sessions; in the replacement it says Sessfast(app) besides."""

# mypy: ignore-errors
from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import flask
from flask import request, session
from markupsafe import Markup

PROTOCOL = "wsgi"
ODD = {
    "tuple": (1, (2, 3)),
    "bytes": b"\xff\x00",
    "uuid": uuid.UUID("12345678123456781234567812345678"),
    "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "markup": Markup("<b>"),
    "tag": {" t": "no tuple"},
}


def build(kind: str, config: dict[str, Any] | None = None, **options: Any) -> Any:
    app = flask.Flask("shop")
    app.secret_key = "the secret of a shop, long enough: 9fQ2-mX"
    app.config.update(config or {})
    if kind == "replacement":
        from sessfast.frameworks.flask import Sessfast

        Sessfast(app, **options, **watched(app))
    return shop(app)


def watched(app: flask.Flask) -> dict[str, Any]:
    """An observer whose events `/events` shows."""
    app.extensions["events"] = events = []
    return {"observer": lambda event, facts: events.append([event, dict(facts)])}


MEETINGS: dict[str, threading.Barrier] = {}
SIGNALS: dict[str, threading.Event] = {}
LOCK = threading.Lock()
PATIENCE = 20.0


def named(places: dict[str, Any], name: str, make: Callable[[], Any]) -> Any:
    with LOCK:
        return places.setdefault(name, make()) if name not in places else places[name]


def pause() -> None:
    """Wait for who else is here (`meet=NAME&of=N`), for a signal (`wait=NAME`), or give one."""
    asked = request.args
    if "meet" in asked:
        parties = int(asked["of"])
        named(MEETINGS, asked["meet"], lambda: threading.Barrier(parties)).wait(PATIENCE)
    if "began" in asked:
        named(SIGNALS, asked["began"], threading.Event).set()
    if "wait" in asked:
        assert named(SIGNALS, asked["wait"], threading.Event).wait(PATIENCE)


def shop(app: Any) -> Any:
    """The views, as one writes them for flask.session."""

    @app.get("/set")
    def put() -> str:
        before = session.get(request.args["key"])
        pause()
        session[request.args["key"]] = json.loads(request.args.get("value", "1"))
        if "permanent" in request.args:
            session.permanent = request.args["permanent"] == "1"
        return json.dumps(before)

    @app.get("/get")
    def get() -> Any:
        return json.dumps(session.get(request.args["key"]))

    @app.get("/all")
    def everything() -> str:
        return json.dumps(dict(session), default=repr)

    @app.get("/untouched")
    def untouched() -> str:
        return "a page"

    @app.get("/login")
    def login() -> str:
        session.clear()
        session["user"] = request.args["user"]
        return session.get("user", "")

    @app.get("/logout")
    def logout() -> str:
        pause()
        session.pop("user", None)
        if "clear" in request.args:
            session.clear()

        @flask.after_this_request
        def over(response: Any) -> Any:
            if "signal" in request.args:
                response.call_on_close(named(SIGNALS, request.args["signal"], threading.Event).set)
            return response

        return "bye"

    @app.get("/cart")
    def cart() -> str:
        session.setdefault("cart", [])
        return str(len(session["cart"]))

    @app.get("/append")
    def append() -> str:
        session["cart"].append(request.args["what"])
        return str(len(session["cart"]))

    @app.get("/odd")
    def odd() -> str:
        session.update(ODD)
        return ""

    @app.get("/odd-again")
    def odd_again() -> str:
        same = [key for key, value in ODD.items() if session.get(key) == value]
        types = [key for key, value in ODD.items() if type(session.get(key)) is type(value)]
        return json.dumps(sorted(set(same) & set(types)))

    @app.get("/flash")
    def flash() -> str:
        flask.flash("saved", "info")
        return ""

    @app.get("/flashed")
    def flashed() -> str:
        return json.dumps(flask.get_flashed_messages(with_categories=True))

    @app.get("/regenerate")
    def regenerate() -> str:
        app.session_interface.regenerate(session)
        return ""

    @app.get("/stream")
    def stream() -> Any:
        session["began"] = True

        def body() -> Iterator[str]:
            yield "a"
            session["ended"] = True
            yield "b"

        return flask.Response(flask.stream_with_context(body()))

    @app.get("/events")
    def events() -> str:
        told = list(app.extensions.get("events", ()))
        app.extensions.get("events", []).clear()
        return json.dumps([each for each in told if each[0] != "request"])

    return app
