"""A memory store that writes down which verbs were called."""

from __future__ import annotations

from typing import Any

from sessfast import MemoryStore


class SpyStore(MemoryStore):
    """A MemoryStore with `calls`: the verbs of the requests since it was last cleared."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock=clock)
        self.calls: list[str] = []

    def get(self, sid: str) -> Any:
        self.calls.append("get")
        return super().get(sid)

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        self.calls.append("create")
        return super().create(sid, blob, ttl)

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        self.calls.append("update")
        return super().update(sid, blob, ttl, version)

    def touch(self, sid: str, ttl: float) -> bool:
        self.calls.append("touch")
        return super().touch(sid, ttl)

    def destroy(self, sid: str) -> None:
        self.calls.append("destroy")
        super().destroy(sid)
