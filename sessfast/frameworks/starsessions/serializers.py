"""What a session's data is written with: starsessions' interface, as a codec of ours."""

from __future__ import annotations

import abc
import base64
import json
from collections.abc import Mapping
from typing import Any

from sessfast.codec import NativeCodec
from sessfast.errors import DecodeError, EncodeError
from sessfast.meta import Meta


class Serializer(abc.ABC):
    """Data to octets and back."""

    @abc.abstractmethod
    def serialize(self, data: Any) -> bytes:
        """The octets of the data."""

    @abc.abstractmethod
    def deserialize(self, data: bytes) -> dict[str, Any]:
        """What `serialize` was given; an empty dict for no octets."""


class JsonSerializer(Serializer):
    """JSON, by the standard library."""

    def __init__(
        self,
        json_encoder: type[json.JSONEncoder] = json.JSONEncoder,
        json_decoder: type[json.JSONDecoder] = json.JSONDecoder,
    ) -> None:
        self._json_encoder = json_encoder
        self._json_decoder = json_decoder

    def serialize(self, data: Any) -> bytes:
        """The octets of the data."""
        return json.dumps(data, cls=self._json_encoder).encode()

    def deserialize(self, data: bytes) -> dict[str, Any]:
        """What `serialize` was given; an empty dict for no octets."""
        if not data:
            return {}
        found: dict[str, Any] = json.loads(data, cls=self._json_decoder)
        return found


class SerializerCodec(NativeCodec):
    """Our record around what a serializer wrote: base64 text is all the data there is."""

    KEY = "serialized"

    def __init__(self, serializer: Any) -> None:
        self.serializer = serializer

    def dumps(self, data: Mapping[str, Any]) -> bytes:
        """The data's octets. EncodeError where the serializer refuses."""
        plain = dict(dict.items(data)) if isinstance(data, dict) else dict(data)
        try:
            written = self.serializer.serialize(plain)
        except (TypeError, ValueError) as error:
            raise EncodeError("", f"the serializer refuses it: {error}") from error
        return super().dumps({self.KEY: base64.b64encode(written).decode()})

    def encode(self, key: str, data: Mapping[str, Any], text: bytes, meta: Meta) -> bytes:
        """The record for `key`; `text` is dumps(data)."""
        return super().encode(key, {}, text, meta)

    def decode(self, key: str, blob: bytes) -> tuple[dict[str, Any], Meta]:
        """The data and the rest. DecodeError unless the serializer can read it."""
        found, meta = super().decode(key, blob)
        try:
            data = self.serializer.deserialize(base64.b64decode(found[self.KEY], validate=True))
        except Exception as error:
            kind = type(error).__name__
            raise DecodeError(f"the serializer can't read it ({kind})") from error
        if not isinstance(data, dict):
            raise DecodeError("the serializer gave no dict")
        return data, meta
