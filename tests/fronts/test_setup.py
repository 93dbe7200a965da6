"""Building a middleware: keywords, options objects and stores, right and wrong."""

from __future__ import annotations

from typing import Any

import pytest
import werkzeug.test

from sessfast import CookieOptions, MemoryStore, OptionsError, SessionOptions, open_store
from sessfast.testing import FakeClock, FaultyStore
from sessfast.wsgi import SessionMiddleware
from tests.fronts.clients import SECRET, WsgiClient, finish, nothing
from tests.fronts.spy import SpyStore


class WithoutTouch:
    """A store that lacks one verb."""

    def get(self, sid: str) -> None: ...
    def create(self, sid: str, blob: bytes, ttl: float) -> int:
        return 1

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> int:
        return 1

    def destroy(self, sid: str) -> None: ...


class Awaited(WithoutTouch):
    """A store that only ASGI can use."""

    async def get(self, sid: str) -> None: ...  # type: ignore[override]
    async def touch(self, sid: str, ttl: float) -> bool:
        return False


FAULTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("unknown option", {"secrt": SECRET}, ["secrt is no option", "secret is missing"]),
    ("cookie attribute", {"secret": SECRET, "max_age": 3}, ["write cookie={'max_age': …}"]),
    ("several", {"secret": "x", "nme": 1, "idle": -1}, ["nme is no", "secret is well", "idle"]),
    ("store without a verb", {"secret": SECRET, "store": WithoutTouch()}, ["no touch()"]),
    ("store class", {"secret": SECRET, "store": MemoryStore}, ["is the class MemoryStore"]),
    ("store of nothing", {"secret": SECRET, "store": object()}, ["store"]),
    ("store text", {"secret": SECRET, "store": "nonsense"}, ["must be a URL"]),
    ("store scheme", {"secret": SECRET, "store": "mem://x"}, ["known as 'mem'"]),
    ("store option", {"secret": SECRET, "store": "memory://?size=1"}, ["no option 'size'"]),
    ("store bound", {"secret": SECRET, "store": "memory://?max_entries=0"}, ["positive whole"]),
    ("async store", {"secret": SECRET, "store": Awaited()}, ["WSGI can't await"]),
]  # fmt: skip


@pytest.mark.parametrize("case", FAULTS, ids=[case[0] for case in FAULTS])
def test_a_wrong_construction_names_every_fault(case: Any) -> None:
    """One OptionsError, before any request."""
    _, keywords, texts = case
    with pytest.raises(OptionsError) as caught:
        SessionMiddleware(lambda environ, start_response: [], **keywords)
    assert len(texts) == len(caught.value.faults), caught.value.faults
    for text, fault in zip(texts, caught.value.faults, strict=True):
        assert text in fault


def test_keywords_over_an_options_object_keep_its_preset() -> None:
    """A dict of cookie attributes changes those alone, also over the express preset."""
    express = SessionOptions.express(secret=SECRET)
    app = SessionMiddleware(lambda environ, start_response: [], express, cookie={"max_age": 60})
    expected = CookieOptions(max_age=60, secure=None, same_site=None)
    assert expected == app.setup.options.cookie
    assert "express" == app.setup.options.codec


def test_a_store_opens_by_url() -> None:
    """memory:// with its bounds in the query."""
    store = open_store("memory://?max_entries=5&max_bytes=10000")
    assert (5, 10000) == (store.max_entries, store.max_bytes)


def test_a_refusal_is_a_plain_response_to_a_test_client() -> None:
    """Werkzeug's client re-raises exc_info: there is none, for no headers had left."""
    store = FaultyStore(SpyStore(FakeClock()))
    store.down()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        finish(nothing(environ["sessfast.session"].get("a")))
        start_response("200 OK", [])
        return [b"ok"]

    cookie = WsgiClient().request(_write).cookie
    middleware = SessionMiddleware(app, secret=SECRET, store=store)
    browser = werkzeug.test.Client(middleware, use_cookies=False)
    reply = browser.get("/", headers={"Cookie": cookie or ""})
    assert 503 == reply.status_code
    assert "2" == reply.headers["Retry-After"]


async def _write(session: Any) -> None:
    session["a"] = 1


def test_an_id_that_no_cookie_can_hold_is_refused_before_it_is_stored() -> None:
    """genid's result is checked when it is made."""
    store = SpyStore(FakeClock())
    here = WsgiClient(store=store, genid=lambda facts: "x" * 5000)
    with pytest.raises(ValueError, match="at most"):
        here.request(_write)
    assert [] == store.calls
