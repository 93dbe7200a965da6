"""The demo's HTML, made from facts alone. Whatever comes from outside goes through `text`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import quote

from sessfast.demo.journal import Entry
from sessfast.demo.words import EVENTS, Tone, Word, read_word, sent_word

STYLE = files(__package__).joinpath("page.css").read_text("utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
SECURITY_HEADERS = [
    (
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='9' fill='%230f766e'/%3E"
    "%3Cpath d='M18 5 8 18h7l-1 9 10-13h-7z' fill='white'/%3E%3C/svg%3E"
)
LINKS = ("/", "/foo", "/bar")
SPANS = (("browser", "Browser session"), ("60", "1 minute"), ("3600", "1 hour"),
         ("2592000", "30 days"))  # fmt: skip

SNIPPET = """\
views = session.setdefault("views", {})
views[path] = views.get(path, 0) + 1"""


class View(NamedTuple):
    """All that the page shows.

    views:       counts by path, this page's among them
    store:       its name, without secrets
    outlives_us: whether sessions stay in it when the demo ends
    sid:         shortened
    is_new:      whether this request began the session
    read:        the code of this request
    began:       ISO text, UTC
    cookie_left: seconds until the browser drops the cookie; None = when it closes
    max_age:     what the cookie was given, likewise
    idle:        seconds after which the server forgets an unused session
    absolute:    seconds after which it ends in any case; None = never
    data:        the session's data as JSON text, without secrets
    keys:        the keys that may be removed
    entries:     the requests before this one, newest first
    """

    front: str
    version: str
    backend: str
    cpu_path: str
    preset: str
    store: str
    outlives_us: bool
    cookie_name: str
    path: str
    views: Mapping[str, int]
    notice: tuple[Tone, str] | None
    sid: str
    is_new: bool
    read: str
    began: str
    cookie_left: float | None
    max_age: float | None
    idle: float
    absolute: float | None
    token: str
    data: str
    keys: tuple[str, ...]
    entries: tuple[Entry, ...]
    now: float


def text(value: object) -> str:
    """`value` as HTML text, also inside a quoted attribute."""
    # HTML knows no NUL; a lone surrogate has no octets in UTF-8
    plain = str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return escape(plain, quote=True)


def span(seconds: float) -> str:
    """A length of time in the two largest units that count, e.g. `59 min 30 s`."""
    left = max(0, round(seconds))
    parts = []
    for name, size in (("days", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name[:-1] if name == 'days' and count == 1 else name}")
    return " ".join(parts[:2]) or "0 s"


def document(title: str, body: str) -> str:
    """A whole HTML document."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{text(title)}</title>\n<link rel="icon" href="{ICON}">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def message(title: str, sentence: str) -> str:
    """A small page that says one thing and leads back."""
    body = (
        f'<main class="message"><section class="card"><h1>{text(title)}</h1>'
        f'<p>{text(sentence)}</p><p><a class="button" href="/">Back to the demo</a></p>'
        "</section></main>"
    )
    return document(f"{title} · sessfast demo", body)


def render(view: View) -> str:
    """The demo's page."""
    parts = [
        header(view),
        "<main>",
        notice(view),
        hero(view),
        '<div class="columns"><div class="column">',
        session_card(view),
        data_card(view),
        '</div><div class="column">',
        actions_card(view),
        "</div></div>",
        why_card(view),
        requests_card(view),
        "</main>",
        footer(view),
    ]
    return document(f"{view.path} · sessfast demo", "\n".join(part for part in parts if part))


def badge(label: str, tone: str = "plain", title: str = "") -> str:
    """A small coloured label."""
    more = f' title="{text(title)}"' if title else ""
    return f'<span class="badge {tone}"{more}>{text(label)}</span>'


def code(label: str, word: Word) -> str:
    """A reason code as a badge whose colour and hint say what it means."""
    return badge(label, word.tone, word.meaning)


def header(view: View) -> str:
    """The name, and which parts of the library are at work."""
    compiled = view.backend == "compiled"
    tone, hint = ("good", "The hot paths are compiled.") if compiled else (
        "warn", "The hot paths are pure Python: a fallback that works everywhere.")  # fmt: skip
    labels = [
        badge(view.front, "accent", "The kind of server this page runs behind."),
        badge(view.backend, tone, hint),
        badge(f"SHA-256: {view.cpu_path}", "plain", "How cookies are signed on this machine."),
        badge(f"{view.preset} preset", "plain", "The options that this demo runs with."),
        badge(view.store, "plain", "The store: where sessions are kept."),
    ]
    return (
        '<header class="top"><div class="brand"><span class="mark" aria-hidden="true"></span>'
        f'<span class="name">sessfast</span><span class="version">{text(view.version)}</span></div>'
        f'<div class="badges">{"".join(labels)}</div></header>'
    )


def notice(view: View) -> str:
    """What the button just did."""
    if view.notice is None:
        return ""
    tone, sentence = view.notice
    return f'<p class="notice {tone}" role="status">{text(sentence)}</p>'


def hero(view: View) -> str:
    """How often this page was viewed, and the pages to go to."""
    count = view.views.get(view.path, 0)
    welcome = "Welcome. Reload the page: the session remembers." if count == 1 else (
        "Each path has a count of its own, kept in the session.")  # fmt: skip
    others = [path for path in view.views if path not in LINKS]
    links = [link(path, view) for path in (*LINKS, *others)]
    return (
        '<section class="card hero"><div class="count" aria-hidden="true">'
        f'{count}</div><div class="says"><h1>You viewed <bdi class="path">{text(view.path)}</bdi> '
        f"<strong>{count}</strong> {'time' if count == 1 else 'times'}</h1><p>{welcome}</p>"
        f'<nav aria-label="Pages">{"".join(links)}'
        '<a class="pill quiet" href="/untouched">a page without session</a></nav></div></section>'
    )


def link(path: str, view: View) -> str:
    """A link to one path, with its count."""
    here = ' aria-current="page"' if path == view.path else ""
    count = view.views.get(path, 0)
    target = "/" + quote(path.lstrip("/"), safe="/-._~", errors="replace")
    return (
        f'<a class="pill" href="{text(target)}"{here}><bdi>{text(path)}</bdi>'
        f'<span class="number">{count}</span></a>'
    )


def session_card(view: View) -> str:
    """What the library knows about this session."""
    state = badge("new", "accent") if view.is_new else badge("loaded", "good")
    cookie = "until the browser closes"
    if view.cookie_left is not None and view.max_age is not None:
        cookie = f"{span(view.cookie_left)} left of {span(view.max_age)}"
    ends = "no fixed end" if view.absolute is None else f"after {span(view.absolute)} in any case"
    rows = [
        ("Session id", f"<code>{text(view.sid)}</code> {state}"),
        ("Began", f'<time datetime="{text(view.began)}">{text(when(view.began))}</time>'),
        ("Cookie", f"<code>{text(view.cookie_name)}</code><br>{text(cookie)}"),
        ("Server forgets it", f"after {text(span(view.idle))} unused<br>{text(ends)}"),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    return (
        f'<section class="card"><h2>Your session</h2><dl class="facts">{listed}</dl>'
        '<p class="hint">Only four characters of the id are shown: it is as good as a password.'
        "</p></section>"
    )


def when(began: str) -> str:
    """An ISO time as people read it."""
    date, _, clock = began.partition("T")
    return f"{date} {clock[:8]} UTC"


def data_card(view: View) -> str:
    """What the app has put into the session."""
    return (
        '<section class="card"><h2>Its data</h2>'
        f'<pre tabindex="0"><code>{text(view.data)}</code></pre></section>'
    )


def form(view: View, inner: str) -> str:
    """A form with the token that proves that this page sent it."""
    return (
        f'<form method="post"><input type="hidden" name="csrf" value="{text(view.token)}">'
        f"{inner}</form>"
    )


def button(action: str, label: str, kind: str = "") -> str:
    """A button that asks for one action."""
    return f'<button class="{kind}" name="action" value="{action}">{text(label)}</button>'


def row(label: str, hint: str, inner: str) -> str:
    """One thing to try: what it is called, what it shows, and its controls."""
    return (
        f'<div class="try"><div><h3>{text(label)}</h3><p class="hint">{text(hint)}</p></div>'
        f'<div class="controls">{inner}</div></div>'
    )


def actions_card(view: View) -> str:
    """The buttons."""
    chosen = "browser" if view.max_age is None else str(round(view.max_age))
    lifetimes = "".join(
        f'<button name="max_age" value="{value}" aria-pressed="{pressed(value == chosen)}">'
        f"{label}</button>"
        for value, label in SPANS
    )
    keys = "".join(f'<option value="{text(key)}">{text(key)}</option>' for key in view.keys)
    hidden = '<input type="hidden" name="action" value="{}">'
    rows = [
        row(
            "Nested change",
            "Appends to a list inside a dict, which no assignment shows.",
            form(view, button("add", "Add an item")),
        ),
        row(
            "Any text",
            "Every script, and emoji.",
            form(
                view,
                '<input name="name" aria-label="Name" maxlength="80" autocomplete="off" '
                'placeholder="Your name">' + button("name", "Save"),
            ),
        ),
        row(
            "Remove a key",
            "Two tabs may change different keys at once.",
            form(
                view,
                f'<select name="key" aria-label="Key">{keys}</select>' + button("remove", "Remove"),
            ),
        ),
        row(
            "New id",
            "What an app does at login: the old id is dead at once.",
            form(view, button("regenerate-keep", "Keep data"))
            + form(view, button("regenerate-drop", "Drop data")),
        ),
        row(
            "Cookie lifetime",
            "For this visitor alone.",
            form(
                view,
                hidden.format("lifetime") + f'<div class="segments" role="group">{lifetimes}</div>',
            ),
        ),
        row(
            "Break my cookie",
            "Flips one character of its signature. The next page refuses it.",
            form(view, button("break", "Forge it", "risky")),
        ),
        row(
            "Log out",
            "Destroys the session, here and in the store.",
            form(view, button("logout", "Log out", "risky")),
        ),
    ]
    return f'<section class="card"><h2>Try it</h2>{"".join(rows)}</section>'


def pressed(value: bool) -> str:
    """The text of an ARIA state."""
    return "true" if value else "false"


def why_card(view: View) -> str:
    """This request and the one before, each code explained."""
    read = read_word(view.read)
    parts = [
        '<section class="card"><h2>What happened, and why</h2><div class="whys">',
        '<div class="why"><h3>This page</h3>',
        reason("read", view.read, read),
        '<p class="hint">What was sent is decided as this page leaves: reload to see it.</p>',
        f'<h3 class="more">The lines that counted it</h3><pre tabindex="0"><code>{text(SNIPPET)}'
        "</code></pre></div>",
    ]
    if view.entries:
        last = view.entries[0]
        parts += [
            f'<div class="why"><h3>The request before: {text(last.method)} '
            f'<bdi class="path">{text(last.path)}</bdi></h3>',
            reason("read", last.read, read_word(last.read)),
            reason("sent", last.sent, sent_word(last.sent)),
            *(reason("event", name, Word("plain", EVENTS.get(name, ""))) for name in last.events),
            "</div>",
        ]
    return "".join([*parts, "</div></section>"])


def reason(kind: str, label: str, word: Word) -> str:
    """One code with its sentence."""
    return (
        f'<p class="reason"><span class="kind">{kind}</span>{badge(label, word.tone)}'
        f"<span>{text(word.meaning)}</span></p>"
    )


def requests_card(view: View) -> str:
    """The last requests of everybody who visits this server."""
    rows = "".join(request_row(entry, view.now) for entry in view.entries)
    if not rows:
        rows = '<tr><td colspan="6" class="hint">None before this one.</td></tr>'
    return (
        '<section class="card"><h2>Last requests to this server</h2><table><thead><tr>'
        "<th>When</th><th>Request</th><th>Session</th><th>Read</th><th>Sent</th><th>Events</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def request_row(entry: Entry, now: float) -> str:
    """One request of the list."""
    ago = now - entry.at
    events = ", ".join(entry.events) or "—"
    return (
        f'<tr><td class="dim">{"now" if ago < 1 else text(span(ago)) + " ago"}</td>'
        f'<td><span class="method">{text(entry.method)}</span> '
        f'<bdi class="path">{text(entry.path)}</bdi></td><td><code>{text(entry.sid)}</code></td>'
        f"<td>{code(entry.read, read_word(entry.read))}</td>"
        f"<td>{code(entry.sent, sent_word(entry.sent))}</td>"
        f'<td class="dim">{text(events)}</td></tr>'
    )


def footer(view: View) -> str:
    """Where the sessions are."""
    where = (
        f"Sessions are kept in {text(view.store)}."
        if view.outlives_us
        else "Sessions live in this process's memory and end with it."
    )
    return f"<footer>Everything here works without JavaScript. {where}</footer>"
