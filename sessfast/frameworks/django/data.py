"""Session data to bytes: as Django's JSONSerializer has it, or by a serializer of yours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.core import signing

from sessfast.codec import NativeCodec
from sessfast.errors import DecodeError, EncodeError
from sessfast.meta import Meta

SIGNED = "signed"  # the one key of a record whose data a serializer of yours has written


class JSONCodec(NativeCodec):
    """The native record, which also takes what JSONSerializer takes and turns into something else.

    Keys that are numbers become text, a str subclass becomes a str: as after a round trip there.
    """

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The data's bytes. EncodeError, which names the place, for what JSON has no word for."""
        try:
            return super().dumps(data)
        except EncodeError:
            try:
                plain = json.loads(json.dumps(dict(data)))
            except (TypeError, ValueError, RecursionError):
                plain = None
            if plain is None:
                raise
        return super().dumps(plain)


class SerializerCodec(NativeCodec):
    """The native record around what SESSION_SERIALIZER writes, signed.

    As in Django the serializer reads nothing that SECRET_KEY, or a fallback, has not signed.
    """

    def __init__(self, serializer: Callable[[], Any], salt: str) -> None:
        self.serializer = serializer
        self.salt = salt

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The data's bytes."""
        signer = signing.Signer(salt=self.salt)
        text = signer.sign_object(dict(data), serializer=self.serializer, compress=True)
        return super().dumps({SIGNED: text})

    def decode(self, key: str, blob: bytes) -> tuple[dict[str, Any], Meta]:
        """The data and the rest. DecodeError for all that was not written here."""
        found, meta = super().decode(key, blob)
        signer = signing.Signer(salt=self.salt)
        try:
            data = signer.unsign_object(found[SIGNED], serializer=self.serializer)
        except signing.BadSignature:
            raise DecodeError("neither SECRET_KEY nor a fallback signed the data") from None
        except Exception as error:
            raise DecodeError(f"SESSION_SERIALIZER: {type(error).__name__}") from error
        if not isinstance(data, dict):
            raise DecodeError("SESSION_SERIALIZER: it is no dict")
        return data, meta
