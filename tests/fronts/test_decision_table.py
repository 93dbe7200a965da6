"""All 128 outcomes that express-session has, on both fronts: what is stored, what is sent."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sessfast import SessionOptions
from sessfast.hotpath import Keyring
from sessfast.testing import FakeClock
from tests.fronts.clients import nothing
from tests.fronts.spy import SpyStore

SECRET = "keyboard cat"
pytestmark = pytest.mark.filterwarnings("ignore:secret is well known")


async def modify(session: Any) -> None:
    session["views"] = session.get("views", 0) + 1


def expected(kind: str, modifies: bool, resave: bool, uninitialized: bool, rolling: bool,
             max_age: bool) -> tuple[list[str], str]:
    """(store calls, cookie: "no", "new" or "same"), read off express-session 1.19."""
    if kind != "existing":
        get = ["get"] if kind == "missing" else []
        if modifies or uninitialized:
            return [*get, "create"], "new"
        return get, "no"
    if modifies:
        return ["get", "update"], "same" if rolling or max_age else "no"
    return ["get", "update" if resave else "touch"], "same" if rolling else "no"


KINDS = ["none", "bad signature", "missing", "existing"]
FLAGS = list(itertools.product([False, True], repeat=4))


def rows() -> list[tuple[str | bool, ...]]:
    return [
        (kind, modifies, *flags)
        for kind in KINDS for modifies in (False, True) for flags in FLAGS
    ]


def test_the_table_has_128_rows() -> None:
    """Four kinds of request cookie, two handlers, four options."""
    assert len(rows()) == 128


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(map(str, row)).replace(" ", "_"))
def test_every_row_of_express_holds(client: Any, row: Any) -> None:
    """Store calls and cookie of one row are express-session's."""
    kind, modifies, resave, uninitialized, rolling, max_age = row
    clock = FakeClock()
    store = SpyStore(clock)
    preset = SessionOptions.express(
        secret=SECRET,
        store=store,
        resave=resave,
        rolling=rolling,
        save_uninitialized=uninitialized,
        cookie={"max_age": 60} if max_age else {},
    )
    here = client(clock, preset=preset, secret=SECRET)
    signed = Keyring([SECRET.encode()]).sign("Zr5Aq1-bX_0123456789abcdefABCDEF")
    cookie = None
    if kind == "existing":
        cookie = here.request(modify).cookie
        assert cookie is not None
    elif kind == "missing":
        cookie = "connect.sid=s:" + signed
    elif kind == "bad signature":
        cookie = "connect.sid=s:" + signed[:-2] + "AA"
    store.calls.clear()
    clock.advance(10)

    reply = here.request(modify if modifies else nothing, cookie=cookie)

    calls, sent = expected(kind, modifies, resave, uninitialized, rolling, max_age)
    assert calls == store.calls
    got = "no"
    if reply.cookie is not None:
        got = "same" if reply.cookie == cookie else "new"
    assert sent == got
    if reply.set_cookie is not None:
        assert ("Expires=" in reply.set_cookie) == max_age
    assert reply.all("vary") == []
    assert reply.all("cache-control") == []
