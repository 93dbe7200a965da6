"""Something between a store and its server that delays, holds back, or hangs up."""

from __future__ import annotations

import socket
import threading
from typing import Self
from urllib.parse import urlsplit, urlunsplit

PATIENCE = 10.0


class Proxy:
    """Passes bytes on, until it is told not to.

    hold():    answers are kept back from now on; `asked` is set once a question has come
    release(): they are passed on, with those that were kept back
    cut():     all connections are closed, in the middle of whatever they do
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 0)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        account, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{account}{at}127.0.0.1:{self.port}"))
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.accepted = 0
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        self.open.set()
        self.cut()

    def hold(self) -> None:
        self.asked.clear()
        self.open.clear()

    def release(self) -> None:
        self.open.set()

    def cut(self) -> None:
        for each in self.sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        self.sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            self.sockets += [client, server]
            for source, sink, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pass, args=(source, sink, is_answer), daemon=True
                ).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        try:
            while data := source.recv(65536):
                if is_answer:
                    self.open.wait(PATIENCE)
                sink.sendall(data)
                if not is_answer:
                    self.asked.set()
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Silence:
    """Listens, and never says a word: the kernel accepts, nobody answers."""

    def __init__(self, url: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        parts = urlsplit(url)
        account, at, _ = parts.netloc.rpartition("@")
        port = self.listener.getsockname()[1]
        self.url = urlunsplit(parts._replace(netloc=f"{account}{at}127.0.0.1:{port}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
