"""The options as keywords with their types, for who writes `SessionMiddleware(app, secret=…)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, TypedDict

from sessfast.options import CookieOptions, Seconds, Secret
from sessfast.records import RequestFacts, Tell


class Keywords(TypedDict, total=False):
    """The fields of SessionOptions, each of which may be left out."""

    secret: Secret | Sequence[Secret]
    store: Any
    name: str
    cookie: CookieOptions | Mapping[str, Any] | Callable[[RequestFacts], Any]
    genid: Callable[[RequestFacts], str] | None
    proxy: bool | int | None
    resave: bool
    rolling: bool
    save_uninitialized: bool
    unset: Literal["keep", "destroy"]
    emptied: Literal["keep", "destroy"]
    on_conflict: Literal["merge", "reject", "last"]
    on_outage: Literal["raise", "anonymous", "stale"]
    stale_for: Seconds
    idle: Seconds | None
    absolute: Seconds | None
    touch_after: Seconds | None
    lazy: bool
    prefetch: bool
    hash_ids: bool
    derive_keys: bool
    codec: Any
    strict_secret: bool
    strict_path: bool
    cache_headers: Literal["no-store", "private", "off"]
    clear_cookie: bool
    resign: bool
    read_insecure: bool
    duplicates: Literal["first-valid", "first", "reject"]
    legacy: Sequence[Any]
    until: date | str | float | None
    observer: Tell | None
    max_cookie_header: int
    max_cookie_pairs: int
    max_session_bytes: int
