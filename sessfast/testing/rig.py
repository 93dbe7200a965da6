"""What the tests of a store's contract stand on: the store's promises, a clock, words to judge."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any, ClassVar
from unittest import SkipTest

from sessfast.errors import SessfastError
from sessfast.records import EXISTS, GONE, Conflict
from sessfast.testing.clock import FakeClock
from sessfast.testing.interleavings import TTL
from sessfast.testing.probe import Probe, shown

STEPS = ("create", "update", "touch", "destroy", "expire")
YEAR = 365 * 86400.0


class Rig:
    """Override `make_store`, and lower the flags for what your store can't promise.

    any_octets:      blobs may be any bytes (else they are JSON objects, compact)
    any_sid:         sids may be any text (else letters, digits, `-`, `_` and `:`)
    compare_and_set: update refuses a version that is not the stored one
    unique_versions: a version never returns, even where the blob does
    atomic:          verbs called at the same moment behave as if one came after the other
    native_touch:    touch moves the end of life (else it only says whether there is a record)
    tick:            seconds by which a record may outlive its ttl
    longest_ttl:     seconds that a record can be made to live
    steps, script_length: what two actors do in all interleavings; for a store whose clock can't
                     be moved, leave "expire" out
    """

    any_octets: ClassVar[bool] = True
    any_sid: ClassVar[bool] = True
    compare_and_set: ClassVar[bool] = True
    unique_versions: ClassVar[bool] = True
    atomic: ClassVar[bool] = True
    native_touch: ClassVar[bool] = True
    tick: ClassVar[float] = 0.0
    longest_ttl: ClassVar[float] = 10 * YEAR
    steps: ClassVar[tuple[str, ...]] = STEPS
    script_length: ClassVar[int] = 2

    probe: Probe
    clock: Any

    # -- to override -----------------------------------------------------------------------

    def make_store(self, clock: Any) -> Any:
        """A new, empty store, sync or async, or an awaitable of one; it is closed afterwards."""
        raise NotImplementedError("override make_store(self, clock): it returns the store to test")

    def make_clock(self) -> Callable[[], float]:
        """Epoch seconds, for the store and for the tests."""
        return FakeClock()

    def advance(self, clock: Any, seconds: float) -> None:
        """Let `seconds` pass: by moving the clock, the server's, or by waiting."""
        clock.advance(seconds)

    # -- running ---------------------------------------------------------------------------

    def setup_method(self) -> None:
        """Called before each test."""
        self.clock = self.make_clock()
        self.probe = Probe(lambda: self.make_store(self.clock))

    def teardown_method(self) -> None:
        """Called after each test."""
        self.probe.close()

    @classmethod
    def failures(cls, only: str = "test_") -> dict[str, str]:
        """Run the tests without pytest; the reports of those that failed, by the test's name.

        only: how the names of the tests to run begin
        """
        found = {}
        for name in [name for name in dir(cls) if name.startswith(only)]:
            suite = cls()
            suite.setup_method()
            try:
                getattr(suite, name)()
            except SkipTest:
                pass
            except (AssertionError, SessfastError) as error:
                found[name] = "\n".join([str(error), *getattr(error, "__notes__", [])])
            finally:
                suite.teardown_method()
        return found

    def sid(self) -> str:
        """A sid that no store has seen."""
        return "contract:" + secrets.token_urlsafe(24)

    def blob(self, text: str) -> bytes:
        """A blob with `text` in it."""
        if self.any_octets:
            return text.encode()
        return json.dumps({"n": text}, ensure_ascii=False, separators=(",", ":")).encode()

    def text(self, blob: bytes) -> str:
        """The text of such a blob."""
        return blob.decode() if self.any_octets else str(json.loads(blob)["n"])

    def created(self, sid: str, text: str = "one", ttl: float = TTL) -> Any:
        """The version of a record made for the test."""
        reply = self.probe.call("create", sid, self.blob(text), ttl)
        if reply is None or reply is EXISTS:
            rule = "create returns a version where there is no live record"
            self.probe.fault(rule, "a version", shown(reply))
        return reply

    def stored(self, sid: str) -> tuple[bytes, Any] | None:
        """Blob and version, as get shows them now."""
        return self.probe.content(self.probe.call("get", sid))

    def holds(self, rule: str, sid: str, text: str, version: Any) -> None:
        """Judge what get shows: this text at this version."""
        self.probe.judge(rule, (self.blob(text), version), self.stored(sid))

    def is_gone(self, rule: str, sid: str) -> None:
        """Judge what get shows: nothing."""
        self.probe.judge(rule, None, self.probe.call("get", sid))

    def updated(self, rule: str, sid: str, text: str, version: Any, ttl: float = TTL) -> Any:
        """The new version of an update that must get through."""
        reply = self.probe.call("update", sid, self.blob(text), ttl, version)
        if reply is None or reply is GONE or isinstance(reply, Conflict):
            self.probe.fault(rule, "a new version", shown(reply))
        return reply

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and say so in the report."""
        self.probe.note(f"-- {seconds} seconds pass")
        self.advance(self.clock, seconds)

    def expire(self) -> None:
        """Let every record of TTL seconds expire."""
        self.advance(self.clock, TTL + self.tick)

    def needs(self, promised: bool, what: str) -> None:
        """Skip the test where the store doesn't promise this."""
        if not promised:
            raise SkipTest(f"the store does not promise: {what}")

    def needs_method(self, name: str) -> None:
        """Skip the test where the store lacks this optional method."""
        self.needs(callable(getattr(self.probe.store, name, None)), f"{name}()")
