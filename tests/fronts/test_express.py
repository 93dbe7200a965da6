"""The express preset on the wire: cookie values, Set-Cookie texts and records, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from sessfast import OptionsError, SessionOptions
from sessfast.testing import FakeClock
from tests.fronts.clients import io, nothing
from tests.fronts.spy import SpyStore

pytestmark = pytest.mark.filterwarnings("ignore:secret")
SID = "Zr5Aq1-bX_0123456789abcdefABCDEF"
NOW = 1_700_000_000.123
VALUE = "s%3AZr5Aq1-bX_0123456789abcdefABCDEF.LKV%2BM1yocZucrln%2FReP9yw%2BDHfYYUtXd4OIY%2Ff2ZI7Y"


async def login(session: Any) -> None:
    session["user"] = "bob"


def express(client: Any, **options: Any) -> Any:
    clock = FakeClock(NOW)
    options = {
        "secret": "keyboard cat", "genid": lambda facts: SID, "store": SpyStore(clock), **options
    }  # fmt: skip
    return client(clock, preset=SessionOptions.express(**options), secret=options["secret"])


TEXTS: list[tuple[dict[str, Any], str]] = [
    ({}, "; Path=/; HttpOnly"),
    ({"max_age": 60}, "; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly"),
    ({"max_age": 1.5}, "; Path=/; Expires=Tue, 14 Nov 2023 22:13:21 GMT; HttpOnly"),
    ({"max_age": 3_000_000}, "; Path=/; Expires=Tue, 19 Dec 2023 15:33:20 GMT; HttpOnly"),
    ({"path": "/foo"}, "; Path=/foo; HttpOnly"),
    ({"path": None}, "; HttpOnly"),
    ({"domain": ".example.com"}, "; Domain=.example.com; Path=/; HttpOnly"),
    ({"http_only": False}, "; Path=/"),
    ({"same_site": True}, "; Path=/; HttpOnly; SameSite=Strict"),
    ({"same_site": "LAX"}, "; Path=/; HttpOnly; SameSite=Lax"),
    ({"priority": "HIGH"}, "; Path=/; HttpOnly; Priority=High"),
    ({"secure": "auto", "same_site": "auto"}, "; Path=/; HttpOnly; SameSite=Lax"),
]


@pytest.mark.parametrize(("cookie", "text"), TEXTS, ids=[str(row[0]) for row in TEXTS])
def test_the_set_cookie_text_is_express_s(client: Any, cookie: Any, text: str) -> None:
    """Attributes in express's order and spelling, and never Max-Age."""
    here = express(client, cookie=cookie)
    reply = here.request(login, path="/foo")
    assert reply.set_cookie == f"connect.sid={VALUE}{text}"


def test_every_attribute_together_over_https(client: Any) -> None:
    """The whole line, and "auto" resolved by a secure connection."""
    here = express(
        client,
        cookie={
            "domain": "example.com", "path": "/p", "max_age": 60, "secure": "auto",
            "partitioned": True, "priority": "high", "same_site": "auto",
        },
    )  # fmt: skip
    reply = here.request(login, path="/p/x", scheme="https")
    assert reply.set_cookie == (
        f"connect.sid={VALUE}; Domain=example.com; Path=/p; "
        "Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly; Secure; Partitioned; Priority=High; "
        "SameSite=None"
    )


RECORDS: list[tuple[dict[str, Any], str]] = [
    ({}, '{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},'
         '"user":"bob"}'),
    ({"max_age": 60}, '{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.123Z",'
                      '"httpOnly":true,"path":"/"},"user":"bob"}'),
    ({"secure": False}, '{"cookie":{"originalMaxAge":null,"expires":null,"secure":false,'
                        '"httpOnly":true,"path":"/"},"user":"bob"}'),
]  # fmt: skip


@pytest.mark.parametrize(("cookie", "text"), RECORDS, ids=[str(row[0]) for row in RECORDS])
def test_the_record_is_what_node_would_store(client: Any, cookie: Any, text: str) -> None:
    """JSON.stringify of the session under sess:<sid>, attribute for attribute."""
    here = express(client, cookie=cookie)
    here.request(login)
    store = here.middleware.setup.store
    assert store.get("sess:" + SID)[0].decode() == text


@pytest.mark.parametrize(
    "form",
    [VALUE, VALUE.replace("%3A", ":"), VALUE.lower().replace(VALUE.lower(), VALUE), f'"{VALUE}"',
     "".join(f"%{ord(c):02x}" for c in
             "s:Zr5Aq1-bX_0123456789abcdefABCDEF.LKV+M1yocZucrln/ReP9yw+DHfYYUtXd4OIY/f2ZI7Y")],
)  # fmt: skip
def test_every_spelling_of_the_cookie_that_express_takes_is_taken(client: Any, form: str) -> None:
    """Encoded, plain, quoted, escaped throughout."""
    here = express(client)
    here.request(login)
    here.request(nothing, cookie=f"connect.sid={form}")
    assert here.reasons[0] == "loaded"


@pytest.mark.parametrize(
    "form", [VALUE + "=", VALUE[:-1] + "Z", VALUE[2:], "", "s%3A", "j%3A{}", VALUE + ".x",
             VALUE.replace("s%3A", "S%3A")]
)  # fmt: skip
def test_what_express_refuses_is_refused(client: Any, form: str) -> None:
    """Padding, a changed character, a missing or upper-case s:, more after the end."""
    here = express(client)
    here.request(login)
    here.request(nothing, cookie=f"connect.sid={form}")
    assert here.reasons[0] != "loaded"


def test_the_first_cookie_of_the_name_is_the_only_one(client: Any) -> None:
    """As in the seed: an earlier bad one hides the good one."""
    here = express(client)
    here.request(login)
    here.request(nothing, cookie=f"connect.sid=bad; connect.sid={VALUE}")
    assert here.reasons[0] == "malformed"


def test_the_stored_cookie_wins_over_changed_options(client: Any) -> None:
    """A loaded session keeps the attributes it was stored with, as in express."""
    here = express(client, cookie={"max_age": 60, "path": "/"})
    here.request(login)
    other = express(
        client, store=here.middleware.setup.store, rolling=True,
        cookie={"max_age": 999, "same_site": "strict"},
    )  # fmt: skip
    reply = other.request(nothing, cookie=f"connect.sid={VALUE}")
    assert reply.set_cookie == (
        f"connect.sid={VALUE}; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly"
    )


def test_destroy_leaves_the_cookie(client: Any) -> None:
    """The seed never clears it."""
    async def destroy(session: Any) -> None:
        await io(session.destroy())

    here = express(client)
    here.request(login)
    reply = here.request(destroy, cookie=f"connect.sid={VALUE}")
    assert reply.set_cookie is None
    assert len(here.middleware.setup.store) == 0 if hasattr(
        here.middleware.setup.store, "__len__"
    ) else here.middleware.setup.store.get("sess:" + SID) is None


def test_a_plain_prefix_matches_in_the_express_preset(client: Any) -> None:
    """/foo covers /foobar there."""
    here = express(client, cookie={"path": "/foo"})
    here.request(login, path="/foobar")
    assert here.reasons == ("no-cookie", "new")


def test_a_cookie_callable_is_asked_per_request(client: Any) -> None:
    """Attributes by host, say; in both presets."""
    def per_host(facts: Any) -> dict[str, Any]:
        return {"domain": "example.com", "max_age": 60} if facts.host == "testserver" else {}

    here = express(client, cookie=per_host)
    reply = here.request(login, headers=[("host", "testserver")])
    assert "Domain=example.com" in reply.set_cookie
    secure = client(cookie=per_host)
    assert "Domain=example.com" in secure.request(
        login, headers=[("host", "testserver")]
    ).set_cookie


def test_a_cookie_callable_with_a_fault_is_named_before_anything_is_stored(client: Any) -> None:
    """A caller's mistake is an OptionsError, whenever it shows."""
    here = client(cookie=lambda facts: {"domain": "a b"})
    with pytest.raises(OptionsError, match=r"cookie\.domain"):
        here.request(login)
    assert here.middleware.setup.store.length() == 0
