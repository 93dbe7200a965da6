"""How a whole store is swept: batch after batch, until it has been looked at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def sweeps(store: Any, batch: int) -> Iterator[int]:
    """Remove all that has expired from a store that isn't async; how many, for each batch.

    Nothing is done where the backend forgets by itself. A store doesn't tell when it has come
    round. So this goes on until it has looked at more records in a row without removing one than
    there are that live.
    """
    if not hasattr(store, "sweep"):
        return
    idle = 0
    while idle < store.length() + 2 * batch:
        gone = store.sweep(batch)
        idle = 0 if gone else idle + batch
        yield gone
