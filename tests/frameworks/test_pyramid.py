"""Pyramid's ISession over our engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.frameworks.incumbents import talking
from tests.servers import free_port


@pytest.mark.parametrize("kind", ["incumbent", "replacement"])
def test_an_isession_behaves_as_pyramids_own(kind: str) -> None:
    """The same table for its own factory and for ours."""
    options: dict[str, Any] = {"store": "memory://"} if kind == "replacement" else {}
    with talking("wsgi", kind, app="pyramid", **options) as app:
        assert app.get("/?do=new").json == [True, True]
        cookie = app.get("/?do=put").cookie
        assert app.get("/?do=new", cookie).json == [False, True]
        assert app.get("/?do=show", cookie).json == {"user": "ann"}
        cookie = app.get("/?do=flash", cookie).cookie or cookie
        assert app.get("/?do=messages", cookie).json == [["hello"], ["hello"], []]
        assert app.get("/?do=token", cookie).json == [True, False]
        cookie = app.get("/?do=invalidate", cookie).cookie
        assert app.get("/?do=show", cookie).json == {"fresh": True}


def test_an_invalidated_id_opens_nothing() -> None:
    with talking("wsgi", "replacement", app="pyramid", store="memory://") as app:
        old = app.get("/?do=put").cookie
        app.get("/?do=invalidate", old)
        assert app.get("/?do=show", old).json == {}


def test_reading_varies_and_sets_no_cookie() -> None:
    with talking("wsgi", "replacement", app="pyramid", store="memory://") as app:
        cookie = app.get("/?do=put").cookie
        answer = app.get("/?do=show", cookie)
        assert (answer.set_cookie, answer.all("vary")) == ([], ["Cookie"])


def test_a_store_that_is_down_is_a_503_and_the_cookie_stays() -> None:
    store = f"memcached://127.0.0.1:{free_port()}?timeout=0.5"
    with talking("wsgi", "replacement", app="pyramid", store=store) as app:
        answer = app.get("/?do=put")
        assert (answer.status, answer.set_cookie) == (503, [])
        assert answer.all("retry-after")
