"""Whatever a client sends is a verdict: no exception, no 500, no broken Set-Cookie."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from sessfast import SessionOptions
from tests.fronts.clients import CLIENTS, nothing

ROUNDS = 1_000_000 if os.environ.get("SESSFAST_SOAK") == "1" else 50_000
pytestmark = pytest.mark.filterwarnings("ignore:secret")
PIECES = [
    "connect.sid", "=", ";", "; ", " ", "\t", '"', "s:", "s%3A", "%", "%00", "%ff", "%C3%A9",
    "%ED%A0%80", "%zz", ".", "..", ",", "a=b", "__Host-connect.sid", "\x00", "\x7f", "\x85",
    "\xa0", "é", "ÿ", "\r", "\n", "$Version=1", "\\", "=" * 9, ";" * 300, "x" * 5000, "{", "[]",
]  # fmt: skip


async def read(session: Any) -> None:
    len(session)


async def write(session: Any) -> None:
    session["n"] = 1


@pytest.fixture(params=CLIENTS, ids=[client.front for client in CLIENTS])
def front(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("preset", ["secure", "express"])
def test_no_cookie_header_breaks_a_request(front: Any, preset: str) -> None:
    """Random sequences of the pieces that parsers trip over, and of a real cookie's parts."""
    options: dict[str, Any] = {}
    if preset == "express":
        options["preset"] = SessionOptions.express(secret="keyboard cat", resave=False)
        options["secret"] = "keyboard cat"
    here = front(observer=None, **options)
    good = here.request(write).cookie
    pieces = [*PIECES, good, good[:20], good[20:], good.partition("=")[2]]
    source = random.Random(20231114)
    for _ in range(ROUNDS // 2):
        header = "".join(source.choices(pieces, k=source.randrange(1, 9)))
        reply = here.request(source.choice((read, write, nothing)), cookie=header)
        assert reply.status == 200
        assert reply.set_cookie is None or reply.cookie != good


def test_every_octet_in_every_place_of_the_cookie(front: Any) -> None:
    """One foreign octet before, inside and after a good cookie never gives an error."""
    here = front(observer=None)
    good = here.request(write).cookie
    places = [0, 5, len("connect.sid"), len("connect.sid="), 20, len(good) - 1, len(good)]
    for octet in range(256):
        for place in places:
            header = good[:place] + chr(octet) + good[place:]
            assert here.request(read, cookie=header).status == 200


def test_every_octet_in_path_host_and_proxy_header(front: Any) -> None:
    """The other texts of a client that are looked at."""
    here = front(observer=None, proxy=1, cookie=lambda facts: {"max_age": 60})
    for octet in range(256):
        text = chr(octet) * 3
        reply = here.request(
            write, path="/" + text, headers=[("host", text), ("x-forwarded-proto", text)]
        )
        assert reply.status == 200
        assert reply.set_cookie is not None


def test_a_hostile_text_reaches_the_log_escaped(
    front: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """No line break of a client's gets into a log line (R-73), no id in full (R-72)."""
    here = front(observer=None)
    caplog.set_level("DEBUG", logger="sessfast")
    good = here.request(write).cookie
    sid = good.partition("s%3A")[2].partition(".")[0]
    here.request(read, cookie=good, path="/a\r\nfake: line")
    assert any("read=loaded" in message for message in caplog.messages)
    for message in caplog.messages:
        assert "\n" not in message
        assert sid not in message
        assert sid[5:] not in message
