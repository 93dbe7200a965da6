"""Serves the demo on 127.0.0.1 until it is told to stop."""

from __future__ import annotations

import errno
import socket
from typing import Any

ADDRESS = "127.0.0.1"


class ServingError(Exception):
    """The demo can't be served; the text says why, and what to do about it."""


def listening(port: int) -> socket.socket:
    """A socket that listens on `port`, or on a free one for 0. ServingError if it can't."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((ADDRESS, port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise ServingError(
                f"port {port} is taken: use --port {next_port(port)}, or --port 0 for a free one"
            ) from error
        if error.errno == errno.EACCES:
            raise ServingError(
                f"port {port} needs more rights than you have: use --port 8000"
            ) from error
        raise ServingError(f"port {port} can't be opened: {error.strerror}") from error
    return sock


def next_port(port: int) -> int:
    """A port to propose instead."""
    return port + 1 if port < 65535 else 8000


def url(sock: socket.socket) -> str:
    """Where a browser finds the demo."""
    return f"http://{ADDRESS}:{sock.getsockname()[1]}/"


def serve_wsgi(sock: socket.socket, app: Any) -> None:
    """Serve an app by werkzeug's server, a thread per connection, until Ctrl-C."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        """The page itself lists the requests."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    port = sock.getsockname()[1]
    server = make_server(ADDRESS, port, app, threaded=True, request_handler=Quiet, fd=sock.fileno())
    server.serve_forever()


def serve_asgi(sock: socket.socket, app: Any) -> None:
    """Serve an app by uvicorn until Ctrl-C."""
    import uvicorn

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", server_header=False
    )
    try:
        uvicorn.Server(config).run(sockets=[sock])
    except KeyboardInterrupt:
        pass  # uvicorn has stopped, and raises the signal once more
