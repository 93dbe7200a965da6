"""Wrong options: one error that names every fault and its fix; right ones mean what they say."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sessfast import CookieOptions, OptionsError, SessionOptions
from sessfast.keywords import Keywords
from sessfast.options import EXPRESS, epoch, is_weak, seconds

SECRET = "a secret of the tests, 32 bytes or more: Zx81-qL0"
OTHER = "another secret of the tests, 32 bytes or more: 8Kq"

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("no secret", {"secret": None}, "secret is missing: make one with"),
    ("empty secret", {"secret": ""}, "secret is missing"),
    ("no secrets", {"secret": []}, "secret is missing"),
    ("short secret", {"secret": "short"}, "shorter than 32 bytes"),
    ("well-known secret", {"secret": "keyboard cat"}, "well known"),
    ("repetitive secret", {"secret": "ab" * 40}, "repetitive"),
    ("secret of a wrong type", {"secret": 42}, "must be a str, bytes"),
    ("one weak secret of two", {"secret": [SECRET, "old"]}, "secret[1]"),
    ("a secret twice", {"secret": [SECRET, SECRET]}, "same secret twice"),
    ("bad name", {"name": "a b"}, "name 'a b' is not a cookie name"),
    ("empty name", {"name": ""}, "is not a cookie name"),
    ("non-ASCII name", {"name": "naïve"}, "is not a cookie name"),
    ("mis-cased prefix", {"name": "__host-sid"}, "exactly these letters"),
    ("look-alike prefix", {"name": "Host__sid"}, "only looks like a prefix"),
    ("__Host- without Secure", {"name": "__Host-sid"}, "needs cookie.secure=True"),
    ("__Host- with a path", {"name": "__Host-sid", "cookie": {"secure": True, "path": "/a"}},
     "needs cookie.path='/'"),
    ("__Http- for scripts", {"name": "__Http-s", "cookie": {"secure": True, "http_only": False}},
     "needs cookie.http_only=True"),
    ("unknown cookie attribute", {"cookie": {"maxAge": 1}}, "cookie has no attribute 'maxAge'"),
    ("cookie of a wrong type", {"cookie": 1}, "cookie must be CookieOptions"),
    ("bad path", {"cookie": {"path": "/a;b"}}, "cookie.path is not valid"),
    ("bad domain", {"cookie": {"domain": "a_b.com"}}, "cookie.domain is not valid"),
    ("bad same_site", {"cookie": {"same_site": "bogus"}}, "cookie.same_site is not valid"),
    ("bad priority", {"cookie": {"priority": "bogus"}}, "cookie.priority is not valid"),
    ("bad secure", {"cookie": {"secure": "yes"}}, "cookie.secure must be True, False"),
    ("SameSite=None in the clear", {"cookie": {"same_site": "none", "secure": False}},
     "needs cookie.secure"),
    ("Partitioned in the clear", {"cookie": {"partitioned": True, "secure": False}},
     "cookie.partitioned needs"),
    ("max_age of text", {"cookie": {"max_age": "60"}}, "cookie.max_age must be seconds"),
    ("max_age NaN", {"cookie": {"max_age": math.nan}}, "must not be NaN"),
    ("max_age zero", {"cookie": {"max_age": 0}}, "must be positive"),
    ("max_age of two years", {"cookie": {"max_age": timedelta(days=730)}}, "400 days"),
    ("naive expires", {"cookie": {"expires": datetime(2030, 1, 1)}}, "aware datetime"),  # noqa: DTZ001
    ("both ends", {"cookie": CookieOptions(max_age=1, expires=2e9)}, "exclude each other"),
    ("bad unset", {"unset": "drop"}, "unset must be one of 'keep', 'destroy'"),
    ("bad on_conflict", {"on_conflict": "win"}, "on_conflict must be one of"),
    ("bad on_outage", {"on_outage": "ignore"}, "on_outage must be one of"),
    ("bad codec", {"codec": "pickle"}, "codec must be"),
    ("genid not callable", {"genid": "uuid"}, "genid must be a callable"),
    ("observer not callable", {"observer": 1}, "observer must be a callable"),
    ("proxy zero", {"proxy": 0}, "number of trusted proxies"),
    ("proxy text", {"proxy": "yes"}, "number of trusted proxies"),
    ("flag of a wrong type", {"rolling": 1}, "rolling must be True or False"),
    ("idle negative", {"idle": -1}, "idle must be positive"),
    ("idle zero", {"idle": 0}, "idle must be positive"),
    ("idle text", {"idle": "1h"}, "idle must be seconds"),
    ("limit zero", {"max_session_bytes": 0}, "max_session_bytes must be a positive"),
]  # fmt: skip


@pytest.mark.parametrize("case", FAULTS, ids=[case[0] for case in FAULTS])
def test_a_fault_is_named_with_its_fix(case: Any) -> None:
    """Each wrong value is exactly one fault, and none is silently accepted."""
    _, given, text = case
    with pytest.raises(OptionsError) as caught:
        SessionOptions(**{"secret": SECRET, **given})
    assert len(caught.value.faults) == 1, caught.value.faults
    assert text in caught.value.faults[0]


def test_all_faults_come_in_one_error() -> None:
    """Nobody fixes a configuration one restart at a time."""
    with pytest.raises(OptionsError) as caught:
        SessionOptions(secret="short", name="a b", unset="drop", idle=-1)  # type: ignore[arg-type]
    assert len(caught.value.faults) == 4
    assert str(caught.value).startswith("4 faults in the options\n  - ")


def test_no_secret_in_any_repr_or_error() -> None:
    """Options may be printed; secrets may not."""
    options = SessionOptions(secret=[SECRET, OTHER])
    with pytest.raises(OptionsError) as caught:
        SessionOptions(secret="hunter2hunter2", name="a b")
    for text in (repr(options), str(options), str(caught.value), repr(caught.value)):
        assert "hunter2" not in text
        assert SECRET not in text


VALID: list[dict[str, Any]] = [
    {"secret": SECRET},
    {"secret": SECRET.encode()},
    {"secret": [SECRET, OTHER.encode()]},
    {"cookie": {"max_age": timedelta(hours=1), "same_site": True}},
    {"cookie": {"secure": True}, "name": "__Host-sid"},
    {"cookie": lambda facts: {"max_age": 60}},
    {"proxy": 2, "idle": 60, "absolute": math.inf, "touch_after": 0},
    {"cookie": {"expires": datetime(2030, 1, 1, tzinfo=UTC), "path": None}},
]


@pytest.mark.parametrize("given", VALID)
def test_what_is_right_is_accepted(given: Any) -> None:
    """The checks refuse no sensible configuration."""
    SessionOptions(**{"secret": SECRET, **given})


def test_a_dict_cookie_changes_only_what_it_names() -> None:
    """The rest stays the preset's, in both presets."""
    secure = SessionOptions(secret=SECRET, cookie={"max_age": 60}).cookie
    express = SessionOptions.express(secret=SECRET, cookie={"max_age": 60}).cookie
    assert secure == CookieOptions(max_age=60)
    assert express == CookieOptions(max_age=60, secure=None, same_site=None)


def test_the_last_of_max_age_and_expires_counts_in_a_dict() -> None:
    """As in the seed: the one defined last in the object is what is used."""
    first = SessionOptions(secret=SECRET, cookie={"max_age": 60, "expires": 2e9}).cookie
    last = SessionOptions(secret=SECRET, cookie={"expires": 2e9, "max_age": 60}).cookie
    assert isinstance(first, CookieOptions)
    assert isinstance(last, CookieOptions)
    assert (first.max_age, first.expires) == (None, 2e9)
    assert (last.max_age, last.expires) == (60, None)


def test_the_presets_differ_in_keywords_alone() -> None:
    """express() is SessionOptions with the keywords of EXPRESS, each of which can be given."""
    assert set(EXPRESS) <= set(SessionOptions.__dataclass_fields__)
    by_name = SessionOptions.express(secret=SECRET)
    assert by_name == SessionOptions(secret=SECRET, **EXPRESS)
    assert SessionOptions.express(secret=SECRET, resave=False).resave is False


def test_the_express_preset_warns_of_a_weak_secret() -> None:
    """Node accepts any; so do we there, with a warning that names the command."""
    with pytest.warns(UserWarning, match="genkey"):
        SessionOptions.express(secret="keyboard cat")


@pytest.mark.parametrize(
    ("secret", "weak"),
    [(SECRET, False), ("x" * 64, True), ("changeme" * 8, True), ("0123456789" * 3, True),
     ("Your-Secret-Key your-secret-key!!", True), ("zK3v9QmT7xLr2WcYpB5dNfHs8JgAeU4o", False)],
)  # fmt: skip
def test_which_secrets_are_weak(secret: str, weak: bool) -> None:
    """Length, variety and the deny-list (R-24)."""
    assert weak is is_weak(secret.encode())


def test_seconds_and_epochs() -> None:
    """Python's unit is the second; dates are aware."""
    assert seconds(timedelta(minutes=1)) == 60.0
    assert seconds(False) is None
    assert epoch(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)) == 1_700_000_000.0
    with pytest.raises(TypeError):
        seconds(True)


def test_the_typed_keywords_are_the_options() -> None:
    """So that a type checker knows what the middlewares take."""
    fields = {field.name: field.type for field in dataclasses.fields(SessionOptions)}
    assert fields == {name: hint.__forward_arg__ for name, hint in Keywords.__annotations__.items()}


def test_a_cookie_without_same_site_need_not_be_secure() -> None:
    """None leaves the attribute out; it is not SameSite=None."""
    SessionOptions(secret=SECRET, cookie={"same_site": None, "secure": False})
