"""What a store does while its server is away: a StoreError in time, and then it goes on.

Subclass `Outages` per kind of store and server; every test runs sync and async.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sessfast.errors import StoreError
from sessfast.testing.probe import Probe
from tests.servers import KINDS, free_port, stop
from tests.stores.proxy import Proxy, Silence
from tests.stores.servers import own, url_of

TIMEOUT = 0.3
SLACK = 1.5  # for a machine that does other things as well
VERBS: list[tuple[str, tuple[Any, ...]]] = [
    ("get", ()),
    ("create", (b"blob", 60.0)),
    ("update", (b"blob", 60.0, None)),
    ("touch", (60.0,)),
    ("destroy", ()),
]
ids = [verb for verb, _ in VERBS]


@contextmanager
def probing(store: Any) -> Iterator[Probe]:
    """A probe on the store, closed afterwards."""
    probe = Probe(lambda: store)
    try:
        yield probe
    finally:
        probe.close()


@contextmanager
def failing(verb: str, sid: str, bound: float) -> Iterator[None]:
    """The block raises a StoreError of this verb, in time, which tells nothing secret."""
    begin = time.monotonic()
    with pytest.raises(StoreError) as raised:
        yield
    took = time.monotonic() - begin
    assert took < bound + SLACK
    assert raised.value.verb == verb
    assert raised.value.__cause__ is not None
    assert sid not in str(raised.value)
    assert raised.value.reason


class Outages:
    """The table. `bound` is how many timeouts a call may take, as the store's page says."""

    server: ClassVar[str]
    bound: ClassVar[dict[bool, int]]  # by whether it is async

    def open(self, url: str, asynchronous: bool, timeout: float = TIMEOUT) -> Any:
        """A store on the server at `url`."""
        raise NotImplementedError

    def seconds(self, asynchronous: bool) -> float:
        return self.bound[asynchronous] * TIMEOUT

    def version(self) -> Any:
        """A version of the kind that the store has."""
        raise NotImplementedError

    def arguments(self, verb: str) -> tuple[Any, ...]:
        found = dict(VERBS)[verb]
        return (*found[:-1], self.version()) if verb == "update" else found

    @pytest.fixture(params=[False, True], ids=["sync", "async"])
    def asynchronous(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def sid(self) -> str:
        return "sess:" + secrets.token_urlsafe(24)

    @pytest.mark.parametrize("verb", ids)
    def test_no_server_is_an_error_at_once(self, asynchronous: bool, verb: str, sid: str) -> None:
        """Nothing listens: connection refused."""
        url = KINDS[self.server].url.format(host="127.0.0.1", port=free_port())
        with probing(self.open(url, asynchronous)) as probe:
            for _ in range(2):
                with failing(verb, sid, self.seconds(asynchronous)):
                    probe.call(verb, sid, *self.arguments(verb))

    @pytest.mark.parametrize("verb", ids)
    def test_a_server_that_never_answers_is_given_up(
        self, asynchronous: bool, verb: str, sid: str
    ) -> None:
        """Half open: the connection is accepted, and that is all."""
        with (
            Silence(url_of(self.server)) as silence,
            probing(self.open(silence.url, asynchronous)) as probe,
            failing(verb, sid, self.seconds(asynchronous)),
        ):
            probe.call(verb, sid, *self.arguments(verb))

    @pytest.mark.parametrize("verb", ids)
    def test_a_slow_answer_is_given_up_and_meets_no_other_question(
        self, asynchronous: bool, verb: str, sid: str
    ) -> None:
        """The late answer goes nowhere, and the next call gets its own."""
        other = sid + "x"
        with (
            Proxy(url_of(self.server)) as proxy,
            probing(self.open(proxy.url, asynchronous)) as probe,
        ):
            version = probe.call("create", other, b"other", 60.0)
            proxy.hold()
            with failing(verb, sid, self.seconds(asynchronous)):
                probe.call(verb, sid, *self.arguments(verb))
            proxy.release()
            for _ in range(3):
                assert (b"other", version) == probe.call("get", other)[:2]
            probe.call("destroy", other)
            probe.call("destroy", sid)

    @pytest.mark.parametrize("verb", ids)
    def test_a_connection_that_breaks_in_a_call_is_an_error_or_tried_again(
        self, asynchronous: bool, verb: str, sid: str
    ) -> None:
        """The question has been asked when the line goes dead; then all is well again."""
        with (
            Proxy(url_of(self.server)) as proxy,
            probing(self.open(proxy.url, asynchronous, timeout=5.0)) as probe,
        ):
            version = probe.call("create", sid, b"blob", 60.0)
            proxy.hold()
            breaker = threading.Thread(target=self._break, args=(proxy,))
            breaker.start()
            with suppress(StoreError):
                probe.call(verb, sid, *self.arguments(verb))
            breaker.join()
            if verb in {"get", "touch"}:
                assert (b"blob", version) == probe.call("get", sid)[:2]
            probe.call("destroy", sid)
            if verb != "create":  # that one may still be on its way
                assert probe.call("get", sid) is None

    def _break(self, proxy: Proxy) -> None:
        assert proxy.asked.wait(5)
        proxy.cut()
        proxy.release()

    def test_a_server_that_is_killed_and_comes_back_is_used_again(
        self, asynchronous: bool, sid: str
    ) -> None:
        """Killed without a word while connections are open; a call after its return works."""
        folder = self.folder()
        running = own(self.server, folder)
        try:
            with probing(self.open(running.url, asynchronous)) as probe:
                self.prepare(running.url)
                probe.together([probe.asking("touch", sid, 60.0) for _ in range(4)])
                stop(folder, hard=True)
                for verb in ids:
                    with failing(verb, sid, self.seconds(asynchronous)):
                        probe.call(verb, sid, *self.arguments(verb))
                own(self.server, folder, running.port)
                version = self._once_back(probe, sid)
                assert (b"back", version) == probe.call("get", sid)[:2]
        finally:
            stop(folder, hard=True)
            shutil.rmtree(folder.parent, ignore_errors=True)

    def _once_back(self, probe: Probe, sid: str) -> Any:
        """The version of a record made at the latest a second after the server's return."""
        deadline = time.monotonic() + 1 + SLACK
        while True:
            try:
                return probe.call("create", sid, b"back", 60.0)
            except StoreError:
                if time.monotonic() > deadline:
                    raise

    @classmethod
    def prepare(cls, url: str) -> None:
        """Make what the store needs in a new server."""

    def folder(self) -> Path:
        """A folder that the server's own user can enter: pytest's are closed by the next pytest."""
        path = Path(tempfile.mkdtemp(prefix="sessfast-"))
        path.chmod(0o755)
        return path / "server"

    def test_a_call_that_is_cancelled_leaves_no_answer_behind(self, sid: str) -> None:
        """Cancelled in mid-flight, its answer on the way: nobody else gets it."""
        with Proxy(url_of(self.server)) as proxy:
            asyncio.run(self._cancel(proxy, sid))

    async def _cancel(self, proxy: Proxy, sid: str) -> None:
        store = self.open(proxy.url, asynchronous=True, timeout=5.0)
        sids = [f"{sid}{i}" for i in range(4)]
        for each in sids:
            await store.create(each, each.encode(), 60.0)
        for verb in ("get", "touch", "update", "destroy"):
            proxy.hold()
            task = asyncio.create_task(getattr(store, verb)(sids[0], *self.arguments(verb)))
            assert await asyncio.to_thread(proxy.asked.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            proxy.release()
            for each in sids[1:]:
                record = await store.get(each)
                assert each.encode() == record[0]
        for each in sids:
            await store.destroy(each)
        await store.close()

    def test_many_threads_survive_a_line_that_breaks(self, sid: str) -> None:
        """Every answer is the right one, or an error; none is another thread's."""
        with Proxy(url_of(self.server)) as proxy:
            store = self.open(proxy.url, asynchronous=False, timeout=2.0)
            sids = [f"{sid}{i}" for i in range(8)]
            for each in sids:
                store.create(each, each.encode(), 60.0)

            def look(each: str) -> int:
                wrong = 0
                for i in range(60):
                    if each is sids[0] and i % 20 == 10:
                        proxy.cut()
                    try:
                        wrong += store.get(each)[0] != each.encode()
                    except StoreError:
                        pass
                return wrong

            with ThreadPoolExecutor(len(sids)) as pool:
                assert [0] * len(sids) == list(pool.map(look, sids))
            for each in sids:
                store.destroy(each)
            store.close()
