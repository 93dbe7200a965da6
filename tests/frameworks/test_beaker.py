"""Beaker's SessionMiddleware and ours in its place: cookies, records, objects."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessfast import MemoryStore, OptionsError
from sessfast.errors import DecodeError
from sessfast.frameworks.beaker import BeakerSession, SessionMiddleware
from sessfast.legacy.beaker import Cookies, Text, unwrapped
from tests.frameworks.incumbents import Talk, request, talking
from tests.stores.servers import url_of

SECRET = "as short as some are"
DATA = {"user": "bób", "n": {"a": [1, 2.5, None]}}
BASE = {"session.secret": SECRET, "session.key": "sid", "session.timeout": "3600"}
NEW = {**BASE, "session.sessfast.store": "memory://"}


def put(app: Talk, data: dict[str, Any], cookie: str | None = None) -> str:
    answer = app.get("/put", cookie, method="POST", body=json.dumps(data))
    assert answer.status == 200, answer
    return answer.cookie or cookie or ""


def told(app: Talk) -> list[str]:
    """The events since the last time that say something about old sessions."""
    return [name for name, _ in app.get("/events").json if name in {"imported", "legacy_refused"}]


def places(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Configurations of Beaker with a serializer that can be read."""
    return {
        "cookie": {"session.type": "cookie", "session.validate_key": SECRET},
        "file": {"session.type": "file", "session.data_dir": str(tmp_path / "data")},
        "ext:database": {
            "session.type": "ext:database",
            "session.url": f"sqlite:///{tmp_path}/beaker.db",
        },
        "ext:redis": {"session.type": "ext:redis"},
    }


@pytest.mark.parametrize("kind", ["cookie", "file", "ext:database", "ext:redis"])
def test_who_was_logged_in_stays_logged_in(kind: str, tmp_path: Path) -> None:
    """The import changes and the configuration stays; afterwards the old id opens nothing."""
    config = {**BASE, "session.data_serializer": "json", **places(tmp_path)[kind]}
    if kind == "ext:redis":
        config["session.url"] = url_of("redis")
    with talking("beaker", "incumbent", **config) as before:
        old = put(before, DATA)
        assert before.get("/show", old).json == DATA
    config["session.sessfast.store"] = "memory://"
    with talking("beaker", "replacement", **config) as after:
        answer = after.get("/show", old)
        assert answer.json == DATA
        assert "imported" in told(after)
        new = answer.cookie or ""
        assert new.startswith("sid=s%3A")
        new = put(after, {"more": 1}, new) or new
        assert after.get("/show", new).json == {**DATA, "more": 1}
        after.get("/delete", new)
        assert after.get("/show", new).json == {}
        if kind != "cookie":
            assert after.get("/show", old).json == {}


def test_a_pickled_session_is_a_fresh_one_and_an_event(tmp_path: Path) -> None:
    config = {**BASE, **places(tmp_path)["file"]}
    with talking("beaker", "incumbent", **config) as before:
        old = put(before, {"user": "ann"})
    with talking("beaker", "replacement", **config) as after:
        assert after.get("/show", old).json == {}
        assert told(after) == ["legacy_refused"]


# -- the object ----------------------------------------------------------------------------------


def test_nothing_is_stored_without_save() -> None:
    with talking("beaker", "replacement", **NEW) as app:
        cookie = put(app, {"a": 1})
        app.get("/unsaved", cookie)
        assert app.get("/show", cookie).json == {"a": 1}
        assert app.get("/unsaved").set_cookie == []


def test_with_auto_everything_is_stored() -> None:
    with talking("beaker", "replacement", **NEW, **{"session.auto": "true"}) as app:
        cookie = app.get("/unsaved").cookie
        assert app.get("/show", cookie).json == {"unsaved": 1}


@pytest.mark.parametrize("path", ["/rotate", "/invalidate"])
def test_a_new_id_kills_the_old_one(path: str) -> None:
    with talking("beaker", "replacement", **NEW) as app:
        old = put(app, {"a": 1})
        new = app.get(path, old).cookie or ""
        assert new not in {"", old}
        assert app.get("/show", new).json == ({"a": 1} if path == "/rotate" else {"fresh": 1})
        assert app.get("/show", old).json == {}


def test_the_object_has_what_beakers_has() -> None:
    seen: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        session: BeakerSession = environ["beaker.session"]
        session["a"] = 1
        session.revert()
        seen["reverted"] = dict(session)
        session["b"] = 2
        session.save()
        seen["dirty"], seen["new"] = session.dirty(), session.is_new
        seen["created"], seen["last"] = session.created, session.last_accessed
        seen["accessed"], seen["has"] = session.accessed(), session.has_key("b")
        session.persist()
        found = session.get_by_id(session.id)
        seen["by id"] = None if found is None else found["b"]
        with pytest.warns(UserWarning, match="parallel saves are merged"):
            session.lock()
        other = environ["beaker.get_session"]()
        other["c"] = 3
        other.save()
        seen["other"] = session.get_by_id(other.id) is not None
        start_response("200 OK", [])
        return []

    with pytest.warns(UserWarning, match="secret"):
        middleware = SessionMiddleware(app, BASE, store=MemoryStore(), until="2099-01-01")
    environ = {"wsgi.url_scheme": "http", "PATH_INFO": "/", "REQUEST_METHOD": "GET"}
    middleware(environ, lambda *arguments: None)
    assert abs(seen.pop("created") - 1.79e9) < 1e9
    assert seen == {
        "reverted": {}, "dirty": True, "new": True, "last": None, "accessed": True, "has": True,
        "by id": 2, "other": True,
    }  # fmt: skip


# -- known failures of the incumbent -------------------------------------------------------------


def test_an_id_that_a_client_chose_is_never_adopted() -> None:
    with talking("beaker", "replacement", **NEW) as app:
        for chosen in ("a" * 32, "s%3A" + "a" * 32, "f" * 40 + "a" * 32):
            assert chosen not in put(app, {"a": 1}, f"sid={chosen}").replace(f"sid={chosen};", "")


def test_parallel_writes_of_different_keys_are_kept() -> None:
    with talking("beaker", "replacement", **NEW) as app:
        cookie = put(app, {"a": 1})
        app.together([request(f"/slow?key=k{number}", cookie) for number in range(8)])
        expected = {"a": 1, **{f"k{number}": 1 for number in range(8)}}
        assert app.get("/show", cookie).json == expected


def test_a_logout_wins_over_a_slow_request() -> None:
    with talking("beaker", "replacement", **NEW) as app:
        cookie = put(app, {"a": 1})
        app.together([request("/slow?key=k", cookie), request("/delete", cookie)])
        assert app.get("/show", cookie).json == {}


def test_the_cookie_that_ends_a_session_is_as_secure_as_it() -> None:
    config = {**NEW, "session.secure": "true", "session.httponly": "true"}
    with talking("beaker", "replacement", **config) as app:
        answer = app.get("/put", method="POST", body='{"a": 1}', scheme="https")
        gone = app.get("/delete", answer.cookie, scheme="https").attributes("sid")
        assert {"secure", "httponly", "samesite"} <= set(gone)
        assert gone["max-age"] == "0"


def test_reading_sets_no_cookie_and_varies() -> None:
    with talking("beaker", "replacement", **NEW) as app:
        cookie = put(app, {"a": 1})
        read, untouched = app.get("/show", cookie), app.get("/events", cookie)
        assert (read.set_cookie, read.all("vary")) == ([], ["Cookie"])
        assert (untouched.set_cookie, untouched.all("vary")) == ([], [])


# -- bad input -----------------------------------------------------------------------------------


def test_a_cookie_of_another_form_is_a_fresh_session(tmp_path: Path) -> None:
    config = {**BASE, "session.data_serializer": "json", **places(tmp_path)["file"]}
    with talking("beaker", "replacement", **config) as app:
        for value in ("", "x", "0" * 40, "0" * 40 + "a" * 32, "../../etc/passwd", "\xe9" * 50):
            assert app.get("/show", f"sid={value}").json == {}


@given(st.text(max_size=120))
def test_no_text_is_an_accident(value: str) -> None:
    with pytest.raises(DecodeError):
        Cookies([b"k"], Text()).read(value, 0)


@given(st.binary(max_size=200))
def test_no_octets_are_an_accident(wrapped: bytes) -> None:
    try:
        unwrapped(wrapped)
    except DecodeError:
        pass


class Evil:
    """What runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("it ran",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("found", [Evil(), {"session": Evil()}, [1], {"a": [1]}, {1: "a"}, None])
def test_no_pickle_of_another_shape_is_read(found: Any, protocol: int) -> None:
    with pytest.raises(DecodeError, match="it is not read"):
        unwrapped(pickle.dumps(found, protocol))


@given(st.dictionaries(st.text(), st.text(min_size=1), max_size=4), st.sampled_from([3, 4, 5]))
def test_the_one_known_shape_is_read(found: dict[str, Any], protocol: int) -> None:
    """A dict of texts, no two of which are one object."""
    found = {f"{place}{key}": f"{key}{place}!" for place, key in enumerate(found)}
    assert unwrapped(pickle.dumps(found, protocol)) == found


# -- configuration -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:secret:UserWarning")
@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({}, "session.secret is missing, without which Beaker believes any id"),
        ({**BASE, "session.use_cookies": "false"}, "session.use_cookies must be true"),
        ({**BASE, "session.timeout": "soon"}, "session.timeout must be a whole number"),
        ({**BASE, "session.session_class": dict}, "a class of Beaker's can't be used"),
        ({**BASE, "session.sessfast.on_outage": "x"}, "on_outage must be one of"),
    ],
)
def test_a_wrong_configuration_names_its_fix(config: dict[str, Any], fault: str) -> None:
    with pytest.raises(OptionsError, match=fault):
        SessionMiddleware(lambda environ, start: [], config)
