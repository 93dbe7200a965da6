"""The short ways to a Set-Cookie value say what the long one says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sessfast import SessionOptions
from sessfast.policy import Policy
from tests.fronts.clients import SECRET

MOMENTS = st.floats(0, 4e9)
COOKIES: Any = st.fixed_dictionaries(
    {"max_age": st.integers(1, 400 * 86400)},
    optional={
        "path": st.sampled_from(["/", "/a"]),
        "domain": st.just("example.com"),
        "http_only": st.booleans(),
        "secure": st.sampled_from([True, False, "auto"]),
        "same_site": st.sampled_from(["lax", "strict", "auto", None]),
        "priority": st.sampled_from(["low", None]),
    },
)


@given(COOKIES, st.lists(st.tuples(MOMENTS, MOMENTS, st.booleans()), max_size=5), st.booleans())
def test_a_dated_cookie_is_what_its_attributes_say(
    cookie: dict[str, Any], moments: list[tuple[float, float, bool]], is_ours: bool
) -> None:
    """However many are made one after the other, in whichever second."""
    policy = Policy(SessionOptions(secret=SECRET, cookie=cookie))
    sid = "A" * 32 if is_ours else "an id of the app's own"
    for now, expires, secure in moments:
        long = policy.set_cookie(sid, policy.plain_attributes[secure], expires, secure, now)
        assert long == policy.dated_cookie(sid, expires, secure, now)
