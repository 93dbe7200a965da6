"""A counter in FastAPI, the session a typed dependency: python examples/fastapi_app.py [PORT]."""

from __future__ import annotations

import sys
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.requests import HTTPConnection
from fastapi.responses import PlainTextResponse

from sessfast.frameworks.starlette import SessionMiddleware, StarletteSession, get_session

SECRET = "put the output of python -m sessfast genkey here"


def session_of(connection: HTTPConnection) -> StarletteSession:
    """The visitor's session, in requests and websockets."""
    return get_session(connection)


Session = Annotated[StarletteSession, Depends(session_of)]

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=SECRET, store="memory://")


@app.get("/", response_class=PlainTextResponse)
async def counter(session: Session) -> str:
    """Count the visits of this visitor."""
    session["visits"] = session.get("visits", 0) + 1
    return f"Visits: {session['visits']}"


@app.post("/login", response_class=PlainTextResponse)
async def log_in(session: Session, user: str) -> str:
    """Log in: a new id, so that nobody who knew the old one comes along."""
    await session.regenerate(keep=True)
    session["user"] = user
    return f"Welcome, {user}"


@app.post("/logout", response_class=PlainTextResponse)
async def log_out(session: Session) -> str:
    """Log out: the session is over on the server, whoever still has its cookie."""
    await session.destroy()
    return "Goodbye"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
