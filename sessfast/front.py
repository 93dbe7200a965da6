"""What both fronts share: building the rules from keywords, response headers, error answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, NamedTuple

from sessfast.codec import codec_for
from sessfast.errors import ConflictError, OptionsError, SessfastError, StoreError
from sessfast.hotpath import take_over
from sessfast.importing import Imports
from sessfast.legacy import readers_of
from sessfast.options import CookieOptions, SessionOptions, last_moment
from sessfast.records import Read, Sent, shorten
from sessfast.stores.opening import resolve

from .drivers import async_driver, record_readers, sync_driver
from .lifecycle import Lifecycle
from .policy import Policy
from .report import Report
from .session import Session

SESSIONS_KEY = "sessfast.sessions"  # where the sessions of nested middlewares are, by cookie name
RETRY_AFTER = "2"  # seconds
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

    imports_class = Imports  # for who names sessions in another way

    def __init__(
        self,
        given: SessionOptions | None,
        keywords: dict[str, Any],
        asynchronous: bool,
        clock: Callable[[], float] | None,
    ) -> None:
        self.options = options = options_from(given, keywords)
        clock = clock or time.time
        self.policy = Policy(options)
        self.store = resolve(options.store, clock, asynchronous)
        self.report = Report(options.observer)
        codec, listener = codec_for(options.codec), self.report.listener
        imports = None
        if options.legacy:
            readers, until = readers_of(options.legacy, options.secrets), last_moment(options.until)
            imports = self.imports_class(
                readers, until, self.policy, codec, clock, listener
            )
        self.rules = Lifecycle(options, self.policy, codec, clock, listener, imports)
        choose = async_driver if asynchronous else sync_driver
        self.driver: Any = choose(self.rules, self.store)
        cookie = self.policy.static_cookie
        self.needs_facts = options.genid is not None or cookie is None
        self.has_ready = hasattr(self.store, "ready")
        self.never_fails = getattr(self.store, "never_fails", False) and not record_readers(
            self.rules
        )
        guards = self.has_ready or cookie is None or (cookie.path or "/") != "/"
        self.looks_closer = bool(guards or self.needs_facts or options.proxy)
        self.words = (bytes_words if asynchronous else str_words)(options.cache_headers)

    def is_watched(self) -> bool:
        """Whether a session that nobody touched is loaded or reported all the same."""
        return self.rules.eager or self.report.is_heard()

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


Text = Any  # str under WSGI, bytes under ASGI


class Words:
    """The headers that one front writes, in the type of its server.

    name, text: make a header's name, and other text, of a str
    lower: the method of that type
    cache: the option `cache_headers`; "off" leaves all but Set-Cookie away
    """

    def __init__(
        self,
        name: Callable[[str], Text],
        text: Callable[[str], Text],
        lower: Callable[[Text], Text],
        cache: str,
    ) -> None:
        self.lower = lower
        self.sends_cache = cache != "off"
        self.vary = name("Vary")
        self.cookie = text("Cookie")
        self.vary_cookie = (self.vary, self.cookie)
        self.set_cookie = name("Set-Cookie")
        self.cache_control = name("Cache-Control")
        self.cache_wanted = text("no-store" if cache == "no-store" else "private")
        self.cache_public = text("public")
        self.star = text("*")
        self.comma = text(",")
        self.joint = text(", ")

    def varied(self, headers: Iterable[tuple[Text, Text]]) -> list[tuple[Text, Text]]:
        """A copy of the app's headers that says that they depend on the cookie."""
        result = list(headers)
        if self.sends_cache and not self.merge(result, self.vary, self.cookie, None):
            result.append(self.vary_cookie)
        return result

    def dressed(
        self, headers: Iterable[tuple[Text, Text]], cookie: Text | None
    ) -> list[tuple[Text, Text]]:
        """A copy of the app's headers with ours.

        Vary; Cache-Control where a cookie goes; Set-Cookie.
        The app's own headers stay, in order; Vary and Cache-Control are merged (R-55..R-57).
        """
        result = self.varied(headers)
        if cookie is not None:
            if self.sends_cache:
                wanted = self.cache_wanted
                if not self.merge(result, self.cache_control, wanted, self.cache_public):
                    result.append((self.cache_control, wanted))
            result.append((self.set_cookie, cookie))
        return result

    def merge(
        self, headers: list[tuple[Text, Text]], name: Text, token: Text, drop: Text | None
    ) -> bool:
        """Put `token` into the list header `name`, once, without the token `drop`.

        False where the app sent no such header.
        """
        length = len(name)
        for header in headers:  # a name of that length is rare: look at it alone
            if len(header[0]) == length and self.lower(header[0]) == self.lower(name):
                break
        else:
            return False
        lower = self.lower
        lowered, wanted = lower(name), lower(token)
        places = [i for i, header in enumerate(headers) if lower(header[0]) == lowered]
        tokens = [part.strip() for i in places for part in headers[i][1].split(self.comma)]
        kept = [part for part in tokens if part and lower(part) != drop]
        known = {lower(part) for part in kept}
        if wanted not in known and self.star not in known:
            kept.append(token)
        headers[places[0]] = (headers[places[0]][0], self.joint.join(kept))
        for i in reversed(places[1:]):
            del headers[i]
        return True


def str_words(cache: str) -> Words:
    """Those of a WSGI server."""
    return Words(str, str, str.lower, cache)


def bytes_words(cache: str) -> Words:
    """Those of an ASGI server, which wants the names in lower case."""
    return Words(lambda name: name.lower().encode(), str.encode, bytes.lower, cache)


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


take_over(globals())
