"""What Beaker left behind: signed cookies and stored records, where its serializer was JSON.

Its other serializer is pickle, which is never read: whoever can write such a record can run code.
Around the JSON of a stored record Beaker puts a pickle of its own, of one text, or of a dict of
texts. A parser that knows these shapes, and no opcode that could name or build anything else,
takes it off.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import io
import pickletools
import re
import time
import zlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sessfast.errors import DecodeError, OptionsError

NAME = "beaker"
MAC = 40  # hex digits of HMAC-SHA1, before what they sign
IDS = re.compile(r"[0-9a-f]{32}")  # Beaker's are uuid4().hex
LONGEST = 1 << 20  # octets of a record, wrapped, and of its JSON
ACCESSED, CREATED = "_accessed_time", "_creation_time"
OWN = {"_id": None, "_domain": None, "_path": "/"}  # Beaker's keys, and the value that says nothing


def reader(secrets: tuple[bytes, ...]) -> Cookies:
    """Reads what `type=cookie` and `data_serializer=json` sent, signed by one of `secrets`."""
    return Cookies(secrets, Text())


def signed_part(value: str, secrets: Sequence[bytes]) -> str:
    """What a cookie of Beaker's says, its signature proven. DecodeError otherwise."""
    digest, text = value[:MAC].encode(errors="replace"), value[MAC:]
    if len(digest) < MAC or not text:
        raise DecodeError("it is no signed cookie of Beaker's")
    for secret in secrets:
        signed = hmac.new(secret, text.encode(errors="replace"), hashlib.sha1)
        expected = signed.hexdigest().encode()
        if hmac.compare_digest(expected, digest):
            return text
    raise DecodeError("its signature is not Beaker's")


class Text:
    """How a session is written: compressed JSON, encrypted where there is a key, in base64.

    encrypt_key, validate_key, nonce_bits: Beaker's options of these names
    timeout: seconds after which an unused session was over, None for never
    OptionsError where the package `cryptography` is needed and missing.
    """

    def __init__(
        self,
        encrypt_key: str | None = None,
        validate_key: str | None = None,
        nonce_bits: int = 128,
        timeout: float | None = None,
    ) -> None:
        self.encrypt_key = encrypt_key
        self.validate_key = validate_key or ""
        self.nonce_length = (4 * (nonce_bits // 8) // 3 + 3) & ~3  # characters of base64
        self.timeout = timeout
        if encrypt_key:
            try:
                from cryptography.exceptions import InvalidTag
                from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            except ModuleNotFoundError as error:
                raise OptionsError(
                    ["encrypt_key: the package cryptography, which reads Beaker's encrypted "
                     'sessions, is not installed: pip install "sessfast[beaker]"']
                ) from error  # fmt: skip
            self.cipher, self.bad_tag = AESGCM, InvalidTag

    def read(self, text: str | bytes, now: float) -> dict[str, Any] | None:
        """The data; None where its time is over. DecodeError for everything else."""
        try:
            plain = text if isinstance(text, str) else text.decode("ascii")
            packed = self._decrypted(plain) if self.encrypt_key else b64decode(plain)
            data = msgspec.json.decode(inflated(packed))
        except DecodeError:
            raise
        except (msgspec.MsgspecError, ValueError, RecursionError, zlib.error) as error:
            raise DecodeError(f"it is no JSON of Beaker's ({type(error).__name__})") from error
        if not isinstance(data, dict):
            raise DecodeError("it is JSON, but no dict")
        accessed = data.pop(ACCESSED, None)
        if self.timeout is not None:
            if not isinstance(accessed, int | float):
                raise DecodeError("it doesn't say when it was used last")
            if now - accessed > self.timeout:
                return None
        for key, nothing in OWN.items():
            if data.get(key) in (None, nothing) or key == "_id":
                data.pop(key, None)
        return data

    def _decrypted(self, text: str) -> bytes:
        """Source: beaker/session.py and beaker/crypto/pyca_cryptography.py of 1.14.

        PyCryptodome's way, AES-CTR without a MAC, is not read.
        """
        nonce, rest = text[: self.nonce_length], b64decode(text[self.nonce_length :])
        salt = (self.validate_key + nonce).encode("ascii")
        key = hashlib.pbkdf2_hmac("sha1", str(self.encrypt_key).encode(), salt, 1, 32)
        iv, tag, ciphertext = rest[:12], rest[12:28], rest[28:]
        try:
            plain: bytes = self.cipher(key).decrypt(iv, ciphertext + tag, None)
        except self.bad_tag:
            raise DecodeError("it was encrypted with another key, or not with AES-GCM") from None
        return plain


def inflated(packed: bytes) -> bytes:
    """What zlib compressed, of LONGEST octets at most. ValueError, zlib.error otherwise."""
    inflater = zlib.decompressobj()
    plain = inflater.decompress(packed, LONGEST)
    if not inflater.eof:
        raise ValueError("too long, or cut off")
    return plain


class Cookies:
    """A `CookieReader` for `type=cookie`: the cookie holds the session."""

    name = NAME

    def __init__(self, secrets: Sequence[bytes], text: Text) -> None:
        self.secrets = secrets
        self.text = text

    def read(self, value: str, now: float) -> dict[str, Any]:
        """The session's data. DecodeError for all that is not to be believed."""
        data = self.text.read(signed_part(value, self.secrets), now)
        if data is None:
            raise DecodeError("it has expired")
        return data


class Unread:
    """A `CookieReader` that reads nothing and says why, where pickle or the like was used."""

    name = NAME

    def __init__(self, secrets: Sequence[bytes], why: str) -> None:
        self.secrets = secrets
        self.why = why

    def read(self, value: str, now: float) -> dict[str, Any]:
        """DecodeError, always: for a cookie that was Beaker's it says what can be done."""
        signed_part(value, self.secrets)
        raise DecodeError(self.why)


class Place(Protocol):
    """Where Beaker keeps records.

    get:    what is there for an id, its pickle taken off; None for nothing
    delete: removes it, idempotent
    """

    def get(self, sid: str) -> Any: ...
    def delete(self, sid: str) -> None: ...


class Records:
    """A `RecordReader`: the cookie names a record in one of Beaker's stores."""

    name = NAME
    blocking = True

    def __init__(
        self,
        secrets: Sequence[bytes],
        text: Text,
        place: Place,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.secrets = secrets
        self.text = text
        self.place = place
        self.clock = clock

    def key(self, value: str, now: float) -> str:
        """The id in the cookie. DecodeError unless Beaker made and signed it."""
        sid = signed_part(value, self.secrets)
        if not IDS.fullmatch(sid):
            raise DecodeError("it is signed, but no id of Beaker's own making")
        return sid

    def get(self, key: str) -> dict[str, Any] | None:
        """The record's data; None where there is none, or its time is over."""
        text = self.place.get(key)
        if text is None:
            return None
        if not isinstance(text, str | bytes):
            raise DecodeError("the record holds no session")
        return self.text.read(text, self.clock())

    def destroy(self, key: str) -> None:
        """Delete the record."""
        self.place.delete(key)


class Files:
    """The files below `data_dir` of `type=file`."""

    def __init__(self, data_dir: str | Path) -> None:
        self.folder = Path(data_dir) / "container_file"

    def get(self, sid: str) -> Any:
        try:
            with self._path(sid).open("rb") as file:
                wrapped = file.read(LONGEST + 1)
        except FileNotFoundError:
            return None
        return in_namespace(wrapped)

    def delete(self, sid: str) -> None:
        self._path(sid).unlink(missing_ok=True)

    def _path(self, sid: str) -> Path:
        return self.folder / sid[:1] / sid[:2] / f"{sid}.cache"


class Redis:
    """The keys of `type=ext:redis` and `ext:rediscluster`, by a client of redis-py."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def get(self, sid: str) -> Any:
        wrapped = self.client.get(f"beaker_cache:{sid}:session")
        return None if wrapped is None else unwrapped(wrapped)

    def delete(self, sid: str) -> None:
        self.client.delete(f"beaker_cache:{sid}:session")


class Memcached:
    """The keys of `type=ext:memcached`, where there is no pickle around the text.

    stores: a MemcachedStore with `prefix=""` for each server; python-memcached chooses between
            servers in its own way, so all are asked
    """

    def __init__(self, stores: Sequence[Any]) -> None:
        self.stores = stores

    def get(self, sid: str) -> Any:
        for store in self.stores:
            if record := store.get(f"{sid}_session"):
                return record[0]
        return None

    def delete(self, sid: str) -> None:
        for store in self.stores:
            store.destroy(f"{sid}_session")


class Database:
    """The rows of `type=ext:database` and `ext:sqla`, through SQLAlchemy, as Beaker has it.

    source: an SQLAlchemy URL, or an Engine
    """

    def __init__(self, source: Any, table: str = "beaker_cache", schema: str | None = None) -> None:
        try:
            sqlalchemy: Any = importlib.import_module("sqlalchemy")
        except ModuleNotFoundError as error:
            raise OptionsError(
                ["SQLAlchemy, which Beaker's records need, is not installed: "
                 "run: pip install sqlalchemy"]
            ) from error  # fmt: skip
        self.engine = sqlalchemy.create_engine(source) if isinstance(source, str) else source
        column: Any = sqlalchemy.column
        rows = sqlalchemy.table(table, column("namespace"), column("data"), schema=schema)
        is_it = rows.c.namespace == sqlalchemy.bindparam("sid")
        self.select = sqlalchemy.select(rows.c.data).where(is_it)
        self.remove = sqlalchemy.delete(rows).where(is_it)

    def get(self, sid: str) -> Any:
        with self.engine.connect() as connection:
            row = connection.execute(self.select, {"sid": sid}).fetchone()
        return None if row is None else in_namespace(bytes(row[0]))

    def delete(self, sid: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(self.remove, {"sid": sid})


def in_namespace(wrapped: bytes) -> Any:
    """The session in what Beaker pickled: a dict, whose other entries are not ours."""
    namespace = unwrapped(wrapped)
    return namespace.get("session") if isinstance(namespace, dict) else namespace


# What pickle's protocols 3 to 5 write for texts and for dicts of texts. Memos are written all the
# time, but read only where an object comes twice, which here only makes a longer way to an error.
TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES"}
IGNORED = {"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT"}


def unwrapped(wrapped: bytes) -> str | bytes | dict[Any, Any]:
    """The text, or dict of texts, that was pickled. DecodeError for all else.

    No opcode is known here that names a class or a function, or calls one; nothing is built but
    str, bytes and one dict.
    """
    if len(wrapped) > LONGEST:
        raise DecodeError(f"the record has more than {LONGEST} octets")
    stack: list[Any] = []
    mark = -1
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(wrapped)):
            name = opcode.name
            if name in TEXTS:
                stack.append(argument)
            elif name == "EMPTY_DICT" and not stack:
                stack.append({})
            elif name == "MARK" and len(stack) == 1:
                mark = 1
            elif name == "SETITEM" and len(stack) == 3:
                stack[0][stack[1]] = stack[2]
                del stack[1:]
            elif name == "SETITEMS" and mark == 1 and len(stack) % 2 == 1:
                stack[0].update(zip(stack[1::2], stack[2::2], strict=True))
                del stack[1:]
                mark = -1
            elif name == "STOP" and len(stack) == 1 and mark == -1:
                result: str | bytes | dict[Any, Any] = stack[0]
                return result
            elif name not in IGNORED:
                raise DecodeError(f"its pickle is of another shape ({name}): it is not read")
    except DecodeError:
        raise
    except Exception as error:  # pickletools raises what it likes at nonsense
        raise DecodeError(f"the record is no pickle ({type(error).__name__})") from error
    raise DecodeError("its pickle is of another shape: it is not read")
