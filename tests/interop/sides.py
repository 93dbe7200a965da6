"""Express and a Python app as two processes beside one store, and a browser for both."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from tests.interop import packages
from tests.interop.layouts import LAYOUTS, Place
from tests.servers import HOST, ROOT

SECRET = "a secret of Node and Python, 32 bytes or more: Qx7"
NEW_SECRET = "the secret that comes after it, as long as it: 8fKz"
MAX_AGE = 60.0  # seconds, of the profiles whose cookies have one

SAVING: dict[str, Any] = {
    "resave": False,
    "saveUninitialized": False,
}  # what express-session's README asks for
AGED: dict[str, Any] = {"cookie": {"maxAge": 1000 * MAX_AGE}}
BOTH = [NEW_SECRET, SECRET]
# options of express-session, for both sides
PROFILES: dict[str, dict[str, Any]] = {
    name: {"secret": SECRET, **options}
    for name, options in {
        "plain": SAVING,
        "aged": {**SAVING, **AGED},
        "rolling": {**SAVING, "rolling": True},
        "rolling_aged": {**SAVING, **AGED, "rolling": True},
        "unset": {**SAVING, "unset": "destroy"},
        "defaults": {},
        "rotating": {**SAVING, "secret": BOTH},
        "rotated": {**SAVING, "secret": NEW_SECRET},
    }.items()
}


class Answer(NamedTuple):
    """What a side says of the session, once it has done what it was asked to.

    data:       the app's view of it
    left, age:  seconds that its cookie has left and was given; None for a browser session
    set_cookie: the header, or None
    """

    data: dict[str, Any]
    left: float | None
    age: float | None
    set_cookie: str | None

    @property
    def expires(self) -> float:
        """Epoch seconds at which the browser drops the cookie."""
        assert self.set_cookie is not None
        text = self.set_cookie.partition("; Expires=")[2].partition(";")[0]
        return parsedate_to_datetime(text).timestamp()


class Side:
    """One of the two servers, as a process that ends with its stdin."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.strip().isdigit():
            self.close()
            raise AssertionError(f"{command[:3]} did not start:\n{log.read_text()[-2000:]}")
        self.port = int(line)
        self.log = log

    def close(self) -> None:
        """End the process, and wait until it has ended."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, path: str, body: Any, cookie: str | None) -> Answer:
        """The answer to one POST."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        headers = {"Content-Type": "application/json", **({"Cookie": cookie} if cookie else {})}
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        assert 200 == response.status, (path, content, self.log.read_text()[-2000:])
        cookies = response.headers.get_all("Set-Cookie") or []
        assert len(cookies) <= 1
        return Answer(**json.loads(content), set_cookie=cookies[0] if cookies else None)


class Pair:
    """Express and a Python app on one place: sides "node" and "python"."""

    def __init__(self, layout: str, front: str, folder: Path) -> None:
        self.layout = layout
        self.idle = LAYOUTS[layout].idle
        modules = packages.modules(LAYOUTS[layout].is_compiled)
        self.place: Place = LAYOUTS[layout].place(folder, front)
        script = str(packages.PROJECT / "server.mjs")
        told = {"profiles": PROFILES, "layout": layout, "front": front, "modules": str(modules)}
        told |= {"url": self.place.url, "place": self.place.node}
        words = json.dumps(told)
        commands = {
            "node": [packages.node(), "--no-deprecation", script, words],
            "python": [sys.executable, "-m", "tests.interop.python_server", words],
        }
        with ExitStack() as opened:
            opened.callback(self.place.close)
            self.sides = {}
            for name, command in commands.items():
                self.sides[name] = Side(command, folder / f"{name}.log")
                opened.callback(self.sides[name].close)
            self.close = opened.pop_all().close

    def browser(self, profile: str = "plain", cookie: str | None = None) -> Browser:
        """A new browser, at the apps of a profile."""
        return Browser(self, profile, cookie)

    def data(self, record: bytes | None) -> Any:
        """The data in a record, without its cookie."""
        assert record is not None
        data = json.loads(record)
        del data["cookie"]
        return data


class Browser:
    """Keeps the session's cookie, as a browser does, and brings it to either side."""

    def __init__(self, pair: Pair, profile: str, cookie: str | None) -> None:
        self.pair = pair
        self.profile = profile
        self.cookie = cookie

    @property
    def sid(self) -> str:
        """The session's id, from the cookie."""
        assert self.cookie is not None
        value = unquote(self.cookie.partition("=")[2])
        assert value.startswith("s:")
        return value[2:].rpartition(".")[0]

    @property
    def raw(self) -> bytes | None:
        """What is stored for the session."""
        return self.pair.place.raw(self.sid)

    def ask(self, side: str, action: str = "look", **body: Any) -> Answer:
        """Let a side do something to the session; what it says then."""
        path = f"/{self.profile}/{action}"
        answer = self.pair.sides[side].ask(path, body, self.cookie)
        if answer.set_cookie is not None:
            self.cookie = answer.set_cookie.partition(";")[0]
        answer.data.pop("__lastAccess", None)  # session-file-store shows it to Node's app
        return answer
