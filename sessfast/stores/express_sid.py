"""The sid as express's stores know it: without the `sess:` that our rules put before it."""

from __future__ import annotations

PREFIX = "sess:"


def bare(sid: str) -> str:
    """`sid` without `sess:`; one that has none stays as it is."""
    return sid.removeprefix(PREFIX)


def full(sid: str) -> str:
    """The sid of our rules for one that an express store keeps."""
    return PREFIX + sid
