"""The contract of `sessfast.stores.contract` as a test suite that anyone can run on their store.

    class TestMyStore(StoreContract):
        def make_store(self, clock):
            return MyStore("server.test", clock=clock)

pytest collects it like any test class; without pytest, `TestMyStore.failures()` runs it.
"""

from __future__ import annotations

from typing import Any

from sessfast.records import EXISTS, GONE, Conflict
from sessfast.state import Steps
from sessfast.testing.interleavings import LONG_SCRIPTS, TTL, Meeting, schedules, scripts
from sessfast.testing.probe import shown
from sessfast.testing.rig import Rig


class StoreContract(Rig):
    """The tests. What a subclass has to override, and the promises it can take back: see `Rig`."""

    # -- create and get --------------------------------------------------------------------

    def test_what_was_created_is_found(self) -> None:
        """Get returns the blob and the version that create returned."""
        sid = self.sid()
        self.is_gone("get of an unknown sid is None", sid)
        version = self.created(sid)
        self.holds("get returns what create stored", sid, "one", version)

    def test_create_never_overwrites(self) -> None:
        """EXISTS, and the record is as it was: blob, version and end."""
        sid = self.sid()
        version = self.created(sid)
        rule = "create never overwrites a live record"
        reply = self.probe.call("create", sid, self.blob("two"), 10 * TTL)
        self.probe.judge(rule, EXISTS, reply)
        self.holds(rule, sid, "one", version)
        self.pass_time(TTL + self.tick)
        self.is_gone("create of an existing record does not extend its life", sid)

    def test_blobs_come_back_octet_for_octet(self) -> None:
        """Empty ones, large ones, every octet."""
        blobs = [self.blob(""), self.blob("x" * 300_000), self.blob('é€𝄞\n\x00"\\')]
        if self.any_octets:
            blobs += [bytes(range(256)) * 2, b"\r\n", b"\x00", b"\xff\xfe"]
        rule = "a blob comes back octet for octet"
        for blob in blobs:
            made, changed = self.sid(), self.sid()
            version = self.probe.call("create", made, blob, TTL)
            self.probe.judge(rule, (blob, version), self.stored(made))
            version = self.probe.call("update", changed, blob, TTL, self.created(changed))
            self.probe.judge(rule, (blob, version), self.stored(changed))

    def test_every_sid_is_its_own(self) -> None:
        """Case, prefixes, look-alikes: no sid reaches the record of another."""
        stem = self.sid()
        sids = [stem, stem + "a", stem + "A", stem + ":a", stem + "-", stem + "_", stem[:-1]]
        if self.any_sid:
            sids += [stem + end for end in ("é", "e\u0301", "\u212a", "K", "k", "𝄞", "*", "?", "%")]
            sids += [stem + end for end in (" ", "\n", "\x00", "/../x", "\\", "'", '"', "[a]", ".")]
        versions = [self.created(sid, f"blob {i}") for i, sid in enumerate(sids)]
        for i, (sid, version) in enumerate(zip(sids, versions, strict=True)):
            self.holds("every sid has a record of its own", sid, f"blob {i}", version)
        self.probe.call("destroy", stem)
        for i in range(1, len(sids)):
            rule = "destroy removes the record of this sid alone"
            self.holds(rule, sids[i], f"blob {i}", versions[i])

    # -- expiry ----------------------------------------------------------------------------

    def test_an_expired_record_is_nowhere_to_be_seen(self) -> None:
        """Live until its very end, then gone for each verb, whatever the backend holds."""
        sids = {verb: self.sid() for verb in ("get", "update", "touch")}
        versions = {verb: self.created(sid) for verb, sid in sids.items()}
        self.pass_time(TTL / 2)
        for verb, sid in sids.items():
            self.holds("a record lives for its whole ttl", sid, "one", versions[verb])
        self.pass_time(TTL / 2 + self.tick)
        self.is_gone("get never shows an expired record", sids["get"])
        reply = self.probe.call("touch", sids["touch"], TTL)
        self.probe.judge("touch never wakes an expired record", False, reply)
        reply = self.probe.call("update", sids["update"], self.blob("two"), TTL, versions["update"])
        self.probe.judge("update never wakes an expired record", GONE, reply)
        for sid in sids.values():
            self.is_gone("an expired record stays gone", sid)

    def test_an_expired_record_makes_way_for_a_new_one(self) -> None:
        """Create takes the sid of an expired record; who holds its version meets a conflict."""
        sid = self.sid()
        old = self.created(sid)
        self.pass_time(TTL + self.tick)
        version = self.created(sid, "two")
        self.holds("create replaces an expired record", sid, "two", version)
        if self.compare_and_set:
            reply = self.probe.call("update", sid, self.blob("three"), TTL, old)
            rule = "the version of an expired record is not the new one's"
            self.probe.conflicts(rule, (self.blob("two"), version), reply)

    def test_short_and_long_lives_are_kept(self) -> None:
        """A fraction of a second lives, and so do ten years."""
        short, long = self.sid(), self.sid()
        brief = self.created(short, ttl=0.5)
        lasting = self.created(long, ttl=self.longest_ttl)
        self.holds("a ttl below one second is no ttl of 0", short, "one", brief)
        self.pass_time(0.5 + self.tick)
        self.is_gone("a ttl below one second ends", short)
        self.holds("a long ttl does not wrap around", long, "one", lasting)

    def test_the_end_of_life_is_told_rightly(self) -> None:
        """`expires` is the end in epoch seconds, or None from a store that can't tell."""
        sid = self.sid()
        self.created(sid)
        record = self.probe.call("get", sid)
        expires = None if record is None else record[2]
        if expires is not None:
            expected = self.clock() + TTL
            if abs(expires - expected) > self.tick + 1e-3:
                rule = "expires is now + ttl, in epoch seconds"
                self.probe.fault(rule, repr(expected), repr(expires))

    # -- update ----------------------------------------------------------------------------

    def test_update_replaces_blob_version_and_end(self) -> None:
        """The new record is shown, and lives from now."""
        sid = self.sid()
        old = self.created(sid)
        self.pass_time(TTL / 2)
        version = self.updated("update with the stored version gets through", sid, "two", old)
        self.holds("get shows what update stored", sid, "two", version)
        self.pass_time(TTL / 2 + self.tick)
        self.holds("update gives the record a new end", sid, "two", version)
        self.pass_time(TTL)
        self.is_gone("the new end is now + ttl", sid)

    def test_update_never_creates(self) -> None:
        """GONE for an unknown sid and after destroy, and no record appears."""
        sid, unknown = self.sid(), self.sid()
        version = self.created(sid)
        self.probe.call("destroy", sid)
        for each in (sid, unknown):
            rule = "update never creates: what was destroyed stays so"
            reply = self.probe.call("update", each, self.blob("two"), TTL, version)
            self.probe.judge(rule, GONE, reply)
            self.is_gone(rule, each)

    def test_a_conflict_shows_what_is_stored_now(self) -> None:
        """Nothing is lost to an old version, and with the record in the reply one can go on."""
        self.needs(self.compare_and_set, "compare-and-set")
        sid = self.sid()
        old = self.created(sid)
        version = self.updated("the stored version gets through", sid, "two", old)
        rule = "update never overwrites what another request has written"
        for _ in range(2):
            reply = self.probe.call("update", sid, self.blob("three"), TTL, old)
            _, found = self.probe.conflicts(rule, (self.blob("two"), version), reply)
        self.holds(rule, sid, "two", version)
        self.updated("the version in a conflict is good for the next update", sid, "four", found)

    def test_a_version_never_returns(self) -> None:
        """Not with the same blob, not after destroy and create (no ABA)."""
        self.needs(self.unique_versions, "versions that never return")
        sid = self.sid()
        seen = [self.created(sid)]
        for text in ("two", "one", "one"):
            seen.append(self.updated("the stored version gets through", sid, text, seen[-1]))
        self.probe.call("destroy", sid)
        seen.append(self.created(sid))
        for old in seen[:-1]:
            rule = "a version never returns: who holds an old one must meet a conflict"
            if old == seen[-1] or seen.count(old) > 1:
                self.probe.fault(rule, "versions that all differ", shown(seen))
            reply = self.probe.call("update", sid, self.blob("mine"), TTL, old)
            self.probe.conflicts(rule, (self.blob("one"), seen[-1]), reply)

    # -- touch and destroy -----------------------------------------------------------------

    def test_touch_moves_the_end_and_nothing_else(self) -> None:
        """Blob and version stay, so that a touch is no conflict for a slow request."""
        sid = self.sid()
        version = self.created(sid)
        self.pass_time(TTL / 2)
        self.probe.judge("touch of a live record is True", True, self.probe.call("touch", sid, TTL))
        rule = "touch leaves blob and version as they are"
        self.holds(rule, sid, "one", version)
        if self.native_touch:
            self.pass_time(TTL / 2 + self.tick)
            self.holds("touch gives the record a new end", sid, "one", version)
        version = self.updated(rule, sid, "two", version)
        if self.native_touch:
            self.probe.call("touch", sid, TTL / 2)
            self.pass_time(TTL / 2 + self.tick)
            self.is_gone("touch can also bring the end nearer", sid)

    def test_touch_never_creates(self) -> None:
        """False for an unknown sid and after destroy, and no record appears."""
        sid, unknown = self.sid(), self.sid()
        self.created(sid)
        self.probe.call("destroy", sid)
        for each in (sid, unknown):
            rule = "touch never creates"
            self.probe.judge(rule, False, self.probe.call("touch", each, TTL))
            self.is_gone(rule, each)

    def test_destroy_may_be_called_again(self) -> None:
        """It returns nothing, whether there was a record or not."""
        sid = self.sid()
        self.created(sid)
        for _ in range(2):
            self.probe.judge("destroy returns nothing", None, self.probe.call("destroy", sid))
            self.is_gone("destroy removes the record", sid)
        version = self.created(sid, "two")
        self.holds("a destroyed sid can be created anew", sid, "two", version)

    # -- optional methods ------------------------------------------------------------------

    def test_all_shows_every_live_record_once(self) -> None:
        """Pairs of sid and record, in any order; expired ones are not shown."""
        self.needs_method("all")
        self.created(self.sid(), ttl=TTL)
        self.pass_time(TTL + self.tick)
        live = {(sid := self.sid()): (self.blob(sid), self.created(sid, sid)) for _ in range(600)}
        found = self.probe.ask("all")
        rule = "all() shows every live record once"
        self.probe.judge(f"{rule}: their number", len(live), len(found))
        for sid, record in found:
            self.probe.judge(rule, live.get(sid), self.probe.content(record))

    def test_length_counts(self) -> None:
        """Every live record counts, destroyed ones don't."""
        self.needs_method("length")
        sids = [self.sid() for _ in range(3)]
        for sid in sids:
            self.created(sid)
        self.probe.judge("length() counts the records", 3, self.probe.ask("length"))
        self.probe.call("destroy", sids[0])
        self.probe.judge("length() counts no destroyed record", 2, self.probe.ask("length"))

    def test_clear_destroys_all(self) -> None:
        """Nothing is found afterwards, and old versions are worth nothing."""
        self.needs_method("clear")
        sids = [self.sid() for _ in range(3)]
        versions = [self.created(sid) for sid in sids]
        self.probe.ask("clear")
        for sid, version in zip(sids, versions, strict=True):
            self.is_gone("clear() destroys every record", sid)
            reply = self.probe.call("update", sid, self.blob("two"), TTL, version)
            self.probe.judge("update never creates, also after clear()", GONE, reply)

    def test_sweep_removes_the_expired_in_bounded_steps(self) -> None:
        """At most `limit` per call, all of them in the end, and no live one."""
        self.needs_method("sweep")
        for _ in range(50):
            self.created(self.sid(), ttl=TTL)
        kept = self.sid()
        version = self.created(kept, ttl=3 * TTL)
        self.pass_time(TTL + self.tick)
        removed = 0
        for _ in range(2 * (51 // 8 + 2)):
            some = self.probe.ask("sweep", 8)
            if not 0 <= some <= 8:
                self.probe.fault("sweep(8) removes at most 8", "0 to 8", shown(some))
            removed += some
        self.probe.judge("sweep removes every expired record in the end", 50, removed)
        self.holds("sweep leaves live records alone", kept, "one", version)

    # -- two at once -----------------------------------------------------------------------

    def test_short_requests_may_meet_in_any_order(self) -> None:
        """All interleavings of two actors with `script_length` of the `steps` each."""
        self.needs(self.compare_and_set, "compare-and-set")
        for first, second in scripts(self.steps, self.script_length):
            for schedule in schedules(first, second):
                self._meet(schedule)

    def test_long_requests_may_meet_in_any_order(self) -> None:
        """Two requests of six steps each, in all 924 interleavings."""
        self.needs(self.compare_and_set, "compare-and-set")
        for first, second in LONG_SCRIPTS:
            if "expire" in self.steps or "expire" not in first + second:
                for schedule in schedules(first, second):
                    self._meet(schedule)

    def _meet(self, schedule: list[tuple[int, str]]) -> None:
        self.probe.forget()
        meeting = Meeting(self.probe, self.sid(), self.blob, self.expire, self.unique_versions)
        self.probe.run(meeting.play(schedule))

    def test_of_many_creates_one_wins(self) -> None:
        """The same sid at the same moment: one version, otherwise EXISTS."""
        self.needs(self.atomic, "atomic verbs")
        for _ in range(10):
            sid = self.sid()
            replies = self.probe.together(
                [self.probe.asking("create", sid, self.blob(f"{i}"), TTL) for i in range(8)]
            )
            winners = [reply for reply in replies if reply is not EXISTS]
            self.probe.judge("of many creates one wins", 1, len(winners))

    def test_no_acknowledged_update_is_lost(self) -> None:
        """Eight actors count up together, and the sum is exact."""
        self.needs(self.atomic and self.compare_and_set, "atomic compare-and-set")
        sid = self.sid()
        self.created(sid, "0")
        self.probe.together([self._count_up(sid, 25) for _ in range(8)])
        record = self.stored(sid)
        total = None if record is None else self.text(record[0])
        self.probe.judge("no acknowledged update is lost", "200", total)

    def _count_up(self, sid: str, times: int) -> Steps:
        record = yield "get", (sid,)
        while times > 0:
            count = int(self.text(record[0]))
            reply = yield "update", (sid, self.blob(str(count + 1)), TTL, record[1])
            if isinstance(reply, Conflict):
                record = reply.record
            else:
                times -= 1
                record = (self.blob(str(count + 1)), reply, None)

    def test_a_destroyed_session_stays_so_under_fire(self) -> None:
        """One destroys while others update: nobody brings it back."""
        self.needs(self.atomic, "atomic verbs")
        for i in range(15):
            sid = self.sid()
            version = self.created(sid, "0")
            actors = [self._write_until_gone(sid, version) for _ in range(4)]
            actors.insert(i % 5, self.probe.asking("destroy", sid))
            self.probe.together(actors)
            self.is_gone("update never creates, also in a race with destroy", sid)

    def _write_until_gone(self, sid: str, version: Any) -> Steps:
        for i in range(100):
            reply = yield "update", (sid, self.blob(str(i)), TTL, version)
            if reply is GONE:
                return
            version = reply.record[1] if isinstance(reply, Conflict) else reply
