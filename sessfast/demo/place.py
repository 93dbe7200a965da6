"""The store that the demo runs on: opened, tried once before anybody visits, and how it is named.

What is shown of a URL never has a user name, a password or a query in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from sessfast.demo.serving import ServingError
from sessfast.errors import OptionsError, StoreError
from sessfast.stores.opening import OPENERS, open_store

MEMORY = "memory://"
PROBE = "sess:a-demo-looks-whether-the-store-is-there"


class Place(NamedTuple):
    """A store that answers.

    url:   as it was given
    name:  for people, without secrets
    store: for the front that asked
    """

    url: str
    name: str
    store: Any

    @property
    def outlives_us(self) -> bool:
        """Whether sessions stay there when the demo ends."""
        return not self.url.startswith("memory:")


def place(
    url: str, asynchronous: bool, express: bool = False, create_schema: bool = False
) -> Place:
    """The store of a URL, once it has answered. ServingError that says what to do if it doesn't.

    asynchronous:  for ASGI: the twin that is awaited, if there is one
    express:       whether the demo runs with the express preset, whose ids Node's layouts need
    create_schema: make the table first
    """
    try:
        found = open_store(url)
        try:
            if create_schema and hasattr(found, "create_schema"):
                found.create_schema()
            found.get(PROBE if express else PROBE.removeprefix("sess:"))
        finally:
            if hasattr(found, "close"):
                found.close()
        return Place(url, shown(url), open_store(url, asynchronous=asynchronous))
    except OptionsError as error:
        raise ServingError("; ".join(error.faults)) from error
    except StoreError as error:
        raise ServingError(f"{shown(url)}: {error.reason or error}{advice(error)}") from error


def advice(error: StoreError) -> str:
    """What to do about a store that does not answer, as far as it can be told."""
    if "create_schema" in error.reason:
        return " (add --create-schema, or run: python -m sessfast schema postgresql)"
    if "hash_ids" in error.reason:
        return " (the preset of Node's ids: add --express)"
    return ""


def shown(url: str) -> str:
    """A store's URL for people. Where a password might be in an unusual place, the scheme alone."""
    parts = urlsplit(url)
    if parts.scheme not in OPENERS:
        return "a store"
    if "@" in parts.path + parts.query + parts.fragment:
        return f"{parts.scheme}://…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{unquote(parts.path)}"
