"""What the demo does, written once for both fronts.

A front hands over a session and a `Request`, and gets an `Answer` back. Under ASGI the
coroutine is awaited; under WSGI nothing in it ever waits, so it is run to its end.
"""

from __future__ import annotations

import hmac
import inspect
import json
import random
import secrets
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote

import sessfast
from sessfast.demo.journal import Journal
from sessfast.demo.page import SECURITY_HEADERS, View, message, render
from sessfast.demo.place import MEMORY, Place
from sessfast.demo.words import Tone
from sessfast.hotpath import cpu_path, serialize
from sessfast.options import SessionOptions
from sessfast.policy import Policy, end_of
from sessfast.records import shorten
from sessfast.session import Session

LARGEST_FORM = 16_384
MOST_FIELDS = 16
FORM_TYPE = "application/x-www-form-urlencoded"
# a session is small: the oldest gives way
MOST_PATHS, LONGEST_PATH = 12, 120
MOST_ITEMS = 20
LONGEST_NAME = 80

ITEMS: tuple[dict[str, Any], ...] = (
    {"item": "Blue mug", "price": 12.5},
    {"item": "Notebook", "price": 6.9},
    {"item": "Café crème", "price": 3.2},
    {"item": "Paper lamp", "price": 24.0},
    {"item": "Woollen socks", "price": 9.75},
    {"item": "Chess set", "price": 31.0},
)
LIFETIMES: dict[str, float | None] = {
    "browser": None, "60": 60.0, "3600": 3600.0, "2592000": 2592000.0,
}  # fmt: skip
HIDDEN = "csrf"


class Request(NamedTuple):
    """One request, in no front's own words.

    path: readable text, mount point included
    body: the octets of a form; None where it was larger than LARGEST_FORM
    """

    method: str
    path: str
    query: str
    content_type: str
    body: bytes | None
    secure: bool


class Answer(NamedTuple):
    """What a front sends.

    set_aside: the front takes the session away from the request (sets it to None), so that
               nothing of it is saved and no cookie of the library's is sent
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    set_aside: bool = False


class Demo:
    """The demo app behind one front. `front` and the place's name are only shown."""

    def __init__(
        self,
        front: str,
        options: SessionOptions,
        journal: Journal,
        clock: Callable[[], float],
        place: Place | None = None,
        choose: Callable[[tuple[dict[str, Any], ...]], dict[str, Any]] = random.choice,
    ) -> None:
        self.front = front
        self.options = options
        self.policy = Policy(options)
        self.journal = journal
        self.clock = clock
        self.place = place
        self.choose = choose
        self.actions: dict[str, Callable[[Any, Mapping[str, str]], Awaitable[str]]] = {
            "add": self.add,
            "name": self.name,
            "remove": self.remove,
            "regenerate-keep": self.regenerate_keep,
            "regenerate-drop": self.regenerate_drop,
            "logout": self.logout,
            "lifetime": self.lifetime,
        }

    async def answer(self, session: Session, request: Request) -> Answer:
        """The answer to any request; nothing a client sends is an exception."""
        if request.method in ("GET", "HEAD"):
            if request.path == "/favicon.ico":
                return Answer(204, [*SECURITY_HEADERS])
            if request.path == "/untouched":
                return html(200, message("This page never looked at its session", UNTOUCHED))
            return await self.page(session, request)
        if request.method == "POST":
            return await self.act(session, request)
        answer = html(405, message("Method not allowed", "This page knows GET and POST."))
        answer.headers.append(("Allow", "GET, HEAD, POST"))
        return answer

    async def close(self) -> None:
        """Give back the connections of a store that was given to us."""
        if self.place is not None and hasattr(self.place.store, "close"):
            await io(self.place.store.close())

    # -- the page ------------------------------------------------------------------------------

    async def page(self, session: Session, request: Request) -> Answer:
        """Count the view, as express-session's README does it, and show what is known."""
        came_new = session.is_new
        path = request.path[:LONGEST_PATH]
        views = session.setdefault("views", {})
        views[path] = views.pop(path, 0) + 1  # at the end: the newest
        while len(views) > MOST_PATHS:
            del views[next(iter(views))]
        now = self.clock()
        began = session.setdefault(
            "since", datetime.fromtimestamp(now, UTC).isoformat("T", "seconds")
        )
        token = session.setdefault(HIDDEN, secrets.token_urlsafe(16))
        cookie = session.cookie
        max_age = cookie.original_max_age
        data = {**session.copy(), HIDDEN: shorten(token)}
        did = dict(parse_qsl(request.query[:200], max_num_fields=None)).get("did", "")
        view = View(
            front=self.front,
            version=sessfast.__version__,
            backend=sessfast.BACKEND,
            cpu_path=cpu_path(),
            preset="express" if self.options.codec == "express" else "secure",
            store=self.place.name if self.place else MEMORY,
            outlives_us=self.place is not None and self.place.outlives_us,
            cookie_name=self.options.name,
            path=path,
            views=views,
            notice=NOTICES.get(did),
            sid=shorten(session.id),
            is_new=came_new,
            read=session.read_reason.value,
            began=began,
            cookie_left=cookie.max_age,
            max_age=max_age,
            idle=self.policy.lifetime(max_age),
            absolute=end_of(0.0, self.policy.absolute_span(max_age)),
            token=token,
            data=json.dumps(data, indent=2, ensure_ascii=False),
            keys=tuple(key for key in data if key != HIDDEN),
            entries=self.journal.latest(),
            now=now,
        )
        return html(200, render(view))

    # -- what the buttons do ---------------------------------------------------------------------

    async def act(self, session: Session, request: Request) -> Answer:
        """Do what a form asks for, then send the browser back to the page it came from."""
        if request.body is None:
            return html(413, message("Too large", "The form is larger than this page sends."))
        if request.content_type.partition(";")[0].strip().lower() != FORM_TYPE:
            return html(415, message("Not a form", f"This page takes forms alone: {FORM_TYPE}."))
        try:
            form = parse_form(request.body)
        except ValueError:
            return html(400, message("Bad request", "This form can't be read."))
        known = session.get(HIDDEN)
        if not known or not hmac.compare_digest(known.encode(), form.get(HIDDEN, "").encode()):
            return html(403, message("This form belongs to an earlier session", EARLIER))
        action = form.get("action", "")
        if action == "break":
            return self.break_cookie(session, request)
        if action not in self.actions:
            return html(400, message("Bad request", "There is no such button on the page."))
        return see(request.path, await self.actions[action](session, form))

    async def add(self, session: Session, form: Mapping[str, str]) -> str:
        """Append to a list inside a dict: a change that no assignment shows."""
        cart = session.setdefault("cart", {"items": []})
        cart["items"].append(dict(self.choose(ITEMS)))
        del cart["items"][:-MOST_ITEMS]
        return "add"

    async def name(self, session: Session, form: Mapping[str, str]) -> str:
        """Keep a name, in any script."""
        name = without_controls(form.get("name", "")).strip()[:LONGEST_NAME]
        if not name:
            return "nameless"
        session["name"] = name
        return "name"

    async def remove(self, session: Session, form: Mapping[str, str]) -> str:
        """Remove one key."""
        key = form.get("key", "")
        if key == HIDDEN or key not in session:
            return "absent"
        del session[key]
        return "remove"

    async def regenerate_keep(self, session: Session, form: Mapping[str, str]) -> str:
        """A new id with the same data: what an app does when somebody logs in."""
        await io(session.regenerate(keep=True))
        return "regenerate-keep"

    async def regenerate_drop(self, session: Session, form: Mapping[str, str]) -> str:
        """A new id and no data, as express-session's regenerate."""
        await io(session.regenerate())
        return "regenerate-drop"

    async def logout(self, session: Session, form: Mapping[str, str]) -> str:
        """Destroy the session, here and in the store."""
        await io(session.destroy())
        return "logout"

    async def lifetime(self, session: Session, form: Mapping[str, str]) -> str:
        """Switch how long this visitor's cookie lives."""
        choice = form.get("max_age", "")
        if choice not in LIFETIMES:
            return "absent"
        session.cookie.max_age = LIFETIMES[choice]
        return "lifetime"

    def break_cookie(self, session: Session, request: Request) -> Answer:
        """Give the browser its own cookie with one character of the signature flipped."""
        signed = self.policy.keyring.sign(session.id)
        place = len(signed) - 8  # inside the signature
        flipped = signed[:place] + ("A" if signed[place] != "A" else "B") + signed[place + 1 :]
        broken = serialize(
            self.options.name, "s:" + flipped, secure=request.secure, same_site="lax"
        )
        answer = see(request.path, "break")
        # set aside: a cookie that the library happened to send now would undo this one
        return answer._replace(headers=[*answer.headers, ("Set-Cookie", broken)], set_aside=True)


UNTOUCHED = (
    "So no cookie was checked, nothing was loaded, and the response carries no cookie. "
    "Go back and see it in the list of requests."
)
EARLIER = (
    "The session that this form was made for has ended, or the cookies are off. Nothing was "
    "changed. Open the page again."
)
NOTICES: dict[str, tuple[Tone, str]] = {
    "add": (
        "good",
        "Added an item to a list inside the cart. The nested change was noticed and saved.",
    ),
    "name": ("good", "Saved your name."),
    "nameless": ("calm", "Nothing changed: the name was empty."),
    "remove": ("good", "Removed the key from the session."),
    "absent": ("calm", "Nothing changed: there is no such thing to change."),
    "regenerate-keep": (
        "good",
        "New id, same data. The old id is dead, as it should be after a login.",
    ),
    "regenerate-drop": ("good", "New id, no data. The old session is gone."),
    "logout": (
        "warn",
        "The session was destroyed. This page began a new one: the counters start over.",
    ),
    "lifetime": ("good", "The cookie's lifetime was switched for this visitor alone."),
    "break": (
        "bad",
        "The browser came back with a forged cookie. It was refused and a new session begun.",
    ),
}


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a form, the last of each name. ValueError where there are too many."""
    pairs = parse_qsl(
        body.decode("ascii", "replace"),
        keep_blank_values=True,
        errors="replace",
        max_num_fields=MOST_FIELDS,
    )
    return dict(pairs)


def without_controls(text: str) -> str:
    """`text` without control characters; joiners, which emoji and scripts need, stay."""
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))


def html(status: int, text: str) -> Answer:
    """A page as an answer. What it shows is one visitor's own: nobody may keep it."""
    body = text.encode("utf-8", "replace")
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *SECURITY_HEADERS,
    ]
    return Answer(status, headers, body)


def see(path: str, did: str) -> Answer:
    """Send the browser back to a page of this server, with word of what was done."""
    # one slash: //example.com would lead to another server
    target = "/" + quote(path.lstrip("/"), safe="/-._~", errors="replace")
    headers = [("Location", f"{target}?did={did}"), ("Content-Length", "0"), *SECURITY_HEADERS]
    return Answer(303, headers)


async def io(result: Any) -> Any:
    """What a session's method returned, awaited where it must be."""
    return await result if inspect.isawaitable(result) else result
