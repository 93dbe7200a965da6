"""What is said to Redis, and what its answers mean: commands, scripts, layouts. No I/O.

Every verb is one command. `update` looks and writes in one script, which Redis runs as a whole.

Two layouts of a record:
- native: 16 octets, then the blob. The octets are a mark and 96 random bits, made anew by every
  write: they are the version.
- connect-redis: the blob alone, as Node's connect-redis writes it. The version is the blob
  itself: whoever holds the bytes that are stored has seen the last write, or one just like it.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from sessfast.errors import StoreError
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.stores.contract import Created, StoredRecord, Updated, Version
from sessfast.stores.node_keys import node_key, our_sid

LONGEST_TTL = 100 * 366 * 86_400.0  # beyond it Redis would refuse the sum
BATCH = 500  # keys that one SCAN looks at


class Script(NamedTuple):
    """A Lua script and the SHA-1 by which Redis remembers it."""

    text: str
    sha: str


def script(text: str) -> Script:
    """`text` as a Script."""
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# The value and the milliseconds it has left; with ARGV[1], which it is given first.
LOAD = script(
    """
local value = redis.call('GET', KEYS[1])
if not value then return false end
if ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {value, redis.call('PTTL', KEYS[1])}
"""
)

# ARGV: the version that was loaded, the new value, its milliseconds, how many octets at the
# front of a value are its version (-1: all). 1 is done, 0 is gone, else what is there now.
# Where versions are random, one that is there already is a success: of the first try, whose
# answer got lost. Where they are the blobs themselves, it may be somebody else's.
UPDATE = script(
    """
local value = redis.call('GET', KEYS[1])
if not value then return 0 end
local held = string.sub(value, 1, ARGV[4])
local again = ARGV[4] ~= '-1' and held == string.sub(ARGV[2], 1, ARGV[4])
if held == ARGV[1] or again then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return {value, redis.call('PTTL', KEYS[1])}
"""
)


class Ask(NamedTuple):
    """One command for one key.

    words: the command; a script is named in it by its SHA-1
    again: whether it may be sent a second time where the first answer was lost
    """

    words: tuple[Any, ...]
    again: bool
    script: Script | None = None

    @property
    def whole(self) -> tuple[Any, ...]:
        """The command with the script's text, for a server that has forgotten it."""
        assert self.script is not None
        return ("EVAL", self.script.text, *self.words[2:])


class Layout(Protocol):
    """How a record becomes a key and a value."""

    prefix: bytes  # of all keys
    octets: int  # at the front of a value that are its version; -1: all

    def key(self, sid: str, verb: str = "get") -> bytes: ...
    def sid(self, key: bytes) -> str: ...
    def milliseconds(self, ttl: float) -> int: ...
    def fresh(self, blob: bytes) -> tuple[bytes, Version]: ...
    def split(self, value: bytes) -> tuple[bytes, Version] | None: ...


class NativeLayout:
    """Our own: a new version with every write."""

    MARK = b"sf1:"
    octets = 16

    def __init__(self, prefix: str) -> None:
        self.prefix = octets(prefix)

    def key(self, sid: str, verb: str = "get") -> bytes:
        return self.prefix + octets(sid)

    def sid(self, key: bytes) -> str:
        return text(key[len(self.prefix) :])

    def milliseconds(self, ttl: float) -> int:
        return max(1, math.ceil(min(ttl, LONGEST_TTL) * 1000))

    def fresh(self, blob: bytes) -> tuple[bytes, Version]:
        version = self.MARK + secrets.token_bytes(self.octets - len(self.MARK))
        return version + blob, version

    def split(self, value: bytes) -> tuple[bytes, Version] | None:
        if value[:4] != self.MARK or len(value) < self.octets:
            return None
        return value[self.octets :], value[: self.octets]


class ConnectRedisLayout:
    """As connect-redis does it: `sess:` and the id, JSON, whole seconds rounded up."""

    octets = -1

    def __init__(self, prefix: str) -> None:
        self.prefix = octets(prefix)

    def key(self, sid: str, verb: str = "get") -> bytes:
        return self.prefix + octets(node_key(verb, sid))

    def sid(self, key: bytes) -> str:
        return our_sid(text(key[len(self.prefix) :]))

    def milliseconds(self, ttl: float) -> int:
        return max(1, math.ceil(min(ttl, LONGEST_TTL))) * 1000

    def fresh(self, blob: bytes) -> tuple[bytes, Version]:
        return blob, blob

    def split(self, value: bytes) -> tuple[bytes, Version] | None:
        return value, value


# layout: (class, prefix of its keys unless another is asked for)
LAYOUTS: dict[str, tuple[Callable[[str], Layout], str]] = {
    "native": (NativeLayout, "sessfast:"),
    "connect-redis": (ConnectRedisLayout, "sess:"),
}


class Verbs:
    """The five verbs as commands, and the answers to them as the contract has them."""

    def __init__(self, layout: Layout, clock: Callable[[], float]) -> None:
        self.layout = layout
        self.clock = clock

    def get(self, sid: str) -> Ask:
        return Ask(("EVALSHA", LOAD.sha, 1, self.layout.key(sid)), True, LOAD)

    def get_and_touch(self, sid: str, ttl: float) -> Ask:
        layout = self.layout
        words = ("EVALSHA", LOAD.sha, 1, layout.key(sid), layout.milliseconds(ttl))
        return Ask(words, True, LOAD)

    def create(self, sid: str, value: bytes, ttl: float) -> Ask:
        key, milliseconds = self.layout.key(sid, "create"), self.layout.milliseconds(ttl)
        words = ("SET", key, value, "NX", "PX", milliseconds)
        return Ask(words, False)  # a second try would meet the record of the first

    def update(self, sid: str, value: bytes, ttl: float, version: Version) -> Ask:
        layout = self.layout
        key, life = layout.key(sid, "update"), layout.milliseconds(ttl)
        words = ("EVALSHA", UPDATE.sha, 1, key, version, value, life, layout.octets)
        return Ask(words, layout.octets > 0, UPDATE)

    def touch(self, sid: str, ttl: float) -> Ask:
        return Ask(("PEXPIRE", self.layout.key(sid, "touch"), self.layout.milliseconds(ttl)), True)

    def destroy(self, sid: str) -> Ask:
        return Ask(("DEL", self.layout.key(sid, "destroy")), True)

    def found(self, verb: str, reply: Any) -> StoredRecord | None:
        """What LOAD answered. StoreError for a value that is no record of this layout."""
        if not reply:
            return None
        value, left = reply
        record = self.layout.split(value)
        if record is None:
            raise StoreError(verb, "what is stored there is no record of this layout")
        # what is left, not a date: the server's clock may be another
        return *record, (None if left < 0 else self.clock() + left / 1000)

    def created(self, reply: Any, version: Version) -> Created:
        return version if reply else EXISTS

    def updated(self, reply: Any, version: Version) -> Updated:
        if isinstance(reply, int):
            return version if reply else GONE
        record = self.found("update", reply)
        assert record is not None
        return Conflict(record)


def pattern(prefix: bytes) -> bytes:
    """What SCAN matches all keys of a prefix with, whatever is in it."""
    special = b"\\*?[]^-"
    return b"".join(b"\\" + bytes([c]) if c in special else bytes([c]) for c in prefix) + b"*"


def octets(words: str) -> bytes:
    """Any str as octets, no two alike; half a surrogate pair too."""
    return words.encode("utf-8", "surrogatepass")


def text(key: bytes) -> str:
    """The str that `octets` made into `key`; what it can't have made, readable."""
    try:
        return key.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return key.decode("utf-8", "backslashreplace")
