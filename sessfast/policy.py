"""What a configuration means for one cookie: whom to believe, what to send, how long it lives.

Pure functions of options and a request; no I/O and no clock.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import math
from collections.abc import Mapping
from typing import Any, Literal

from sessfast.errors import OptionsError
from sessfast.hotpath import Keyring, find, gathered, serialize, take_over
from sessfast.options import (
    EXPRESS_COOKIE,
    MAX_LIFETIME,
    CookieOptions,
    SessionOptions,
    epoch,
    same_site_text,
    seconds,
)
from sessfast.records import Read, RequestFacts

BROWSER_SESSION_IDLE = 30 * 60.0
BROWSER_SESSION_ABSOLUTE = 12 * 3600.0
EXPRESS_IDLE = 86400.0  # what Node's stores take where a session has no maxAge
MAX_CANDIDATES = 4
LONGEST_ID = 256  # a cookie holds 4096 octets, each of which may take three

VERDICTS = (Read.NO_COOKIE, Read.MALFORMED, Read.BAD_SIGNATURE, Read.LOADED)  # of Keyring.claim


class Policy:
    """The configuration, worked out once for every request of a middleware."""

    def __init__(self, options: SessionOptions) -> None:
        self.options = options
        self.name = options.name
        self.is_express = options.codec == "express"
        secrets = options.secrets
        if options.derive_keys:
            secrets = tuple(derive(secret, "cookie", options.name) for secret in secrets)
        self.keyring = Keyring(secrets)
        # hashes ids into store keys; no secret, so that rotating secrets loses no session
        self.index: Keyring | None = None
        if options.hash_ids:
            self.index = Keyring([b"sessfast/1/index/" + options.name.encode("latin-1")])
        self.static_cookie = options.cookie if isinstance(options.cookie, CookieOptions) else None
        self.max_age = seconds(self.static_cookie.max_age) if self.static_cookie else None
        self.candidates = 1 if options.duplicates == "first" else MAX_CANDIDATES
        self.rejects_duplicates = options.duplicates == "reject"
        self.max_bytes, self.max_pairs = options.max_cookie_header, options.max_cookie_pairs
        self.refuses_insecure = (
            not options.read_insecure
            and self.static_cookie is not None
            and self.static_cookie.secure is True
        )
        self.reads_warily = self.refuses_insecure or self.rejects_duplicates
        self.idle = seconds(options.idle)
        self.absolute = seconds(options.absolute)
        self.touch_after = seconds(options.touch_after)
        self.default_idle = EXPRESS_IDLE if options.codec == "express" else BROWSER_SESSION_IDLE
        # of a cookie without an end, by whether the connection is secure: its attributes, and
        # the Set-Cookie value behind name and value; None where it must not travel
        self.plain_attributes: tuple[Mapping[str, Any], ...] = ()
        self.plain_ends: tuple[str | None, ...] = ()
        # (second of the end, max_age, the same behind it), of the dated cookie that was sent last
        self.dated_ends = [(0, -1, ""), (0, -1, "")]
        self.plain_start = serialize(options.name, "s:", path=None, http_only=False)
        if self.static_cookie is not None:
            endless = {"original_max_age": None, "expires": None}
            self.plain_attributes = tuple(
                {**attributes_of(self.static_cookie, secure), **endless}
                for secure in (False, True)
            )
            self.plain_ends = tuple(
                None if attributes.get("secure") and not secure
                else serialize("x", "", **self._texts(attributes, secure))[2:]
                for secure, attributes in zip((False, True), self.plain_attributes, strict=True)
            )  # fmt: skip

    # -- reading ---------------------------------------------------------------------------

    def covers(self, path: str, cookie: CookieOptions) -> bool:
        """Whether a request for `path` is within the cookie's path.

        Source: RFC 6265 section 5.1.4; express's plain prefix where strict_path is off.
        """
        prefix = cookie.path or "/"
        path = path or "/"
        if not path.startswith(prefix):
            return False
        if not self.options.strict_path or len(path) == len(prefix) or prefix.endswith("/"):
            return True
        return path[len(prefix)] == "/"

    def is_secure(self, scheme_is_secure: bool, forwarded_proto: str) -> bool:
        """Whether the connection counts as https.

        forwarded_proto: X-Forwarded-Proto as received, "" if absent. It is read only where
        `proxy` is a number of trusted proxies (n-th entry from the right, which no client
        can forge) or True (the first entry, as express does).
        """
        proxy = self.options.proxy
        if scheme_is_secure or not proxy:
            return scheme_is_secure
        entries = forwarded_proto.split(",")
        if proxy is True:
            entry = entries[0]
        else:
            entry = entries[-proxy] if len(entries) >= proxy else ""
        return entry.strip().lower() == "https"

    def refuses(self, cookies: Any, secure: bool) -> tuple[Read, int] | None:
        """Why no cookie of this request may be looked at, and how many were counted; or None.

        Asked where `reads_warily`. cookies: the Cookie header as a str, or all headers as
        pairs of bytes
        """
        if self.refuses_insecure and not secure:
            return Read.INSECURE_CONNECTION, 0
        if self.rejects_duplicates:
            header = cookies if isinstance(cookies, str) else gathered(cookies)
            if find(header, self.name, 1, self.max_bytes, self.max_pairs) is not None:
                return Read.DUPLICATE_COOKIE, 2
        return None

    # -- ids -------------------------------------------------------------------------------

    def mint(self, facts: RequestFacts | None) -> str:
        """A new id from `genid`; without it, ids are `hotpath.new_id`'s."""
        genid: Any = self.options.genid
        sid = genid(facts)
        if not isinstance(sid, str) or not sid:
            raise TypeError("genid must return a non-empty str")
        if len(sid) > LONGEST_ID:
            raise ValueError(f"genid must return at most {LONGEST_ID} characters")
        if self.options.strict_secret and len(sid) < 22:
            raise ValueError("genid must return at least 22 characters: 128 random bits")
        return sid

    def store_key(self, sid: str) -> str:
        """The key under which a store keeps the session `sid`."""
        return "sess:" + sid if self.index is None else self.index.fingerprint(sid)

    # -- lifetimes -------------------------------------------------------------------------

    def cookie_options(self, facts: RequestFacts | None) -> CookieOptions:
        """The cookie's attributes for a request; a callable is asked each time."""
        if self.static_cookie is not None:
            return self.static_cookie
        ask: Any = self.options.cookie
        made = ask(facts)
        if not isinstance(made, CookieOptions):
            preset = EXPRESS_COOKIE if self.options.codec == "express" else CookieOptions()
            if made is not None and not isinstance(made, Mapping):
                raise OptionsError(["cookie: the callable must return CookieOptions or a dict"])
            made = preset.override(made or {})
        if faults := faults_of(made, self.options.strict_secret):
            raise OptionsError(faults)
        return made

    def lifetime(self, max_age: float | None) -> float:
        """Seconds an unused session lives, for a cookie with this max_age."""
        if self.idle is not None:
            return self.idle
        return self.default_idle if max_age is None else max_age

    def absolute_span(self, max_age: float | None) -> float:
        """Seconds any session lives, used or not, for a cookie with this max_age; inf = no end."""
        if self.absolute is not None:
            return self.absolute
        span = BROWSER_SESSION_ABSOLUTE if max_age is None else float(MAX_LIFETIME)
        return max(span, self.idle or 0.0)

    def refresh_after(self, ttl: float) -> float:
        """Seconds of a life of `ttl` that pass before a read extends it again."""
        return ttl / 10 if self.touch_after is None else self.touch_after

    # -- writing ---------------------------------------------------------------------------

    def plain_cookie(self, sid: str, secure: bool) -> str | None:
        """`set_cookie` for a cookie that is what the options say, and has no end."""
        end = self.plain_ends[secure]
        return None if end is None else self._stamped(sid, end)

    def dated_cookie(self, sid: str, expires: float, secure: bool, now: float) -> str | None:
        """`set_cookie` for a cookie that is what the options say, but for its end.

        All that are sent in a second are alike: what follows the value is made once for them.
        """
        if self.plain_ends[secure] is None:
            return None
        second, max_age = math.floor(expires), whole_age(expires, now)
        known = self.dated_ends[secure]
        if known[0] != second or known[1] != max_age:
            texts = self._texts(self.plain_attributes[secure], secure)
            end = serialize("x", "", expires=second, max_age=max_age, **texts)[2:]
            self.dated_ends[secure] = known = (second, max_age, end)
        return self._stamped(sid, known[2])

    def _stamped(self, sid: str, end: str) -> str:
        """The Set-Cookie value of a signed id, whose attributes are `end`."""
        header: str | None = self.keyring.stamped(self.plain_start, sid, end)
        if header is None:  # an id of the app's own making
            value = "s:" + self.keyring.sign(sid)
            return serialize(self.name, value, path=None, http_only=False) + end
        return header

    def set_cookie(
        self,
        sid: str,
        attributes: Mapping[str, Any],
        expires: float | Literal[False] | None,
        secure: bool,
        now: float,
    ) -> str | None:
        """The Set-Cookie value that hands `sid` to the browser.

        None where the cookie must not travel on this connection.
        """
        if attributes.get("secure") and not secure:
            return None
        value = "s:" + self.keyring.sign(sid)
        if expires is None or expires is False:
            return serialize(self.name, value, **self._texts(attributes, secure))
        max_age = None
        if not self.is_express:
            max_age = whole_age(expires, now)
        texts = self._texts(attributes, secure)
        return serialize(self.name, value, expires=expires, max_age=max_age, **texts)

    def clear_cookie(self, attributes: Mapping[str, Any], secure: bool) -> str | None:
        """The Set-Cookie value that removes the cookie, with the attributes it was set with."""
        if attributes.get("secure") and not secure:
            return None
        return serialize(
            self.name, "", expires=0.0, max_age=0, **self._texts(attributes, secure)
        )

    @staticmethod
    def _texts(attributes: Mapping[str, Any], secure: bool) -> dict[str, Any]:
        get = attributes.get
        return {
            "domain": get("domain") or None,
            "path": get("path") or None,
            "http_only": bool(get("http_only")),
            "secure": bool(get("secure")),
            "partitioned": bool(get("partitioned")),
            "priority": get("priority") or None,
            "same_site": same_site_text(get("same_site"), secure),
        }


@functools.lru_cache(maxsize=256)
def faults_of(cookie: CookieOptions, secure_preset: bool) -> tuple[str, ...]:
    """The faults of attributes that a callable gave: found before anything is stored."""
    return tuple(cookie.faults(secure_preset))


def whole_age(expires: float, now: float) -> int:
    """The Max-Age of a cookie that ends at `expires`."""
    return max(0, min(MAX_LIFETIME, round(expires - now)))


def attributes_of(cookie: CookieOptions, secure: bool) -> dict[str, Any]:
    """The attributes a new cookie starts with; "auto" resolved, absent ones left out."""
    found: dict[str, Any] = {"http_only": cookie.http_only, "path": cookie.path}
    if cookie.secure is not None:
        found["secure"] = secure if cookie.secure == "auto" else cookie.secure
    if cookie.same_site is not None:
        found["same_site"] = (
            same_site_text("auto", secure) if cookie.same_site == "auto" else cookie.same_site
        )
    for name in ("domain", "partitioned", "priority"):
        value = getattr(cookie, name)
        if value is not None:
            found[name] = value
    return found


def end_of(created: float, span: float) -> float | None:
    """Epoch seconds at which a session that lives `span` seconds ends; None = never."""
    return None if span == math.inf else created + span


def started(cookie: CookieOptions, now: float) -> tuple[Any, Any]:
    """(original_max_age, expires) of a cookie made now: seconds and epoch seconds."""
    end = epoch(cookie.expires)
    if end is not None:
        return end - now, end
    max_age = seconds(cookie.max_age)
    if max_age is None:
        missing = False if cookie.max_age is False else None
        return missing, missing
    return max_age, now + max_age


def derive(secret: bytes, use: str, name: str) -> bytes:
    """The key for one use and one cookie name, so that no MAC is valid for another (R-25).

    HKDF-SHA256 (RFC 5869) with an empty salt and one output block.
    """
    info = b"sessfast/1/%b/%d/%b" % (use.encode(), len(name), name.encode("latin-1"))
    extracted = hmac.digest(bytes(32), secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


take_over(globals())
