"""aiohttp-session and what stands in for it, in aiohttp's own server."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

import pytest

from sessfast.errors import DecodeError
from sessfast.legacy.aiohttp_session import RedisReader
from tests.frameworks.incumbents import ROOT, Talk, python_of, request, surroundings, talking
from tests.stores.servers import url_of

SECRET = "x8Fq2-a secret that is made for the tests alone_91"
NAME = "AIOHTTP_SESSION"
ID = "0123456789abcdef" * 2
STORES = ("memory", "redis")


def replaced(store: str = "memory", **settings: Any) -> Any:
    url = url_of("redis") if store == "redis" else ""
    return talking("aiohttp", "replacement", store=store, url=url, secret=SECRET, **settings)


def told(app: Talk) -> list[str]:
    """The names of the events since the last time."""
    return [event for event, _ in app.get("/told").json]


def test_who_is_logged_in_stays_logged_in() -> None:
    """The same cookie, before and after the change; then ours takes its place."""
    with talking("aiohttp", "incumbent", url=url_of("redis"), max_age=3600) as app:
        old = app.get("/write?user=ada").cookie
    with replaced("redis") as app:
        answer = app.get("/show", old)
        assert {"user": "ada"} == answer.json
        assert (answer.cookie or "").startswith(f"{NAME}=s%3A")
        assert "imported" in told(app)
        assert {"user": "ada"} == app.get("/show", answer.cookie).json
        app.get("/clear", answer.cookie)
        assert {} == app.get("/show", old).json


@pytest.mark.parametrize("store", STORES)
def test_a_session_does_what_its_names_say(store: str) -> None:
    with replaced(store) as app:
        new, identity, _, empty, max_age = app.get("/facts").json
        assert (True, None, True, None) == (new, identity, empty, max_age)
        cookie = app.get("/write?u=1").cookie
        assert {"u": "1"} == app.get("/show", cookie).json
        new, identity, created, empty, _ = app.get("/facts", cookie).json
        assert (False, False, True, True) == (new, empty, bool(identity), created > 1e9)
        app.get("/nested", cookie)
        assert [1, 1] == app.get("/nested", cookie).json
        assert str(30 * 86400) == app.get("/month", cookie).attributes(NAME)["max-age"]
        assert 2592000 == app.get("/facts", cookie).json[4]
        assert 500 == app.get("/choose", cookie).status


@pytest.mark.parametrize("store", STORES)
def test_a_new_session_leaves_no_way_back(store: str) -> None:
    with replaced(store) as app:
        cookie = app.get("/write?u=1").cookie
        fresh = app.get("/new", cookie).cookie
        assert {"fresh": "1"} == app.get("/show", fresh).json
        assert {} == app.get("/show", cookie).json


def test_an_invalidated_session_is_gone() -> None:
    """And its cookie is removed with the attributes that it was set with."""
    with replaced(cookie={"secure": True, "path": "/"}) as app:
        made = app.get("/write?u=1")
        answer = app.get("/clear", made.cookie)
        assert answer.json is True
        gone = answer.attributes(NAME)
        expected = {**made.attributes(NAME), "max-age": "0", "expires": gone["expires"]}
        assert expected == gone
        assert {} == app.get("/show", made.cookie).json


@pytest.mark.parametrize("store", STORES)
def test_an_id_that_a_client_chose_is_never_adopted(store: str) -> None:
    with replaced(store) as app:
        for chosen in ("ATTACKER", ID):
            answer = app.get("/write?u=1", f"{NAME}={chosen}")
            assert chosen not in (answer.cookie or "")
            assert {} == app.get("/show", f"{NAME}={chosen}").json


@pytest.mark.parametrize("store", STORES)
def test_parallel_writes_are_both_kept_and_logout_wins(store: str) -> None:
    with replaced(store) as app:
        cookie = app.get("/write?u=1").cookie
        app.together([request("/meet?a=1", cookie), request("/meet?b=1", cookie)])
        assert {"u": "1", "a": "1", "b": "1"} == app.get("/show", cookie).json
        slow, _ = app.together([request("/slow", cookie), request("/clear", cookie)])
        assert 200 == slow.status
        assert {} == app.get("/show", cookie).json


def test_a_session_that_nobody_asks_for_costs_nothing() -> None:
    """No record, no cookie, no Vary; a read sends no cookie, but Vary."""
    with replaced() as app:
        cookie = app.get("/write?u=1").cookie
        told(app)
        answer = app.get("/untouched", cookie)
        assert ([], []) == (answer.set_cookie, answer.all("vary"))
        assert "loaded" not in told(app)
        answer = app.get("/show", cookie)
        assert ([], ["Cookie"]) == (answer.set_cookie, answer.all("vary"))


@pytest.mark.parametrize("store", STORES)
def test_redirects_streams_and_sockets_store_their_sessions(store: str) -> None:
    with replaced(store) as app:
        answer = app.get("/redirect")
        assert (302, {"seen": "1"}) == (answer.status, app.get("/show", answer.cookie).json)
        cookie = app.get("/stream").cookie
        assert {"first": "1", "late": "1"} == app.get("/show", cookie).json
        answer = app.get("/socket", method="WEBSOCKET", body="hello")
        assert "hello" == answer.body
        assert {"opened": "1", "said": "hello"} == app.get("/show", answer.cookie).json


def test_a_store_that_is_down_is_answered_503() -> None:
    """Loading as well as storing; no cookie is sent, and no id is new."""
    with replaced("down") as app:
        cookie = app.get("/write?u=1").cookie
        app.get("/down")
        told(app)
        for path, given in (("/show", cookie), ("/write?u=2", None), ("/stream", cookie)):
            answer = app.get(path, given)
            assert (503, []) == (answer.status, answer.set_cookie)
            assert ["2"] == answer.all("retry-after")
        sent = [facts["sent"] for event, facts in app.get("/told").json if event == "request"]
        assert ["nothing", *["failed"] * 3] == sent
        assert 200 == app.get("/untouched", cookie).status


def test_every_request_is_reported_once() -> None:
    with replaced() as app:
        cookie = app.get("/write?u=1").cookie
        told(app)
        app.get("/untouched", cookie)
        app.get("/show", cookie)
        app.get("/clear", cookie)
        facts = [facts for event, facts in app.get("/told").json if event == "request"]
        read_and_sent = [(each["read"], each["sent"], each["path"]) for each in facts]
        assert [
            ("untouched", "nothing", "/told"),
            ("untouched", "nothing", "/untouched"),
            ("loaded", "unchanged", "/show"),
            ("loaded", "cleared", "/clear"),
        ] == read_and_sent


def test_a_trusted_proxy_says_whether_the_connection_is_secure() -> None:
    for header, expected in (("https", True), ("http", False)):
        with replaced(proxy=1) as app:
            made = app.get("/write?u=1", headers=(("X-Forwarded-Proto", header),))
            assert expected == ("secure" in made.attributes(NAME))


def test_every_visitor_has_a_session_where_the_options_say_so() -> None:
    with replaced(save_uninitialized=True) as app:
        assert 1 == len(app.get("/untouched").set_cookie)


class Client:
    """As much of redis-py's as the reader needs."""

    def __init__(self, record: object) -> None:
        self.record = record
        self.asked: list[str] = []

    async def get(self, key: str) -> Any:
        self.asked.append(key)
        return self.record if isinstance(self.record, bytes) else json.dumps(self.record)

    async def delete(self, key: str) -> None:
        self.asked.append(key)


def read(record: object, **options: Any) -> Any:
    return asyncio.run(RedisReader(Client(record), clock=lambda: 1000.0, **options).get(ID))


def test_records_are_read_until_they_are_too_old() -> None:
    record = {"created": 900, "session": {"u": 1}}
    assert [{"u": 1}, {"u": 1}, None] == [read(record, max_age=age) for age in (None, 100, 99)]
    assert read({}) is None
    client = Client(record)
    reader = RedisReader(client, cookie_name="C")
    assert ID == reader.key(ID, 0.0)
    asyncio.run(reader.destroy(ID))
    assert [f"C_{ID}"] == client.asked


@pytest.mark.parametrize(
    "record",
    [[1], {"created": 1}, {"session": {}}, {"created": True, "session": {}}, b"\x80\x04}q\x00.",
     {"created": 1, "session": []}, b"{"],
)  # fmt: skip
def test_what_is_no_record_is_refused(record: object) -> None:
    with pytest.raises(DecodeError):
        read(record)


@pytest.mark.parametrize("value", ["", "{}", ID[:-1], ID.upper(), f"{NAME}_{ID}"])
def test_what_aiohttp_session_never_made_is_no_id(value: str) -> None:
    with pytest.raises(DecodeError):
        RedisReader(Client({})).key(value, 0.0)


PROGRAM = """
import asyncio, json
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp_session import SimpleCookieStorage
from sessfast.frameworks.aiohttp import get_session, setup

found = []
for given, keywords in ((None, {}), (SimpleCookieStorage(), {}), (None, {"secret": "short"})):
    try:
        setup(web.Application(), given, **keywords)
    except ValueError as error:
        found.append(str(error))
try:
    asyncio.run(get_session(make_mocked_request("GET", "/")))
except RuntimeError as error:
    found.append(str(error))
print(json.dumps(found))
"""


def test_a_mistake_is_an_error_that_names_the_fix() -> None:
    run = subprocess.run(
        [str(python_of("aiohttp")), "-W", "error", "-c", PROGRAM],
        cwd=ROOT, env=surroundings(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == run.returncode, run.stderr[-3000:]
    expected = (
        "secret is missing", "SimpleCookieStorage is no set of options: write setup(app, secret=",
        "shorter than 32 bytes", "call sessfast.frameworks.aiohttp.setup(app",
    )  # fmt: skip
    for part, text in zip(expected, json.loads(run.stdout), strict=True):
        assert part in text
