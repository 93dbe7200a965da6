"""Signed text: HMAC-SHA256 under a ring of keys, the first of which signs.

The specification of `signing_cy`. A key is kept as two SHA-256 states that have taken in its
inner and outer pad, so that a MAC hashes the text and 32 octets, not the key again
(RFC 2104 s4 describes this).
"""

from __future__ import annotations

import hashlib
import re
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from hmac import compare_digest
from typing import Any, NoReturn

from sessfast.hotpath.cookies_py import find, gathered

REVISION = 1

ABSENT, MALFORMED, FORGED, SIGNED = range(4)  # verdicts of Keyring.first_signed

_BLOCK = 64  # octets that SHA-256 takes at a time
_INNER = bytes(octet ^ 0x36 for octet in range(256))
_OUTER = bytes(octet ^ 0x5C for octet in range(256))
_MAC_CHARS = 43  # base64 of 32 octets without its padding
_FINGERPRINT_CHARS = 32
_PLAIN_ID = re.compile("[A-Za-z0-9_-]{1,256}")
_URLSAFE = bytes.maketrans(b"+/", b"-_")  # from one base64 to the other


def cpu_path() -> str:
    """What computes SHA-256 here: "hashlib"."""
    return "hashlib"


class Keyring:
    """Keys in order: the first one signs, every one verifies.

    secrets: one or more keys, bytes of any length; newest first, as express does
    ValueError: no key. TypeError: a key that isn't bytes.
    Doesn't show its keys and can't be copied or pickled.
    """

    __slots__ = ("_states",)

    def __init__(self, secrets: Sequence[bytes]) -> None:
        states = []
        for secret in secrets:
            if not isinstance(secret, bytes):
                raise TypeError("a secret must be bytes")
            if len(secret) > _BLOCK:
                secret = hashlib.sha256(secret).digest()
            key = secret.ljust(_BLOCK, b"\0")
            inner, outer = key.translate(_INNER), key.translate(_OUTER)
            states.append((hashlib.sha256(inner), hashlib.sha256(outer)))
        if not states:
            raise ValueError("a keyring needs at least one secret")
        self._states = tuple(states)

    def __len__(self) -> int:
        return len(self._states)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Keyring holds secrets: it can't be copied or pickled")

    def sign(self, value: str) -> str:
        """`value`, a dot, and its MAC under the first key in base64 without padding.

        ValueError: value has lone surrogates, which have no UTF-8.
        Source: npm cookie-signature 1.0.7
        """
        mac = _mac(self._states[0], _utf8(value))
        return f"{value}.{b2a_base64(mac)[:_MAC_CHARS].decode()}"

    def stamped(self, head: str, sid: str, tail: str) -> str | None:
        """`sign(sid)` as encodeURIComponent writes it, between two texts that are ready.

        None where the sid is more than 256 characters, or others than base64url's: a cookie
        writer must see to it.
        """
        if not _PLAIN_ID.fullmatch(sid):
            return None
        mac = b2a_base64(_mac(self._states[0], sid.encode()))[:_MAC_CHARS].decode()
        return f"{head}{sid}.{mac.replace('+', '%2B').replace('/', '%2F')}{tail}"

    def verify(self, text: str) -> int:
        """Index of the first key that signed the text before the last dot, or -1.

        Never raises on any str. Only the one canonical base64 text of a MAC counts, and it is
        compared in constant time.
        """
        if not isinstance(text, str):
            raise TypeError("text must be str")
        value, dot, mac = text.rpartition(".")
        if not dot or len(mac) != _MAC_CHARS or not mac.isascii():
            return -1
        try:
            data = value.encode()
        except UnicodeEncodeError:
            return -1
        given = mac.encode()
        for index, state in enumerate(self._states):
            if compare_digest(b2a_base64(_mac(state, data))[:_MAC_CHARS], given):
                return index
        return -1

    def fingerprint(self, value: str) -> str:
        """32 characters of base64url that only the holder of the first key can tell from value.

        They are the first 24 octets of its MAC. ValueError: value has lone surrogates.
        """
        mac = _mac(self._states[0], _utf8(value))
        return b2a_base64(mac[:24])[:_FINGERPRINT_CHARS].translate(_URLSAFE).decode()

    def first_signed(
        self,
        header: str | bytes,
        name: str,
        prefix: str,
        skip: int = 0,
        most: int = 1,
        max_bytes: int = 16384,
        max_pairs: int = 256,
    ) -> tuple[int, str | None, int, int]:
        """The first cookie called `name` whose value a key signed: (verdict, value, key, seen).

        Looks at the cookies of that name after `skip` ones, up to the `most`-th, for a value of
        `prefix` and a signed text. verdict: SIGNED with the text without its MAC and the index
        of the key; else ABSENT, MALFORMED or FORGED as the last one was, with None and -1.
        seen: how many cookies of that name were looked at, the skipped ones included.
        Never raises on content. An empty text counts as malformed, an empty cookie as absent.
        """
        headers = header if isinstance(header, str) else [(b"cookie", header)]
        return self.claim(headers, name, prefix, skip, most, max_bytes, max_pairs, None)[:4]

    def claim(
        self,
        headers: str | Iterable[tuple[bytes, bytes]],
        name: str,
        prefix: str,
        skip: int,
        most: int,
        max_bytes: int,
        max_pairs: int,
        index: Keyring | None,
    ) -> tuple[int, str | None, int, int, str | None]:
        """What `first_signed` finds in a Cookie header, or in all headers of an ASGI request.

        With the value's fingerprint under `index` as a fifth, None where there is no index or
        no value. One call, because a server makes it for every request.
        """
        header = headers if isinstance(headers, str) else gathered(headers)
        verdict = ABSENT
        while skip < most:
            text = find(header, name, skip, max_bytes, max_pairs)
            if text is None:
                break
            skip += 1
            if not text.startswith(prefix):
                if text:
                    verdict = MALFORMED
                continue
            signed = text[len(prefix) :]
            key = self.verify(signed)
            if key < 0:
                verdict = FORGED
                continue
            value = signed[: -_MAC_CHARS - 1]
            if value:
                made = None if index is None else index.fingerprint(value)
                return SIGNED, value, key, skip, made
            verdict = MALFORMED
        return verdict, None, -1, skip, None


def _mac(state: tuple[Any, Any], data: bytes) -> bytes:
    """The MAC of `data` under the key that was taken into these two."""
    inner, outer = state[0].copy(), state[1].copy()
    inner.update(data)
    outer.update(inner.digest())
    mac: bytes = outer.digest()
    return mac


def _utf8(value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError("value must be str")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise ValueError("value has lone surrogates") from None
