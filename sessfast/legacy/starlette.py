"""What the cookie of Starlette's SessionMiddleware holds, read and written: its bytes, only faster.

    base64(JSON) "." timestamp "." signature

The JSON is json.dumps's, the rest what itsdangerous.TimestampSigner makes of the secret with its
defaults: HMAC-SHA1 under SHA-1 of salt, "signer" and secret. That HMAC is as strong as its key.
Source: starlette 1.10 middleware/sessions.py; itsdangerous 2.2 signer.py, timed.py.
"""

from __future__ import annotations

import hashlib
import json
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Sequence
from hmac import compare_digest
from typing import Any

import msgspec

from sessfast.codec import NativeCodec
from sessfast.errors import DecodeError
from sessfast.hotpath import plain_writer
from sessfast.records import Read
from sessfast.storable import MAX_DEPTH, MAX_KEYS

MAX_AGE = 14 * 24 * 60 * 60  # seconds; Starlette's own default
SALT = b"itsdangerous.Signer" + b"signer"
BLOCK = 64  # octets that SHA-1 takes at a time
MAC_CHARS = 27  # base64 of 20 octets without its padding

_INNER = bytes(octet ^ 0x36 for octet in range(256))
_OUTER = bytes(octet ^ 0x5C for octet in range(256))
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"===", b"==", b"=")  # by length modulo 4

REASONS = {
    Read.MALFORMED: "it is no payload, timestamp and signature",
    Read.BAD_SIGNATURE: "no secret signed it",
    Read.EXPIRED: "it is older than max_age, or from the future",
}

# What json writes as msgspec does, but for the blanks: floats in these bounds have no exponent.
_write = plain_writer(-(2**63), 2**64 - 1, 1e-4, 1e16, True, MAX_DEPTH, MAX_KEYS).write
_space_out = msgspec.json.format
_decode = msgspec.json.Decoder().decode


def dumps(data: dict[str, Any]) -> bytes:
    """json.dumps(data), in a fifth of the time where the data is plain.

    data: a dict or a subclass, whose own methods are not asked
    EncodeError, which is a TypeError, for what json can't write.
    """
    try:
        text = _write(data)
    except UnicodeEncodeError:  # half a surrogate pair, which json escapes
        text = None
    # json escapes what is not ASCII, and DEL
    if text is not None and text.isascii() and b"\x7f" not in text:
        return _space_out(text, indent=0)
    plain = dict(dict.items(data))
    try:
        return json.dumps(plain).encode()
    except (TypeError, ValueError, RecursionError):
        NativeCodec().dumps(plain)  # raises, with the path and a fix
        raise


def loads(text: bytes) -> dict[str, Any] | None:
    """json.loads(text) if it is a dict, else None; a twelfth of the time."""
    try:
        data = _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            data = json.loads(text)  # knows NaN, and half of a surrogate pair
        except (ValueError, RecursionError):
            return None
    return data if type(data) is dict else None


class StarletteCookies:
    """The cookies of one secret, or of several: the first signs, all verify. A `CookieReader`.

    secrets: as octets; Starlette takes str(secret_key)
    max_age: seconds that a cookie is believed after it was signed; None: for ever
    Doesn't show its secrets.
    """

    name = "starlette"
    __slots__ = ("_keys", "_stamp", "max_age")

    def __init__(self, secrets: Sequence[bytes], max_age: float | None = MAX_AGE) -> None:
        self.max_age = max_age
        self._stamp = (-1, b"")  # the last second that something was signed in, as text
        keys = []
        for secret in secrets:
            key = hashlib.sha1(SALT + secret).digest().ljust(BLOCK, b"\0")
            pads = hashlib.sha1(key.translate(_INNER)), hashlib.sha1(key.translate(_OUTER))
            keys.append((pads[0].copy, pads[1].copy))
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"<StarletteCookies of {len(self._keys)} secrets>"

    def read(self, value: str, now: float) -> dict[str, Any]:
        """The session in a cookie's value. DecodeError for one that is not to be believed."""
        text = self.verified(value, now)
        if isinstance(text, Read):
            raise DecodeError(REASONS[text])
        data = loads(text)
        if data is None:
            raise DecodeError("it is signed, but holds no session")
        return data

    def verified(self, value: str, now: float) -> bytes | Read:
        """The JSON in a cookie's value, or why it is not believed. Never raises on any str.

        Stricter than itsdangerous, which overlooks characters that aren't base64: what it signs
        has none.
        """
        if not value.isascii():
            return Read.MALFORMED
        head, _, mac = value.encode().rpartition(b".")
        payload, dot, stamp = head.rpartition(b".")
        if not dot or len(mac) != MAC_CHARS:
            return Read.MALFORMED
        for key in self._keys:
            if compare_digest(_mac(key, head), mac):
                break
        else:
            return Read.BAD_SIGNATURE
        try:
            text = a2b_base64(payload)
            if self.max_age is not None:
                octets = a2b_base64(stamp.translate(_STANDARD) + _PADDING[len(stamp) % 4])
                age = int(now) - int.from_bytes(octets)
                if not 0 <= age <= self.max_age:
                    return Read.EXPIRED
        except Error:
            return Read.MALFORMED
        return text

    def signed(self, text: bytes, now: float) -> str:
        """The cookie's value that holds the JSON `text`, signed now."""
        second, stamp = self._stamp
        if second != int(now):
            second = int(now)
            octets = second.to_bytes((second.bit_length() + 7) // 8)
            stamp = b2a_base64(octets, newline=False).translate(_URLSAFE).rstrip(b"=")
            self._stamp = second, stamp
        head = b"%b.%b" % (b2a_base64(text, newline=False), stamp)
        return f"{head.decode()}.{_mac(self._keys[0], head).decode()}"


def reader(secrets: tuple[bytes, ...]) -> StarletteCookies:
    """Who `legacy=["starlette"]` means. Another max_age than Starlette's: pass an object."""
    return StarletteCookies(secrets)


def _mac(key: tuple[Any, Any], data: bytes) -> bytes:
    """The signature of `data`, as text. key: copies two hashes that have taken in the secret."""
    inner, outer = key[0](), key[1]()
    inner.update(data)
    outer.update(inner.digest())
    return b2a_base64(outer.digest())[:MAC_CHARS].translate(_URLSAFE)
