"""A Python app beside Express: the same actions, under WSGI (werkzeug) or ASGI (uvicorn).

    python -m tests.interop.python_server CONFIG

CONFIG: {front, url, profiles} as JSON; profiles are options of express-session, in its words.
Prints its port, and ends with its stdin.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sessfast.asgi
import sessfast.wsgi
from sessfast import SessionOptions, open_store
from tests.fronts.clients import finish, io

OPTIONS = {"saveUninitialized": "save_uninitialized"}  # the other names are the same words
NATIVE = {
    "date": datetime(2023, 11, 14, 22, 13, 20, 123_999, UTC),
    "float": 1.0,
    "small": 1e-7,
    "large": 1e21,
    "negative": -0.0,
    "nothing": float("nan"),
    "buffer": b"hi",
    "list": (1, [2.5]),
}


def options_of(profile: dict[str, Any], store: Any) -> SessionOptions:
    """express-session's options as ours."""
    given = {OPTIONS.get(name, name): value for name, value in profile.items()}
    if "cookie" in given:
        given["cookie"] = {"max_age": given["cookie"]["maxAge"] / 1000}
    return SessionOptions.express(store=store, **given)


async def act(session: Any, action: str, given: dict[str, Any]) -> None:
    """Do to the session what the request asks for."""
    if action in {"set", "regenerate"}:
        if action == "regenerate":
            await io(session.regenerate())
        session.update(given)
    elif action == "drop":
        for key in given["keys"]:
            del session[key]
    elif action == "native":
        session.update(NATIVE)
    elif action == "age":
        session.cookie.max_age = timedelta(seconds=given.pop("seconds"))
        session.update(given)
    elif action == "destroy":
        await io(session.destroy())


def state_of(session: Any) -> dict[str, Any]:
    """What the answer says about a session after its action."""
    cookie = session.cookie
    return {"data": dict(session), "left": cookie.max_age, "age": cookie.original_max_age}


def shown(value: Any) -> Any:
    """What JSON has no word for: the client judges the record, not this."""
    return repr(value)


async def answer(path: str, body: bytes, session: Any) -> tuple[bytes, bool]:
    """The response's body, and whether the session is unset."""
    action = path.rpartition("/")[2]
    await act(session, action, json.loads(body or b"{}"))
    state: dict[str, Any] = {"data": {}, "left": None, "age": None}
    if action not in {"destroy", "unset"}:
        state = state_of(session)
    return json.dumps(state, default=shown).encode(), action == "unset"


def wsgi_app(environ: Any, start_response: Any) -> Iterable[bytes]:
    """The app under WSGI."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    content, unset = finish(answer(environ["PATH_INFO"], body, environ["sessfast.session"]))
    if unset:
        environ["sessfast.session"] = None
    start_response("200 OK", [("Content-Type", "application/json")])
    return [content]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """The app under ASGI."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    content, unset = await answer(scope["path"], body, scope["session"])
    if unset:
        scope["session"] = None
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def serve_wsgi(profiles: dict[str, Any], store: Any) -> None:
    """Serve with werkzeug, a thread per request."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_request(self, *_: Any) -> None: ...

    apps: dict[str, Any] = {
        name: sessfast.wsgi.SessionMiddleware(wsgi_app, options_of(profile, store))
        for name, profile in profiles.items()
    }

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        body: Iterable[bytes] = apps[environ["PATH_INFO"].split("/")[1]](environ, start_response)
        return body

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


def serve_asgi(profiles: dict[str, Any], store: Any) -> None:
    """Serve with uvicorn."""
    import uvicorn

    apps = {
        name: sessfast.asgi.SessionMiddleware(asgi_app, options_of(profile, store))
        for name, profile in profiles.items()
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[scope["path"].split("/")[1]](scope, receive, send)

    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, lifespan="off", log_level="warning", ws="none")
    uvicorn.Server(config).run([listening])


SERVERS = {"wsgi": serve_wsgi, "asgi": serve_asgi}


def end_with_stdin() -> None:
    """End this process when who started it closes its stdin, or ends."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    config = json.loads(sys.argv[1])
    threading.Thread(target=end_with_stdin, daemon=True).start()
    store = open_store(config["url"], asynchronous=config["front"] == "asgi")
    SERVERS[config["front"]](config["profiles"], store)


if __name__ == "__main__":
    main()
