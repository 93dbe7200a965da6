"""The ten lines that people write themselves: JSON in a cookie that itsdangerous signs."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from http.cookies import SimpleCookie
from importlib.metadata import version
from typing import Any

from itsdangerous import BadSignature, TimestampSigner

from bench.inputs import SECRET
from bench.middlewares.proof import WSGI, proved
from bench.requests import Action, Call, wsgi_app

NAME = "itsdangerous, by hand"
VERSION = version("itsdangerous")
FRONT = "wsgi"
LEAVES_OUT = (
    "no store: sessions can't be revoked or listed, the last response wins, the data travels with"
    " every request, unencrypted. No clock but the last write's, no Vary, no limit on size; reads"
    " the cookie whether anyone looks or not. http.cookies stops at the first pair it can't read,"
    " and the session is then lost"
)
AGE = 1_209_600


class ByHand:
    """environ["session"] is a dict; a changed one is sent back."""

    def __init__(self, app: Any, secret: str) -> None:
        self.app = app
        self.signer = TimestampSigner(secret)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("session")
        try:
            text = self.signer.unsign(cookie.value, max_age=AGE) if cookie else b"e30="
            session = json.loads(urlsafe_b64decode(text))
        except BadSignature:
            session = {}
        before = json.dumps(session)
        environ["session"] = session

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            after = json.dumps(session)
            if after != before:
                value = self.signer.sign(urlsafe_b64encode(after.encode())).decode()
                attributes = f"Path=/; Max-Age={AGE}; HttpOnly; SameSite=Lax"
                headers.append(("Set-Cookie", f"session={value}; {attributes}"))
            return start_response(status, headers, exc_info)

        body: Iterable[bytes] = self.app(environ, start)
        return body


def calls(size: str, column: str) -> tuple[Call, Call]:
    def make(action: Action | None, writes: bool) -> ByHand:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if action is not None:
                action(environ["session"])
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"ok"]

        return ByHand(app, SECRET)

    return proved(WSGI, make, wsgi_app(None), size, column)
