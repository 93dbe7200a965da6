"""FileStore: the contract on real files, what they look like, and Node's files."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sessfast import GONE, OptionsError, StoreError, open_store
from sessfast.records import Conflict
from sessfast.stores.file import FileStore
from sessfast.stores.file_layouts import HashedFiles
from sessfast.stores.file_lock import locked
from sessfast.testing import FakeClock, StoreContract
from tests.stores.embedded import folder

TTL = 600.0
NOW = 1_700_000_000.123
J60 = (
    '{"cookie":{"originalMaxAge":60000,"expires":"2023-11-14T22:14:20.123Z","httpOnly":true,'
    '"path":"/"},"user":"bób"}'
)
J60_FILE = J60[:-1] + ',"__lastAccess":1700000000123}'


class TestFile(StoreContract):
    """The contract, whole."""

    options: ClassVar[dict[str, Any]] = {}

    def make_store(self, clock: Any) -> FileStore:
        self.folder = folder()
        return FileStore(self.folder.name, clock=clock, **self.options)

    def teardown_method(self) -> None:
        super().teardown_method()
        self.folder.cleanup()


class TestSessionFileStore(TestFile):
    """The contract for JSON text without version."""

    options: ClassVar[dict[str, Any]] = {"layout": "session-file-store"}
    any_octets = False
    any_sid = False
    unique_versions = False

    def sid(self) -> str:
        return "sess:" + super().sid()


@pytest.fixture
def path() -> Iterator[Path]:
    """A folder in memory that isn't there yet."""
    with folder() as place:
        yield Path(place) / "sessions"


def files(path: Path) -> list[Path]:
    """The records among the files."""
    found = (each for each in path.rglob("*") if each.is_file())
    return [each for each in found if each.suffix == ".json" or len(each.name) == 62]


@pytest.mark.parametrize("layout", [None, "session-file-store"])
def test_no_path_is_built_from_what_a_client_sends(path: Path, layout: str | None) -> None:
    """Whatever the sid: all files stay inside, and are the owner's alone."""
    store = FileStore(path, layout=layout)
    sids = [f"sess:{name}" for name in ("../evil", "/tmp/evil", "a\x00b", "", "x" * 5000, ".", "é")]
    for sid in sids:
        if layout is None:
            store.create(sid, b"{}", TTL)
            assert store.get(sid)
            continue
        with pytest.raises(StoreError, match="no plain name"):
            store.create(sid, b"{}", TTL)
        store.destroy(sid)
        replies = (store.get(sid), store.touch(sid, TTL), store.update(sid, b"{}", TTL, b"{}"))
        assert (None, False, GONE) == replies
    assert {*path.parent.iterdir()} <= {path}
    for each in path.rglob("*"):
        assert (0o700 if each.is_dir() else 0o600) == stat.S_IMODE(each.stat().st_mode)
    assert "evil" not in " ".join(map(str, path.rglob("*")))


def test_a_touch_writes_twelve_octets(path: Path) -> None:
    """The blob is not written again: the file is the same one, and nothing else changed in it."""
    clock = FakeClock()
    store = FileStore(path, clock=clock)
    store.create("sid", b"x" * 300_000, TTL)
    (file,) = files(path)
    before, inode = file.read_bytes(), file.stat().st_ino
    clock.advance(1)
    assert store.touch("sid", TTL)
    after = file.read_bytes()
    assert (before[:4], before[16:], inode) == (after[:4], after[16:], file.stat().st_ino)
    assert before[4:16] != after[4:16]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: b"\0" * len(content),
        *(
            lambda content, i=i: content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :]
            for i in (0, 5, 9, 20, 25, 30, 33, 37, 41)
        ),
    ],
)
def test_what_a_power_cut_left_of_a_file_is_no_session(path: Path, damage: Any) -> None:
    """Nor an error for ever: it makes way for a new one, and a sweep removes it."""
    store = FileStore(path)
    version = store.create("sid", b"one", TTL)
    (file,) = files(path)
    file.write_bytes(damage(file.read_bytes()))
    assert (None, False) == (store.get("sid"), store.touch("sid", TTL))
    assert GONE is store.update("sid", b"two", TTL, version)
    assert [] == list(store.all())
    assert store.create("sid", b"three", TTL)
    file.write_bytes(damage(file.read_bytes()))
    for _ in range(3):
        store.sweep(1)
    assert [] == files(path)


def test_a_lock_that_is_not_released_is_an_error_after_the_timeout(path: Path) -> None:
    """Readers need none."""
    store = FileStore(path, timeout=0.05)
    store.create("sid", b"one", TTL)
    place = HashedFiles(str(path)).place("get", "sid")
    assert place is not None
    with locked(place.lock, 1.0):
        assert store.get("sid")
        with pytest.raises(StoreError, match=r"store\.touch failed: file: TimeoutError"):
            store.touch("sid", TTL)
    assert store.touch("sid", TTL)


@pytest.mark.parametrize("layout", [None, "session-file-store"])
def test_durable_files_are_files_like_others(path: Path, layout: str | None) -> None:
    """They only take longer."""
    store = FileStore(path, layout=layout, durable=True)
    version = store.create("sess:sid", b'{"n":1}', TTL)
    assert store.touch("sess:sid", TTL)
    version = store.update("sess:sid", b'{"n":2}', TTL, version)
    assert (b'{"n":2}', version) == (store.get("sess:sid") or ())[:2]
    store.destroy("sess:sid")
    assert [] == files(path)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"path": ""}, "path must be that of a folder"),
        ({"timeout": 0}, "timeout must be more than 0"),
        ({"ttl": -1}, "ttl must be more than 0"),
        ({"layout": "files"}, "no layout 'files': use 'session-file-store', or none"),
    ],
)
def test_options_that_cannot_work_are_refused(
    path: Path, options: dict[str, Any], fault: str
) -> None:
    """Before a file is made."""
    with pytest.raises(OptionsError, match=fault):
        FileStore(**{"path": path, **options})
    assert not path.exists()


# -- session-file-store ----------------------------------------------------------------------


def node_store(path: Path, clock: FakeClock) -> Any:
    """A store that shares Node's folder."""
    return open_store(f"file:///{path}", layout="session-file-store", clock=clock)


def test_a_file_is_as_session_file_store_writes_it(path: Path) -> None:
    """Its name and its bytes: `__lastAccess` is now where the cookie lives for the ttl."""
    store = node_store(path, FakeClock(NOW))
    store.create("sess:abc", J60.encode(), 60.0)
    assert [path / "abc.json"] == files(path)
    assert J60_FILE == (path / "abc.json").read_text()


def test_a_file_of_session_file_store_is_a_record(path: Path) -> None:
    """The app does not see `__lastAccess`, wherever Node has put it."""
    path.mkdir()
    clock = FakeClock(NOW)
    store = node_store(path, clock)
    (path / "abc.json").write_text(J60_FILE)
    blob, version, end = store.get("sess:abc")
    assert (J60.encode(), NOW + 60) == (blob, end)
    assert [("sess:abc", (blob, version, end))] == list(store.all())
    moved = json.loads(J60_FILE)
    moved = {"__lastAccess": moved.pop("__lastAccess"), **moved, "views": 1}
    (path / "abc.json").write_text(json.dumps(moved, ensure_ascii=False))
    conflict = store.update("sess:abc", b"{}", 60.0, version)
    assert isinstance(conflict, Conflict)
    assert (J60[:-1] + ',"views":1}').encode() == conflict.record[0]
    clock.advance(60)
    assert None is store.get("sess:abc")


def test_without_max_age_a_session_lives_as_node_is_told(path: Path) -> None:
    """For `ttl` seconds after the last access; another life moves the access."""
    clock = FakeClock(NOW)
    store = node_store(path, clock)
    store.create("sess:abc", b"{}", 3600.0)
    assert '{"__lastAccess":1700000000123}' == (path / "abc.json").read_text()
    store.create("sess:day", b'{"n":1}', 86400.0)
    assert '{"n":1,"__lastAccess":1700082800123}' == (path / "day.json").read_text()
    assert (b"{}", b'{"n":1}') == (store.get("sess:abc")[0], store.get("sess:day")[0])


def test_a_touch_moves_access_and_cookie_as_node_does(path: Path) -> None:
    """And the version stays: a slow request meets no conflict."""
    clock = FakeClock(NOW)
    store = node_store(path, clock)
    version = store.create("sess:abc", J60.encode(), 60.0)
    clock.advance(30)
    assert store.touch("sess:abc", 60.0)
    expected = J60_FILE.replace("1700000000123", "1700000030123").replace("14:20.", "14:50.")
    assert expected == (path / "abc.json").read_text()
    assert version == store.get("sess:abc")[1]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "{}", '{"__lastAccess":"x"}', "\xff"])
def test_a_file_that_is_no_session_is_none(path: Path, text: str) -> None:
    """Node removes such a file; here a create replaces it and a sweep removes it."""
    path.mkdir()
    store = node_store(path, FakeClock(NOW))
    (path / "abc.json").write_text(text, "latin-1")
    (path / "notes.txt").write_text("not ours")
    assert (None, []) == (store.get("sess:abc"), list(store.all()))
    assert store.create("sess:abc", b"{}", TTL)
    (path / "abc.json").write_text(text, "latin-1")
    for _ in range(3):
        store.sweep(1)
    assert [] == files(path)
    assert (path / "notes.txt").exists()
