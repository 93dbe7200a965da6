"""PEP 3333 to the letter, where WSGI has no counterpart in ASGI."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from wsgiref.validate import validator

import pytest

from sessfast import Session, StoreError
from sessfast.testing import FakeClock, FaultyStore
from sessfast.wsgi import SessionMiddleware
from tests.fronts.clients import SECRET, WsgiClient, no_new, nothing
from tests.fronts.spy import SpyStore


def environ(**more: Any) -> dict[str, Any]:
    return {**WsgiClient().environ("/", "GET", "http", []), **more}


class Server:
    """The server side of one request: what it was told, in order."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.headers: list[tuple[str, str]] = []

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.log.append(("start", status, exc_info is not None))
        self.headers = headers
        return lambda data: self.log.append(("write", data))

    def run(self, app: Any, **more: Any) -> list[bytes]:
        body = app(environ(**more), self.start_response)
        chunks = []
        try:
            for chunk in body:
                chunks.append(chunk)
                self.log.append(("chunk", chunk))
        finally:
            if hasattr(body, "close"):
                body.close()
        return chunks

    def cookies(self) -> list[str]:
        return [value for name, value in self.headers if name == "Set-Cookie"]


def wrapped(app: Any, **options: Any) -> SessionMiddleware:
    return SessionMiddleware(app, secret=SECRET, **options)


def test_an_app_that_starts_late_commits_before_its_first_chunk() -> None:
    """A generator calls start_response when its first chunk is asked for."""
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"one"
        yield b"two"

    server = Server()
    assert server.run(wrapped(app)) == [b"one", b"two"]
    assert len(server.cookies()) == 1
    assert server.log[0] == ("start", "200 OK", False)


def test_changes_while_a_body_streams_are_committed_at_its_end() -> None:
    """A session whose cookie is out is saved again; nothing of the change is lost."""
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        session = environ["sessfast.session"]
        session["a"] = 1
        start_response("200 OK", [])
        yield b"one"
        session["a"] = 2

    clock = FakeClock()
    store = SpyStore(clock)
    server = Server()
    server.run(wrapped(app, store=store))
    assert store.calls == ["create", "update"]


def test_a_session_that_begins_after_the_headers_is_an_event_not_an_orphan() -> None:
    """No cookie can be sent any more, so nothing is stored, and the observer hears of it."""
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        environ["sessfast.session"]["a"] = 1

    clock = FakeClock()
    store = SpyStore(clock)
    events: list[str] = []
    app_with = wrapped(app, store=store, observer=lambda event, facts: events.append(event))
    server = Server()
    server.run(app_with)
    assert store.calls == []
    assert "late_change" in events


def test_the_client_that_leaves_does_not_lose_the_change() -> None:
    """close() before the end commits too, once."""
    closed: list[str] = []

    class Body:
        def __init__(self, session: Any) -> None:
            self.session = session

        def __iter__(self) -> Iterator[bytes]:
            self.session["a"] = 2
            yield b"one"
            yield b"never asked for"

        def close(self) -> None:
            closed.append("app")

    def app(environ: Any, start_response: Any) -> Body:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", [])
        return Body(environ["sessfast.session"])

    store = SpyStore(FakeClock())
    body = wrapped(app, store=store)(environ(), Server().start_response)
    next(iter(body))
    body.close()
    body.close()
    assert closed == ["app", "app"]
    assert store.calls == ["create", "update"]


def test_the_write_callable_is_the_servers() -> None:
    """What the app writes goes straight through."""
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])(b"written")
        return [b"returned"]

    server = Server()
    server.run(wrapped(app))
    assert server.log == [
        ("start", "200 OK", False), ("write", b"written"), ("chunk", b"returned")
    ]


def test_an_error_page_after_start_keeps_the_cookie() -> None:
    """start_response with exc_info replaces the headers: ours must be among the new ones."""
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", [("X", "1")])
        try:
            raise KeyError
        except KeyError:
            start_response("500 Oops", [("X", "2")], sys.exc_info())
        return [b"sorry"]

    server = Server()
    server.run(wrapped(app))
    assert [entry for entry in server.log if entry[0] == "start"] == [
        ("start", "200 OK", False), ("start", "500 Oops", True)
    ]
    assert len(server.cookies()) == 1


def test_the_apps_header_list_is_not_changed() -> None:
    """An app may reuse its list; its own Set-Cookie headers stay, in order, before ours."""
    shared = [("Set-Cookie", "p=1"), ("Set-Cookie", "q=2")]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", shared)
        return []

    server = Server()
    server.run(wrapped(app))
    assert len(shared) == 2
    assert server.cookies()[:2] == ["p=1", "q=2"]
    assert len(server.cookies()) == 3


def test_a_file_wrapper_reaches_the_server_untouched() -> None:
    """Servers recognise their own wrapper by identity and use sendfile."""
    class FileWrapper:
        def __iter__(self) -> Iterator[bytes]:
            yield b"file"

    wrapper = FileWrapper()

    def app(environ: Any, start_response: Any) -> Any:
        environ["sessfast.session"].get("a")
        start_response("200 OK", [])
        return wrapper

    body = wrapped(app)(environ(**{"wsgi.file_wrapper": FileWrapper}), Server().start_response)
    assert body is wrapper


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "302 Found"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_responses_without_a_body_carry_the_cookie(status: str, method: str) -> None:
    """The session is committed with the status line, body or none; checked by wsgiref."""
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["sessfast.session"]["a"] = 1
        headers = [] if status[:3] in ("204", "304") else [("Content-Type", "text/plain")]
        start_response(status, headers)
        return []

    complete = {
        **WsgiClient().environ("/", method, "http", []),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "QUERY_STRING": "",
        "wsgi.version": (1, 0),
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    server = Server()
    body = validator(wrapped(validator(app)))(complete, server.start_response)
    assert list(body) == []
    body.close()  # type: ignore[attr-defined]
    assert len(server.cookies()) == 1


def test_a_mounted_app_sees_the_whole_path() -> None:
    """The path guard joins SCRIPT_NAME and PATH_INFO."""
    seen: list[bool] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append("sessfast.session" in environ)
        start_response("200 OK", [])
        return []

    guarded = wrapped(app, cookie={"path": "/shop"})
    Server().run(guarded, SCRIPT_NAME="/shop", PATH_INFO="/cart")
    Server().run(guarded, SCRIPT_NAME="", PATH_INFO="/cart")
    assert seen == [True, False]


def test_two_middlewares_with_different_names_keep_two_sessions() -> None:
    """The inner session is in the usual place, both are there by cookie name."""
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["sessfast.session"]["who"] = "inner"
        environ["sessfast.sessions"]["outer.sid"]["who"] = "outer"
        assert environ["sessfast.sessions"]["inner.sid"] is environ["sessfast.session"]
        start_response("200 OK", [])
        return []

    server = Server()
    server.run(wrapped(wrapped(app, name="inner.sid"), name="outer.sid"))
    assert [cookie.partition("=")[0] for cookie in server.cookies()] == ["inner.sid", "outer.sid"]


def test_the_same_session_twice_in_one_stack_is_one() -> None:
    """As in express: a session that is there already is left alone."""
    store = SpyStore(FakeClock())

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", [])
        return []

    server = Server()
    server.run(wrapped(wrapped(app, store=store), store=store))
    assert (store.calls, len(server.cookies())) == (["create"], 1)


def test_no_reference_cycle_is_left_by_a_request() -> None:
    """The session is freed by reference counting alone, without the cycle collector."""
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        session = environ["sessfast.session"]
        session["a"] = 1
        session.cookie.max_age = 60
        start_response("200 OK", [])
        yield b"one"

    middleware = wrapped(app)
    with no_new(Session):
        Server().run(middleware)


def test_a_store_that_fails_at_start_response_gives_a_503_instead_of_the_page() -> None:
    """The app's body is closed and never sent; HEAD gets the headers alone."""
    closed: list[bool] = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def app(environ: Any, start_response: Any) -> Any:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", [("Content-Length", "6")])(b"")
        return Body([b"secret"])

    for method, body in (("GET", b"The session store can't be reached"), ("HEAD", b"")):
        store = FaultyStore(SpyStore(FakeClock()))
        store.down()
        server = Server()
        chunks = server.run(wrapped(app, store=store), REQUEST_METHOD=method)
        assert server.log[0] == ("start", "503 Service Unavailable", False)
        assert ("Retry-After", "2") in server.headers
        assert server.cookies() == []
        assert b"".join(chunks).startswith(body)
    assert closed == [True, True]


def test_a_generator_whose_commit_fails_sends_the_503_alone() -> None:
    """None of the app's chunks follow the refusal."""
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", [])
        yield b"secret"

    store = FaultyStore(SpyStore(FakeClock()))
    store.down()
    server = Server()
    chunks = server.run(wrapped(app, store=store))
    assert server.log[0][1] == "503 Service Unavailable"
    assert b"secret" not in b"".join(chunks)


def test_a_failure_after_the_headers_is_raised_to_the_server() -> None:
    """The server must cut the connection: the client may not take the page for stored."""
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        environ["sessfast.session"]["a"] = 1
        start_response("200 OK", [])
        yield b"one"
        store.down()
        environ["sessfast.session"]["a"] = 2

    store = FaultyStore(SpyStore(FakeClock()))
    with pytest.raises(StoreError):
        Server().run(wrapped(app, store=store))


def test_an_untouched_session_is_a_plain_pass_through() -> None:
    """Nothing is wrapped, added or loaded for a session that nobody touched."""
    body = [b"ok"]

    def app(environ: Any, start_response: Any) -> Any:
        assert isinstance(environ["sessfast.session"], Session)
        start_response("200 OK", [("X", "1")])
        return body

    server = Server()
    assert wrapped(app)(environ(), server.start_response) is body
    assert server.headers == [("X", "1")]
    assert nothing.__name__ == "nothing"
