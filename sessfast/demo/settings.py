"""The options that the demo runs with."""

from __future__ import annotations

import secrets

from sessfast.demo.journal import Journal
from sessfast.options import SessionOptions


def settings(express: bool, journal: Journal) -> SessionOptions:
    """One of the two presets, with a fresh secret: sessions end with the process."""
    secret = secrets.token_urlsafe(32)
    if express:
        return SessionOptions.express(secret=secret, observer=journal.observe)
    # a name of its own: cookies don't tell one port of 127.0.0.1 from another
    return SessionOptions(secret=secret, name="sessfast-demo", observer=journal.observe)
