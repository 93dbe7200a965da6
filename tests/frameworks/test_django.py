"""Django's session engines and ours in their place: logins, data and behaviour."""

from __future__ import annotations

import html
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.incumbents import (
    PLUGINS,
    ROOT,
    Talk,
    python_of,
    request,
    sources_of,
    surroundings,
    talking,
)

DATA = {"cart": [1, {"n": 2.5}], "name": "bób"}
ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]


@contextmanager
def project(kind: str, place: Path, **settings: Any) -> Iterator[Talk]:
    with talking("django", kind, place=str(place), **settings) as app:
        yield app


@contextmanager
def replaced(place: Path, legacy: str | None = None, **settings: Any) -> Iterator[Talk]:
    """The project after the change, with a store that the next one finds again."""
    ours: dict[str, Any] = {"store": f"sqlite:///{place}/sessions.db"}
    if legacy is not None:
        ours |= {"legacy": [legacy], "until": "2099-01-01"}
    with project("replacement", place, ours=ours, **settings) as app:
        yield app


def put(app: Talk, data: dict[str, Any], cookie: str | None = None) -> str:
    answer = app.get("/put/", cookie, method="POST", body=json.dumps(data))
    assert answer.status == 200, answer
    return answer.cookie or cookie or ""


def shown(app: Talk, cookie: str) -> tuple[str, dict[str, Any]]:
    """Who is logged in, and what the session holds."""
    answer = app.get("/show/", cookie)
    assert answer.status == 200, answer
    data = answer.json["data"]
    data.pop("_auth_user_id", None)
    return answer.json["user"], data


def logged_in(app: Talk, password: str = "first", cookie: str | None = None) -> str:
    answer = app.get(f"/login/?password={password}", cookie)
    assert answer.json is True, answer
    return answer.cookie or ""


# -- the change ----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_who_was_logged_in_stays_logged_in(engine: str, tmp_path: Path) -> None:
    """After the one setting, with all data; and logging out is final."""
    with project("incumbent", tmp_path, engine=engine) as before:
        cookie = put(before, DATA, logged_in(before))
        assert shown(before, cookie) == ("ann", DATA)
    with replaced(tmp_path, f"django-{engine}") as after:
        answer = after.get("/show/", cookie)
        new = answer.cookie or cookie
        assert shown(after, new) == ("ann", DATA)
        assert ["imported"] == [name for name, _ in after.get("/events/").json if "im" in name]
        new = put(after, {"more": 1}, new)
        assert shown(after, new) == ("ann", {**DATA, "more": 1})
        after.get("/logout/", new)
        assert shown(after, new) == ("", {})
        if engine != "signed_cookies":  # those can't be revoked, there as here
            assert shown(after, cookie) == ("", {})


def test_a_second_process_finds_what_the_first_took_over(tmp_path: Path) -> None:
    with project("incumbent", tmp_path) as before:
        cookie = put(before, DATA, logged_in(before))
    for _ in range(2):
        with replaced(tmp_path, "django-db") as after:
            assert shown(after, cookie) == ("ann", DATA)


def test_parallel_requests_with_an_old_session_share_one(tmp_path: Path) -> None:
    with project("incumbent", tmp_path) as before:
        cookie = put(before, DATA, logged_in(before))
    with replaced(tmp_path, "django-db") as after:
        after.together([request(f"/slow/?key=k{number}", cookie) for number in range(6)])
        user, data = shown(after, cookie)
        assert (user, data) == ("ann", {**DATA, **{f"k{number}": 1 for number in range(6)}})


def test_without_legacy_an_old_session_is_a_fresh_one(tmp_path: Path) -> None:
    with project("incumbent", tmp_path) as before:
        cookie = logged_in(before)
    with replaced(tmp_path) as after:
        assert shown(after, cookie) == ("", {})


# -- logging in and out --------------------------------------------------------------------------


def test_a_login_gives_a_new_key_and_kills_the_old_one(tmp_path: Path) -> None:
    with replaced(tmp_path) as app:
        before = put(app, {"cart": 1})
        after = logged_in(app, cookie=before)
        assert after not in {"", before}
        assert shown(app, after) == ("ann", {"cart": 1})
        assert shown(app, before) == ("", {})


def test_a_changed_password_keeps_this_session_and_ends_the_others(tmp_path: Path) -> None:
    with replaced(tmp_path) as app:
        here, there = logged_in(app), logged_in(app)
        here = app.get("/change/?password=second", here).cookie or here
        assert shown(app, here)[0] == "ann"
        assert shown(app, there)[0] == ""
        assert logged_in(app, "second")


# -- known failures of the incumbent -------------------------------------------------------------


def test_a_nested_change_is_kept(tmp_path: Path) -> None:
    with replaced(tmp_path) as app:
        cookie = put(app, {"list": [1]})
        app.get("/nested/", cookie)
        assert shown(app, cookie)[1] == {"list": [1, 1]}


def test_parallel_writes_of_different_keys_are_kept(tmp_path: Path) -> None:
    with replaced(tmp_path) as app:
        cookie = put(app, {"a": 1})
        app.together([request(f"/slow/?key=k{number}", cookie) for number in range(8)])
        expected = {"a": 1, **{f"k{number}": 1 for number in range(8)}}
        assert shown(app, cookie)[1] == expected


@pytest.mark.parametrize("on_gone", ["drop", "interrupt"])
def test_a_logout_wins_over_a_slow_request(on_gone: str, tmp_path: Path) -> None:
    """Its change is dropped. With our middleware and on_gone="drop" it is answered all the same."""
    ours = {"store": f"sqlite:///{tmp_path}/s.db", "on_gone": on_gone}
    middleware = "sessfast.frameworks.django.SessionMiddleware"
    with project("replacement", tmp_path, ours=ours, session_middleware=middleware) as app:
        cookie = logged_in(app)
        slow, _ = app.together([request("/slow/?key=k", cookie), request("/logout/", cookie)])
        assert slow.status == (200 if on_gone == "drop" else 400)
        assert shown(app, cookie) == ("", {})


def test_a_key_that_a_client_chose_is_never_adopted(tmp_path: Path) -> None:
    with replaced(tmp_path, "django-db") as app:
        assert put(app, {"a": 1}, "sessionid=attackerchosen0123456789abcdefg") != (
            "sessionid=attackerchosen0123456789abcdefg"
        )


def test_reading_varies_and_sets_no_cookie(tmp_path: Path) -> None:
    with replaced(tmp_path) as app:
        cookie = put(app, {"a": 1})
        read, untouched = app.get("/show/", cookie), app.get("/untouched/", cookie)
        assert (read.set_cookie, read.all("vary")) == ([], ["Cookie"])
        assert (untouched.set_cookie, untouched.all("vary")) == ([], [])


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", ["", "x", "a" * 500, "../../etc/passwd", "a:b:c", "%00", '"'])
def test_a_cookie_of_another_form_is_a_fresh_session(
    engine: str, value: str, tmp_path_factory: Any
) -> None:
    place = tmp_path_factory.getbasetemp() / f"django-bad-{engine}"
    place.mkdir(exist_ok=True)
    app = shared(f"django-{engine}", place)
    assert shown(app, f"sessionid={value}") == ("", {})


SHARED: dict[str, Any] = {}


def shared(legacy: str, place: Path) -> Talk:
    """One project for all bad cookies; it is ended with the tests."""
    if legacy not in SHARED:
        context = replaced(place, legacy)
        SHARED[legacy] = (context, context.__enter__())
    app: Talk = SHARED[legacy][1]
    return app


@pytest.fixture(autouse=True, scope="module")
def _ended() -> Iterator[None]:
    yield
    for context, _ in SHARED.values():
        context.__exit__(None, None, None)
    SHARED.clear()


def test_an_old_session_of_a_dropped_key_is_a_fresh_one(tmp_path: Path) -> None:
    with project("incumbent", tmp_path) as before:
        cookie = logged_in(before)
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute(\"update django_session set session_data = 'x' || session_data\"); c.commit()"
    )
    subprocess.run([str(python_of("django")), "-c", code, f"{tmp_path}/db.sqlite3"], check=True)
    with replaced(tmp_path, "django-db") as after:
        assert shown(after, cookie) == ("", {})
        assert "legacy_refused" in [name for name, _ in after.get("/events/").json]


# -- configuration -------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"secret": "x"}, "SECRET_KEY, and it signs no session key"),
    ({"idle": 5}, "SESSION_COOKIE_AGE"),
    ({"stor": "x"}, "stor is no option"),
    ({"legacy": ["django-db"]}, "legacy needs until="),
    ({"legacy": ["flask"], "until": "2099-01-01"}, "nobody reads 'flask': use one of django-db"),
    ({"store": "nowhere://"}, "no store is known as 'nowhere'"),
    ({"on_gone": "x"}, "on_gone must be"),
]


@pytest.mark.parametrize(("ours", "fault"), WRONG)
def test_a_wrong_setting_names_its_fix(ours: dict[str, Any], fault: str, tmp_path: Path) -> None:
    with project("replacement", tmp_path, ours=ours, DEBUG=True) as app:
        answer = app.get("/show/")
        assert answer.status == 500
        assert fault in html.unescape(answer.body)


def test_a_store_that_no_worker_shares_is_a_warning(tmp_path: Path) -> None:
    with project("replacement", tmp_path, ours={"store": "memory://"}) as app:
        assert app.get("/checks/").json == ["sessfast.W002"]
    with replaced(tmp_path) as app:
        assert app.get("/checks/").json == []


def test_clearsessions_removes_what_has_expired(tmp_path: Path) -> None:
    with replaced(tmp_path) as app:
        cookie = put(app, {"a": 1})
        assert app.get("/clearsessions/").status == 200
        assert shown(app, cookie)[1] == {"a": 1}


# -- Django's own tests --------------------------------------------------------------------------

EXCEPTIONS = {
    "UnderDjangosMiddleware.test_empty_session_saved": "looks into the table of Django's engine",
    "UnderOurMiddleware.test_empty_session_saved": "looks into the table of Django's engine",
    "UnderOurMiddleware.test_session_delete_on_end": "compares a header's text: other order",
    "UnderOurMiddleware.test_session_delete_on_end_with_custom_domain_and_path": "likewise",
}


def test_djangos_own_tests_pass() -> None:
    """All that Django asks of an engine, and of the middleware: under its own, and under ours."""
    command = [
        str(python_of("django")),
        str(PLUGINS / "django_tests.py"),
        str(sources_of("django", "django") / "tests"),
    ]
    run = subprocess.run(
        command, cwd=ROOT, env=surroundings(), capture_output=True, text=True, check=False
    )
    found = json.loads(run.stdout or "{}")
    assert found, run.stderr[-3000:]
    assert len(found["ran"]) > 140
    assert set(EXCEPTIONS) == set(found["failed"])
