"""Node's layouts know a session by its bare id: what has no id in it is refused by every store."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from sessfast import StoreError, open_store
from sessfast.stores.node_keys import node_key, our_sid
from tests.stores.embedded import folder

URLS = {
    "sqlite": "sqlite:///{}/s?layout=connect-sqlite3",
    "file": "file:///{}/f?layout=session-file-store",
    "redis": "redis://127.0.0.1:1/0?layout=connect-redis",
    "memcached": "memcached://127.0.0.1:1?layout=connect-memcached",
    "postgresql": "postgresql://127.0.0.1:1/x?layout=connect-pg-simple",
}
VERBS: list[tuple[str, tuple[Any, ...]]] = [
    ("get", ()),
    ("create", (b"{}", 60.0)),
    ("update", (b"{}", 60.0, b"{}")),
    ("touch", (60.0,)),
    ("destroy", ()),
]


def test_a_key_is_the_id_in_a_sid() -> None:
    """And back again."""
    assert "Zr5A" == node_key("get", "sess:Zr5A")
    assert "sess:Zr5A" == our_sid("Zr5A")


@pytest.mark.parametrize("name", URLS)
def test_a_hashed_id_is_refused_before_anybody_is_asked(name: str) -> None:
    """Node could never find it, so the option that is wrong is named; no server is needed."""
    package = {"redis": "redis", "postgresql": "psycopg_pool"}.get(name, "socket")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    with folder() as place:
        if name == "memcached":  # its version is a number
            verbs = [(verb, (*rest[:-1], 1) if verb == "update" else rest) for verb, rest in VERBS]
        else:
            verbs = VERBS
        store = open_store(URLS[name].format(place))
        for verb, arguments in verbs:
            with pytest.raises(StoreError, match="set hash_ids=False") as caught:
                getattr(store, verb)("a-hash-of-the-id", *arguments)
            assert (verb, None) == (caught.value.verb, caught.value.__cause__)
        store.close()
