"""Other people's session layers, each doing the six columns' work, and what that costs them.

One file per peer; its face is the protocol `Peer` below. The face doesn't mention our middleware:
bench/test_middlewares.py puts ours beside each of them, in the same turns. What a peer needs of
its framework is in in_flask.py, in_django.py and in_litestar.py; what all must prove before they
are measured is in proof.py.

What is subtracted is the peer's own bare app: same framework, same routing, same answer, same
Cookie header, no session layer. Every peer has its defaults except where the columns ask for
something else, its store in the process, room enough that nothing is thrown out, and the store is
emptied before each turn that fills it, outside the clock.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from bench.requests import Call

PEERS = (
    "itsdangerous_by_hand", "starlette_cookie", "starsessions_memory", "flask_cookie",
    "flask_session_cachelib", "django_cache", "django_cookie", "beaker_memory", "litestar_memory",
    "litestar_cookie", "express_session",
)  # fmt: skip


class MissingError(Exception):
    """A peer can't be measured here; the text is one line that says what is missing."""


class Peer(Protocol):
    """What each peer's module gives.

    NAME:       how tables call it: the package and where the data is
    VERSION:    of what is installed
    FRONT:      "wsgi" or "asgi": the protocol it speaks and on which ours stands beside it;
                "node" where it speaks neither (ours is then the WSGI one)
    LEAVES_OUT: what it does not do that ours does, or does besides; tables print it
    """

    NAME: str
    VERSION: str
    FRONT: str
    LEAVES_OUT: str

    def calls(self, size: str, column: str) -> tuple[Call, Call]:
        """The peer's loop and its bare app's; MissingError where it can't run.

        size, column: keys of bench.requests' SESSIONS and COLUMNS
        AssertionError where the peer doesn't do the column's work.
        """


def load(name: str) -> Peer:
    """One of PEERS; MissingError where its package is not installed."""
    try:
        return cast("Peer", import_module(f"{__name__}.{name}"))
    except ImportError as error:  # not only ModuleNotFoundError: Litestar has its own for an extra
        if (error.name or "").partition(".")[0] in ("bench", "sessfast"):
            raise
        fault = str(error).partition("\n")[0]
        raise MissingError(f"{name}: {fault}: pip install -e '.[bench]'") from error
