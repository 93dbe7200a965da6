"""What both fronts share: building the rules from keywords, response headers, error answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

from sessfast.codec import codec_for
from sessfast.errors import ConflictError, OptionsError, SessfastError, StoreError
from sessfast.lifecycle import Lifecycle
from sessfast.options import CookieOptions, SessionOptions
from sessfast.policy import Policy
from sessfast.records import Read, Sent, shorten
from sessfast.report import Report
from sessfast.session import Session
from sessfast.stores.opening import resolve

SESSIONS_KEY = "sessfast.sessions"  # where the sessions of nested middlewares are, by cookie name
RETRY_AFTER = "2"  # seconds
VARY_LENGTH, CACHE_CONTROL_LENGTH = len("Vary"), len("Cache-Control")  # looked at before the names
OPTION_NAMES = frozenset(SessionOptions.__dataclass_fields__)
COOKIE_NAMES = frozenset(CookieOptions.__dataclass_fields__)


def options_from(given: SessionOptions | None, keywords: dict[str, Any]) -> SessionOptions:
    """The options object, with keywords over it. OptionsError for names that don't exist."""
    if given is not None and not isinstance(given, SessionOptions):
        raise OptionsError(["pass SessionOptions(...) or keywords as options"])
    known = {name: keywords[name] for name in keywords if name in OPTION_NAMES}
    faults = [unknown_option(name) for name in keywords if name not in OPTION_NAMES]
    made = None
    try:
        if given is None:
            made = SessionOptions(**{"secret": None, **known})
        elif known:
            cookie = known.get("cookie")
            if isinstance(cookie, Mapping) and isinstance(given.cookie, CookieOptions):
                known["cookie"] = given.cookie.override(cookie)
            made = replace(given, **known)
        else:
            made = given
    except OptionsError as error:
        faults += error.faults
    if made is None or faults:
        raise OptionsError(faults)
    return made


def unknown_option(name: str) -> str:
    """What to say of a keyword that is no option, with the likely fix."""
    if name in COOKIE_NAMES:
        return f"{name} is an attribute of the cookie: write cookie={{{name!r}: …}}"
    return f"{name} is no option: docs/options.md lists them"


class Setup:
    """One middleware's rules, store and driver, built once.

    looks_closer: whether path, proxy headers or the store's readiness matter at all
    """

    def __init__(
        self,
        given: SessionOptions | None,
        keywords: dict[str, Any],
        driver: Callable[[Any], Any],
        clock: Callable[[], float] | None,
    ) -> None:
        self.options = options = options_from(given, keywords)
        clock = clock or time.time
        self.policy = Policy(options)
        self.store = resolve(options.store, clock)
        self.driver = driver(self.store)
        self.report = Report(options.observer)
        self.rules = Lifecycle(
            options, self.policy, codec_for(options.codec), clock, self.report.listener
        )
        cookie = self.policy.static_cookie
        self.needs_facts = options.genid is not None or cookie is None
        self.has_ready = hasattr(self.store, "ready")
        guards = self.has_ready or cookie is None or (cookie.path or "/") != "/"
        self.looks_closer = bool(guards or self.needs_facts or options.proxy)
        self.sends_vary = options.cache_headers != "off"
        # whether a session that nobody touched is loaded or reported all the same; per request
        self.is_watched: Callable[[], object] = self.report.listener
        if self.rules.eager:
            self.is_watched = lambda: True

    def stands_aside(self, facts: Any) -> Read | None:
        """Why this request gets no session at all, or None.

        The path lies outside the cookie's, or (in the express preset, as the seed has it)
        the store has said that it is not ready; otherwise that is an outage like another.
        """
        if self.has_ready and not self.store.ready and not self.options.lazy:
            return Read.STORE_NOT_READY
        if not self.policy.covers(facts.path, self.policy.cookie_options(facts)):
            return Read.WRONG_PATH
        return None

    def tell_request(self, session: Session | None, read: Read, sent: Sent, **more: str) -> None:
        """Report one request: what was read, what was sent, each with its one reason."""
        if tell := self.report.listener():
            sid = None if session is None or session._state is None else session._state.sid
            tell("request", {"read": read.value, "sent": sent.value, "sid": shorten(sid), **more})


def nest(place: MutableMapping[str, Any], key: str, session: Session) -> bool:
    """Publish a second session beside the outer one at `key`, both by cookie name.

    False where a session of this name is there already, which is then left alone.
    """
    sessions = place.setdefault(SESSIONS_KEY, {})
    outer = place[key]
    if isinstance(outer, Session):
        sessions.setdefault(outer._rules.options.name, outer)
    name = session._rules.options.name
    if name in sessions:
        return False
    sessions[name] = session
    return True


def adopt(session: Session, found: object) -> bool:
    """Take over a plain dict that the app put in the session's place; True if it put None there.

    found: what stands now where the session was put
    """
    if type(found) is dict and found != session:
        session.clear()
        session.update(found)
    return found is None


Text = TypeVar("Text", str, bytes)


class Words(NamedTuple, Generic[Text]):
    """The header texts of one front, in its own type."""

    set_cookie: Text
    vary: Text
    lowered_vary: Text
    cookie: Text
    vary_cookie: tuple[Text, Text]
    cache_control: Text
    star: Text
    comma: Text
    no_store: Text
    private: Text
    public: Text
    lower: Callable[[Text], Text]


STR_WORDS: Words[str] = Words(
    "Set-Cookie", "Vary", "vary", "Cookie", ("Vary", "Cookie"), "Cache-Control", "*", ", ",
    "no-store", "private", "public", str.lower,
)  # fmt: skip
BYTES_WORDS: Words[bytes] = Words(
    b"set-cookie", b"vary", b"vary", b"Cookie", (b"vary", b"Cookie"), b"cache-control", b"*",
    b", ", b"no-store", b"private", b"public", bytes.lower,
)  # fmt: skip


def varied(headers: Iterable[tuple[Text, Text]], words: Words[Text]) -> list[tuple[Text, Text]]:
    """A copy of the app's headers that says that they depend on the cookie."""
    result = list(headers)
    for name, _value in result:
        if len(name) == VARY_LENGTH and words.lower(name) == words.lowered_vary:
            merge(result, words.vary, words.cookie, words, drop=None)
            return result
    result.append(words.vary_cookie)
    return result


def dressed(
    headers: list[tuple[Text, Text]], cookie: Text | None, cache: str, words: Words[Text]
) -> list[tuple[Text, Text]]:
    """A copy of the app's headers with ours: Vary, Cache-Control where a cookie goes, Set-Cookie.

    cache: the option `cache_headers`; "off" adds Set-Cookie alone.
    The app's own headers stay, in order; Vary and Cache-Control are merged (R-55..R-57).
    """
    result = list(headers) if cache == "off" else varied(headers, words)
    if cookie is not None:
        if cache != "off":
            wanted = words.no_store if cache == "no-store" else words.private
            for header in result:
                if len(header[0]) == CACHE_CONTROL_LENGTH:
                    merge(result, words.cache_control, wanted, words, drop=words.public)
                    break
            else:
                result.append((words.cache_control, wanted))
        result.append((words.set_cookie, cookie))
    return result


def merge(
    headers: list[tuple[Text, Text]], name: Text, token: Text, words: Words[Text], drop: Text | None
) -> None:
    """Put `token` into the list header `name`, once, without the token `drop`."""
    lower = words.lower
    lowered, wanted = lower(name), lower(token)
    places = [i for i, header in enumerate(headers) if lower(header[0]) == lowered]
    if not places:
        headers.append((name, token))
        return
    comma = words.comma.strip()
    tokens = [part.strip() for i in places for part in headers[i][1].split(comma)]
    kept = [part for part in tokens if part and lower(part) != drop]
    known = {lower(part) for part in kept}
    if wanted not in known and words.star not in known:
        kept.append(token)
    headers[places[0]] = (headers[places[0]][0], words.comma.join(kept))
    for i in reversed(places[1:]):
        del headers[i]


class Refusal(NamedTuple):
    """The answer to a client where a session could not be loaded or saved."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def refusal(error: SessfastError) -> Refusal | None:
    """The response for an error, or None where it is the app's own mistake and must be raised."""
    if isinstance(error, StoreError):
        body = b"The session store can't be reached. Try again in a moment.\n"
        more = [("Retry-After", RETRY_AFTER)]
        status = "503 Service Unavailable"
    elif isinstance(error, ConflictError):
        body = b"Another request changed this session at the same time. Try again.\n"
        more, status = [], "409 Conflict"
    else:
        return None
    length = str(len(body))
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", length)]
    return Refusal(status, [*headers, ("Cache-Control", "no-store"), *more], body)
