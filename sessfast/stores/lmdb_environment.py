"""An LMDB environment that opens itself, grows with its records and lets go for a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sessfast.errors import OptionsError, StoreError
from sessfast.stores.clients import client
from sessfast.stores.file_lock import locked
from sessfast.stores.gate import Gate

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux: another text after each start
TRIES = 64  # of one transaction; each map that is too small is doubled before the next
PATIENCE = 10.0  # seconds to wait for others that open the files
SPARE = 8  # read transactions kept for the next reader
Result = TypeVar("Result")


class Environment:
    """The files in `folder`, with one database in them.

    map_size:    bytes to begin with; doubled when they are used up
    max_bytes:   bytes that the file may grow to
    max_readers: threads of all processes that may read at the same time
    durable:     False leaves writing to the kernel. What a power cut leaves of such files can't
                 be trusted, so they are emptied by the first that opens them after a boot
    """

    def __init__(
        self, folder: str, *, map_size: int, max_bytes: int, max_readers: int, durable: bool
    ) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.users = 0
        self.lmdb = client("lmdb", "lmdb")
        self.closed = False
        self._map_size = min(map_size, max_bytes)
        self._max_readers = max_readers
        self._durable = durable
        if not durable and not BOOT_ID.exists():
            raise OptionsError(
                ["lmdb: durable=False needs Linux, to know when the machine has started anew"]
            )
        self._env: Any = None
        self._gate = Gate(self._let_go)
        self._pid, self._opening = os.getpid(), threading.Lock()

    def run(self, verb: str, write: bool, work: Callable[[Any], Result]) -> Result:
        """What `work(transaction)` returns, committed. It may be called again after a failure.

        StoreError for whatever LMDB raises.
        """
        for _ in range(TRIES):
            self._gate.enter()
            size = self._map_size
            try:
                with self._opened(verb).begin(write=write, buffers=True) as transaction:
                    return work(transaction)
            except self.lmdb.MapFullError as error:
                cure, cause = self._grow, error
            except self.lmdb.MapResizedError as error:  # by another process
                cure, cause = self._adopt_size, error
            except self.lmdb.ReadersFullError as error:
                cure, cause = self._clear_readers, error
            except self.lmdb.BadRslotError as error:  # a child closed what it had inherited
                cure, cause = self._reopen, error
            except (self.lmdb.Error, OSError) as error:
                raise StoreError(verb, f"LMDB: {type(error).__name__}") from error
            finally:
                self._gate.leave()
            if not cure(size):
                raise StoreError(verb, f"LMDB: {type(cause).__name__}") from cause
        raise StoreError(verb, "LMDB: others are always faster") from cause

    def release(self) -> None:
        """Close it with its last user, when all transactions are over."""
        with _sharing:
            self.users -= 1
            if self.users:
                return
            # a store made at this moment finds the files still open, and is told so by LMDB
            del _environments[os.fspath(self.folder)]
        with self._gate.alone():
            self.closed = True
            self._let_go()

    # -- opening ---------------------------------------------------------------------------

    def _opened(self, verb: str) -> Any:
        """The environment of this process."""
        if self._env is None or self._pid != os.getpid():
            if self.closed:
                raise StoreError(verb, "the store is closed")
            if self._pid != os.getpid():
                self._inherit(verb)
            with self._opening:
                if self._env is None:
                    self._env = self._open()
        return self._env

    def _inherit(self, verb: str) -> None:
        """Begin anew in a child. StoreError if a server forked in C, so that the file is open."""
        if self._env is not None:
            # py-lmdb would free our parent's places among the readers when we close it, and open
            # it twice in one process it must not be
            raise StoreError(verb, "the file was open when the process was forked: fork earlier")
        self._pid, self._opening = os.getpid(), threading.Lock()

    def _open(self) -> Any:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(os.fspath(self.folder / "open.lock"), PATIENCE):
            self._distrust_old_files()
            env = self.lmdb.open(
                os.fspath(self.folder),
                map_size=self._map_size,
                max_readers=self._max_readers,
                mode=0o600,
                sync=self._durable,
                # one wait for the disk per write, not two: a power cut may then take the very
                # last write back, and leaves the file whole
                metasync=False,
                max_spare_txns=SPARE,
            )
            env.reader_check()  # what killed processes were reading keeps pages from reuse
            self._map_size = env.info()["map_size"]
            return env

    def _distrust_old_files(self) -> None:
        """Delete files that were not written durably, if the machine has started since."""
        mark = self.folder / "boot"  # there from the first opening with durable=False on
        boot = BOOT_ID.read_text() if BOOT_ID.exists() else ""
        if mark.exists() and mark.read_text() != boot:
            for name in ("data.mdb", "lock.mdb", "boot"):
                (self.folder / name).unlink(missing_ok=True)
        if not self._durable and not mark.exists():
            mark.write_text(boot)

    def _let_go(self) -> None:
        env, self._env = self._env, None
        if env is not None:
            env.close()

    # -- what can be cured: whether it was; `size` is the map's, as it was too small ---------

    def _grow(self, size: int) -> bool:
        """Double the map, unless another thread just did."""
        with self._gate.alone():
            if self._env is not None and self._map_size == size:
                if size >= self.max_bytes:
                    return False
                self._env.set_mapsize(min(2 * size, self.max_bytes))
                self._map_size = self._env.info()["map_size"]
            return True

    def _adopt_size(self, size: int) -> bool:
        """Take the size from the file, which another process has made larger."""
        with self._gate.alone():
            if self._env is not None:
                self._env.set_mapsize(0)
                self._map_size = self._env.info()["map_size"]
            return True

    def _reopen(self, size: int) -> bool:
        """Begin anew with places of our own."""
        with self._gate.alone():
            self._let_go()
            return True

    def _clear_readers(self, size: int) -> bool:
        """Free the places of readers that are no more."""
        self._gate.enter()
        try:
            return bool(self._opened("get").reader_check())
        finally:
            self._gate.leave()


# LMDB refuses to open a file twice in one process, and two middlewares may name the same one.
_environments: weakref.WeakValueDictionary[str, Environment] = weakref.WeakValueDictionary()
_sharing = threading.Lock()


def environment(folder: str, **options: Any) -> Environment:
    """The environment of `folder` in this process; the options are those of its first user.

    Each user calls `release` when done.
    """
    path = os.path.realpath(folder)
    with _sharing:
        found = _environments.get(path)
        if found is None:
            found = _environments[path] = Environment(path, **options)
        found.users += 1
        return found
