"""A Quart app with server-side sessions: pip install "sessfast[quart]", python this file."""

import os
import secrets
import sys

from quart import Quart, session, websocket

from sessfast.frameworks.quart import Sessfast

app = Quart(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32)
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
Sessfast(app)  # in memory; for more processes: store="redis://localhost", "sqlite:////var/…"


@app.get("/")
async def visits() -> str:
    """Count this visitor's visits."""
    session["visits"] = session.get("visits", 0) + 1
    return f"visit number {session['visits']}"


@app.websocket("/chat")
async def chat() -> None:
    """Remember the last word; stored at once, and not only when the socket ends."""
    while True:
        session["said"] = await websocket.receive()
        await session.save()
        await websocket.send(f"you said {session['said']}")


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
