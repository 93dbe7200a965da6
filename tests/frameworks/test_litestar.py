"""Litestar's server-side sessions and what stands in for them: one import and a secret apart."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

import pytest

from sessfast.errors import DecodeError
from sessfast.legacy.litestar import StoreReader
from tests.frameworks.incumbents import ROOT, Talk, python_of, request, surroundings, talking
from tests.stores.servers import url_of

SECRET = "x8Fq2-a secret that is made for the tests alone_91"
ID = "0123456789abcdef" * 4
STORES = ("memory", "redis", "ours")


def replaced(store: str = "memory", **settings: Any) -> Any:
    url = "" if store == "memory" else url_of("redis")
    return talking("litestar", "replacement", store=store, url=url, secret=SECRET, **settings)


def told(app: Talk) -> list[str]:
    """The names of the events since the last time."""
    return [event for event, _ in app.get("/told").json]


def test_who_is_logged_in_stays_logged_in() -> None:
    """The same cookie, before and after the change; then ours takes its place."""
    with talking("litestar", "incumbent", store="redis", url=url_of("redis")) as app:
        old = app.get("/write?user=ada").cookie
    with replaced("redis") as app:
        answer = app.get("/show", old)
        assert {"user": "ada"} == answer.json
        assert (answer.cookie or "").startswith("session=s%3A")
        assert "1209600" == answer.attributes("session")["max-age"]
        assert "imported" in told(app)
        assert {"user": "ada"} == app.get("/show", answer.cookie).json
        app.get("/clear", answer.cookie)
        assert {} == app.get("/show", old).json


def test_from_the_end_date_on_old_cookies_mean_nothing() -> None:
    with talking("litestar", "incumbent", store="redis", url=url_of("redis")) as app:
        old = app.get("/write?user=ada").cookie
    with replaced("redis", until="2020-01-01") as app:
        assert {} == app.get("/show", old).json


@pytest.mark.parametrize("store", STORES)
def test_the_session_is_set_cleared_and_changed_inside(store: str) -> None:
    with replaced(store) as app:
        made = app.get("/write?u=1")
        assert {"u": "1"} == app.get("/show", made.cookie).json
        for view, expected in (
            ("/put", {"put": "1"}),
            ("/put_model", {"name": "ada"}),
            ("/put_date", {"name": "ada", "day": "2030-01-02"}),
        ):
            app.get(view, made.cookie)
            assert expected == app.get("/show", made.cookie).json
        app.get("/nested", made.cookie)
        assert [1, 1] == app.get("/nested", made.cookie).json
        assert 500 == app.get("/put_set", made.cookie).status


@pytest.mark.parametrize("view", ["/clear", "/refuse"])
def test_a_cleared_session_is_gone_in_the_browser_too(view: str) -> None:
    """No Max-Age undoes the deletion, which has the attributes that the cookie was set with."""
    with replaced(secure=True) as app:
        made = app.get("/write?u=1", scheme="https")
        gone = app.get(view, made.cookie)
        attributes = gone.attributes("session")
        assert ("0", "") == (attributes["max-age"], gone.cookies["session"])
        expected = {**made.attributes("session"), "max-age": "0"}
        assert {**expected, "expires": attributes["expires"]} == attributes
        assert {} == app.get("/show", made.cookie).json


@pytest.mark.parametrize("store", STORES)
def test_an_id_that_a_client_chose_is_never_adopted(store: str) -> None:
    with replaced(store) as app:
        for chosen in ("ATTACKER", ID):
            answer = app.get("/write?u=1", f"session={chosen}")
            assert chosen not in (answer.cookie or "")
            assert {} == app.get("/show", f"session={chosen}").json


@pytest.mark.parametrize("store", STORES)
def test_parallel_writes_are_both_kept_and_logout_wins(store: str) -> None:
    with replaced(store) as app:
        cookie = app.get("/write?u=1").cookie
        app.together([request("/meet?a=1", cookie), request("/meet?b=1", cookie)])
        assert {"u": "1", "a": "1", "b": "1"} == app.get("/show", cookie).json
        slow, _ = app.together([request("/slow", cookie), request("/clear", cookie)])
        assert 200 == slow.status
        assert {} == app.get("/show", cookie).json


def test_a_visitor_whom_nobody_remembers_costs_nothing() -> None:
    """No record, no cookie, no Vary; a read sends no cookie."""
    with replaced() as app:
        answer = app.get("/untouched")
        assert ([], []) == (answer.set_cookie, answer.all("vary"))
        assert "created" not in told(app)
        cookie = app.get("/write?u=1").cookie
        answer = app.get("/show", cookie)
        assert ([], ["Cookie"]) == (answer.set_cookie, answer.all("vary"))


def test_routes_are_skipped_as_in_litestar() -> None:
    with replaced(exclude="^/excluded") as app:
        assert (False, False) == (app.get("/skipped").json, app.get("/excluded/x").json)
    with replaced(exclude=["^/nothing"]) as app:
        assert (False, True) == (app.get("/skipped").json, app.get("/excluded/x").json)


def test_outside_of_the_cookie_s_path_there_is_a_session_too() -> None:
    with replaced(path="/admin") as app:
        assert "/admin" == app.get("/write?u=1").attributes("session")["path"]


def test_behind_a_proxy_a_secure_cookie_is_sent_and_believed() -> None:
    with replaced(secure=True) as app:
        made = app.get("/write?u=1")
        assert "secure" in made.attributes("session")
        assert {"u": "1"} == app.get("/show", made.cookie).json


class Held:
    """As much of a store of Litestar's as the reader needs."""

    def __init__(self, blob: bytes | None) -> None:
        self.blob = blob

    async def get(self, key: str) -> bytes | None:
        return self.blob

    async def delete(self, key: str) -> None:
        self.blob = None


def test_records_are_read_and_all_else_is_refused() -> None:
    assert {"u": 1} == asyncio.run(StoreReader(Held(b'{"u": 1}')).get(ID))
    for nothing in (None, b"{}"):
        assert asyncio.run(StoreReader(Held(nothing)).get(ID)) is None
    for blob in (b"[1]", b'{"u"', b"\x80\x04}q\x00.", b"[" * 100_000):
        with pytest.raises(DecodeError):
            asyncio.run(StoreReader(Held(blob)).get(ID))
    for value in ("", "null", ID[:-1], ID + "0", ID.upper()):
        with pytest.raises(DecodeError):
            StoreReader(Held(None)).key(value, 0.0)
    assert "0123" == StoreReader(Held(None), session_id_bytes=2).key("0123", 0.0)


def inside(code: str) -> Any:
    """What a program prints, in Litestar's environment."""
    run = subprocess.run(
        [str(python_of("litestar")), "-c", PROGRAM + code],
        cwd=ROOT, env=surroundings(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == run.returncode, run.stderr[-3000:]
    return json.loads(run.stdout)


PROGRAM = """
import json
from litestar import Litestar, Request, get, post
from litestar.security.session_auth import SessionAuth
from litestar.testing import TestClient
from sessfast.errors import OptionsError
from sessfast.frameworks.litestar import ServerSideSessionConfig

SECRET = "x8Fq2-a secret that is made for the tests alone_91"

@get("/show", sync_to_thread=False)
def show(request: Request) -> dict:
    return dict(request.session)
"""


def test_litestars_test_client_sets_and_gets_the_data() -> None:
    code = """
config = ServerSideSessionConfig(secret=SECRET)
app = Litestar([show], middleware=[config.middleware], logging_config=None)
with TestClient(app, session_config=config) as client:
    client.set_session_data({"u": 1})
    first = client.get("/show").json()
    client.set_session_data({"u": 2})
    print(json.dumps([first, client.get("/show").json(), client.get_session_data()]))
"""
    assert [{"u": 1}, {"u": 2}, {"u": 2}] == inside(code)


def test_session_auth_finds_its_users() -> None:
    code = """
@post("/login", exclude_from_auth=True, sync_to_thread=False)
def login(request: Request) -> None:
    request.set_session({"user": "ada"})

@post("/logout", sync_to_thread=False)
def logout(request: Request) -> None:
    request.clear_session()

@get("/me", sync_to_thread=False)
def me(request: Request) -> str:
    return request.user

async def user(session, connection):
    return session.get("user")

auth = SessionAuth(retrieve_user_handler=user, exclude="^/schema",
                   session_backend_config=ServerSideSessionConfig(secret=SECRET))
app = Litestar([login, logout, me], on_app_init=[auth.on_app_init], logging_config=None)
with TestClient(app) as client:
    steps = [client.get("/me"), client.post("/login"), client.get("/me"), client.post("/logout"),
             client.get("/me")]
    print(json.dumps([step.status_code for step in steps] + [steps[2].text]))
"""
    assert [401, 201, 200, 201, 401, "ada"] == inside(code)


def test_a_mistake_is_an_error_that_names_the_fix() -> None:
    code = """
found = []
for options in ({}, {"secret": "short"}, {"secret": SECRET, "kee": "x"},
                {"secret": SECRET, "store": "nosuch://x"}):
    try:
        ServerSideSessionConfig(**options)
    except OptionsError as error:
        found.append(str(error))
print(json.dumps(found))
"""
    found = inside(code)
    for part, text in zip(
        ("Litestar signs no ids", "shorter than 32", "kee is no option", "nosuch"),
        found, strict=True,
    ):  # fmt: skip
        assert part in text
