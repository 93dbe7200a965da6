"""Each hot path: compiled, pure, and what people use instead."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from functools import partial
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.requests import cookie_parser
from werkzeug.http import dump_cookie, parse_cookie

from bench.inputs import EXPIRES, HEADERS, MAX_AGE, NAME, SECRETS, SID, VALUE, signed
from bench.peers import digest_sign, digest_verify, signer, simple_cookie
from bench.race import Runner, statement
from bench.tables import OPERATIONS, table_runners
from bench.twins import TWINS

Contest = Callable[..., None]
BOTH = ["compiled", "pure"]


def ours(code: str, make: Callable[[Any], dict[str, Any]]) -> list[Runner]:
    """The same statement for both twins."""
    return [statement(name, code, **make(twin)) for name, twin in TWINS.items()]


def find_runners(header: str) -> list[Runner]:
    return [
        *ours("find(header, name)", lambda t: {"find": t.find, "header": header, "name": NAME}),
        statement("starlette cookie_parser", "parse(header)", parse=cookie_parser, header=header),
        statement("werkzeug parse_cookie", "parse(header)", parse=parse_cookie, header=header),
        statement("http.cookies", "parse(header)", parse=SimpleCookie, header=header),
    ]


@pytest.mark.parametrize(
    "who", [*BOTH, "starlette cookie_parser", "werkzeug parse_cookie", "http.cookies"]
)
@pytest.mark.parametrize("header", HEADERS)
def test_find(contest: Contest, header: str, who: str) -> None:
    """Find our cookie in a header."""
    contest("hotpath", f"find: {header}", who, partial(find_runners, HEADERS[header]))


@pytest.mark.parametrize("header", HEADERS)
def test_all_find_the_same_cookie(header: str) -> None:
    """What is compared finds the same value, where it understands the header at all."""
    text = HEADERS[header]
    finders: list[Callable[[str], Any]] = [
        *(partial(twin.find, name=NAME) for twin in TWINS.values()),
        lambda text: cookie_parser(text)[NAME],
        lambda text: parse_cookie(text)[NAME],
    ]
    if header != "8 KB of near misses":
        finders.append(lambda text: SimpleCookie(text)[NAME].value)
    assert {VALUE} == {unquote(find(text)) for find in finders}


def verify_runners(count: int) -> list[Runner]:
    keys = SECRETS[:count]
    text, data = signed(keys[-1]), signer(keys[-1:]).sign(SID)
    return [
        *ours("verify(text)", lambda t: {"verify": t.Keyring(keys).verify, "text": text}),
        statement("hmac.digest", "verify(keys, text)", verify=digest_verify, keys=keys, text=text),
        statement("itsdangerous", "unsign(data)", unsign=signer(keys).unsign, data=data),
    ]


SECRET_COUNTS = {"1 secret": 1, "3 secrets, the last matches": 3}


@pytest.mark.parametrize("who", [*BOTH, "hmac.digest", "itsdangerous"])
@pytest.mark.parametrize("count", SECRET_COUNTS)
def test_verify(contest: Contest, count: str, who: str) -> None:
    """Check a signed id."""
    contest("hotpath", f"verify: {count}", who, partial(verify_runners, SECRET_COUNTS[count]))


def sign_runners(count: int) -> list[Runner]:
    keys = SECRETS[:count]
    return [
        *ours("sign(sid)", lambda t: {"sign": t.Keyring(keys).sign, "sid": SID}),
        statement("hmac.digest", "sign(key, sid)", sign=digest_sign, key=keys[0], sid=SID),
        statement("itsdangerous", "sign(sid)", sign=signer(keys).sign, sid=SID),
    ]


@pytest.mark.parametrize("who", [*BOTH, "hmac.digest", "itsdangerous"])
@pytest.mark.parametrize("count", [1, 3])
def test_sign(contest: Contest, count: int, who: str) -> None:
    """Sign an id."""
    name = "sign: 1 secret" if count == 1 else f"sign: {count} secrets"
    contest("hotpath", name, who, partial(sign_runners, count))


def fingerprint_runners() -> list[Runner]:
    return [
        *ours("mark(sid)", lambda t: {"mark": t.Keyring(SECRETS[:1]).fingerprint, "sid": SID}),
        statement("hmac.digest", "sign(key, sid)", sign=digest_sign, key=SECRETS[0], sid=SID),
    ]


@pytest.mark.parametrize("who", [*BOTH, "hmac.digest"])
def test_fingerprint(contest: Contest, who: str) -> None:
    """The store key of an id."""
    contest("hotpath", "fingerprint", who, fingerprint_runners)


def serialize_runners() -> list[Runner]:
    code = "write(name, value, max_age=max_age, expires=expires, same_site='lax')"
    names = {"name": NAME, "value": VALUE, "max_age": MAX_AGE, "expires": EXPIRES}
    return [
        *ours(code, lambda t: {"write": t.serialize, **names}),
        statement(
            "werkzeug dump_cookie",
            "write(name, value, max_age=max_age, expires=expires, httponly=True, samesite='lax')",
            write=dump_cookie,
            **names,
        ),
        statement("http.cookies", "write(name, value, max_age)", write=simple_cookie, **names),
    ]


@pytest.mark.parametrize("who", [*BOTH, "werkzeug dump_cookie", "http.cookies"])
def test_serialize(contest: Contest, who: str) -> None:
    """Write a Set-Cookie value with Path, Expires, Max-Age, HttpOnly and SameSite."""
    contest("hotpath", "serialize", who, serialize_runners)


def id_runners() -> list[Runner]:
    return [
        *ours("make()", lambda t: {"make": t.new_id}),
        statement("secrets.token_urlsafe", "make(24)", make=secrets.token_urlsafe),
        statement("uuid.uuid4", "str(make())", make=uuid.uuid4),
    ]


@pytest.mark.parametrize("who", [*BOTH, "secrets.token_urlsafe", "uuid.uuid4"])
def test_new_id(contest: Contest, who: str) -> None:
    """Mint an id of 192 random bits (a UUID has 122)."""
    contest("hotpath", "new_id", who, id_runners)


@pytest.mark.parametrize("who", [*BOTH, "dict of tuples", "cachetools TTLCache"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_table(contest: Contest, operation: str, who: str) -> None:
    """One operation of the in-memory table."""
    contest("hotpath", f"table: {operation}", who, partial(table_runners, operation))
