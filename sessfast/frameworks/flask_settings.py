"""What an app's settings come to: Flask's and Flask-Session's as options, and a Setup of them.

Flask reads its settings on each request, and apps change them until the first one, in tests even
later. So they are compared on each request, and worked out again whenever they have changed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from operator import itemgetter
from typing import Any

from sessfast.frameworks.flask_places import TYPE, Place, place_of, records_of
from sessfast.frameworks.tagged import Serializer, TaggedCodec
from sessfast.front import Setup, str_words
from sessfast.legacy.flask import FlaskCookies
from sessfast.options import MAX_LIFETIME, CookieOptions
from sessfast.session import Session
from sessfast.state import Steps

OURS = "SESSFAST"  # app.config["SESSFAST"]: options, as a dict
# the settings that options are made of, and what they are where the framework lacks them
DEFAULTS: Mapping[str, Any] = {
    "SECRET_KEY": None,
    "SECRET_KEY_FALLBACKS": None,
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_PATH": None,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SECURE": False,
    "SESSION_COOKIE_SAMESITE": None,
    "SESSION_COOKIE_PARTITIONED": False,
    "SESSION_REFRESH_EACH_REQUEST": True,
    "SESSION_PERMANENT": None,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
    "APPLICATION_ROOT": "/",
    TYPE: None,
}
PERMANENT = "_permanent"  # a key of the session's data

pick = itemgetter(*DEFAULTS)


def lifetime_of(config: Mapping[str, Any]) -> float:
    """PERMANENT_SESSION_LIFETIME in seconds."""
    value = config["PERMANENT_SESSION_LIFETIME"]
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def is_permanent(config: Mapping[str, Any]) -> bool:
    """Whether sessions are permanent that say nothing of it: Flask-Session's are."""
    chosen = config["SESSION_PERMANENT"]
    return config[TYPE] is not None if chosen is None else bool(chosen)


def secrets_of(config: Mapping[str, Any]) -> list[bytes]:
    """SECRET_KEY and its fallbacks, each once; empty where there is no SECRET_KEY."""
    if not config["SECRET_KEY"]:
        return []
    keys = [config["SECRET_KEY"], *(config["SECRET_KEY_FALLBACKS"] or ())]
    return list(dict.fromkeys(key.encode() if isinstance(key, str) else bytes(key) for key in keys))


def attributes_of(interface: Any, app: Any) -> dict[str, Any]:
    """The cookie's attributes, asked of the interface's methods, which an app may override."""
    secure = bool(interface.get_cookie_secure(app))
    partitioned = hasattr(interface, "get_cookie_partitioned")  # since Flask 3.1
    return {
        "domain": (interface.get_cookie_domain(app) or "").lstrip(".") or None,  # as Flask sends it
        "path": interface.get_cookie_path(app) or "/",
        "http_only": bool(interface.get_cookie_httponly(app)),
        "secure": True if secure else "auto",
        "same_site": interface.get_cookie_samesite(app) or None,
        "partitioned": (partitioned and interface.get_cookie_partitioned(app)) or None,
    }


def options_of(interface: Any, app: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that an app's settings mean, and over them those `given`."""
    config = app.config
    lifetime = lifetime_of(config)
    attributes = attributes_of(interface, app)
    if is_permanent(config):
        attributes["max_age"] = lifetime
    cookie = CookieOptions(**attributes)
    chosen = given.get("cookie")
    if isinstance(chosen, Mapping):
        chosen = cookie.override(chosen)
    options: dict[str, Any] = {
        "secret": secrets_of(config),
        "name": interface.get_cookie_name(app),
        "idle": lifetime,
        "absolute": max(lifetime, float(MAX_LIFETIME)),
        "emptied": "destroy",
        "strict_secret": False,
        **given,
        "cookie": chosen or cookie,
    }
    if not config["SESSION_REFRESH_EACH_REQUEST"]:
        options["touch_after"] = math.inf
    return options


def readers_of(config: Mapping[str, Any], place: Place, chosen: Any, serializer: Any) -> Any:
    """The readers that `legacy` means here; without it, of what the settings were made for.

    serializer: may have tags of the app's own
    """
    if chosen is None:
        had = place.records is not None
        chosen = ["flask"] if config[TYPE] is None else ["flask-session"] if had else []
    elif isinstance(chosen, str):
        return chosen  # for the options' own check to refuse
    readers: list[Any] = []
    secrets = secrets_of(config)
    for item in chosen:
        if item == "flask":
            readers.append(FlaskCookies(secrets, lifetime_of(config), serializer.untag))
        elif item == "flask-session" and place.records is not None:
            readers.append(records_of(config, place, secrets))
        else:
            readers.append(item)
    return readers


class Ready:
    """What the settings came to when they were last read.

    settings:  the values of DEFAULTS, in its order
    kind:      of session
    permanent: whether sessions are that say nothing of it
    secure:    each connection counts as https, since the cookie is Secure: Flask sends it all the
               same, and an app behind a proxy may not know
    looks_closer: whether proxy headers or facts of the request matter
    fetches:   a session is loaded before the app runs
    """

    def __init__(self, settings: tuple[Any, ...], setup: Setup, kind: type[Session]) -> None:
        config = dict(zip(DEFAULTS, settings, strict=True))
        self.settings = settings
        self.setup = setup
        self.rules, self.driver = setup.rules, setup.driver
        self.words = str_words(setup.options.cache_headers)  # Quart's headers are str too
        self.kind = kind
        self.permanent = is_permanent(config)
        self.lifetime = lifetime_of(config)
        cookie = setup.policy.static_cookie
        self.secure = cookie is not None and cookie.secure is True
        self.looks_closer = bool(setup.needs_facts or setup.options.proxy)
        self.fetches = setup.driver.waits and setup.options.prefetch

    def renewal(self, session: Any) -> Steps | None:
        """The steps that give a new id to a session that was cleared, and then written to."""
        state = session._state
        if state.destroyed or not state.stored or not session._size():
            return None
        return self._renewed(session)

    def _renewed(self, session: Any) -> Steps:
        """Rotate, and carry over what was written since: none of it is the old session's."""
        data = dict(dict.items(session))
        yield from self.rules.regenerate(session)
        session._refill(data)
        session.began_anew = False

    def align(self, session: Any, config: Mapping[str, Any]) -> None:
        """Let the cookie live as `permanent` says. A lone `permanent` is no session."""
        state, chosen = session._state, session._find(PERMANENT)
        if chosen is None:
            if state.cookie is None and not state.special:
                return
            chosen = self.permanent
        elif session._size() == 1:
            session._empty()
            return
        wanted = lifetime_of(config) if chosen else None
        if wanted != self.rules.lifetimes.max_age(session):
            session.cookie.max_age = wanted


class Settings:
    """Reads the settings of one app.

    options:      keywords of ours, over what settings mean
    asynchronous: whether the framework awaits
    """

    def __init__(
        self, options: dict[str, Any], asynchronous: bool, clock: Callable[[], float] | None
    ) -> None:
        self.options = options
        self.asynchronous = asynchronous
        self.clock = clock
        self.place: Place | None = None
        self.ready: Ready | None = None
        self._reading = threading.Lock()

    def read(self, interface: Any, app: Any) -> Ready | None:
        """What the settings come to now; None where there is no SECRET_KEY.

        OptionsError for what can't work.
        """
        config = app.config
        with self._reading:
            for name, value in DEFAULTS.items():
                config.setdefault(name, value)
            settings = pick(config)
            if self.ready is not None and self.ready.settings == settings:
                return self.ready  # another thread was faster
            self.ready = self._made(interface, app, settings)
            return self.ready

    def _made(self, interface: Any, app: Any, settings: tuple[Any, ...]) -> Ready | None:
        config = app.config
        given = {**config.get(OURS, {}), **self.options}
        place = self.place
        if place is None:
            place = self.place = place_of(app, given.get("store"), self.asynchronous)
        options = options_of(interface, app, given)
        if not options["secret"]:
            return None
        serializer: Serializer = interface.serializer
        options.setdefault("codec", TaggedCodec(serializer))
        options["legacy"] = readers_of(config, place, given.get("legacy"), serializer)
        if given.get("legacy") is None:  # what they read dies by itself, a lifetime from now
            options.setdefault("until", math.inf)
        options["store"] = place.store
        setup = Setup(None, options, self.asynchronous, self.clock)
        place.store = setup.store
        kinds: tuple[type[Session], type[Session]] = interface.session_classes
        return Ready(settings, setup, kinds[config[TYPE] is not None])
