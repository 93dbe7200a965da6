"""Stores that break the contract in one way each: the contract must notice, and say so plainly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from sessfast import EXISTS, GONE, MemoryStore
from sessfast.records import Conflict
from sessfast.testing import StoreContract
from tests.stores.test_memory import AsyncMemoryStore


class UpdateResurrects(MemoryStore):
    """An upsert, as every store of express has it."""

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        reply = super().update(sid, blob, ttl, version)
        return super().create(sid, blob, ttl) if reply is GONE else reply


class UpdateIgnoresVersions(MemoryStore):
    """The last one wins."""

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        reply = super().update(sid, blob, ttl, version)
        if isinstance(reply, Conflict):
            return super().update(sid, blob, ttl, reply.record[1])
        return reply


class CreateOverwrites(MemoryStore):
    """A set."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        self.destroy(sid)
        return super().create(sid, blob, ttl)


class CreateExtends(MemoryStore):
    """EXISTS, but the record lives on."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        reply = super().create(sid, blob, ttl)
        if reply is EXISTS:
            self.touch(sid, ttl)
        return reply


class CreateSaysNothing(MemoryStore):
    """No version."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return super().create(sid, blob, ttl) and None


class ExpiredVisible(MemoryStore):
    """Leaves it to a sweeper that comes by once in a while."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return super().create(sid, blob, ttl + 10)


class ExpiredTooEarly(MemoryStore):
    """Counts from the last full minute."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return super().create(sid, blob, ttl / 2)


class ExpiredBlocksCreate(MemoryStore):
    """The row is still there, so the sid is taken."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: set[str] = set()

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        if sid in self.seen:
            return EXISTS
        self.seen.add(sid)
        return super().create(sid, blob, ttl)

    def destroy(self, sid: str) -> None:
        self.seen.discard(sid)
        super().destroy(sid)


class WholeSeconds(MemoryStore):
    """Rounds down: a short ttl is none."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return super().create(sid, blob, int(ttl))


class ThirtyDays(MemoryStore):
    """A longer ttl is taken for a date, long past."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return super().create(sid, blob, ttl if ttl <= 30 * 86400 else 0)


class Milliseconds(MemoryStore):
    """Tells the end of life in a unit of its own."""

    def get(self, sid: str) -> Any:
        record = super().get(sid)
        return record and (record[0], record[1], record[2] and record[2] * 1000)


class UpdateKeepsEnd(MemoryStore):
    """The old end of life stays."""

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        record = super().get(sid)
        end = record[2] if record else None
        return super().update(sid, blob, end - self.clock() if end else ttl, version)


class UpdateKeepsVersion(MemoryStore):
    """Versions count up per second, or so."""

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        reply = super().update(sid, blob, ttl, version)
        return reply if reply is GONE or isinstance(reply, Conflict) else version


class ConflictIsEmpty(MemoryStore):
    """Says that there is a conflict, but not with what."""

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        reply = super().update(sid, blob, ttl, version)
        return Conflict((b"", version, None)) if isinstance(reply, Conflict) else reply


class VersionIsTheBlob(MemoryStore):
    """A hash of what is stored: what comes back has an old version."""

    all: ClassVar[Any] = None

    def get(self, sid: str) -> Any:
        record = super().get(sid)
        return record and (record[0], record[0], record[2])

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return EXISTS if super().create(sid, blob, ttl) is EXISTS else blob

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        record = super().get(sid)
        if record is None:
            return GONE
        if record[0] != version:
            return Conflict((record[0], record[0], record[2]))
        super().update(sid, blob, ttl, record[1])
        return blob


class TouchCreates(MemoryStore):
    """An upsert too, with an empty record."""

    def touch(self, sid: str, ttl: float) -> bool:
        self.create(sid, b"{}", ttl)
        return super().touch(sid, ttl)


class TouchRewrites(MemoryStore):
    """Writes the whole record again: a new version for nothing."""

    def touch(self, sid: str, ttl: float) -> bool:
        record = super().get(sid)
        return record is not None and self.update(sid, record[0], ttl, record[1]) is not GONE


class TouchDoesNothing(MemoryStore):
    """Says yes, and the session ends all the same."""

    def touch(self, sid: str, ttl: float) -> bool:
        return super().get(sid) is not None


class TouchAlwaysTrue(MemoryStore):
    """Never looked."""

    def touch(self, sid: str, ttl: float) -> bool:
        super().touch(sid, ttl)
        return True


class DestroyFailsTwice(MemoryStore):
    """Raises for what is not there."""

    def destroy(self, sid: str) -> None:
        if super().get(sid) is None:
            raise LookupError
        super().destroy(sid)


class DestroyForgets(MemoryStore):
    """Does nothing."""

    def destroy(self, sid: str) -> None:
        pass


class DestroyTakesMore(MemoryStore):
    """All sids that begin alike."""

    def destroy(self, sid: str) -> None:
        for each, _ in list(self.all()):
            if each.startswith(sid):
                super().destroy(each)


class FoldsCase(MemoryStore):
    """Keys in a column with the wrong collation."""

    def get(self, sid: str) -> Any:
        return super().get(sid.lower())

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return super().create(sid.lower(), blob, ttl)


class StripsBlobs(MemoryStore):
    """Text columns."""

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        return super().create(sid, blob.rstrip(b"\n\0"), ttl)


class CutsBlobs(MemoryStore):
    """64 KB and not an octet more, on update."""

    def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        return super().update(sid, blob[:65_535], ttl, version)


class NoRecords(MemoryStore):
    """Blobs alone."""

    def get(self, sid: str) -> Any:
        record = super().get(sid)
        return record and record[0]


class AllShowsExpired(MemoryStore):
    """What the backend holds."""

    def all(self) -> Any:
        yield from [("expired", (b"", 1, None)), *super().all()]


class AllShowsSome(MemoryStore):
    """The first page."""

    def all(self) -> Any:
        return iter(list(super().all())[:500])


class LengthIsStale(MemoryStore):
    """Counts what was ever created."""

    created = 0

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        self.created += 1
        return super().create(sid, blob, ttl)

    def length(self) -> int:
        return self.created


class ClearLeavesOne(MemoryStore):
    """Off by one."""

    def clear(self) -> None:
        for sid, _ in list(self.all())[1:]:
            self.destroy(sid)


class SweepIsUnbounded(MemoryStore):
    """The whole store at once."""

    def sweep(self, limit: int) -> int:
        return super().sweep(10**9)


class SweepTakesLive(MemoryStore):
    """Removes whatever it looks at."""

    def sweep(self, limit: int) -> int:
        swept = super().sweep(limit)
        if not swept:
            self.clear()
        return swept


class Async(AsyncMemoryStore):
    """An async store whose update looks, waits, and writes."""

    async def update(self, sid: str, blob: bytes, ttl: float, version: Any) -> Any:
        record = self.inner.get(sid)
        await asyncio.sleep(0)
        if record is None:
            return GONE
        if record[1] != version:
            return Conflict(record)
        self.inner.destroy(sid)
        return self.inner.create(sid, blob, ttl)


class Hasty(MemoryStore):
    """A sync store whose create looks, waits for all the others to look, and writes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.barrier = threading.Barrier(8)

    def create(self, sid: str, blob: bytes, ttl: float) -> Any:
        record = self.get(sid)
        if threading.current_thread() is not threading.main_thread():
            self.barrier.wait(timeout=10)
        if record is not None:
            return EXISTS
        self.destroy(sid)
        return super().create(sid, blob, ttl)


# what is broken, a test that must fail, words that its report must have
BROKEN: list[tuple[Callable[..., Any], str, str]] = [
    (UpdateResurrects, "test_update_never_creates", "update never creates"),
    (UpdateResurrects, "test_short_requests_may_meet_in_any_order", "what is gone stays gone"),
    (UpdateResurrects, "test_a_destroyed_session_stays_so_under_fire", "in a race with destroy"),
    (UpdateIgnoresVersions, "test_a_conflict_shows_what_is_stored_now", "never overwrites"),
    (UpdateIgnoresVersions, "test_long_requests_may_meet_in_any_order", "never overwrites"),
    (CreateOverwrites, "test_create_never_overwrites", "expected  EXISTS"),
    (CreateOverwrites, "test_of_many_creates_one_wins", "expected  1"),
    (CreateExtends, "test_create_never_overwrites", "does not extend"),
    (CreateSaysNothing, "test_what_was_created_is_found", "create returns a version"),
    (ExpiredVisible, "test_an_expired_record_is_nowhere_to_be_seen", "expired record"),
    (ExpiredTooEarly, "test_an_expired_record_is_nowhere_to_be_seen", "whole ttl"),
    (ExpiredBlocksCreate, "test_an_expired_record_makes_way_for_a_new_one", "got       EXISTS"),
    (WholeSeconds, "test_short_and_long_lives_are_kept", "below one second"),
    (ThirtyDays, "test_short_and_long_lives_are_kept", "wrap around"),
    (Milliseconds, "test_the_end_of_life_is_told_rightly", "epoch seconds"),
    (UpdateKeepsEnd, "test_update_replaces_blob_version_and_end", "new end"),
    (UpdateKeepsVersion, "test_a_version_never_returns", "version gets through"),
    (UpdateKeepsVersion, "test_short_requests_may_meet_in_any_order", "a version never returns"),
    (ConflictIsEmpty, "test_a_conflict_shows_what_is_stored_now", "what is stored now"),
    (VersionIsTheBlob, "test_a_version_never_returns", "a version never returns"),
    (TouchCreates, "test_touch_never_creates", "touch never creates"),
    (TouchRewrites, "test_touch_moves_the_end_and_nothing_else", "as they are"),
    (TouchDoesNothing, "test_touch_moves_the_end_and_nothing_else", "a new end"),
    (TouchAlwaysTrue, "test_touch_never_creates", "touch never creates"),
    (DestroyFailsTwice, "test_destroy_may_be_called_again", "raised LookupError"),
    (DestroyForgets, "test_destroy_may_be_called_again", "destroy removes"),
    (DestroyTakesMore, "test_every_sid_is_its_own", "this sid alone"),
    (FoldsCase, "test_every_sid_is_its_own", "got       EXISTS"),
    (StripsBlobs, "test_blobs_come_back_octet_for_octet", "octet for octet"),
    (CutsBlobs, "test_blobs_come_back_octet_for_octet", "(300000 bytes)"),
    (NoRecords, "test_what_was_created_is_found", "(blob, version, expires)"),
    (AllShowsExpired, "test_all_shows_every_live_record_once", "their number"),
    (AllShowsSome, "test_all_shows_every_live_record_once", "got       500"),
    (LengthIsStale, "test_length_counts", "no destroyed record"),
    (ClearLeavesOne, "test_clear_destroys_all", "destroys every record"),
    (SweepIsUnbounded, "test_sweep_removes_the_expired_in_bounded_steps", "0 to 8"),
    (SweepTakesLive, "test_sweep_removes_the_expired_in_bounded_steps", "live records alone"),
    (Hasty, "test_of_many_creates_one_wins", "of many creates one wins"),
]


def contract_of(kind: Callable[..., Any]) -> type[StoreContract]:
    """The contract over stores of this kind."""

    class Contract(StoreContract):
        def make_store(self, clock: Any) -> Any:
            return kind(clock=clock)

    return Contract


def failure(kind: Callable[..., Any], test: str) -> str:
    """The report of one test that fails."""
    found = contract_of(kind).failures(only=test)
    assert [test] == list(found), f"{test} passes with {kind.__name__}"
    return found[test]


@pytest.mark.parametrize(
    ("kind", "test", "words"), BROKEN, ids=[f"{kind.__name__}-{test}" for kind, test, _ in BROKEN]
)
def test_a_broken_store_is_found_out(kind: Callable[..., Any], test: str, words: str) -> None:
    """By the test that is there for it, in words that name what is wrong."""
    assert words in failure(kind, test)


@pytest.mark.parametrize(
    "test", ["test_no_acknowledged_update_is_lost", "test_a_destroyed_session_stays_so_under_fire"]
)
def test_an_async_store_that_awaits_between_look_and_write_is_found_out(test: str) -> None:
    """Tasks meet in the middle of an update."""
    failure(Async, test)


def test_a_report_reads_like_a_bug_report() -> None:
    """What was promised, what came instead, and every call that led there."""
    report = failure(UpdateResurrects, "test_update_never_creates")
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    assert lines[0] == (
        "the store breaks its contract: update never creates: what was destroyed stays so"
    )
    assert lines[1].startswith("store     <MemoryStore: 1 of at most")
    assert lines[2:] == [
        "expected  GONE",
        "got       2",
        "what was done:",
        "1. create(sid1, b'one', 60.0) -> 1",
        "2. destroy(sid1) -> None",
        "3. update(sid1, b'two', 60.0, 1) -> 2",
    ]


def test_a_sound_store_has_no_failures() -> None:
    """Without pytest, too; and what is not promised is not asked for."""
    assert contract_of(MemoryStore).failures() == {}

    class Humble(contract_of(VersionIsTheBlob)):  # type: ignore[misc]
        unique_versions: ClassVar[bool] = False
        atomic: ClassVar[bool] = False

    assert Humble.failures() == {}


def test_a_suite_without_a_store_says_what_to_override() -> None:
    """Not an AttributeError somewhere inside."""
    with pytest.raises(NotImplementedError, match="override make_store"):
        StoreContract.failures()
