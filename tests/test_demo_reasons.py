"""The demo's words and its list of requests, and the demo as `python -m sessfast` serves it."""

from __future__ import annotations

import contextvars
import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

import sessfast
from sessfast.demo.journal import Journal
from sessfast.demo.words import EVENTS, READ, SENT
from sessfast.loading import READ_EVENTS
from sessfast.records import Read, Sent
from sessfast.testing import FakeClock
from tests.demo_browser import FRONTS, HOSTILE, Browser, Page

ROOT = Path(sessfast.__file__).parents[1]


def test_every_reason_and_every_event_has_a_sentence() -> None:
    """A table that can't fall behind the codes: the events are looked up in the source."""
    assert set(Read) == set(READ)
    assert set(Sent) == set(SENT)
    told = set(READ_EVENTS.values())
    for file in (ROOT / "sessfast").glob("*.py"):
        told |= set(
            re.findall(r'(?:\btell\(|\._stored\([\w, ]+?)\s*"(\w+)"', file.read_text("utf-8"))
        )
    assert told - {"request"} == set(EVENTS)
    sentences = [word.meaning for word in (*READ.values(), *SENT.values())] + [*EVENTS.values()]
    assert [] == [sentence for sentence in sentences if not re.fullmatch(r"[A-Z].+\.", sentence)]


def request_facts(path: str) -> dict[str, str]:
    return {"read": "loaded", "sent": "unchanged", "sid": "abcd…", "method": "GET", "path": path}


def test_the_journal_is_bounded_and_gives_events_to_their_own_request() -> None:
    """Also where two requests run side by side in one thread, as tasks do."""
    journal = Journal(FakeClock(), size=3)
    one, two = contextvars.copy_context(), contextvars.copy_context()
    one.run(journal.observe, "loaded", {})
    two.run(journal.observe, "forged", {})
    one.run(journal.observe, "saved", {})
    two.run(journal.observe, "request", request_facts("/two"))
    one.run(journal.observe, "request", request_facts("/one"))
    one.run(journal.observe, "request", request_facts("/again"))
    assert [("/again", ()), ("/one", ("loaded", "saved")), ("/two", ("forged",))] == [
        (entry.path, entry.events) for entry in journal.latest()
    ]
    journal.observe("request", request_facts("/" + "x" * 9999))
    assert 3 == len(journal.latest())
    assert len(journal.latest()[0].path) < 200


def test_the_journal_takes_requests_of_many_threads() -> None:
    """None is lost, none is torn."""
    journal = Journal(FakeClock(), size=1000)

    def visit(number: int) -> None:
        for turn in range(50):
            journal.observe(f"event{number}", {})
            journal.observe("request", request_facts(f"/{number}/{turn}"))
            journal.latest()

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 400 == len({entry.path for entry in journal.latest()})
    assert {True} == {
        (f"event{entry.path.split('/')[1]}",) == entry.events for entry in journal.latest()
    }


@pytest.mark.parametrize("front", FRONTS)
def test_the_list_of_requests_says_how_long_ago(front: type[Browser]) -> None:
    """Every badge has its meaning as a hint."""
    browser = front()
    browser.get("/foo")
    browser.clock.advance(75)
    text = browser.get("/").text
    assert "1 min 15 s ago" in text
    assert f'title="{READ[Read.NO_COOKIE].meaning}"' in text


# -- served ------------------------------------------------------------------------------------


def needs(*names: str) -> None:
    """Skip where a package is missing, or fail where everything is required."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        text = f"needs {', '.join(missing)}: pip install 'sessfast[test]'"
        if os.environ.get("SESSFAST_REQUIRE_ALL") == "1":
            pytest.fail(text)
        pytest.skip(text)


@contextmanager
def served(cwd: Path, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The URL and the process of a served demo, which is stopped as Ctrl-C would."""
    command = [sys.executable, "-m", "sessfast", "demo", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        yield found[0], process
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
        assert (0, "\nStopped.\n", "") == (process.returncode, rest, errors)
    finally:
        process.kill()
        process.communicate()


def test_the_served_demo_counts_for_whoever_keeps_the_cookie(tmp_path: Path) -> None:
    """`python -m sessfast demo --port 0`, as a person would run it, until Ctrl-C."""
    with served(tmp_path) as (url, _):
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        for expected in (1, 2):
            with opener.open(url + "foo", timeout=20) as response:
                page = Page(response.status, [], response.read().decode())
            assert expected == page.count
        assert ">WSGI</span>" in page.text


def test_the_demo_served_by_uvicorn_does_the_same(tmp_path: Path) -> None:
    """`--asgi`: cookies, buttons, garbage and Ctrl-C, by a real client."""
    needs("uvicorn", "httpx")
    import httpx

    with (
        served(tmp_path, "--asgi") as (url, _),
        httpx.Client(base_url=url, follow_redirects=True, trust_env=False) as client,
    ):
        pages = [Page(200, [], client.get("/foo").text) for _ in range(2)]
        assert [1, 2] == [page.count for page in pages]
        assert ">ASGI</span>" in pages[1].text
        fields = {"csrf": pages[1].token, "action": "name", "name": HOSTILE}
        page = Page(200, [], client.post("/foo", data=fields).text)
        assert (3, HOSTILE) == (page.count, page.data["name"])
        fields = {"csrf": page.token, "action": "break"}
        assert "bad-signature" == Page(200, [], client.post("/foo", data=fields).text).read
        assert 403 == client.post("/foo", data={"action": "add"}).status_code
        big = client.post("/foo", data={"name": "x" * 100_000})
        assert 413 == big.status_code
        client.cookies.clear()
        garbage = client.get("/", headers={b"cookie": b"sessfast-demo=s%3A%ff\xff"})
        assert (200, 1) == (garbage.status_code, Page(200, [], garbage.text).count)
