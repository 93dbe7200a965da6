"""The short cut for sessions that were only read does what `commit` does: nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sessfast import Session
from tests.rules.test_session import World

SECRET = "a secret of the tests, 32 bytes or more: Zx81-qL0"
OLD = "an old secret of 32 bytes or more: 8Kq-1m"
USES: dict[str, Callable[[Session], Any]] = {
    "nothing": lambda s: None,
    "read": lambda s: s.get("a"),
    "length": len,
    "in": lambda s: "a" in s,
    "list": lambda s: s.get("list"),
    "items": lambda s: list(s.items()),
    "write": lambda s: s.__setitem__("a", 1),
    "id": lambda s: s.id,
    "cookie": lambda s: s.cookie.max_age,
    "cookie change": lambda s: setattr(s.cookie, "same_site", "strict"),
}


@given(
    known=st.booleans(),
    forged=st.booleans(),
    use=st.sampled_from(sorted(USES)),
    elapsed=st.sampled_from([0, 1, 179, 180, 181, 1000, 1799, 1801]),
    max_age=st.sampled_from([None, 100, 5000]),
    own_max_age=st.sampled_from([None, 50, 9000]),
    rotated_secret=st.booleans(),
    options=st.fixed_dictionaries(
        {},
        optional={
            "resave": st.booleans(),
            "rolling": st.booleans(),
            "save_uninitialized": st.booleans(),
            "lazy": st.booleans(),
            "absolute": st.sampled_from([60, 2000]),
            "touch_after": st.sampled_from([0, 30]),
            "codec": st.sampled_from(["native", "express"]),
        },
    ),
)
def test_a_settled_session_is_one_that_commit_leaves_alone(
    known: bool,
    forged: bool,
    use: str,
    elapsed: float,
    max_age: float | None,
    own_max_age: float | None,
    rotated_secret: bool,
    options: dict[str, Any],
) -> None:
    """is_settled says yes only where commit makes no store call, sends nothing, and agrees why."""
    cookie_options = {"max_age": max_age} if max_age else {}
    first = World(**options, cookie=cookie_options, secret=OLD if rotated_secret else SECRET)
    begun = first.session()
    begun.update({"a": 1, "list": [1]})
    if own_max_age:
        begun.cookie.max_age = own_max_age
    header = first.commit(begun)
    cookie = header.partition(";")[0] if header and known else ""
    if forged:
        cookie = cookie[:-2] + "AA"
    first.clock.advance(elapsed)

    def second() -> tuple[World, Session]:
        world = World(
            **options, cookie=cookie_options, secret=[SECRET, OLD] if rotated_secret else SECRET,
            store=first.store,
        )  # fmt: skip
        world.clock.set(first.clock())
        session = world.session(cookie)
        USES[use](session)
        return world, session

    world, session = second()
    if not world.rules.is_settled(session):
        return
    quick = session.sent_reason
    world, session = second()
    first.store.calls.clear()
    assert world.commit(session) is None
    assert first.store.calls == []
    assert quick == session.sent_reason
