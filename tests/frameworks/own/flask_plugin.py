# mypy: ignore-errors
"""A pytest plugin: the tests of Flask, or of Flask-Session, meet our sessions instead of theirs.

SESSFAST_VARIANT: JSON with `of`, whose tests; `options`, or for Flask-Session a `secret` and the
places of `redis` and `memcached`
"""

from __future__ import annotations

import json
import os
import sys
import types

import flask
from _pytest import monkeypatch

from sessfast.frameworks import flask_places
from sessfast.frameworks.flask import Session, SessionInterface

SETTINGS = json.loads(os.environ["SESSFAST_VARIANT"])
THEIRS = flask.Flask.session_interface
MADE = flask.Flask.__init__

if not hasattr(monkeypatch, "notset"):
    monkeypatch.notset = monkeypatch.NOTSET  # pytest 9 has another name for it


def with_our_interface(self, *args, **kwargs):
    MADE(self, *args, **kwargs)
    if type(self).session_interface is THEIRS:
        self.session_interface = SessionInterface(**SETTINGS["options"])


def with_a_secret(self, *args, **kwargs):
    MADE(self, *args, **kwargs)
    self.secret_key = SETTINGS["secret"]


if SETTINGS["of"] == "flask":
    flask.Flask.__init__ = with_our_interface
elif SETTINGS["of"] == "flask-session":
    sys.modules["flask_session"] = module = types.ModuleType("flask_session")
    module.Session = Session
    flask_places.LOCAL_REDIS = SETTINGS["redis"]
    flask_places.LOCAL_MEMCACHED = SETTINGS["memcached"]
    if SETTINGS["secret"]:
        flask.Flask.__init__ = with_a_secret
