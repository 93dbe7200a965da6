"""What is in a cookie of Flask's own sessions; Quart's are the same bytes.

`URLSafeTimedSerializer` of itsdangerous with the salt "cookie-session", keys derived by HMAC-SHA1,
over JSON in which what JSON lacks has a tag. Source: flask/sessions.py, flask/json/tag.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from markupsafe import Markup

from sessfast.errors import DecodeError

SALT = "cookie-session"
LIFETIME = 31 * 86400.0  # PERMANENT_SESSION_LIFETIME, unless the app has set it

# what a dict of one key means, where the key is one of these
TAGS: Mapping[str, Callable[[Any], Any]] = {
    " t": tuple,
    " b": base64.b64decode,
    " m": Markup,
    " u": uuid.UUID,
    " d": parsedate_to_datetime,
    " di": lambda value: {key[:-2]: value[key] for key in value},
}


def untag(value: dict[str, Any]) -> Any:
    """What a dict stands for: itself, but for those with a tag for a key."""
    if len(value) == 1:
        [(key, inner)] = value.items()
        if key in TAGS:
            return TAGS[key](inner)
    return value


def untagged(value: Any, untag: Callable[[dict[str, Any]], Any] = untag) -> Any:
    """What tagged JSON stands for: plain data with `untag` asked about each dict, inner ones first.

    Raises what `untag` raises where a tag's value is not of its form.
    """
    if type(value) is dict:
        return untag({key: untagged(inner, untag) for key, inner in value.items()})
    if type(value) is list:
        return [untagged(inner, untag) for inner in value]
    return value


class Json:
    """The serializer that itsdangerous is given: the payload's JSON, its tags left alone."""

    @staticmethod
    def loads(payload: str | bytes) -> Any:
        """The payload, parsed."""
        return json.loads(payload)

    @staticmethod
    def dumps(value: Any) -> str:
        """Not used: nothing is written in Flask's format."""
        return json.dumps(value, separators=(",", ":"))


class FlaskCookies:
    """A CookieReader of Flask's signed cookies.

    secrets:  SECRET_KEY and SECRET_KEY_FALLBACKS, in any order
    lifetime: seconds for which a cookie is believed after it was signed, as Flask has it of
              PERMANENT_SESSION_LIFETIME
    untag:    the `untag` of a serializer with more tags than Flask's own
    """

    name = "flask"

    def __init__(
        self,
        secrets: Sequence[bytes],
        lifetime: float = LIFETIME,
        untag: Callable[[dict[str, Any]], Any] = untag,
    ) -> None:
        self.lifetime = lifetime
        self.untag = untag
        self.serializer = URLSafeTimedSerializer(
            list(reversed(secrets)),  # it takes the last one for the newest
            salt=SALT,
            serializer=Json,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
        )

    def read(self, value: str, now: float) -> dict[str, Any]:
        """The data of a cookie that one of the secrets signed, `lifetime` seconds ago at most."""
        try:
            data, signed = self.serializer.loads(value, return_timestamp=True)
        except BadData as error:  # its text may quote the cookie
            why = type(error).__name__
            raise DecodeError(f"not a Flask cookie of these secrets: {why}") from error
        if not 0 <= now - signed.timestamp() <= self.lifetime:
            raise DecodeError("it has expired")
        try:
            data = untagged(data, self.untag)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise DecodeError("a tag's value is not of its form") from error
        if type(data) is not dict:
            raise DecodeError("its payload is no dict")
        return data


def reader(secrets: tuple[bytes, ...]) -> FlaskCookies:
    """The reader that `legacy=["flask"]` means, with Flask's usual lifetime."""
    return FlaskCookies(secrets)
