"""Every order in which two requests can meet at a store, and what must come of it.

A model of the contract, of a dozen lines, says what each call has to answer. Whoever agrees with
it in every interleaving loses no acknowledged update and brings no destroyed session back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from typing import Any

from sessfast.records import EXISTS, GONE, Conflict
from sessfast.state import Steps
from sessfast.testing.probe import Probe, shown

TTL = 60.0
Script = tuple[str, ...]

# Requests as they are: each loads, and then does something slow.
LONG_SCRIPTS: tuple[tuple[Script, Script], ...] = (
    (
        ("load", "update", "touch", "load", "update", "touch"),
        ("load", "destroy", "load", "create", "update", "destroy"),
    ),
    (
        ("load", "update", "update", "expire", "create", "update"),
        ("load", "touch", "update", "load", "update", "destroy"),
    ),
)


def scripts(steps: Sequence[str], length: int) -> Iterator[tuple[Script, Script]]:
    """All pairs of scripts of this length."""
    for first in product(steps, repeat=length):
        for second in product(steps, repeat=length):
            yield first, second


def schedules(first: Script, second: Script) -> Iterator[list[tuple[int, str]]]:
    """All interleavings of two scripts: lists of (actor, step)."""
    total = len(first) + len(second)
    for places in combinations(range(total), len(first)):
        rest = (iter(first), iter(second))
        actors = [0 if i in places else 1 for i in range(total)]
        yield [(actor, next(rest[actor])) for actor in actors]


class Meeting:
    """Two actors, one sid, one schedule; every reply is compared with the model's."""

    def __init__(
        self,
        probe: Probe,
        sid: str,
        blob: Callable[[str], bytes],
        expire: Callable[[], None],
        unique_versions: bool,
    ) -> None:
        self.probe = probe
        self.sid = sid
        self.blob = blob
        self.expire = expire
        self.unique_versions = unique_versions
        self.held: tuple[bytes, Any] | None = None  # the model: blob and version, or nothing
        self.versions: list[Any] = []  # all that this sid ever had
        self.known: list[Any] = [None, None]  # the version that each actor acts upon
        self.written = 0

    def play(self, schedule: Sequence[tuple[int, str]]) -> Steps:
        """The schedule as a script. AssertionError at the first reply that is wrong."""
        yield from self._create(0)
        self.known = [self.versions[0]] * 2
        for actor, step in schedule:
            self.probe.note(f"-- {'AB'[actor]}: {step}")
            if step == "expire":
                self.expire()
                self.held = None
            else:
                yield from getattr(self, f"_{step}")(actor)
        yield from self._load(0)

    def _call(self, verb: str, *arguments: Any) -> Steps:
        return self.probe.asking(verb, self.sid, *arguments)

    def _load(self, actor: int) -> Steps:
        found = self.probe.content((yield from self._call("get")))
        self.probe.judge("get shows what was written last and nothing else", self.held, found)
        if self.held is not None:
            self.known[actor] = self.held[1]

    def _create(self, actor: int) -> Steps:
        blob = self._next_blob()
        reply = yield from self._call("create", blob, TTL)
        if self.held is not None:
            self.probe.judge("create never overwrites a live record", EXISTS, reply)
        else:
            self._is_new_version("create", reply)
            self._wrote(actor, blob, reply)

    def _update(self, actor: int) -> Steps:
        blob = self._next_blob()
        reply = yield from self._call("update", blob, TTL, self.known[actor])
        if self.held is None:
            self.probe.judge("update never creates: what is gone stays gone", GONE, reply)
        elif self.known[actor] != self.held[1]:
            rule = "update never overwrites what another request has written"
            self.known[actor] = self.probe.conflicts(rule, self.held, reply)[1]
        else:
            self._is_new_version("update", reply)
            self._wrote(actor, blob, reply)

    def _touch(self, actor: int) -> Steps:
        reply = yield from self._call("touch", TTL)
        alive = self.held is not None
        self.probe.judge("touch says whether there is a live record", alive, reply)

    def _destroy(self, actor: int) -> Steps:
        reply = yield from self._call("destroy")
        self.probe.judge("destroy returns nothing", None, reply)
        self.held = None

    def _next_blob(self) -> bytes:
        self.written += 1
        return self.blob(f"{self.written} of {self.sid[-8:]}")

    def _wrote(self, actor: int, blob: bytes, version: Any) -> None:
        self.held = (blob, version)
        self.known[actor] = version
        self.versions.append(version)

    def _is_new_version(self, verb: str, reply: Any) -> None:
        if reply is None or reply is EXISTS or reply is GONE or isinstance(reply, Conflict):
            rule = f"{verb} returns the version of what it stored"
            self.probe.fault(rule, "a version", shown(reply))
        if self.unique_versions and reply in self.versions:
            rule = "a version never returns: who holds an old one must meet a conflict"
            self.probe.fault(rule, "a version that this sid never had", shown(reply))
