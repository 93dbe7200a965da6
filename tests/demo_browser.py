"""A browser for the demo on each front: keeps the cookie, presses buttons, reads the page."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlencode

from werkzeug.test import Client, EnvironBuilder

import sessfast.demo.asgi
import sessfast.demo.wsgi
from sessfast.testing import FakeClock

FORM = {"content-type": "application/x-www-form-urlencoded"}
HOSTILE = "<script>alert(1)</script>\"'&<b> \u202e Zoë 山田 👩\u200d🚀"
VOID = frozenset({"meta", "link", "br", "input", "img", "hr"})


class Document(HTMLParser):
    """What a page holds; its tags must be balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@dataclass(frozen=True)
class Page:
    """One response as a browser sees it."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def count(self) -> int:
        found = re.search(r'<div class="count" aria-hidden="true">(\d+)</div>', self.text)
        assert found
        return int(found[1])

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        assert found
        return found[1]

    @property
    def data(self) -> dict[str, Any]:
        """The session's data as the page shows it."""
        texts = Document(self.text).texts
        data: dict[str, Any] = json.loads(texts[texts.index("Its data") + 1])
        return data

    @property
    def sid(self) -> str:
        found = re.search(r"<dt>Session id</dt><dd><code>(.{4}…)</code>", self.text)
        assert found
        return found[1]

    @property
    def last(self) -> tuple[str, str]:
        """The (read, sent) codes of the request before."""
        found = re.findall(r'<td><span class="badge[^>]*>([\w-]+)</span></td>', self.text)
        return found[0], found[1]

    @property
    def read(self) -> str:
        found = re.search(r'"kind">read</span><span class="badge \w+">([\w-]+)<', self.text)
        assert found
        return found[1]


class Browser:
    """Keeps the demo's cookie, and can press its buttons."""

    module: Any

    def __init__(self, express: bool = False) -> None:
        self.clock = FakeClock()
        self.app = self.module.build(express, self.clock, choose=lambda items: items[0])
        self.name = self.app.setup.options.name
        self.cookie: str | None = None

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Page:
        raise NotImplementedError

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Page:
        """One request; keeps the cookie that comes with the response."""
        sent = {} if self.cookie is None else {"cookie": f"{self.name}={self.cookie}"}
        page = self.send(method, path, {**sent, **(headers or {})}, body)
        for value in page.all("set-cookie"):
            cookie = value.partition(";")[0].partition("=")[2]
            self.cookie = cookie or None
        if page.text:
            Document(page.text)
        return page

    def get(self, path: str = "/", **headers: str) -> Page:
        return self.request("GET", path, headers)

    def post(self, path: str, fields: dict[str, str]) -> Page:
        return self.request("POST", path, FORM, urlencode(fields).encode())

    def press(self, action: str, path: str = "/foo", **fields: str) -> Page:
        """The page after a button was pressed on the page at `path`."""
        token = self.get(path).token
        answer = self.post(path, {"csrf": token, "action": action, **fields})
        assert answer.status == 303
        self.posted = answer
        return self.get(answer.all("location")[0])


class WsgiBrowser(Browser):
    module = sessfast.demo.wsgi

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Page:
        route, _, query = path.partition("?")
        builder = EnvironBuilder(method=method, headers=[*headers.items()])
        try:
            environ = builder.get_environ()
        finally:
            builder.close()
        environ["PATH_INFO"] = unquote(route, "latin-1")  # octets in disguise, as servers do
        environ["QUERY_STRING"] = query
        if body:
            environ["wsgi.input"].write(body)
            environ["wsgi.input"].seek(0)
            environ["CONTENT_LENGTH"] = str(len(body))
        response = Client(self.app, use_cookies=False).open(environ)
        try:
            return Page(response.status_code, list(response.headers), response.get_data(True))
        finally:
            response.close()


class AsgiBrowser(Browser):
    module = sessfast.demo.asgi

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Page:
        route, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": unquote(route),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
        # in pieces, as a server may hand it over
        pieces = [body[start : start + 4000] for start in range(0, len(body), 4000)] or [b""]
        messages: list[Any] = []

        async def receive() -> Any:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            messages.append(message)

        async def run() -> None:
            await self.app(scope, receive, send)

        asyncio.run(run())
        head = messages[0]
        found = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in head["headers"]]
        return Page(head["status"], found, b"".join(m["body"] for m in messages[1:]).decode())


FRONTS = [WsgiBrowser, AsgiBrowser]
