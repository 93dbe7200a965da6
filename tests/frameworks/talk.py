"""Serves one app to a test, by lines of JSON: run in the environment of an incumbent.

python -m tests.frameworks.talk tests.frameworks.apps.starlette_app incumbent '{"secret": "…"}'

The module has PROTOCOL ("wsgi" or "asgi") and build(kind, **settings). Each line of stdin is a
list of requests, made side by side; the answer is a line with the list of responses. No HTTP
server and no client of a framework is in between: what the app sends is what the test sees.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

Request = dict[str, Any]
Response = dict[str, Any]


def wsgi_call(app: Any, request: Request) -> Response:
    """What a WSGI app answers (PEP 3333)."""
    path, _, query = request["path"].partition("?")
    body = request["body"].encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "443" if request["scheme"] == "https" else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request["headers"]:
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        started[:] = [int(status.split()[0]), [list(pair) for pair in headers]]
        return lambda data: None

    chunks = app(environ, start_response)
    try:
        content = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return {"status": started[0], "headers": started[1], "body": content.decode(errors="replace")}


async def asgi_call(app: Any, request: Request) -> Response:
    """What an ASGI app answers to a request, or to a websocket (the text it sends is the body)."""
    path, _, query = request["path"].partition("?")
    is_socket = request["method"] == "WEBSOCKET"
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in request["headers"]]
    scope: dict[str, Any] = {
        "type": "websocket" if is_socket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": request["scheme"].replace("http", "ws") if is_socket else request["scheme"],
        "path": unquote_to_bytes(path).decode(),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "server": ("localhost", 443 if request["scheme"] == "https" else 80),
        "client": ("127.0.0.1", 40000),
        "state": {},
    }
    if is_socket:
        scope["subprotocols"] = []
        waiting = [
            {"type": "websocket.connect"},
            *({"type": "websocket.receive", "text": text} for text in request["body"].splitlines()),
            {"type": "websocket.disconnect", "code": 1000},
        ]
    else:
        scope["method"] = request["method"]
        waiting = [{"type": "http.request", "body": request["body"].encode(), "more_body": False}]
    answer: Response = {"status": 0, "headers": [], "body": ""}

    async def receive() -> Any:
        return waiting.pop(0) if waiting else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        kind = message["type"]
        if kind in {"http.response.start", "websocket.accept"}:
            answer["status"] = message.get("status", 101)
            answer["headers"] = [
                [k.decode("latin-1"), v.decode("latin-1")] for k, v in message.get("headers", ())
            ]
        elif kind == "websocket.close":
            answer["status"] = answer["status"] or 403
        answer["body"] += message.get("body", b"").decode(errors="replace")
        answer["body"] += message.get("text") or ""

    await app(scope, receive, send)
    return answer


def failed(error: BaseException) -> Response:
    """The answer where the app raised, as a server would give it; the body says what."""
    traceback.print_exception(error)
    return {"status": 500, "headers": [], "body": f"{type(error).__name__}: {error}"}


def answered(app: Any, request: Request) -> Response:
    """What a WSGI app answers, also where it raises."""
    try:
        return wsgi_call(app, request)
    except Exception as error:  # noqa: BLE001  the test decides what to think of it
        return failed(error)


async def answered_awaited(app: Any, request: Request) -> Response:
    """What an ASGI app answers, also where it raises."""
    try:
        return await asgi_call(app, request)
    except Exception as error:  # noqa: BLE001  the test decides what to think of it
        return failed(error)


def main() -> None:
    """Build the app, say "ready", and answer until stdin ends."""
    module = importlib.import_module(sys.argv[1])
    out = sys.stdout
    sys.stdout = sys.stderr  # what the app prints is not for the test
    app = module.build(sys.argv[2], **json.loads(sys.argv[3]))
    print("ready", file=out, flush=True)
    with ThreadPoolExecutor(16) as threads, asyncio.Runner() as runner:
        for line in sys.stdin:
            requests = json.loads(line)
            if module.PROTOCOL == "wsgi":
                answers = list(threads.map(lambda request: answered(app, request), requests))
            else:
                answers = runner.run(gathered(app, requests))
            print(json.dumps(answers), file=out, flush=True)


async def gathered(app: Any, requests: list[Request]) -> list[Response]:
    """The answers to requests that run side by side."""
    return list(await asyncio.gather(*(answered_awaited(app, each) for each in requests)))


if __name__ == "__main__":
    main()
