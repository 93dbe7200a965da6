"""The options that the demo runs with."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from sessfast.demo.journal import Journal
from sessfast.demo.serving import ServingError
from sessfast.options import SessionOptions


def settings(
    express: bool, journal: Journal, store: Any = None, secret: str | None = None
) -> SessionOptions:
    """One of the two presets. Without a secret it gets a fresh one: sessions end with us."""
    given: dict[str, Any] = {
        "secret": secret or secrets.token_urlsafe(32),
        "store": store,
        "observer": journal.observe,
    }
    if express:
        return SessionOptions.express(**given)
    # a name of its own: cookies don't tell one port of 127.0.0.1 from another
    return SessionOptions(name="sessfast-demo", **given)


def kept_secret(path: str) -> str:
    """The secret in a file, which is made, for its owner alone, where there is none.

    So sessions outlive the demo in a store that keeps them. ServingError for a file that can't be
    used.
    """
    file = Path(path)
    try:
        try:
            handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            secret = file.read_text("ascii").strip()
        else:
            secret = secrets.token_urlsafe(32)
            with os.fdopen(handle, "w") as made:
                made.write(secret + "\n")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it holds no text"
        raise ServingError(f"{path} can't hold the secret: {what}") from error
    if len(secret) < 32:
        raise ServingError(f"{path} holds no secret: delete it, and a new one is made")
    return secret
