"""Keys that Node's stores know by the bare id, and we with `sess:` before it."""

from __future__ import annotations

from sessfast.errors import StoreError

PREFIX = "sess:"  # what the rules put before an id with hash_ids=False, as connect-redis does


def node_key(verb: str, sid: str) -> str:
    """The id in `sid`. StoreError where it is a hash, which Node could never find."""
    if not sid.startswith(PREFIX):
        raise StoreError(verb, "this layout is Node's: set hash_ids=False")
    return sid[len(PREFIX) :]


def our_sid(key: str) -> str:
    """The sid of an id that Node's store keeps."""
    return PREFIX + key
