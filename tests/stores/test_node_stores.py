"""Node's own stores on the files that we write, and we on theirs.

SESSFAST_NODE_MODULES  the node_modules folder of
                       npm install express-session connect-sqlite3 sqlite3 session-file-store
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from sessfast import open_store
from sessfast.express_text import iso_text
from sessfast.records import Conflict

SCRIPT = Path(__file__).with_name("node_stores.js")
URLS = {
    "connect-sqlite3": "sqlite:///{}/sessions",
    "session-file-store": "file:///{}/sessions",
}


def node(*arguments: str) -> Any:
    """What the script prints; skips where Node or its stores are missing."""
    found, modules = shutil.which("node"), os.environ.get("SESSFAST_NODE_MODULES")
    if found is None or modules is None:
        lacking = "node is not on PATH" if found is None else "SESSFAST_NODE_MODULES is not set"
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(f"{lacking}, and SESSFAST_REQUIRE_ALL=1 asks for it")
        pytest.skip(f"{lacking}: Node's stores were not run")
    done = subprocess.run(
        [found, str(SCRIPT), *arguments],
        env={**os.environ, "NODE_PATH": modules},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ("", 0) == (done.stderr, done.returncode)
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", URLS)
def test_node_and_python_share_sessions(kind: str, tmp_path: Path) -> None:
    """Node finds ours and changes it, we find its own, and the change is a conflict here."""
    store = open_store(URLS[kind].format(tmp_path), layout=kind)
    expires = iso_text(round((time.time() + 60) * 1000))
    cookie = {"originalMaxAge": 60000, "expires": expires, "httpOnly": True, "path": "/"}
    session = {"cookie": cookie, "user": "bób", "views": 1}
    blob = json.dumps(session, ensure_ascii=False, separators=(",", ":")).encode()
    version = store.create("sess:python", blob, 60.0)
    seen = node(kind, str(tmp_path / "sessions"))
    assert ("bób", 2) == (seen["user"], seen["views"])
    made = store.get("sess:node")
    assert {"user": "bób", "n": 1.5} == {
        name: value for name, value in json.loads(made[0]).items() if name != "cookie"
    }
    reply = store.update("sess:python", blob, 60.0, version)
    assert isinstance(reply, Conflict)
    theirs, _, end = reply.record
    assert 2 == json.loads(theirs)["views"]
    assert seen["cookie"]["expires"] == iso_text(round((end or 0) * 1000))
    assert {"sess:python", "sess:node"} == {sid for sid, _ in store.all()}
    store.close()
