"""What Beaker's options mean here: coerced as Beaker does, each with its counterpart of ours."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from sessfast.errors import OptionsError
from sessfast.front import OPTION_NAMES, options_from
from sessfast.legacy.beaker import (
    Cookies,
    Database,
    Files,
    Memcached,
    Place,
    Records,
    Redis,
    Text,
    Unread,
)
from sessfast.options import FLAGS, GENKEY, MAX_LIFETIME, SessionOptions

NEVER = 30 * 86400  # seconds an unused session lives where Beaker's `timeout` says for ever
EXACT = 60  # seconds: how exactly `last_accessed` is known
PREFIXES = ("beaker.session.", "session.", "session_")
OURS = "sessfast."  # what our own options begin with in a configuration
TRUE, FALSE = {"true", "yes", "on", "y", "t", "1"}, {"false", "no", "off", "n", "f", "0"}
NUMBERS = {"idle", "absolute", "touch_after", "stale_for"}
COUNTS = {"proxy", "max_cookie_header", "max_cookie_pairs", "max_session_bytes"}
PICKLED = (
    "it was pickled, and pickle is never read: "
    "docs/migrate/beaker.md says how to bring such sessions over"
)


class BeakerOptions(NamedTuple):
    """What the session objects need to know.

    all: every option as it was understood, by Beaker's names
    """

    auto: bool
    timeout: int | None
    cookie_domain: str | None
    cookie_path: str
    cookie_expires: Any
    webtest_varname: str | None
    all: dict[str, Any]


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def flag(value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError
    return word in TRUE


def whole(value: Any) -> int:
    return int(value)


def expiry(value: Any) -> Any:
    """A bool, or a timedelta or datetime, as Beaker's `cookie_expires` has it."""
    if isinstance(value, bool | datetime | timedelta):
        return value
    if isinstance(value, int):
        return timedelta(seconds=value)
    try:
        return flag(value)
    except ValueError:
        return timedelta(seconds=int(value))


def same(value: Any) -> Any:
    return value


# name -> (what makes a value of it, what it must be, what it is unless given)
KNOWN: dict[str, tuple[Callable[[Any], Any], str, Any]] = {
    "type": (text, "text", None),
    "data_dir": (text, "a folder", None),
    "url": (same, "a URL", None),
    "key": (text, "text", "beaker.session.id"),
    "secret": (same, "text", None),
    "timeout": (whole, "a whole number of seconds", None),
    "save_accessed_time": (flag, "true or false", True),
    "auto": (flag, "true or false", False),
    "cookie_expires": (expiry, "true, false, seconds, a timedelta or a datetime", True),
    "cookie_domain": (text, "text", None),
    "cookie_path": (text, "text", "/"),
    "secure": (flag, "true or false", None),
    "httponly": (flag, "true or false", None),
    "samesite": (same, "Lax, Strict or None", "Lax"),
    "use_cookies": (flag, "true or false", True),
    "data_serializer": (same, "json, pickle or an object", "pickle"),
    "encrypt_key": (text, "text", None),
    "validate_key": (text, "text", None),
    "encrypt_nonce_bits": (whole, "a whole number", 128),
    "webtest_varname": (text, "text", None),
    "sa_opts": (same, "a dict", None),
    "sa.url": (text, "a URL", None),
    "table_name": (text, "text", "beaker_cache"),
    "schema_name": (text, "text", None),
    "session_class": (same, "a class", None),
    "namespace_class": (same, "a class", None),
}
# what has nothing left to do
IDLE = {"invalidate_corrupt", "log_file", "lock_dir", "id", "crypto_type", "memcache_module"}
NEEDLESS = {
    "session_class": "a class of Beaker's can't be used: leave it out",
    "namespace_class": "a store of Beaker's can't be used: leave it out and pass store=",
}


def understood(
    config: Mapping[str, Any], kwargs: Mapping[str, Any], clock: Callable[[], float] | None
) -> tuple[BeakerOptions, SessionOptions]:
    """What the options mean. OptionsError with every fault, each with its fix."""
    faults: list[str] = []
    given, ours = sorted_out(config, kwargs)
    found = coerced(given, faults)
    if found["timeout"] and not found["save_accessed_time"]:
        faults.append("session.save_accessed_time must be true where there is a session.timeout")
    if not found["use_cookies"]:
        faults.append("session.use_cookies must be true: the id has no other way to come back")
    faults += [f"session.{name}: {why}" for name, why in NEEDLESS.items() if found[name]]
    is_cookie = found["type"] == "cookie"
    secret = ours.get("secret") or found["secret"] or (is_cookie and found["validate_key"]) or None
    if secret is None:
        faults.append(
            "session.secret is missing, without which Beaker believes any id that a client "
            f"sends: add it, or session.sessfast.secret; {GENKEY}"
        )
    keywords: dict[str, Any] = {
        "name": found["key"],
        "cookie": attributes(found),
        "idle": found["timeout"] or None,
        "absolute": math.inf,
        "strict_secret": False,
        **ours,
        "secret": secret,
    }
    if keywords["idle"] is None and "max_age" not in keywords["cookie"]:
        keywords["idle"] = NEVER
    if found["save_accessed_time"] and "touch_after" not in ours:
        keywords["touch_after"] = EXACT
    try:
        if keywords.get("store") is None:
            keywords["store"] = store_of(found)
        readers = [] if "legacy" in ours or secret is None else readers_of(found, clock)
    except OptionsError as error:
        faults += error.faults
        readers = []
    if readers:
        keywords["legacy"] = readers
        keywords.setdefault("until", math.inf)
        if "until" not in ours and not isinstance(readers[0], Unread):
            warn("old sessions are taken over for ever: until='2027-03-31' (a date) ends that")
    if found["encrypt_key"] and not is_cookie:
        warn("encrypt_key: records are not encrypted here, and hold what the app stores")
    try:
        options = options_from(None, keywords)
    except OptionsError as error:
        faults += [fault for fault in error.faults if secret or not fault.startswith("secret")]
    if faults:
        raise OptionsError(faults)
    return BeakerOptions(**{name: found[name] for name in BeakerOptions._fields[:-1]},
                         all=found), options  # fmt: skip


def sorted_out(
    config: Mapping[str, Any], kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Beaker's options and ours, without their prefixes.

    A configuration may hold other things: of it, only what has a prefix counts. Keywords win.
    """
    given: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    for source in (config, kwargs):
        for key, value in source.items():
            prefix = next((each for each in PREFIXES if key.startswith(each)), None)
            if prefix == "session_":
                text = "Session options should start with session. instead of session_."
                warnings.warn(text, DeprecationWarning, stacklevel=4)
            name = key[len(prefix or "") :]
            if name.startswith(OURS):
                name = name[len(OURS) :]
                ours[name] = from_text(name, value)
            elif prefix is None and source is config:
                continue
            elif name in OPTION_NAMES and name not in KNOWN:
                ours[name] = from_text(name, value)
            else:
                given[name] = value
    return given, ours


def from_text(name: str, value: Any) -> Any:
    """An option of ours, as a configuration file has it."""
    if isinstance(value, str):
        try:
            if name in NUMBERS:
                return float(value)
            if name in COUNTS:
                return int(value) if value.isdecimal() else flag(value)
            if name in FLAGS:
                return flag(value)
        except ValueError:
            pass  # SessionOptions says what it must be
    return value


def coerced(given: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """All of Beaker's options, those that were not given as Beaker has them."""
    found = {name: default for name, (_, _, default) in KNOWN.items()}
    for name, value in given.items():
        if name not in KNOWN:
            if name not in IDLE:
                warn(f"session.{name} is no option of sessfast's or Beaker's: it is left out")
            continue
        make, what, default = KNOWN[name]
        if value is None and default is None:
            continue
        try:
            found[name] = make(value)
        except (TypeError, ValueError):
            faults.append(f"session.{name} must be {what}")
    serializer = found["data_serializer"]
    if isinstance(serializer, str) and serializer not in {"json", "pickle"}:
        faults.append("session.data_serializer must be json, pickle or an object")
    return found


def attributes(found: Mapping[str, Any]) -> dict[str, Any]:
    """The cookie's attributes. What was not given is as safe as it can be."""
    cookie = {"path": found["cookie_path"], "domain": found["cookie_domain"]}
    cookie["same_site"] = found["samesite"]
    for theirs, our in (("secure", "secure"), ("httponly", "http_only")):
        if found[theirs] is not None:
            cookie[our] = found[theirs]
    return {**cookie, **cookie_life(found["cookie_expires"])}


def cookie_life(expires: Any) -> dict[str, Any]:
    """The cookie's `max_age` or `expires` for Beaker's `cookie_expires`."""
    expires = expiry(expires)
    if isinstance(expires, datetime):
        return {"expires": expires if expires.tzinfo else expires.replace(tzinfo=UTC)}
    if isinstance(expires, timedelta):
        return {"max_age": expires.total_seconds()}
    return {} if expires else {"max_age": MAX_LIFETIME}  # as long as browsers allow


def store_of(found: Mapping[str, Any]) -> Any:
    """The store for Beaker's `type`, `data_dir` and `url`. OptionsError, with the fix."""
    kind, folder, url = kind_of(found), found["data_dir"], url_of(found)
    if kind == "memory":
        return None
    if kind in {"file", "dbm"}:
        if folder is None:
            raise OptionsError([f"session.data_dir is missing: type {kind} needs a folder"])
        return f"file:///{quote(folder)}/sessfast"
    if kind == "cookie":
        raise OptionsError(
            ["session.type is cookie, and sessfast keeps sessions on the server: add "
             'session.sessfast.store, such as "redis://localhost" or "sqlite:////path/file.db"']
        )  # fmt: skip
    if kind in {"ext:redis", "ext:rediscluster", "ext:memcached", "ext:database"} and not url:
        raise OptionsError([f"session.url is missing: type {kind} needs one"])
    if kind == "ext:memcached":
        return memcached_url(url)
    if kind in {"ext:redis", "ext:rediscluster"}:
        if isinstance(url, str):
            return cluster_url(url) if kind == "ext:rediscluster" else url
        from sessfast.stores.redis import RedisStore

        return RedisStore(url)
    if kind == "ext:database":
        scheme, _, rest = str(url).partition("://")
        scheme = scheme.partition("+")[0]
        if scheme in {"sqlite", "postgresql"}:
            return f"{scheme}://{rest}" + ("?table=sessfast_sessions" if scheme == "sqlite" else "")
    raise OptionsError(
        [f"session.type {kind!r} of this kind has no counterpart: add session.sessfast.store, "
         "a URL or a store object (docs/stores/README.md lists them)"]
    )  # fmt: skip


def readers_of(found: Mapping[str, Any], clock: Callable[[], float] | None) -> list[Any]:
    """Who reads the sessions that Beaker left, under the same options."""
    kind = kind_of(found)
    is_cookie = kind == "cookie"
    signed_by = found["validate_key"] if is_cookie else found["secret"]
    if not signed_by:
        return []  # an id that nobody signed is nobody's
    listed = signed_by if isinstance(signed_by, list | tuple) else [signed_by]
    secrets = tuple(each.encode() if isinstance(each, str) else each for each in listed)
    if found["data_serializer"] != "json":
        return [Unread(secrets, PICKLED)]
    names = ("encrypt_key", "validate_key", "encrypt_nonce_bits", "timeout")
    text = Text(*(found[name] for name in names))
    if is_cookie:
        return [Cookies(secrets, text)]
    place = place_of(kind, found)
    if place is None:
        return []
    return [Records(secrets, text, place, clock or time.time)]


def place_of(kind: str, found: Mapping[str, Any]) -> Place | None:
    """Where Beaker kept its records; None where they can't be read, as those in memory."""
    url = url_of(found)
    if kind == "file" and found["data_dir"]:
        return Files(found["data_dir"])
    if kind in {"ext:redis", "ext:rediscluster"} and url:
        if isinstance(url, str):
            from sessfast.stores.redis_client import connect

            url = connect(cluster_url(url) if "cluster" in kind else url, 2.0, None, False, {})
        return Redis(url)
    if kind == "ext:memcached" and url:
        from sessfast.stores.memcached import MemcachedStore

        servers = [memcached_url(each) for each in str(url).split(";")]
        return Memcached([MemcachedStore(each, prefix="") for each in servers])
    if kind == "ext:database" and url:
        return Database(url, found["table_name"], found["schema_name"])
    return None


def kind_of(found: Mapping[str, Any]) -> str:
    """Beaker's `type`, also where it was not given."""
    return found["type"] or ("file" if found["data_dir"] else "memory")


def url_of(found: Mapping[str, Any]) -> Any:
    """Beaker's `url`, or what it takes instead."""
    return found["url"] or found["sa.url"] or (found["sa_opts"] or {}).get("sa.url")


def memcached_url(url: str) -> str:
    """Ours for Beaker's, which is `host:port;host:port`."""
    return "memcached://" + ",".join(each.strip() for each in url.split(";"))


def cluster_url(url: str) -> str:
    """Ours for a cluster, which redis-py can't tell from a single server."""
    scheme = urlsplit(url).scheme
    return url if "+" in scheme else url.replace(scheme, f"{scheme}+cluster", 1)


def warn(text: str) -> None:
    """A UserWarning at the line that makes the middleware."""
    warnings.warn(text, UserWarning, stacklevel=5)
