"""How the server-side sessions of Litestar are read, in whatever store of Litestar's they are.

The cookie is the id, unsigned: hex digits, 64 of them where `session_id_bytes` is 32. The record
is the data as a JSON object; in Litestar's RedisStore its key is `LITESTAR:<id>`, or
`LITESTAR_<name>:<id>` where the store has a namespace of its own.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sessfast.errors import DecodeError


class StoreReader:
    """Reads the sessions in a store of Litestar's.

    store: has `async get(key)` and `async delete(key)`
    session_id_bytes: as ServerSideSessionConfig had it
    """

    name = "litestar"
    blocking = False

    def __init__(self, store: Any, session_id_bytes: int = 32) -> None:
        self.store = store
        # other ids were never made by Litestar: it adopts any
        self.ids = re.compile(f"[0-9a-f]{{{2 * session_id_bytes}}}")

    def key(self, value: str, now: float) -> str:
        """The id that the cookie holds. DecodeError for what Litestar never made."""
        if not self.ids.fullmatch(value):
            raise DecodeError("it is no id of Litestar's")
        return value

    async def get(self, key: str) -> dict[str, Any] | None:
        """The data of a record, or None; Litestar stores an empty one for each visitor."""
        blob = await self.store.get(key)
        if not blob:
            return None
        try:
            data = json.loads(blob)
        except (ValueError, RecursionError) as error:
            raise DecodeError("it is no JSON") from error
        if not isinstance(data, dict):
            raise DecodeError("it holds no session")
        return data or None

    async def destroy(self, key: str) -> None:
        """Delete a record."""
        await self.store.delete(key)
