"""Stores as people have them: written to express-session's contract, in dict, file and async."""

from __future__ import annotations

import copy
import errno
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Session = dict[str, Any]


class DictStore:
    """get, set, destroy; keeps what it is given and hands out what it keeps."""

    blocking = False

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    def get(self, sid: str) -> Session | None:
        return self.sessions.get(sid)

    def set(self, sid: str, session: Session) -> None:
        self.sessions[sid] = session

    def destroy(self, sid: str) -> None:
        self.sessions.pop(sid, None)


class FullStore(DictStore):
    """All of the contract, as express's own MemoryStore: text inside, touch moves the cookie."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.listeners: dict[str, Callable[..., object]] = {}

    def get(self, sid: str) -> Session | None:
        return json.loads(self.texts[sid]) if sid in self.texts else None

    def set(self, sid: str, session: Session) -> None:
        self.texts[sid] = json.dumps(session)

    def destroy(self, sid: str) -> None:
        self.texts.pop(sid, None)

    def touch(self, sid: str, session: Session) -> None:
        kept = self.get(sid)
        if kept is not None:
            self.set(sid, {**kept, "cookie": session["cookie"]})

    def all(self) -> dict[str, Session]:
        return {sid: json.loads(text) for sid, text in self.texts.items()}

    def length(self) -> int:
        return len(self.texts)

    def clear(self) -> None:
        self.texts.clear()

    def on(self, event: str, listener: Callable[..., object]) -> None:
        self.listeners[event] = listener


class FileStore:
    """One file per session; FileNotFoundError means that there is none, as does a bare ENOENT."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sid: str) -> Path:
        return self.folder / sid.encode().hex()

    def get(self, sid: str) -> Session:
        session: Session = json.loads(self.path(sid).read_bytes())
        return session

    def set(self, sid: str, session: Session) -> None:
        self.path(sid).write_text(json.dumps(session))

    def touch(self, sid: str, session: Session) -> None:
        kept = self.get(sid)
        self.set(sid, {**kept, "cookie": session["cookie"]})

    def destroy(self, sid: str) -> None:
        try:
            self.path(sid).unlink()
        except OSError as error:
            raise OSError(errno.ENOENT, "gone") from error


class DateStore(FullStore):
    """Keeps dates as a document database does: naive, in UTC."""

    def get(self, sid: str) -> Session | None:
        session = super().get(sid)
        end = session and session["cookie"].get("expires")
        if session and end:
            moment = datetime.fromisoformat(end).astimezone(UTC).replace(tzinfo=None)
            session["cookie"]["expires"] = moment
        return session


class AsyncStore:
    """All of the contract, awaited; `length` forgot its async."""

    def __init__(self) -> None:
        self.inner = FullStore()

    async def get(self, sid: str) -> Session | None:
        return copy.deepcopy(self.inner.get(sid))

    async def set(self, sid: str, session: Session) -> None:
        self.inner.set(sid, session)

    async def destroy(self, sid: str) -> None:
        self.inner.destroy(sid)

    async def touch(self, sid: str, session: Session) -> None:
        self.inner.touch(sid, session)

    async def all(self) -> dict[str, Session]:
        return self.inner.all()

    async def clear(self) -> None:
        self.inner.clear()

    def length(self) -> int:
        return self.inner.length()
