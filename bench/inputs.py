"""What the benchmarks are fed: cookie headers as browsers send them, and as attackers do."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import quote

import msgspec

NAME = "connect.sid"
SID = "Zq3vR8mYt0Jx5wKc1LbN7fGhD2sPa9Ue"
SECRETS = [b"the newest of the benchmark's secrets", b"the one before that, still in use",
           b"the oldest of them, about to be dropped"]  # fmt: skip
SECRET = "a secret of the benchmarks, 32 bytes or more: Qw7-vX2"


def signed(secret: bytes) -> str:
    """SID with its MAC under `secret`, as a cookie carries it behind the `s:`."""
    mac = hmac.digest(secret, SID.encode(), hashlib.sha256)
    return f"{SID}.{base64.b64encode(mac).decode().rstrip('=')}"


MAX_AGE = 1800
EXPIRES = 1_700_001_800.0
VALUE = "s:" + signed(SECRETS[0])
OURS = f"{NAME}={quote(VALUE, safe='')}"
BEFORE = "_ga=GA1.2.1093187231.1714489273; theme=dark; consent=2024-11-02T08%3A41%3A00Z%7Canalytics"
AFTER = "csrftoken=aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"
# not more than 256 pairs in all, or we would give up where the others go on
PIECE = 'connect.sidd="%zz%E0%80%80 \\" and so on, with = in it"; connect.si=%%%%%;'


def hostile(size: int, pair: str) -> str:
    """A header of `size` characters: near misses of our cookie, then `pair`."""
    room = size - len(pair) - 1
    misses = (PIECE * (room // len(PIECE))).rstrip(";")
    return misses.ljust(room, "x") + ";" + pair


def among(count: int, pair: str) -> str:
    """A header of `count` cookies, of which `pair` is the last."""
    others = [f"preference_{n:02}=value-{n:02}-of-some-length" for n in range(count - 1)]
    return "; ".join([*others, pair])


HEADERS = {
    "the only cookie": OURS,
    "one among five": f"{BEFORE}; {OURS}; {AFTER}",
    "the last of twenty": among(20, OURS),
    "8 KB of near misses": hostile(8192, OURS),
}

SMALL: dict[str, Any] = {"user": "ada", "role": "editor", "visits": 3}
NESTED: dict[str, Any] = {
    "user": "ada",
    "visits": 3,
    "csrf": "h8Zb2vXw0qYcTn5rKf7LmPs3",
    "preferences": {"theme": "dark", "language": "de", "columns": ["name", "size", "changed"]},
    "cart": [
        {"sku": f"SKU-{n:05}", "name": f"A thing of some kind, number {n}", "count": n,
         "price": 12.5 + n, "tags": ["new", "blue"]}
        for n in range(7)
    ],
    "history": [f"/articles/{n}/what-was-read" for n in range(6)],
}  # fmt: skip
SESSIONS = {"small": SMALL, "1 KB": NESTED}


def weighing(size: int) -> dict[str, Any]:
    """A session of `size` bytes (100 or more) as JSON, most of it in small objects."""
    data: dict[str, Any] = {"user": "ada", "visits": 3, "note": "", "cart": []}
    while missing := size - len(msgspec.json.encode(data)):
        number = len(data["cart"])
        thing = {"sku": f"SKU-{number:05}", "count": number, "price": 12.5, "tags": ["new", "blue"]}
        if missing > len(msgspec.json.encode(thing)):
            data["cart"].append(thing)
        else:
            data["note"] += "x" * missing
    return data
