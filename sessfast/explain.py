"""A configuration, option by option, against the secure preset: what differs, and what it costs.

For `python -m sessfast explain` alone. Secrets are never in what this file returns.
"""

from __future__ import annotations

import importlib
import math
import secrets
import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal, NamedTuple

from sessfast.errors import OptionsError
from sessfast.options import (
    MAX_LIFETIME,
    CookieOptions,
    SessionOptions,
    as_list,
    is_weak,
    same_site_text,
    seconds,
)
from sessfast.policy import BROWSER_SESSION_ABSOLUTE, BROWSER_SESSION_IDLE

Mark = Literal["weaker", "stronger", "different", "same"]
Judge = Callable[[Any, SessionOptions], Mark]  # (value that differs, its options) -> mark


class Reason(NamedTuple):
    """Why the secure preset has what it has, in one line, and how a difference is judged."""

    text: str
    judge: Judge


class Row(NamedTuple):
    """One option of a configuration."""

    mark: Mark
    name: str
    value: str
    secure: str
    reason: str


class LoadError(Exception):
    """What was asked for can't be explained; the text says why, in one line."""


# -- judging ----------------------------------------------------------------------------------


def neutral(value: Any, options: SessionOptions) -> Mark:
    """A matter of taste or of the app, not of security."""
    return "different"


def weak(value: Any, options: SessionOptions) -> Mark:
    """Whatever differs from the secure value is weaker."""
    return "weaker"


def words(**marks: Mark) -> Judge:
    """Judges a choice by the word chosen; a word that isn't named is merely different."""
    return lambda value, options: marks.get(str(value).replace("-", "_"), "different")


def limit(name: str) -> Judge:
    """Judges a number by whether it allows more than the secure one."""
    allowed = SessionOptions.__dataclass_fields__[name].default
    return lambda value, options: "weaker" if value > allowed else "stronger"


def judge_secret(value: Any, options: SessionOptions) -> Mark:
    """Weak secrets get past `strict_secret=False`."""
    return "weaker" if any(map(is_weak, options.secrets)) else "same"


def judge_name(value: str, options: SessionOptions) -> Mark:
    """A browser protects the prefixed names."""
    return "stronger" if value.startswith(("__Host-", "__Secure-", "__Http-")) else "different"


def judge_proxy(value: Any, options: SessionOptions) -> Mark:
    """True believes what a client may have written."""
    return "weaker" if value is True else "same" if value is False else "different"


def judge_idle(value: Any, options: SessionOptions) -> Mark:
    """Longer is weaker: a stolen cookie works for as long."""
    return against(seconds(value), BROWSER_SESSION_IDLE)


def judge_absolute(value: Any, options: SessionOptions) -> Mark:
    """Likewise; measured by what the preset would give the same cookie."""
    cookie = options.cookie
    persistent = isinstance(cookie, CookieOptions) and seconds(cookie.max_age) is not None
    return against(seconds(value), MAX_LIFETIME if persistent else BROWSER_SESSION_ABSOLUTE)


def judge_max_age(value: Any, options: SessionOptions) -> Mark:
    """The record lives as long as the cookie, unless `idle` says otherwise."""
    span = seconds(value)
    if span is None:
        return "same"
    return "weaker" if options.idle is None and span > BROWSER_SESSION_IDLE else "different"


def judge_stale(value: Any, options: SessionOptions) -> Mark:
    """Counts only where stale copies are served at all."""
    return limit("stale_for")(seconds(value), options) if options.on_outage == "stale" else "same"


def judge_read_insecure(value: Any, options: SessionOptions) -> Mark:
    """Counts only where the cookie is for https alone."""
    cookie = options.cookie
    return "different" if isinstance(cookie, CookieOptions) and not cookie.secure else "weaker"


def judge_secure(value: Any, options: SessionOptions) -> Mark:
    """Always is stronger than where the connection allows, never is weaker."""
    return "stronger" if value is True else "weaker"


def judge_same_site(value: Any, options: SessionOptions) -> Mark:
    """Strict is stronger than lax, all else weaker."""
    word = (same_site_text(value, secure=True) or "").lower()
    return {"lax": "same", "strict": "stronger"}.get(word, "weaker")  # type: ignore[return-value]


def against(value: float | None, secure: float) -> Mark:
    """Whether a length of time is longer than the secure one; None takes the secure one."""
    if value is None or value == secure:
        return "same"
    return "weaker" if value > secure else "stronger"


REASONS: dict[str, Reason] = {
    "secret": Reason("Who guesses it can sign cookies for anybody.", judge_secret),
    "store": Reason("In memory by default; only a store outside the process is shared.", neutral),
    "name": Reason("Apps on one host need names of their own; __Host- is protected.", judge_name),
    "cookie": Reason("A function decides for each request, so it can't be judged here.", neutral),
    "genid": Reason("Ids are 24 random octets; your own must be as hard to guess.", neutral),
    "proxy": Reason("X-Forwarded-Proto is not believed: a client can write it.", judge_proxy),
    "resave": Reason("A session that did not change is not written again.", neutral),
    "rolling": Reason("The cookie goes out when it changes, not with every response.", neutral),
    "save_uninitialized": Reason(
        "Visitors the app keeps nothing about fill no store and get no cookie.", weak
    ),
    "unset": Reason("Setting the session to None leaves the record alone.", neutral),
    "emptied": Reason("A session without data stays a session, and keeps its id.", neutral),
    "on_conflict": Reason(
        "Two requests at once both keep their change; the last one may undo the first.",
        words(last="weaker"),
    ),
    "on_outage": Reason(
        "An unreachable store is an error (503); an old copy may hold rights since revoked.",
        words(stale="weaker"),
    ),
    "stale_for": Reason("How old a copy may be, where stale ones are served.", judge_stale),
    "idle": Reason("An unused session ends early, so that a stolen cookie does too.", judge_idle),
    "absolute": Reason(
        "Every session ends one day, however busy a thief keeps it.", judge_absolute
    ),
    "touch_after": Reason("A read extends the life again after a tenth of it.", neutral),
    "lazy": Reason("A session that nobody touches costs nothing.", neutral),
    "prefetch": Reason("Under ASGI a session is loaded before the app asks for it.", neutral),
    "hash_ids": Reason("A store that leaks gives nobody a cookie: it holds hashes of ids.", weak),
    "derive_keys": Reason("A signature made for another cookie or use is not valid here.", weak),
    "codec": Reason("A record is bound to its key, and holds its own end.", neutral),
    "strict_secret": Reason("Short and well-known secrets are refused.", weak),
    "strict_path": Reason("A cookie for /admin is not read for /administrator.", weak),
    "cache_headers": Reason(
        "No cache may keep a response that carries a session cookie.", words(off="weaker")
    ),
    "clear_cookie": Reason("After destroy() the browser drops the dead cookie.", neutral),
    "resign": Reason("Cookies move to the newest secret, so that the old one can go.", neutral),
    "read_insecure": Reason(
        "A cookie for https alone is refused on http, where anybody may have set it.",
        judge_read_insecure,
    ),
    "duplicates": Reason(
        "A cookie planted by a neighbouring host can't hide the right one.",
        words(first="weaker", reject="stronger"),
    ),
    "legacy": Reason("Old cookies are believed as their software made them.", neutral),
    "until": Reason("From then on old cookies mean nothing.", neutral),
    "observer": Reason("Hears of every event; ids are shortened.", neutral),
    "max_cookie_header": Reason(
        "Octets of a Cookie header looked at: bounds what a client can cost.",
        limit("max_cookie_header"),
    ),
    "max_cookie_pairs": Reason(
        "Cookies looked at in a request: bounds what a client can cost.", limit("max_cookie_pairs")
    ),
    "max_session_bytes": Reason(
        "Octets of a stored session: bounds what a visitor can fill.", limit("max_session_bytes")
    ),
}

COOKIE_REASONS: dict[str, Reason] = {
    "path": Reason("Where on the host the cookie is sent.", neutral),
    "domain": Reason("Without it the cookie stays on this host; with it, all below see it.", weak),
    "max_age": Reason("Without it the cookie ends with the browser.", judge_max_age),
    "expires": Reason("An absolute end instead of a lifetime.", neutral),
    "http_only": Reason("Scripts on the page can't read the cookie.", weak),
    "secure": Reason(
        'A cookie set on https never travels on http ("auto" follows the connection).',
        judge_secure,
    ),
    "same_site": Reason("Other sites' forms come without the cookie.", judge_same_site),
    "partitioned": Reason("Inside other sites' frames the cookie is kept apart.", neutral),
    "priority": Reason("Which cookies Chrome drops last.", neutral),
}


# -- comparing ---------------------------------------------------------------------------------


def secure_preset() -> SessionOptions:
    """The secure preset, with a secret nobody will see."""
    return SessionOptions(secret=secrets.token_urlsafe(32))


def express_preset() -> SessionOptions:
    """The preset that behaves as express-session does, likewise."""
    return SessionOptions.express(secret=secrets.token_urlsafe(32))


def explain(options: SessionOptions) -> list[Row]:
    """A row for every option, in the order they are declared; those that agree are `same`."""
    preset = secure_preset()
    rows = []
    for field in fields(SessionOptions):
        value = getattr(options, field.name)
        if field.name == "cookie" and isinstance(value, CookieOptions):
            rows += cookie_rows(value, options)
            continue
        secure = getattr(preset, field.name)
        reason = REASONS[field.name]
        if field.name == "secret":
            mark = reason.judge(value, options)
        else:
            mark = "same" if alike(value, secure) else reason.judge(value, options)
        rows.append(
            Row(mark, field.name, shown(field.name, value), shown(field.name, secure), reason.text)
        )
    return rows


def cookie_rows(cookie: CookieOptions, options: SessionOptions) -> list[Row]:
    """A row for every attribute of the cookie."""
    preset = CookieOptions()
    rows = []
    for field in fields(CookieOptions):
        value, secure = getattr(cookie, field.name), getattr(preset, field.name)
        reason = COOKIE_REASONS[field.name]
        mark = "same" if alike(value, secure) else reason.judge(value, options)
        rows.append(Row(mark, f"cookie.{field.name}", repr(value), repr(secure), reason.text))
    return rows


def alike(value: Any, secure: Any) -> bool:
    """Whether two values are the same; True is not 1."""
    if secure is None or isinstance(secure, bool):
        return value is secure
    return not isinstance(value, bool) and bool(value == secure)


def shown(name: str, value: Any) -> str:
    """A value as it may be printed: what could hold a secret is only named."""
    if name == "secret":
        count = len(as_list(value))
        return "(hidden)" if count == 1 else f"({count} secrets, hidden)"
    if name == "store" and value is not None:
        # a URL may hold a password
        return f"{value.partition(':')[0]}:…" if isinstance(value, str) else type(value).__name__
    if value == math.inf:
        return "no end"
    if callable(value):
        return f"{getattr(value, '__qualname__', type(value).__name__)}()"
    plain = value is None or isinstance(value, str | int | float) or name in ("idle", "absolute")
    return repr(value) if plain else type(value).__name__


# -- loading -----------------------------------------------------------------------------------


def load(target: str) -> SessionOptions:
    """The options behind `module:attribute`. LoadError with the fix where there are none.

    The attribute (dots allowed) is a SessionOptions, or a SessionMiddleware of either front.
    """
    module_name, colon, path = target.partition(":")
    if not (module_name and colon and path):
        raise LoadError(f"{target!r} is not module:attribute, as in myapp:app")
    found: Any = imported(module_name)
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise LoadError(f"{module_name} has no {path}: name a variable of it") from None
    if isinstance(found, SessionOptions):
        return found
    options = getattr(getattr(found, "setup", None), "options", None)
    if isinstance(options, SessionOptions):
        return options
    raise LoadError(
        f"{target} is of type {type(found).__name__}: name a SessionOptions or a SessionMiddleware"
    )


def imported(name: str) -> Any:
    """A module of the user's. LoadError for whatever it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # weak secrets: a row will say so
            return importlib.import_module(name)
    except OptionsError as error:
        raise LoadError(f"{name} has options that can't work: {'; '.join(error.faults)}") from error
    except ModuleNotFoundError as error:
        fix = "run this where it can be imported"
        raise LoadError(f"there is no module {error.name}: {fix}") from error
    except Exception as error:  # their code, their exceptions
        raise LoadError(f"{name} can't be imported: {type(error).__name__}: {error}") from error
