"""The cookie object of one session: attributes that may be changed for this visitor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sessfast.hotpath import serialize
from sessfast.options import epoch, same_site_text, seconds

ATTRIBUTES = frozenset(
    {"path", "domain", "http_only", "secure", "same_site", "partitioned", "priority"}
)


class SessionCookie:
    """The cookie of one session: its attributes may be changed for this visitor.

    Attributes: path, domain, http_only, secure, same_site, partitioned, priority (absent
    ones are None), `expires`, `max_age` (seconds left, counting down) and
    `original_max_age`. A change of `expires` or `max_age` is kept with the session; the
    other attributes are kept by the express codec alone.
    """

    __slots__ = ("_clock", "attributes", "changed", "lifetime_changed")

    attributes: dict[str, Any]
    changed: bool
    lifetime_changed: bool
    _clock: Callable[[], float]

    def __init__(self, attributes: dict[str, Any], clock: Callable[[], float]) -> None:
        assign = object.__setattr__
        assign(self, "attributes", attributes)
        assign(self, "changed", False)
        assign(self, "lifetime_changed", False)
        assign(self, "_clock", clock)

    def __getattr__(self, name: str) -> Any:
        if name in ATTRIBUTES:
            return self.attributes.get(name)
        raise AttributeError(f"a session cookie has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ATTRIBUTES:
            check_attribute(name, value)
            self.attributes[name] = value
            self.changed = True
        else:
            object.__setattr__(self, name, value)

    @property
    def original_max_age(self) -> float | None:
        """Seconds the cookie was given when it was made; None for a browser session."""
        value = self.attributes.get("original_max_age")
        return None if value is False else value

    @property
    def max_age(self) -> float | None:
        """Seconds left, negative once past; None for a browser session."""
        expires = self.attributes.get("expires")
        return None if expires is None or expires is False else expires - self._clock()

    @max_age.setter
    def max_age(self, value: Any) -> None:
        span = seconds(value)
        missing = False if value is False else None
        self.attributes["expires"] = missing if span is None else self._clock() + span
        self.attributes["original_max_age"] = missing if span is None else span
        self.changed = self.lifetime_changed = True

    @property
    def expires(self) -> datetime | None:
        """When the browser drops the cookie (aware, UTC); None for a browser session."""
        value = self.attributes.get("expires")
        return None if value is None or value is False else datetime.fromtimestamp(value, UTC)

    @expires.setter
    def expires(self, value: Any) -> None:
        end = epoch(value)
        missing = False if value is False else None
        self.attributes["expires"] = missing if end is None else end
        self.attributes["original_max_age"] = missing if end is None else end - self._clock()
        self.changed = self.lifetime_changed = True

    def restart(self, now: float) -> None:
        """Start the countdown again from the original max_age."""
        span = self.attributes.get("original_max_age")
        if span is not None and span is not False:
            self.attributes["expires"] = now + span

    def __repr__(self) -> str:
        return f"<SessionCookie {self.attributes}>"


def check_attribute(name: str, value: Any) -> None:
    """ValueError for an attribute that no header can carry, where the app sets it (R-45)."""
    if name == "same_site":
        value = same_site_text(value, secure=True)
    if name in ("path", "domain", "same_site", "priority") and value:
        try:
            serialize("x", "", **{name: value})
        except (TypeError, ValueError):
            raise ValueError(f"cookie.{name} can't be {value!r}") from None
