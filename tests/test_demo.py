"""The demo: the same page on both fronts, each button does what it says, nothing is a 500."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from urllib.parse import unquote

import pytest

from sessfast.demo.app import ITEMS, MOST_ITEMS, MOST_PATHS, NOTICES
from sessfast.demo.page import span
from sessfast.demo.words import EVENTS, READ, SENT
from sessfast.records import Read, Sent
from tests.demo_browser import FORM, FRONTS, HOSTILE, Browser, Document, WsgiBrowser


@pytest.fixture(params=FRONTS, ids=["wsgi", "asgi"])
def browser(request: pytest.FixtureRequest) -> Browser:
    """A browser that never met the demo, on each front."""
    made: Browser = request.param()
    return made


# -- counting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("express", [False, True])
def test_each_path_has_a_counter_that_survives_reloads(front: type[Browser], express: bool) -> None:
    """The README example of express-session, with both presets."""
    browser = front(express)
    assert [1, 2, 3] == [browser.get("/foo").count for _ in range(3)]
    assert [1, 2] == [browser.get("/bar").count for _ in range(2)]
    page = browser.get("/foo")
    assert 4 == page.count
    assert {"/foo": 4, "/bar": 2} == page.data["views"]
    assert ("express" if express else "secure") + " preset" in page.text


def test_the_first_page_is_new_and_the_next_is_loaded(browser: Browser) -> None:
    """The codes of this request and of the one before."""
    first = browser.get("/")
    assert "no-cookie" == first.read
    assert ">new</span></dd>" in first.text
    assert "None before this one" in first.text
    second = browser.get("/")
    assert "loaded" == second.read
    assert ("no-cookie", "new") == second.last
    third = browser.get("/")
    assert ("loaded", "browser-session") == third.last
    assert EVENTS["saved"] in third.text
    assert SENT[Sent.BROWSER_SESSION].meaning in third.text


def test_a_path_is_shown_as_text_whatever_is_in_it(browser: Browser) -> None:
    """UTF-8 is decoded, the rest replaced, markup escaped."""
    for path, shown in [
        ("/caf%C3%A9", "/café"),
        ("/%3Cscript%3E%22", "/&lt;script&gt;&quot;"),
        ("/%ff", "/\ufffd"),
        ("/%00", "/\ufffd"),
        ("/" + "x" * 500, "/" + "x" * 119 + "<"),
    ]:
        page = browser.get(path)
        assert (200, 1) == (page.status, page.count)
        assert f'<bdi class="path">{shown}' in page.text
        assert "<script" not in page.text


def test_a_session_stays_small_however_many_paths_are_visited(browser: Browser) -> None:
    """The oldest paths give way, so that no visitor outgrows the limit of a session."""
    for number in range(MOST_PATHS + 5):
        browser.get(f"/{number}")
    page = browser.get("/last")
    assert MOST_PATHS == len(page.data["views"])
    assert "/0" not in page.data["views"]


def test_both_fronts_give_the_same_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, but for the front's name and what is random."""
    pages = []
    for front in FRONTS:
        browser = front()
        browser.get("/foo")
        browser.press("add")
        browser.press("name", name=HOSTILE)
        browser.press("lifetime", max_age="3600")
        text = browser.press("regenerate-keep").text
        text = text.replace(browser.app.app.demo.front, "FRONT")
        text = re.sub(r'name="csrf" value="[^"]+"', "CSRF", text)
        pages.append(re.sub(r"[\w-]{4}…", "ID", text))
    assert pages[0] == pages[1]


# -- buttons -----------------------------------------------------------------------------------


def test_adding_changes_a_nested_list(browser: Browser) -> None:
    """It is saved without an assignment, and the cart has an end."""
    assert [ITEMS[0]] == browser.press("add").data["cart"]["items"]
    page = browser.press("add")
    assert [ITEMS[0]] * 2 == page.data["cart"]["items"]
    assert NOTICES["add"][1] in page.text
    for _ in range(MOST_ITEMS):
        page = browser.press("add")
    assert MOST_ITEMS == len(page.data["cart"]["items"])


def test_a_name_of_any_script_is_kept_and_escaped(browser: Browser) -> None:
    """Markup is text; joiners stay, control characters go."""
    page = browser.press("name", name=HOSTILE + "\0\r\n\x1b")
    assert HOSTILE == page.data["name"]
    assert "<script" not in page.text
    assert "<b>" not in page.text
    assert NOTICES["nameless"][1] in browser.press("name", name=" \t ").text
    assert HOSTILE == browser.get("/").data["name"]


def test_removing_takes_one_key(browser: Browser) -> None:
    """And says so where there is none; the token can't be removed."""
    browser.press("name", name="Ada")
    page = browser.press("remove", key="name")
    assert "name" not in page.data
    assert NOTICES["remove"][1] in page.text
    for key in ("name", "csrf", HOSTILE):
        assert NOTICES["absent"][1] in browser.press("remove", key=key).text


def test_regenerating_changes_the_id_and_keeps_or_drops_the_data(browser: Browser) -> None:
    """The old cookie is dead at once."""
    browser.press("name", name="Ada")
    old = browser.cookie
    page = browser.press("regenerate-keep")
    assert old != browser.cookie
    assert "Ada" == page.data["name"]
    assert ("loaded", "rotated") == page.last
    stranger = browser.get("/", cookie=f"{browser.name}={old}")
    assert stranger.read in ("unknown-id", "superseded")
    page = browser.press("regenerate-drop")
    assert {"views": {"/foo": 1}} == {k: v for k, v in page.data.items() if k == "views"}
    assert "name" not in page.data


def test_logging_out_destroys_the_session(browser: Browser) -> None:
    """The cookie is cleared, the counters start over, the old cookie opens nothing."""
    browser.get("/foo")
    browser.get("/foo")
    old = browser.cookie
    page = browser.press("logout")
    assert 1 == page.count
    assert "no-cookie" == page.read
    assert ("loaded", "cleared") == page.last
    assert "unknown-id" == browser.get("/", cookie=f"{browser.name}={old}").read


@pytest.mark.parametrize(
    ("choice", "max_age", "shown"),
    [
        ("browser", None, "until the browser closes"),
        ("60", 60, "1 min left of 1 min"),
        ("3600", 3600, "1 h left of 1 h"),
        ("2592000", 2592000, "30 days left of 30 days"),
    ],
)
def test_the_lifetime_switches_for_this_visitor(
    browser: Browser, choice: str, max_age: int | None, shown: str
) -> None:
    """The cookie gets the new Max-Age at once, and the page says what holds."""
    page = browser.press("lifetime", max_age=choice)
    assert shown in page.text
    assert re.search(rf'value="{choice}" aria-pressed="true"', page.text)
    [cookie] = browser.posted.all("set-cookie")
    assert (f"Max-Age={max_age}" if max_age else "HttpOnly") in cookie
    assert (max_age is not None) == ("Max-Age" in cookie)
    assert NOTICES["absent"][1] in browser.press("lifetime", max_age="7").text


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("express", [False, True])
@pytest.mark.parametrize("later", [0, 59, 3000])
def test_a_broken_cookie_is_refused_as_forged(
    front: type[Browser], express: bool, later: int
) -> None:
    """Also where the library was about to send a good cookie with the same response."""
    browser = front(express)
    browser.press("lifetime", max_age="3600")
    token = browser.get("/foo").token
    browser.clock.advance(later)
    answer = browser.post("/foo", {"csrf": token, "action": "break"})
    assert 1 == len(answer.all("set-cookie"))
    page = browser.get(answer.all("location")[0])
    assert "bad-signature" == page.read
    assert READ[Read.BAD_SIGNATURE].meaning in page.text
    assert NOTICES["break"][1] in page.text
    assert 1 == page.count


# -- what must not work ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, {"action": "frob"}),
        (400, {"action": ""}),
        (400, {}),
        (403, {"action": "add", "csrf": "wrong"}),
        (403, {"action": "logout", "csrf": "山" * 22}),
        (403, {"action": "add", "csrf": ""}),
        (400, {str(number): "" for number in range(40)}),
        (413, {"action": "name", "name": "x" * 20000}),
    ],
)
def test_a_bad_form_is_a_4xx_and_changes_nothing(
    browser: Browser, status: int, fields: dict[str, str]
) -> None:
    """Each with a page that leads back."""
    token = browser.get("/foo").token
    page = browser.post("/foo", {"csrf": token, **fields})
    assert status == page.status
    assert 'href="/"' in page.text
    assert "cart" not in browser.get("/foo").data


def test_a_post_without_a_session_or_of_another_type_is_refused(browser: Browser) -> None:
    """A stranger's form, a form from before the session ended, JSON, and other methods."""
    assert 403 == browser.post("/", {"action": "add"}).status
    token = browser.get("/").token
    body = json.dumps({"csrf": token, "action": "add"}).encode()
    assert 415 == browser.request("POST", "/", {"content-type": "application/json"}, body).status
    assert 415 == browser.request("POST", "/").status
    browser.clock.advance(3600)
    assert 403 == browser.post("/", {"csrf": token, "action": "add"}).status
    answer = browser.request("DELETE", "/")
    assert 405 == answer.status
    assert ["GET, HEAD, POST"] == answer.all("allow")


@pytest.mark.parametrize("given", ["x", "-1", "1e3", "", "9" * 30])
def test_a_nonsense_content_length_is_no_500(given: str) -> None:
    """WSGI servers pass on what they are sent."""
    browser = WsgiBrowser()
    headers = {"content-length": given, **FORM}
    assert 400 <= browser.request("POST", "/", headers).status < 500


@pytest.mark.parametrize(
    "cookie",
    [
        "", "=", ";;;", "{name}", "{name}=", "{name}=s:", "{name}=s%3A.", "{name}=s:a.b",
        "{name}=j:{{}}", "{name}=%00%ff%zz", "{name}=s:" + "x" * 20000, '{name}="s:a.b"; {name}=x',
        "{name}=s%3A%F0%9F%92%A9.%F0%9F%92%A9", "\xff\xfe{name}=\x80", "; " * 5000,
    ],
)  # fmt: skip
def test_a_garbage_cookie_is_just_a_new_visitor(browser: Browser, cookie: str) -> None:
    """Never a 500, neither for pages nor for forms."""
    garbage = {"cookie": cookie.format(name=browser.name)}
    page = browser.request("GET", "/", garbage)
    assert (200, 1) == (page.status, page.count)
    assert 403 == browser.request("POST", "/", {**garbage, **FORM}, b"action=break").status


def test_a_redirect_never_leaves_this_server(browser: Browser) -> None:
    """A path of two slashes would name another host."""
    for path in ("//evil.example/x", "/%5Cevil.example", "/%2F/evil.example", "/%0d%0aX: y"):
        token = browser.get(path).token
        answer = browser.post(path, {"csrf": token, "action": "add"})
        [location] = answer.all("location")
        assert re.match(r"/[\w.%-]", location)
        assert "\r" not in location


# -- what a page shows -------------------------------------------------------------------------


def test_no_page_shows_the_session_id_or_the_secret(browser: Browser) -> None:
    """Only the first four characters, also after every button."""
    secret = browser.app.setup.options.secret
    pressed: list[tuple[str, dict[str, str]]] = [
        ("add", {}), ("name", {"name": "Ada"}), ("regenerate-keep", {}),
        ("lifetime", {"max_age": "60"}), ("regenerate-drop", {}), ("break", {}), ("logout", {}),
        ("add", {}),
    ]  # fmt: skip
    ids = set()
    for action, fields in pressed:
        page = browser.press(action, **fields)
        assert browser.cookie is not None
        ids.add(unquote(browser.cookie).removeprefix("s:").partition(".")[0])
        assert {True} == {len(sid) >= 32 for sid in ids}
        assert page.sid[:4] in {sid[:4] for sid in ids}
        assert [] == [sid for sid in [*ids, secret] if sid in page.text]
        assert page.data["csrf"] == page.token[:4] + "…"


def test_a_page_is_complete_and_asks_for_nothing_else(browser: Browser) -> None:
    """No script, no outside resource, and a policy that would forbid both."""
    page = browser.get("/")
    document = Document(page.text)
    assert page.text.startswith("<!DOCTYPE html>")
    names = [tag for tag, _ in document.tags]
    assert 1 == names.count("h1") == names.count("main") == names.count("title")
    assert not {"script", "img", "iframe"} & set(names)
    for _, attributes in document.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            target = attributes.get(name) or "/"
            assert target.startswith(("/", "data:"))
    labelled = [a for tag, a in document.tags if tag == "select" or a.get("type") == "text"]
    assert all("aria-label" in attributes for attributes in labelled)
    [policy] = page.all("content-security-policy")
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert ["no-referrer"] == page.all("referrer-policy")
    assert ["nosniff"] == page.all("x-content-type-options")
    assert ["no-store"] == page.all("cache-control")


def test_some_paths_never_touch_the_session(browser: Browser) -> None:
    """They show what a session costs that nobody looks at: nothing."""
    browser.get("/")
    for path, status in (("/untouched", 200), ("/favicon.ico", 204)):
        page = browser.get(path)
        assert status == page.status
        assert [] == page.all("set-cookie")
        assert ("untouched", "unchanged") == browser.get("/").last


def test_head_is_answered_without_a_body(browser: Browser) -> None:
    """The headers are those of a GET."""
    page = browser.request("HEAD", "/")
    assert (200, "") == (page.status, page.text)
    assert int(page.all("content-length")[0]) > 1000


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (-3, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (86400, "1 day"),
     (2592000, "30 days"), (90061, "1 day 1 h"), (3599, "59 min 59 s")],
)  # fmt: skip
def test_a_span_is_told_in_its_two_largest_units(seconds: float, expected: str) -> None:
    """Never negative, never a fraction."""
    assert expected == span(seconds)
