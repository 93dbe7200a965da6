"""What can be said of Node's layouts without Node."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sessfast import open_store
from sessfast.testing import FakeClock
from tests.interop.layouts import LAYOUTS
from tests.servers import ROOT

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("cookie", "ttl", "accessed", "life"),
    [
        ({"originalMaxAge": None}, 86_400, 0, 3600),  # express's day: the life is left to Node
        ({}, 86_400, 0, 3600),
        ({"originalMaxAge": None}, 600, -3000, 600),  # `idle=600`: an earlier end holds for Node
        ({"originalMaxAge": 60_000}, 60, 0, 60),
        ({"originalMaxAge": 60_000}, 90, 30, 90),
        (None, 86_400, 82_800, 86_400),  # no record of express
    ],
)
def test_a_file_lives_as_long_for_node_as_for_us(
    tmp_path: Path, cookie: dict[str, object] | None, ttl: float, accessed: float, life: float
) -> None:
    """`__lastAccess` lies in the future only for a life that the cookie itself does not give."""
    clock = FakeClock(NOW)
    store = open_store(f"file:///{tmp_path}", layout="session-file-store", clock=clock)
    blob = json.dumps({"n": 1} if cookie is None else {"cookie": cookie}).encode()
    store.create("sess:abc", blob, ttl)
    for _ in range(2):
        stored = json.loads((tmp_path / "abc.json").read_bytes())["__lastAccess"]
        assert round((clock() + accessed) * 1000) == stored
        assert clock() + life == store.get("sess:abc")[2]
        clock.advance(20)
        store.touch("sess:abc", ttl)


def test_the_page_names_every_layout_and_no_other() -> None:
    """In the URLs of docs/node.md."""
    page = (ROOT / "docs" / "node.md").read_text()
    assert set(LAYOUTS) == set(re.findall(r"\?layout=([a-z0-9-]+)", page))
