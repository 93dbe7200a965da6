"""Every interleaving of two requests at their store calls: nothing dead returns, nothing is lost.

The rules hand out store calls as generators, so a schedule is just the order in which two
generators are advanced: all of them are run, for every pair of scripts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from sessfast import SessionGoneError
from sessfast.drivers import as_store_error
from sessfast.session import Session
from sessfast.state import Steps
from tests.rules.test_session import World

SCRIPTS = {
    "read": ["open", "commit"],
    "write x": ["open", "set x", "commit"],
    "write y": ["open", "set y", "commit"],
    "append": ["open", "append", "commit"],
    "save, write": ["open", "set x", "save", "set y", "commit"],
    "touch": ["open", "touch", "commit"],
    "destroy": ["open", "destroy", "commit"],
    "rotate": ["open", "rotate", "commit"],
    "rotate and keep": ["open", "rotate keep", "set x", "commit"],
}


class Actor:
    """One request that follows a script; `trace` lists what it was told has happened."""

    def __init__(self, world: World, cookie: str, script: list[str], value: int) -> None:
        self.world = world
        self.session: Session = world.session(cookie)
        self.script = script
        self.value = value
        self.acknowledged: list[str] = []
        self.sent: str | None = None
        self.loaded = False

    def steps(self) -> Steps:
        """The whole request as one generator of store calls."""
        rules, session = self.world.rules, self.session
        for act in self.script:
            try:
                if act == "open":
                    yield from rules.loading.open(session)
                    self.loaded = not session.is_new
                elif act.startswith("set"):
                    session[act[-1]] = self.value
                elif act == "append":
                    if "list" in session:
                        session["list"].append(self.value)
                elif act == "save":
                    yield from rules.save(session)
                elif act == "touch":
                    yield from rules.touch(session)
                elif act == "destroy":
                    yield from rules.destroy(session)
                elif act.startswith("rotate"):
                    yield from rules.regenerate(session, act.endswith("keep"))
                else:
                    self.sent = yield from rules.commit(session)
            except SessionGoneError:
                return
            self.acknowledged.append(act)

    @property
    def gone(self) -> bool:
        state = self.session._state
        return state is not None and state.gone


def schedules(first: list[str], second: list[str]) -> Iterator[tuple[World, str, list[Actor]]]:
    """(world, cookie, actors) after every possible order of the two actors' store calls."""
    for choices in itertools.product((0, 1), repeat=8):
        world = World()
        cookie = world.known()
        actors = [Actor(world, cookie, first, 101), Actor(world, cookie, second, 202)]
        running = [actor.steps() for actor in actors]
        replies: list[Any] = [None, None]
        order = iter(choices)
        done: set[int] = set()
        while len(done) < 2:
            turn = next(order, 0)
            if turn in done:
                turn = 1 - turn
            try:
                verb, arguments = running[turn].send(replies[turn])
            except StopIteration:
                done.add(turn)
                continue
            try:
                replies[turn] = getattr(world.store, verb)(*arguments)
            except Exception as error:
                raise as_store_error(verb, error) from error
        yield world, cookie, actors


def found(world: World, cookie: str | None) -> dict[str, Any] | None:
    """The data a later request finds under this cookie; None for no session."""
    session = world.session(cookie or "")
    return None if session.is_new else dict(session)


@pytest.mark.parametrize("second", SCRIPTS)
@pytest.mark.parametrize("first", SCRIPTS)
def test_no_schedule_revives_or_loses_anything(first: str, second: str) -> None:
    """After both requests: what died is dead, what was acknowledged is there."""
    for world, cookie, actors in schedules(SCRIPTS[first], SCRIPTS[second]):
        survivors = [cookie]
        for actor in actors:
            if actor.sent and "Max-Age=0" not in actor.sent:
                survivors.append(actor.sent.partition(";")[0])
        killed = any(
            act in ("destroy", "rotate", "rotate keep") and actor.loaded
            for actor in actors for act in actor.acknowledged
        )
        data = [found(world, name) for name in survivors]
        if killed:
            assert data[0] is None, "a dead id was revived"
        alive = [value for value in data if value is not None]
        for actor in actors:
            wrote = [act for act in actor.acknowledged if act.startswith("set")]
            if actor.gone or not actor.loaded or "commit" not in actor.acknowledged:
                continue
            for act in wrote:
                if killed and "destroy" in (first, second):
                    continue
                holders = [value for value in alive if act[-1] in value]
                assert holders or killed, f"an acknowledged {act} was lost"
                if first != second and not killed:
                    both = {a[-1] for s in (first, second) for a in SCRIPTS[s] if "set" in a}
                    assert both <= set(alive[0]), "one of two acknowledged keys was lost"
