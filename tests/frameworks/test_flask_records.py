"""What Flask and Flask-Session left behind is read, and nothing else is; without them here."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer, TimestampSigner, URLSafeTimedSerializer
from markupsafe import Markup

from sessfast.errors import DecodeError
from sessfast.legacy.flask import FlaskCookies, reader
from sessfast.legacy.flask_session import Files, FlaskSessionRecords
from sessfast.legacy.plain_pickle import plain_data

SECRET, OLD, FOREIGN = b"the newest secret", b"the one before", b"somebody else's"
SID = "oU3LlNYpwuUE8nlP93nvuWCu6G_L_6RuOg3E0g5DA24"
DAY = 86400
NOW = 1_800_000_000.0
GOLDEN, GOLDEN_AT = "eyJ1IjoxfQ.awXPcw.SlOxkJ2PRok39aMM5jwn9i1NAAs", 1795542900.0


def signed(
    payload: bytes, secret: bytes = SECRET, age: float = 0.0, salt: str = "cookie-session"
) -> str:
    """A cookie as Flask's signer makes it, `age` seconds ago."""

    class Clock(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(NOW - age)

    class Raw:
        @staticmethod
        def dumps(value: bytes) -> bytes:
            return value

        loads = dumps

    settings = {"key_derivation": "hmac", "digest_method": hashlib.sha1}
    made = URLSafeTimedSerializer(
        secret, salt=salt, serializer=Raw, signer=Clock, signer_kwargs=settings
    ).dumps(payload)
    return made if isinstance(made, str) else made.decode()


def test_a_cookie_that_flask_has_signed_is_read() -> None:
    """Golden bytes: Flask 3.1.3, key `k`, {"u": 1}."""
    assert FlaskCookies([b"k"]).read(GOLDEN, GOLDEN_AT) == {"u": 1}


TAGGED = [
    ('{"a":{" t":[1,{" t":[]}]}}', {"a": (1, ())}),
    ('{"a":{" b":"/wA="}}', {"a": b"\xff\x00"}),
    ('{"a":{" m":"<b>"}}', {"a": Markup("<b>")}),
    ('{"a":{" d":"Fri, 02 Jan 2026 03:04:05 GMT"}}',
     {"a": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)}),
    ('{"a":{" di":{" t__":1}}}', {"a": {" t": 1}}),
    ('{" di":{" t__":1}}', {" t": 1}),
    ('{"long":"' + "x" * 500 + '"}', {"long": "x" * 500}),  # zlib
]  # fmt: skip


@pytest.mark.parametrize(("payload", "expected"), TAGGED)
def test_tagged_values_are_what_they_were(payload: str, expected: Any) -> None:
    assert FlaskCookies([SECRET]).read(signed(payload.encode()), NOW) == expected


def test_each_secret_is_believed_until_it_is_dropped() -> None:
    cookie = signed(b'{"u":1}', OLD)
    assert FlaskCookies([SECRET, OLD]).read(cookie, NOW) == {"u": 1}
    with pytest.raises(DecodeError, match="of these secrets"):
        FlaskCookies([SECRET]).read(cookie, NOW)


def test_the_lifetime_ends_where_flask_ends_it() -> None:
    for lifetime, age, reads in ((10, 10, True), (10, 11, False), (31 * DAY, 31 * DAY, True)):
        cookies = FlaskCookies([SECRET], lifetime)
        if reads:
            assert cookies.read(signed(b"{}", age=age), NOW) == {}
        else:
            with pytest.raises(DecodeError, match="expired"):
                cookies.read(signed(b"{}", age=age), NOW)


def test_the_name_in_the_options_has_flasks_usual_lifetime() -> None:
    assert reader((SECRET,)).read(signed(b"{}", age=31 * DAY), NOW) == {}


REFUSED = [
    "", ".", "..", "x", "a.b.c", ".eJw.x.y", "null", "€", "\x00", SID, "a" * 5000,
    signed(b'{"u":1}', FOREIGN), signed(b'{"u":1}')[:-1], signed(b'{"u":1}', salt="other"),
    signed(b"[1]"), signed(b"{"), signed(b'{"a":{" u":"x"}}'), signed(b'{"a":{" d":5}}'),
    signed(b'{" t":[1]}'), signed(b'{"u":1}', age=-DAY),
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED)
def test_all_other_cookies_are_refused_and_quoted_in_no_reason(value: str) -> None:
    with pytest.raises(DecodeError) as caught:
        FlaskCookies([SECRET]).read(value, NOW)
    assert len(value) < 4 or value[:12] not in str(caught.value)


@given(value=st.text(max_size=60))
def test_no_text_makes_another_exception(value: str) -> None:
    for read in (FlaskCookies([SECRET]).read, FlaskSessionRecords(Shelf(), signers=[SECRET]).key):
        with pytest.raises(DecodeError):
            read(value, NOW)


# -- the records of Flask-Session --------------------------------------------------------------


class Shelf(dict[str, Any]):
    """A place of records."""

    def delete(self, key: str) -> None:
        self.pop(key, None)


def test_a_record_is_found_read_and_deleted() -> None:
    """Golden bytes: Flask-Session 0.8, {"_permanent": True, "u": 1}."""
    golden = bytes.fromhex("82aa5f7065726d616e656e74c3a17501")
    shelf = Shelf({"session:" + SID: golden})
    records = FlaskSessionRecords(shelf)
    key = records.key(SID, NOW)
    assert records.get(key) == {"_permanent": True, "u": 1}
    records.destroy(key)
    assert shelf == {}
    assert records.get(key) is None


def test_a_signed_id_needs_its_signature() -> None:
    records = FlaskSessionRecords(Shelf(), signers=[SECRET, OLD], prefix="p:")
    for secret in (SECRET, OLD):
        value = Signer(secret, salt="flask-session", key_derivation="hmac").sign(SID).decode()
        assert records.key(value, NOW) == "p:" + SID
    for value in (SID, Signer(FOREIGN, salt="flask-session").sign(SID).decode()):
        with pytest.raises(DecodeError, match="no id that"):
            records.key(value, NOW)


@pytest.mark.parametrize(
    "value", ["", "short", "a" * 200, "a/../../../../etc/passwd-----", "é" * 20]
)
def test_what_is_no_id_names_no_record(value: str) -> None:
    with pytest.raises(DecodeError, match="not of the form"):
        FlaskSessionRecords(Shelf()).key(value, NOW)


class Trap:
    """An object whose pickle would call something."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('a pickle was run')",)


UNREADABLE = [
    ("msgpack", pickle.dumps({"u": 1}), "pickles are not read"),
    ("msgpack", pickle.dumps(Trap()), "pickles are not read"),
    ("msgpack", b"", "can't be decoded"),
    ("msgpack", msgspec.json.encode({"u": 1}), "can't be decoded"),
    ("msgpack", msgspec.msgpack.encode([1]), "no dict"),
    ("json", msgspec.msgpack.encode({"u": 1}), "can't be decoded"),
    ("json", b"[" * 100_000, "can't be decoded"),
    ("pickle", pickle.dumps(Trap()), "more than plain data"),
    ("pickle", pickle.dumps({"u": Trap()}), "more than plain data"),
    ("pickle", pickle.dumps({"u": datetime.datetime.now(datetime.UTC)}), "more than plain data"),
    ("pickle", pickle.dumps({"u": decimal.Decimal(1)}), "more than plain data"),
    ("pickle", b"\x80\x04", "not a whole pickle"),
    ("pickle", b"cos\nsystem\n(S'true'\ntR.", "more than plain data"),
    ("pickle", b"(lp0\ng0\na.", "no dict"),
    ("pickle", b"N" * 200_000 + b".", "too long"),
    ("pickle", b"}]N\x73.", "not a whole pickle"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "octets", "said"), UNREADABLE)
def test_a_record_that_can_not_be_read_says_why(form: str, octets: bytes, said: str) -> None:
    records = FlaskSessionRecords(Shelf({"session:" + SID: octets}), format=form)
    with pytest.raises(DecodeError, match=said):
        records.get("session:" + SID)


# -- plain data in pickles ---------------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300) | st.binary(max_size=300)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner, inner, inner) | st.tuples()
    | st.tuples(inner) | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(data=PLAIN, protocol=st.integers(3, 5))
def test_plain_data_is_what_was_pickled(data: Any, protocol: int) -> None:
    try:
        pickled = pickle.dumps(data, protocol)
    except UnicodeEncodeError:
        return
    assert plain_data(pickled) == data


@pytest.mark.parametrize("protocol", range(3))
def test_old_protocols_are_read_too(protocol: int) -> None:
    data: dict[str, Any] = {
        "a": [1, 2.5, -(2**70), None, True, ("é", {}), {"b": []}],
        "c": "x" * 300,
    }
    assert plain_data(pickle.dumps(data, protocol)) == data


@given(octets=st.binary(max_size=60))
def test_garbage_is_refused_or_plain(octets: bytes) -> None:
    for start in (b"", b"\x80\x04"):
        try:
            data = plain_data(start + octets)
        except DecodeError:
            continue
        assert type(data) in (dict, list, tuple, str, bytes, int, float, bool, type(None))


@given(data=PLAIN, place=st.integers(0, 200), octet=st.integers(0, 255))
def test_a_damaged_pickle_is_refused_or_plain(data: Any, place: int, octet: int) -> None:
    try:
        pickled = bytearray(pickle.dumps(data))
    except UnicodeEncodeError:
        return
    pickled[place % len(pickled)] = octet
    try:
        found = plain_data(bytes(pickled))
    except DecodeError:
        return
    assert type(found) in (dict, list, tuple, str, bytes, int, float, bool, type(None))


@pytest.mark.parametrize("digest", [hashlib.md5, hashlib.sha256])
def test_cachelibs_files_are_found_by_both_names(tmp_path: Path, digest: Any) -> None:
    key = "session:" + SID
    file = tmp_path / digest(key.encode()).hexdigest()
    for end, expected in ((0, {"u": 1}), (NOW + 5, {"u": 1}), (NOW - 5, None)):
        file.write_bytes(struct.pack("I", int(end)) + pickle.dumps({"u": 1}))
        records = FlaskSessionRecords(Files(tmp_path, lambda: NOW), format="pickle")
        assert records.get(key) == expected
    records.destroy(key)
    assert not file.exists()
    records.destroy(key)
