"""Every option, checked once: a wrong configuration never reaches a request.

All faults are collected and raised together as one `OptionsError`, each with its fix.
The two presets differ only in the keywords of `EXPRESS` and `EXPRESS_COOKIE`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, Self

from sessfast.errors import OptionsError
from sessfast.hotpath import serialize
from sessfast.records import RequestFacts, Tell

Seconds = float | int | timedelta
Secret = str | bytes

MAX_LIFETIME = 400 * 86400  # browsers cut cookie lifetimes here (RFC 6265bis section 5.5)
SHORTEST_SECRET = 32
GENKEY = "make one with: python -m sessfast genkey"
WELL_KNOWN_SECRETS = (
    "keyboard cat", "secret", "changeme", "change-me", "your-secret-key", "your secret key",
    "super secret", "supersecret", "my secret", "dev", "password", "shhh", "s3cr3t", "test",
    "the random string", "a very secret key", "not-so-secret", "insecure", "default",
)  # fmt: skip
PREFIXES = ("__Host-Http-", "__Host-", "__Secure-", "__Http-")


@dataclass(frozen=True, kw_only=True, slots=True)
class CookieOptions:
    """The attributes of the session cookie.

    max_age: seconds or a timedelta the browser keeps it; None = until the browser closes
    expires: an absolute end instead (aware datetime or epoch seconds)
    secure:  "auto" follows the connection; True sends and reads it on https alone
    None leaves an attribute out. As a dict (`cookie={"max_age": 3600}`) only the named
    attributes differ from the preset, and the last of `max_age` and `expires` counts.
    """

    path: str | None = "/"
    domain: str | None = None
    max_age: Seconds | Literal[False] | None = None
    expires: datetime | float | Literal[False] | None = None
    http_only: bool | None = True
    secure: bool | Literal["auto"] | None = "auto"
    same_site: str | bool | None = "lax"
    partitioned: bool | None = None
    priority: str | None = None

    def override(self, given: Mapping[str, Any]) -> CookieOptions:
        """These options with the attributes of `given` in their place."""
        known = {f.name for f in fields(self)}
        unknown = [key for key in given if key not in known]
        if unknown:
            raise OptionsError(
                [f"cookie has no attribute {key!r}: use one of {sorted(known)}" for key in unknown]
            )
        changes = dict(given)
        if "max_age" in changes and "expires" in changes:
            earlier = next(key for key in changes if key in ("max_age", "expires"))
            changes[earlier] = None
        return replace(self, **changes)

    def faults(self, secure_preset: bool) -> list[str]:
        """Every fault of these attributes, each with its fix."""
        found = []
        if self.secure not in (True, False, None, "auto"):
            found.append('cookie.secure must be True, False or "auto"')
        try:
            max_age = seconds(self.max_age)
        except (TypeError, ValueError) as error:
            found.append(f"cookie.max_age {error}")
            max_age = None
        try:
            expires = epoch(self.expires)
        except (TypeError, ValueError) as error:
            found.append(f"cookie.expires {error}")
            expires = None
        if max_age is not None and expires is not None:
            found.append("cookie.max_age and cookie.expires exclude each other: keep max_age")
        if secure_preset and max_age is not None:
            if max_age <= 0:
                found.append("cookie.max_age must be positive: leave it out for a browser session")
            if max_age > MAX_LIFETIME:
                found.append("cookie.max_age is above 400 days, where browsers cut: lower it")
        for name, value in self._texts().items():
            try:
                serialize("x", "", **value)
            except (TypeError, ValueError):
                found.append(f"cookie.{name} is not valid in a Set-Cookie header: {TEXT_FIX[name]}")
        same_site = str(self.same_site or "").lower()
        if same_site == "none" and self.secure in (False, None) and secure_preset:
            found.append('cookie.same_site="none" needs cookie.secure=True or "auto"')
        if self.partitioned and self.secure in (False, None):
            found.append("cookie.partitioned needs cookie.secure=True: browsers refuse it without")
        return found

    def _texts(self) -> dict[str, dict[str, Any]]:
        same_site = same_site_text(self.same_site, secure=True)
        texts: dict[str, dict[str, Any]] = {
            "path": {"path": self.path},
            "domain": {"domain": self.domain},
            "same_site": {"same_site": same_site},
            "priority": {"priority": self.priority},
        }
        return {name: value for name, value in texts.items() if value[name]}


TEXT_FIX = {
    "path": 'start it with "/", without ";" or control characters',
    "domain": "use a plain host name such as example.com",
    "same_site": 'use "lax", "strict", "none" or None',
    "priority": 'use "low", "medium", "high" or None',
}


def same_site_text(value: str | bool | None, secure: bool) -> str | None:
    """The SameSite word for an option's value: True is strict, "auto" follows the connection."""
    if not value:
        return None
    if value is True:
        return "strict"
    if value == "auto":
        return "none" if secure else "lax"
    return value


def seconds(value: object) -> float | None:
    """`value` (number, timedelta, None, False) in seconds. TypeError, ValueError on others."""
    if value is None or value is False:
        return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("must be seconds, a timedelta or None")
    if math.isnan(value):
        raise ValueError("must not be NaN")
    return float(value)


def epoch(value: object) -> float | None:
    """`value` (aware datetime, epoch seconds, None, False) in epoch seconds."""
    if value is None or value is False:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("must be an aware datetime: add tzinfo=timezone.utc")
        return value.timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("must be an aware datetime, epoch seconds or None")
    if not math.isfinite(value):
        raise ValueError("must be finite")
    return float(value)


def last_moment(value: object) -> float:
    """The epoch seconds of an end: a date's begin in UTC, ISO text, an aware datetime, a number.

    TypeError, ValueError on others.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if value == math.inf:
        return math.inf
    end = epoch(value)
    if end is None:
        raise TypeError("must not be None")
    return end


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionOptions:
    """One checked configuration. The defaults are the secure preset.

    secret:             one secret or a list; the first signs, all verify (rotation)
    store:              a store object or URL; None = a MemoryStore of this middleware's own
    name:               the cookie's name; two apps on one host need two names
    cookie:             CookieOptions, a dict of its fields, or callable(facts) giving either
    genid:              callable(facts) -> str that makes ids; None = 24 random octets
    proxy:              None/False: trust the server's scheme; n: trust n proxies' entries of
                        X-Forwarded-Proto, counted from the right; True: its first entry (as
                        express does; a client can forge it)
    resave:             save a session that was not changed
    rolling:            send the cookie with every response of a stored session
    save_uninitialized: store a session nobody wrote to
    unset:              "destroy" or "keep" the record when the app sets the session to None
    emptied:            "destroy" the record, and remove the cookie, when the app has taken all
                        data out of a session; "keep" stores it as an empty one
    on_conflict:        "merge" our changed keys over theirs, "reject" (409) or "last" write wins
    on_outage:          "raise" (503), "anonymous" (an empty session that can't be written) or
                        "stale" (the last copy this process saw, up to `stale_for` seconds old)
    idle:               seconds an unused session lives; None = cookie.max_age, else 30 minutes
    absolute:           seconds any session lives; None = 12 hours, or 400 days where the cookie
                        has a max_age; math.inf = no end
    touch_after:        seconds after which a read extends the life again; None = idle / 10
    lazy:               a session nobody touches costs nothing: no load, no touch
    prefetch:           ASGI loads before the app where the store must be awaited; False: the app
                        says `await session.load()` where it wants its session
    hash_ids:           the store sees a hash of the id, so that its leak yields no cookie
    derive_keys:        the MAC key is derived from secret and cookie name
    codec:              "native", "express" or an object with the methods of codec.Codec
    strict_secret:      refuse short and well-known secrets; False only warns
    strict_path:        RFC 6265 path matching; False is express's plain prefix
    cache_headers:      "no-store" or "private" with our Set-Cookie, and Vary: Cookie on any
                        access; "off" leaves the response alone
    clear_cookie:       destroy() removes the cookie from the browser
    resign:             a cookie signed by an old secret is sent again, signed by the first
    read_insecure:      accept a cookie over http although cookie.secure is True
    duplicates:         several cookies of our name: "first-valid", "first" or "reject"
    legacy:             whose sessions are taken over: names of `sessfast.legacy`, or readers
    until:              the end of that: a date, datetime, ISO text, or epoch seconds (math.inf =
                        no end); from then on old cookies mean nothing
    observer:           callable(event, facts), called for everything worth knowing
    """

    secret: Secret | Sequence[Secret] = field(repr=False)
    store: Any = field(default=None, repr=False)
    name: str = "connect.sid"
    cookie: CookieOptions | Mapping[str, Any] | Callable[[RequestFacts], Any] = field(
        default_factory=CookieOptions
    )
    genid: Callable[[RequestFacts], str] | None = None
    proxy: bool | int | None = None
    resave: bool = False
    rolling: bool = False
    save_uninitialized: bool = False
    unset: Literal["keep", "destroy"] = "keep"
    emptied: Literal["keep", "destroy"] = "keep"
    on_conflict: Literal["merge", "reject", "last"] = "merge"
    on_outage: Literal["raise", "anonymous", "stale"] = "raise"
    stale_for: Seconds = 300
    idle: Seconds | None = None
    absolute: Seconds | None = None
    touch_after: Seconds | None = None
    lazy: bool = True
    prefetch: bool = True
    hash_ids: bool = True
    derive_keys: bool = True
    codec: Any = "native"
    strict_secret: bool = True
    strict_path: bool = True
    cache_headers: Literal["no-store", "private", "off"] = "no-store"
    clear_cookie: bool = True
    resign: bool = True
    read_insecure: bool = False
    duplicates: Literal["first-valid", "first", "reject"] = "first-valid"
    legacy: Sequence[Any] = ()
    until: date | str | float | None = None
    observer: Tell | None = None
    max_cookie_header: int = 16384
    max_cookie_pairs: int = 256
    max_session_bytes: int = 65536

    @classmethod
    def express(cls, **given: Any) -> Self:
        """Options that behave, byte for byte, as express-session 1.19 does."""
        keywords = {**EXPRESS, **given}
        if isinstance(keywords["cookie"], Mapping):
            keywords["cookie"] = EXPRESS_COOKIE.override(keywords["cookie"])
        return cls(**keywords)

    def __post_init__(self) -> None:
        found: list[str] = []
        if isinstance(self.cookie, Mapping):
            try:
                object.__setattr__(self, "cookie", CookieOptions().override(self.cookie))
            except OptionsError as error:
                found += error.faults
        found += self._secret_faults()
        found += self._cookie_faults()
        found += self._choice_faults()
        found += self._number_faults()
        found += self._legacy_faults()
        if found:
            raise OptionsError(found)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The secrets as octets, the signing one first."""
        return tuple(s.encode() if isinstance(s, str) else bytes(s) for s in as_list(self.secret))

    def _secret_faults(self) -> list[str]:
        listed = as_list(self.secret)
        if not listed or listed == [""] or listed == [b""] or self.secret is None:
            return [f"secret is missing: {GENKEY}"]
        if any(not isinstance(s, str | bytes | bytearray) for s in listed):
            return ["secret must be a str, bytes, or a list of them"]
        found = []
        if len(set(self.secrets)) < len(listed):
            found.append("secret lists the same secret twice: keep each once, the newest first")
        weak = [index for index, secret in enumerate(self.secrets) if is_weak(secret)]
        for index in weak:
            where = f"secret[{index}]" if len(listed) > 1 else "secret"
            text = (
                f"{where} is well known, repetitive or shorter than {SHORTEST_SECRET} bytes: "
                + GENKEY
            )
            if self.strict_secret:
                found.append(text)
            else:
                warnings.warn(text, UserWarning, stacklevel=5)
        return found

    def _cookie_faults(self) -> list[str]:
        found = []
        try:
            serialize(self.name, "")
        except (TypeError, ValueError):
            found.append(f"name {self.name!r} is not a cookie name: use letters, digits, . - _")
        if isinstance(self.cookie, CookieOptions):
            found += self.cookie.faults(secure_preset=self.strict_secret)
            if isinstance(self.name, str):
                found += prefix_faults(self.name, self.cookie)
        elif not callable(self.cookie) and not isinstance(self.cookie, Mapping):
            found.append("cookie must be CookieOptions, a dict or a callable(facts)")
        return found

    def _choice_faults(self) -> list[str]:
        found = []
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                found.append(f"{name} must be one of {', '.join(map(repr, allowed))}")
        for name in ("genid", "observer"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                found.append(f"{name} must be a callable or None")
        if isinstance(self.proxy, int) and not isinstance(self.proxy, bool) and self.proxy < 1:
            found.append("proxy must be True, False, None or the number of trusted proxies")
        elif self.proxy is not None and not isinstance(self.proxy, int):
            found.append("proxy must be True, False, None or the number of trusted proxies")
        for name in FLAGS:
            if not isinstance(getattr(self, name), bool):
                found.append(f"{name} must be True or False")
        if self.codec not in ("native", "express") and not hasattr(self.codec, "decode"):
            found.append('codec must be "native", "express" or an object like codec.Codec')
        return found

    def _legacy_faults(self) -> list[str]:
        if isinstance(self.legacy, str) or not isinstance(self.legacy, Sequence):
            return ['legacy must be a list of names or readers, such as ["starlette"]']
        if not self.legacy:
            return []
        found = [
            f"legacy[{index}] must be a name or a reader: docs/migrate has one for each incumbent"
            for index, item in enumerate(self.legacy)
            if not isinstance(item, str) and not hasattr(item, "read") and not hasattr(item, "get")
        ]
        if self.until is None:
            return [*found, "legacy needs until=: the date from which old cookies are refused"]
        try:
            last_moment(self.until)
        except (TypeError, ValueError):
            found.append('until must be a date such as "2027-03-31", or epoch seconds')
        return found

    def _number_faults(self) -> list[str]:
        found = []
        for name in ("idle", "absolute", "touch_after", "stale_for"):
            try:
                value = seconds(getattr(self, name))
            except (TypeError, ValueError) as error:
                found.append(f"{name} {error}")
                continue
            if value is not None and (value < 0 or (value == 0 and name != "touch_after")):
                found.append(f"{name} must be positive")
        for name in ("max_cookie_header", "max_cookie_pairs", "max_session_bytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                found.append(f"{name} must be a positive whole number")
        return found


CHOICES: dict[str, tuple[str, ...]] = {
    "unset": ("keep", "destroy"),
    "emptied": ("keep", "destroy"),
    "on_conflict": ("merge", "reject", "last"),
    "on_outage": ("raise", "anonymous", "stale"),
    "cache_headers": ("no-store", "private", "off"),
    "duplicates": ("first-valid", "first", "reject"),
}
FLAGS = (
    "resave", "rolling", "save_uninitialized", "lazy", "prefetch", "hash_ids", "derive_keys",
    "strict_secret", "strict_path", "clear_cookie", "resign", "read_insecure",
)  # fmt: skip

EXPRESS_COOKIE = CookieOptions(secure=None, same_site=None)
EXPRESS: dict[str, Any] = {
    "cookie": EXPRESS_COOKIE,
    "resave": True,
    "save_uninitialized": True,
    "on_conflict": "last",
    "absolute": math.inf,
    "touch_after": 0,
    "lazy": False,
    "hash_ids": False,
    "derive_keys": False,
    "codec": "express",
    "strict_secret": False,
    "strict_path": False,
    "cache_headers": "off",
    "clear_cookie": False,
    "resign": False,
    "read_insecure": True,
    "duplicates": "first",
}


def as_list(secret: object) -> list[Any]:
    """`secret` as the list it may already be."""
    return list(secret) if isinstance(secret, list | tuple) else [secret]


def is_weak(secret: bytes) -> bool:
    """Whether `secret` is short, repetitive or printed in some tutorial (R-24)."""
    if len(secret) < SHORTEST_SECRET or len(set(secret)) < 10:
        return True
    text = secret.decode("latin-1").lower().strip()
    return any(text.replace(known, "").strip(" -_.!") == "" for known in WELL_KNOWN_SECRETS)


def prefix_faults(name: str, cookie: CookieOptions) -> list[str]:
    """What a browser would refuse about a prefixed name (RFC 6265bis section 4.1.3)."""
    lowered = name.lower()
    for prefix in PREFIXES:
        if not lowered.startswith(prefix.lower()):
            continue
        if not name.startswith(prefix):
            return [f"name: spell the prefix {prefix!r} in exactly these letters"]
        found = []
        if cookie.secure is not True:
            found.append(f"name with {prefix!r} needs cookie.secure=True")
        if prefix.startswith("__Host-") and (cookie.path != "/" or cookie.domain):
            found.append(f"name with {prefix!r} needs cookie.path='/' and no cookie.domain")
        if prefix.endswith("Http-") and not cookie.http_only:
            found.append(f"name with {prefix!r} needs cookie.http_only=True")
        return found
    if lowered.startswith(("host__", "__host_", "secure__", "__secure_")):
        return [f"name {name!r} only looks like a prefix: write __Host- or __Secure-"]
    return []
