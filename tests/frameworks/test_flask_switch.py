"""One line changed, and everybody is still logged in: Flask, Flask-Session and Quart as they are.

Each incumbent runs in an environment of its own; what it is known to get wrong is asked of both.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.frameworks.incumbents import Talk, request, talking
from tests.stores.servers import url_of

Settings = dict[str, Any]
PARTIES = 8


class Incumbent(NamedTuple):
    """An incumbent as it is configured: environment and app, and what makes its settings."""

    name: str
    settings: Callable[[Path], Settings]

    def talk(self, kind: str, settings: Settings, **more: Any) -> AbstractContextManager[Talk]:
        return talking(self.name, kind, **merged(settings, more))


def merged(settings: Settings, more: Settings) -> Settings:
    """Settings of an app, with more of them; `config` is merged too."""
    config = {**settings.get("config", {}), **more.get("config", {})}
    return {**settings, **more, **({"config": config} if config else {})}


def redis(folder: Path) -> Settings:
    return {"redis": url_of("redis"), "config": {"SESSION_KEY_PREFIX": f"{folder.name}:"}}


def redis_json(folder: Path) -> Settings:
    return merged(redis(folder), {"config": {"SESSION_SERIALIZATION_FORMAT": "json"}})


def redis_signed(folder: Path) -> Settings:
    return merged(redis(folder), {"config": {"SESSION_USE_SIGNER": True}})


def memcached(folder: Path) -> Settings:
    port = urlsplit(url_of("memcached")).port
    return {"memcached": port, "config": {"SESSION_KEY_PREFIX": f"{folder.name}:"}}


def table(folder: Path) -> Settings:
    return {"database": f"sqlite:///{folder}/app.db"}


def files(folder: Path) -> Settings:
    return {"config": {"SESSION_TYPE": "filesystem", "SESSION_FILE_DIR": str(folder)}}


FLASK = Incumbent("flask", lambda folder: {})
QUART = Incumbent("quart", lambda folder: {})
INCUMBENTS = {
    "flask": FLASK,
    "flask-session, redis": Incumbent("flask_session", redis),
    "flask-session, redis, json": Incumbent("flask_session", redis_json),
    "flask-session, redis, signed": Incumbent("flask_session", redis_signed),
    "flask-session, memcached": Incumbent("flask_session", memcached),
    "flask-session, sqlalchemy": Incumbent("flask_session", table),
    "flask-session, filesystem": Incumbent("flask_session", files),
    "quart": QUART,
}
pytestmark = pytest.mark.slow  # makes environments, starts many apps
every = pytest.mark.parametrize("incumbent", INCUMBENTS.values(), ids=INCUMBENTS)
flasks = pytest.mark.parametrize(
    "incumbent", [FLASK, INCUMBENTS["flask-session, redis"]], ids=["flask", "flask-session"]
)
VALUE = '{"name": "ada", "cart": [1, 2.5, null, "é"]}'
DATA = {"name": "ada", "cart": [1, 2.5, None, "é"]}


def asked(key: str, value: str = "1", **more: Any) -> str:
    """The path of the view that writes."""
    words = "".join(f"&{name}={text}" for name, text in more.items())
    return f"/set?key={key}&value={value.replace(' ', '%20').replace('é', '%C3%A9')}{words}"


def events(talk: Talk) -> list[str]:
    return [event for event, _ in talk.get("/events").json]


# -- the switch --------------------------------------------------------------------------------


@every
def test_who_was_logged_in_stays_logged_in(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        old = talk.get(asked("user", VALUE)).cookie
        assert talk.get("/all", old).json["user"] == DATA
    with incumbent.talk("replacement", settings) as talk:
        answer = talk.get("/all", old)
        assert answer.json["user"] == DATA
        assert events(talk)[0] == "imported"
        ours = answer.cookie
        assert ours is not None
        assert ours.startswith("session=s%3A")
        again = talk.get("/all", ours)
        assert (again.json["user"], again.set_cookie) == (DATA, [])
        assert events(talk) == ["loaded"]


@every
def test_a_first_request_that_writes_keeps_both(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        old = talk.get(asked("user", VALUE)).cookie
    with incumbent.talk("replacement", settings) as talk:
        ours = talk.get(asked("more", "2"), old).cookie
        data = talk.get("/all", ours).json
        assert (data["user"], data["more"]) == (DATA, 2)


@every
def test_an_old_session_that_nobody_touches_waits(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        old = talk.get(asked("user", VALUE)).cookie
    with incumbent.talk("replacement", settings) as talk:
        answer = talk.get("/untouched", old)
        assert (answer.set_cookie, answer.all("vary")) == ([], [])
        assert talk.get("/all", old).json["user"] == DATA


@every
def test_a_logout_ends_the_old_session(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        old = talk.get(asked("user", VALUE)).cookie
    with incumbent.talk("replacement", settings) as talk:
        answer = talk.get("/logout?clear=1", old)
        assert answer.cookies == {"session": ""}
        if incumbent.name == "flask_session":  # a signed cookie can't be taken back
            assert talk.get("/all", old).json == {}


def test_types_that_json_lacks_survive_the_switch(tmp_path: Path) -> None:
    with FLASK.talk("incumbent", {}) as talk:
        old = talk.get("/odd").cookie
        expected = talk.get("/odd-again", old).json
    with FLASK.talk("replacement", {}) as talk:
        assert talk.get("/odd-again", old).json == expected
        ours = talk.get("/odd").cookie
        assert talk.get("/odd-again", ours).json == expected


@flasks
def test_a_permanent_session_stays_one(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        old = talk.get(asked("user", permanent=1)).cookie
    with incumbent.talk("replacement", settings) as talk:
        assert talk.get("/all", old).attributes("session")["max-age"] == str(31 * 86400)


@flasks
def test_requests_side_by_side_find_one_session(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        old = talk.get(asked("user", VALUE)).cookie
    with incumbent.talk("replacement", settings) as talk:
        answers = talk.together([request("/all", old) for _ in range(4)])
        assert [answer.json["user"] for answer in answers] == [DATA] * 4
        if incumbent.name == "flask_session":
            assert len({answer.cookie for answer in answers}) == 1


@every
def test_the_switch_has_an_end(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        old = talk.get(asked("user", VALUE)).cookie
    ends: list[Settings] = [{"until": "2020-01-01"}, {"legacy": []}]
    for options in ends:
        with incumbent.talk("replacement", settings, **options) as talk:
            assert talk.get("/all", old).json == {}


@every
def test_what_the_incumbent_itself_refuses_is_a_fresh_session(
    incumbent: Incumbent, tmp_path: Path
) -> None:
    settings = incumbent.settings(tmp_path)
    with incumbent.talk("incumbent", settings) as talk:
        [value] = talk.get(asked("user", VALUE)).cookies.values()
    middle = len(value) // 2
    swapped = "AB"[value[middle] == "A"]
    bad = [value[:-3], value[:middle] + swapped + value[middle + 1 :], "x", "a.b.c", '"""', "%00"]
    with incumbent.talk("replacement", settings) as talk:
        for cookie in bad:
            answer = talk.get("/all", f"session={cookie}")
            assert (answer.status, answer.json, answer.set_cookie) == (200, {}, [])
            assert {"legacy_refused", "unknown_id", "forged"}.issuperset(events(talk))


def test_a_cookie_of_a_dropped_key_is_refused_and_of_a_fallback_taken(tmp_path: Path) -> None:
    keys = ["key one, long enough for everybody: 1", "key two, long enough for everybody: 2"]
    with FLASK.talk("incumbent", {}, config={"SECRET_KEY": keys[0]}) as talk:
        old = talk.get(asked("user")).cookie
    config: Settings = {"SECRET_KEY": keys[1]}
    with FLASK.talk("replacement", {}, config=config) as talk:
        assert talk.get("/all", old).json == {}
        assert "legacy_refused" in events(talk)
    config["SECRET_KEY_FALLBACKS"] = [keys[0]]
    with FLASK.talk("replacement", {}, config=config) as talk:
        assert talk.get("/all", old).json == {"user": 1}


def test_a_lifetime_that_is_over_is_over(tmp_path: Path) -> None:
    with FLASK.talk("incumbent", {}) as talk:
        old = talk.get(asked("user")).cookie
    with FLASK.talk("replacement", {}, config={"PERMANENT_SESSION_LIFETIME": 0.000001}) as talk:
        assert talk.get("/all", old).json == {}
        refused = ["legacy_refused", {"format": "flask", "reason": "it has expired"}]
        assert refused in talk.get("/events").json


# -- what the incumbents are known for ---------------------------------------------------------


@every
def test_parallel_writes_are_all_kept(incumbent: Incumbent, tmp_path: Path) -> None:
    """Flask keeps one of eight, and so does Flask-Session."""
    settings = incumbent.settings(tmp_path)
    kept = {}
    for kind in ("incumbent", "replacement"):
        with incumbent.talk(kind, settings) as talk:
            cookie = talk.get(asked("user")).cookie
            meet: Any = {"meet": "here", "of": PARTIES}
            paths = [asked(f"key{n}", **meet) for n in range(PARTIES)]
            answers = talk.together([request(path, cookie) for path in paths])
            last = next((a.cookie for a in reversed(answers) if a.cookie), cookie)
            kept[kind] = sum(key.startswith("key") for key in talk.get("/all", last).json)
    assert kept["replacement"] == PARTIES
    assert kept["incumbent"] < PARTIES


@flasks
def test_a_logout_is_not_undone_by_a_slow_request(incumbent: Incumbent, tmp_path: Path) -> None:
    settings = incumbent.settings(tmp_path)
    lives = {}
    for kind in ("incumbent", "replacement"):
        with incumbent.talk(kind, settings) as talk:
            cookie = talk.get(asked("user")).cookie
            slow = asked("late", began="slow", wait="out")
            answers = talk.together(
                [request(slow, cookie), request("/logout?wait=slow&signal=out", cookie)]
            )
            lives[kind] = talk.get("/all", answers[0].cookie or cookie).json
    assert lives == {"incumbent": lives["incumbent"], "replacement": {}}
    assert lives["incumbent"] != {}


@every
def test_an_id_that_somebody_made_up_is_never_adopted(incumbent: Incumbent, tmp_path: Path) -> None:
    made_up = "A" * 43
    with incumbent.talk("replacement", incumbent.settings(tmp_path)) as talk:
        answer = talk.get(asked("user"), f"session={made_up}")
        assert made_up not in answer.cookies["session"]
        assert talk.get("/all", f"session={made_up}").json == {}


def test_a_login_gets_a_new_id_and_the_planted_one_is_worth_nothing(tmp_path: Path) -> None:
    """Flask-Session keeps the id over `session.clear()`, so that a planted one is logged in."""
    incumbent = INCUMBENTS["flask-session, redis"]
    settings = incumbent.settings(tmp_path)
    found = {}
    for kind in ("incumbent", "replacement"):
        with incumbent.talk(kind, settings) as talk:
            planted = talk.get(asked("csrf")).cookie
            talk.get("/login?user=ada", planted)
            found[kind] = talk.get("/get?key=user", planted).json
    assert found == {"incumbent": "ada", "replacement": None}


@every
def test_a_nested_change_is_kept(incumbent: Incumbent, tmp_path: Path) -> None:
    """Flask loses it; Flask-Session keeps it by writing all on each request, or loses it too."""
    settings = merged(
        incumbent.settings(tmp_path), {"config": {"SESSION_REFRESH_EACH_REQUEST": False}}
    )
    kept = {}
    for kind in ("incumbent", "replacement"):
        with incumbent.talk(kind, settings) as talk:
            cookie = talk.get("/cart").cookie
            cookie = talk.get("/append?what=pen", cookie).cookie or cookie
            kept[kind] = len(talk.get("/all", cookie).json["cart"])
    assert kept == {"incumbent": 0, "replacement": 1}


def test_reads_and_pages_that_look_at_nothing_set_no_cookie(tmp_path: Path) -> None:
    """Flask-Session writes the record and sends the cookie on each of them."""
    incumbent = INCUMBENTS["flask-session, redis"]
    settings = incumbent.settings(tmp_path)
    sent = {}
    for kind in ("incumbent", "replacement"):
        with incumbent.talk(kind, settings) as talk:
            cookie = talk.get(asked("user")).cookie
            answers = [talk.get(path, cookie) for path in ("/untouched", "/get?key=user")]
            sent[kind] = [len(answer.set_cookie) for answer in answers]
            if kind == "replacement":
                assert [answer.all("vary") for answer in answers] == [[], ["Cookie"]]
    assert sent == {"incumbent": [1, 1], "replacement": [0, 0]}


def test_a_cookie_is_removed_with_all_its_attributes(tmp_path: Path) -> None:
    """Flask-Session leaves Secure and Partitioned away, and browsers then refuse it."""
    incumbent = INCUMBENTS["flask-session, redis"]
    config = {
        "SESSION_COOKIE_NAME": "__Host-s", "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_PARTITIONED": True,
    }  # fmt: skip
    settings = merged(incumbent.settings(tmp_path), {"config": config})
    removed = {}
    for kind in ("incumbent", "replacement"):
        with incumbent.talk(kind, settings) as talk:
            answer = talk.get(asked("user"), scheme="https")
            gone = talk.get("/logout?clear=1", answer.cookie, scheme="https")
            removed[kind] = {"secure", "partitioned", "samesite"} & set(gone.attributes("__Host-s"))
    assert removed == {"incumbent": set(), "replacement": {"secure", "partitioned", "samesite"}}


def test_every_response_that_depends_on_the_session_says_so(tmp_path: Path) -> None:
    """CVE-2023-30861 and CVE-2026-27205: a cache gave one visitor's cookie to others."""
    with FLASK.talk("replacement", {}) as talk:
        cookie = talk.get(asked("user", permanent=1)).cookie
        for path in ("/get?key=user", "/all", asked("user"), "/odd-again", "/logout"):
            answer = talk.get(path, cookie)
            assert answer.all("vary") == ["Cookie"]
            assert answer.all("cache-control") == (["no-store"] if answer.set_cookie else [])


def test_what_a_stream_changes_is_kept(tmp_path: Path) -> None:
    """Flask saves before the body is made."""
    kept = {}
    for incumbent in (FLASK, QUART):
        for kind in ("incumbent", "replacement"):
            with incumbent.talk(kind, {}) as talk:
                answer = talk.get("/stream")
                assert answer.body == "ab"
                kept[incumbent.name, kind] = "ended" in talk.get("/all", answer.cookie).json
    assert kept == {
        (name, kind): kind == "replacement"
        for name in ("flask", "quart")
        for kind in ("incumbent", "replacement")
    }


def test_a_websocket_keeps_what_it_writes(tmp_path: Path) -> None:
    """Quart's own sessions lose it: no cookie can go out any more."""
    kept = {}
    for kind in ("incumbent", "replacement"):
        with QUART.talk(kind, {}) as talk:
            cookie = talk.get(asked("user")).cookie
            answer = talk.get("/socket", cookie, method="WEBSOCKET", body="spoken\n")
            assert '"spoken": true' in answer.body
            kept[kind] = "spoken" in talk.get("/all", cookie).json
    assert kept == {"incumbent": False, "replacement": True}


def test_a_store_that_must_be_awaited_serves_quart(tmp_path: Path) -> None:
    for store in (url_of("redis"), f"sqlite:///{tmp_path}/sessions.db"):
        with QUART.talk("incumbent", {}) as talk:
            old = talk.get(asked("user", VALUE)).cookie
        with QUART.talk("replacement", {}, store=store) as talk:
            ours = talk.get(asked("more"), old).cookie
            assert talk.get("/all", ours).json == {"user": DATA, "more": 1}
            assert talk.get("/append", talk.get("/cart", ours).cookie or ours).body == "1"
            assert talk.get("/regenerate", ours).set_cookie != []
            assert talk.get("/all", ours).json == {}
