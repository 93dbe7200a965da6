"""What a stored session knows beside its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sessfast.hotpath import take_over


class Meta:
    """What a stored session knows beside its data. Made once, never changed.

    created:      epoch seconds at which the session began
    expires:      epoch seconds of its absolute end; None if it has none
    cookie:       the cookie attributes kept with it, by their Python names
                  (`original_max_age` and `expires` in seconds); what is absent
                  comes from today's options
    cookie_index: place of express's `cookie` key among the data keys
    """

    __slots__ = ("cookie", "cookie_index", "created", "expires")

    created: float
    expires: float | None
    cookie: Mapping[str, Any]
    cookie_index: int

    def __init__(
        self,
        created: float,
        expires: float | None,
        cookie: Mapping[str, Any],
        cookie_index: int = 0,
    ) -> None:
        self.created = created
        self.expires = expires
        self.cookie = cookie
        self.cookie_index = cookie_index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Meta) and self._fields() == other._fields()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Meta{self._fields()}"

    def _fields(self) -> tuple[float, float | None, Mapping[str, Any], int]:
        return self.created, self.expires, self.cookie, self.cookie_index


def meta_of(created: float, expires: float | None, cookie: Mapping[str, Any]) -> Meta:
    """`Meta(created, expires, cookie)`, by the shorter way that a compiled class has."""
    meta = Meta.__new__(Meta)
    meta.created = created
    meta.expires = expires
    meta.cookie = cookie
    meta.cookie_index = 0
    return meta


take_over(globals())
