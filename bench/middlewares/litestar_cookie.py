"""Litestar's client-side sessions: the data travels in an encrypted cookie."""

from __future__ import annotations

from hashlib import sha256
from importlib.metadata import version

from litestar.middleware.session.client_side import CookieBackendConfig

from bench.inputs import SECRET
from bench.middlewares.in_litestar import LITESTAR, litestar_app
from bench.middlewares.proof import proved
from bench.requests import Action, Call

NAME = "Litestar, encrypted cookie"
VERSION = version("litestar")
FRONT = "asgi"
LEAVES_OUT = (
    "no store: sessions can't be revoked or listed, the last response wins, and the data travels"
    " with every request. It is encrypted (AES-GCM), which our cookie needs not be, and split over"
    " several cookies when long; one that is broken near its end is answered 500. Every request"
    " with a session sends it again, untouched or not; no Vary; one secret"
)


def calls(size: str, column: str) -> tuple[Call, Call]:
    config = CookieBackendConfig(secret=sha256(SECRET.encode()).digest())

    def make(action: Action | None, writes: bool) -> object:
        return litestar_app(action, config.middleware)

    return proved(LITESTAR, make, litestar_app(None), size, column, forge=forge)


def forge(pair: str) -> str:
    """`pair` with another ciphertext.

    Its last bytes are JSON that is read before anything is verified: changed there, it is
    answered 500.
    """
    place = pair.index("=") + 41
    return pair[:place] + ("A" if pair[place] != "A" else "B") + pair[place + 1 :]
