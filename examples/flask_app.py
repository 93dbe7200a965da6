"""A Flask app with server-side sessions: pip install "sessfast[flask]", python this file."""

import os
import secrets
import sys

from flask import Flask, session

from sessfast.frameworks.flask import Sessfast

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32)
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
Sessfast(app)  # in memory; for more processes: store="redis://localhost", "sqlite:////var/…"


@app.get("/")
def visits() -> str:
    """Count this visitor's visits."""
    session["visits"] = session.get("visits", 0) + 1
    return f"visit number {session['visits']}"


@app.get("/leave")
def leave() -> str:
    """End the session, here and in the store."""
    session.clear()
    return "bye"


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
