"""What is said to memcached, and what its answers mean: the meta protocol. No I/O.

Why not a client library: pymemcache and its kin speak the older commands. With those a load that
also tells the version and the end of life, or a touch with it, is two or three round trips, and
`set` never tells the new version. The meta commands (memcached 1.6) do each in one.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Callable
from typing import NamedTuple

from sessfast.errors import OptionsError
from sessfast.stores.contract import StoredRecord, Version
from sessfast.stores.node_keys import node_key

END = b"\r\n"
LONGEST_KEY = 250  # octets
MONTH = 30 * 86_400  # a ttl beyond it is taken for a date
LAST_SECOND = 2**31 - 1  # of dates that every version of memcached can read

# Found in an error of the server: what it means. Nothing else of its text is passed on.
WORDS = [
    (b"too large", "the record is too large for the server (its option -I)"),
    (b"out of memory", "the server's memory is full"),
    (b"unauthenticated", "the server wants a user name and password"),
    (b"authentication", "the server refuses user name or password"),
]


class ServerRefusedError(Exception):
    """The server answers with an error. The text is ours, and has no key in it."""


class OutOfStepError(Exception):
    """What came is no answer of this protocol, or the connection ended in the middle of one."""


class Reply(NamedTuple):
    """One answer.

    code:  VA, HD: there is one, it is done; EN, NF: there is none; NS, EX: not stored
    flags: what was asked for, by its letter
    """

    code: bytes
    flags: dict[bytes, bytes]
    value: bytes = b""


def head(line: bytes) -> tuple[bytes, int, dict[bytes, bytes]]:
    """Code, size of the value that follows (-1: none) and flags of an answer's first line."""
    words = line.split()
    code = words[0] if words else b""
    if code == b"VA" and len(words) >= 2 and words[1].isdigit():
        return code, int(words[1]), flags(words[2:])
    if code in {b"HD", b"EN", b"NF", b"NS", b"EX", b"MN", b"STORED"}:
        return code, -1, flags(words[1:])
    if code in {b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR"}:
        for part, meaning in WORDS:
            if part in line:
                raise ServerRefusedError(meaning)
        raise ServerRefusedError(f"the server answers {code.decode()}")
    raise OutOfStepError


def flags(words: list[bytes]) -> dict[bytes, bytes]:
    """`c12 t60` by letter."""
    return {word[:1]: word[1:] for word in words}


def seconds(ttl: float, now: float) -> int:
    """The ttl as memcached takes it.

    now: epoch seconds by the clock on the wall, which the server reads as well
    Its clock moves once a second, so one more is added, or a record might live a second less
    than it should. 0 would be for ever, and beyond 30 days it must be a date.
    """
    if ttl >= LAST_SECOND - now:
        return LAST_SECOND
    whole = math.ceil(ttl) + 1
    return whole if whole <= MONTH else min(math.floor(now) + whole, LAST_SECOND)


class Commands:
    """The commands of the five verbs, and the answers to them.

    node:  as connect-memcached has it: bare ids, and flags that tell Node that it is JSON
    clock: epoch seconds, to tell when a record ends
    wall:  epoch seconds as on the server
    """

    def __init__(
        self, prefix: str, node: bool, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        if not re.fullmatch(r"[!-~]{0,100}", prefix):
            raise OptionsError(["store: prefix must be up to 100 ASCII characters without spaces"])
        self.prefix = prefix.encode()
        self.node = node
        self.item_flags = b"F2" if node else b"F0"
        self.clock = clock
        self.wall = wall

    def key(self, sid: str, verb: str = "get") -> bytes:
        """A key for any sid: itself where memcached can take it, else `#` and a hash of it."""
        name = (node_key(verb, sid) if self.node else sid).encode("utf-8", "surrogatepass")
        if re.fullmatch(rb"[!-\"$-~][!-~]*", name):
            key = self.prefix + name
            if len(key) <= LONGEST_KEY:
                return key
        digest = hashlib.sha256(name).digest()
        return self.prefix + b"#" + base64.urlsafe_b64encode(digest).rstrip(b"=")

    def get(self, sid: str) -> bytes:
        return b"mg %b v c t\r\n" % self.key(sid)

    def get_and_touch(self, sid: str, ttl: float) -> bytes:
        return b"mg %b v c T%d t\r\n" % (self.key(sid), seconds(ttl, self.wall()))

    def create(self, sid: str, blob: bytes, ttl: float) -> bytes:
        return self._set("create", sid, blob, ttl, b"ME")

    def update(self, sid: str, blob: bytes, ttl: float, version: Version) -> bytes:
        return self._set("update", sid, blob, ttl, b"C%d" % version)

    def _set(self, verb: str, sid: str, blob: bytes, ttl: float, condition: bytes) -> bytes:
        end = seconds(ttl, self.wall())
        words = (self.key(sid, verb), len(blob), self.item_flags, end, condition, blob)
        return b"ms %b %d c %b T%d %b\r\n%b\r\n" % words

    def touch(self, sid: str, ttl: float) -> bytes:
        return b"mg %b T%d\r\n" % (self.key(sid, "touch"), seconds(ttl, self.wall()))

    def destroy(self, sid: str) -> bytes:
        return b"md %b\r\n" % self.key(sid, "destroy")

    def found(self, reply: Reply) -> StoredRecord | None:
        """The record in the answer to a get."""
        if reply.code != b"VA":
            return None
        left = int(reply.flags[b"t"])
        return reply.value, int(reply.flags[b"c"]), None if left < 0 else self.clock() + left

    def version(self, reply: Reply) -> Version | None:
        """The version of what was stored, or None where it was not."""
        return int(reply.flags[b"c"]) if reply.code == b"HD" else None


def login(user: str, password: str) -> bytes:
    """The command that begins a connection where the server wants to know who it is."""
    words = f"{user} {password}".encode()
    return b"set auth 0 0 %d\r\n%b\r\n" % (len(words), words)
