"""Session data to stored bytes and back: the face of the two built-in record formats.

Which format a middleware reads is configured, never guessed (R-19): each codec refuses what
the other wrote. There is no pickle here, and no codec is named by text from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from sessfast.express_record import ExpressCodec
from sessfast.meta import Meta
from sessfast.native_record import NativeCodec

__all__ = ["Codec", "ExpressCodec", "NativeCodec", "codec_for"]


class Codec(Protocol):
    """What the rules need of a record format.

    keeps_cookie: whether the cookie's attributes are part of the record
    """

    keeps_cookie: bool

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The bytes of the data alone: equal bytes mean that nothing changed.

        Raises EncodeError, naming the path, the reason and the fix.
        """

    def encode(self, key: str, data: Mapping[str, Any], text: bytes, meta: Meta) -> bytes:
        """The record to store under `key`; `text` is dumps(data), so nothing is encoded twice."""

    def decode(self, key: str, blob: bytes) -> tuple[dict[str, Any], Meta]:
        """What `encode` was given. Raises DecodeError, and nothing else, for all other bytes."""

    def same(self, blob: bytes, text: bytes) -> bool:
        """Whether the data in `blob`, a record that decodes, has the bytes `text`."""

    def tombstone(self, key: str) -> bytes | None:
        """The record that says `key` was rotated away; None if the format has none."""

    def is_tombstone(self, blob: bytes) -> bool:
        """Whether `blob` is such a record."""


BUILT_IN: Mapping[str, type[NativeCodec | ExpressCodec]] = {
    "native": NativeCodec,
    "express": ExpressCodec,
}


def codec_for(choice: Any) -> Codec:
    """The codec that the option `codec` means: "native", "express" or an object as it is."""
    if isinstance(choice, str):
        return BUILT_IN[choice]()
    return cast(Codec, choice)
