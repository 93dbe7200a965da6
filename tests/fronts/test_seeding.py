"""seed() and peek(): a test of an app starts logged in, and looks at what was kept."""

from __future__ import annotations

from typing import Any

import pytest

from sessfast import SessfastError
from sessfast.testing import peek, seed


async def add(session: Any) -> None:
    session["n"] += 1


def test_a_seeded_session_is_found_by_the_app_and_peeked_at_after(client: Any) -> None:
    """The cookie that seed() returns is a browser's; peek() sees what the app stored."""
    here = client()
    cookie = seed(here.middleware, {"user": "bob", "n": 1})
    here.request(add, cookie=cookie)
    assert peek(here.middleware, cookie) == {"user": "bob", "n": 2}


def test_peek_at_nothing_is_none(client: Any) -> None:
    """No cookie, a forged one, a dead one: None."""
    here = client()
    cookie = seed(here.middleware, {"a": 1})
    here.middleware.setup.store.clear()
    assert [peek(here.middleware, value) for value in (None, "connect.sid=s:x", cookie)] == [
        None, None, None
    ]


def test_an_empty_seed_is_a_mistake_of_the_test(client: Any) -> None:
    """Nothing is stored for an empty session, so there is no cookie to return."""
    with pytest.raises(SessfastError, match="needs data"):
        seed(client().middleware, {})
