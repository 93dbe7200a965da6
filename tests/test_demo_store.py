"""The demo on a store of one's own: named without a password, tried first, kept across restarts."""

from __future__ import annotations

import importlib.util
import os
import re
import stat
from pathlib import Path

import pytest

from sessfast import open_store
from sessfast.demo.place import place, shown
from sessfast.demo.serving import ServingError
from sessfast.demo.settings import kept_secret
from tests.demo_browser import Page
from tests.stores.servers import url_of
from tests.test_demo_reasons import needs, served

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("memory://", "memory://"),
        ("sqlite:////var/lib/a%20b@home.db?timeout=2", "sqlite://…"),
        ("sqlite:////var/lib/a%20b.db?timeout=2", "sqlite:////var/lib/a b.db"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        (f"redis://bob:{PASSWORD}@localhost:6379/0", "redis://localhost:6379/0"),
        (f"redis://bob:x@{PASSWORD}@localhost:6379/0", "redis://localhost:6379/0"),
        (f"redis://bob:{PASSWORD}/x@localhost:6379/0", "redis://…"),
        (f"redis://bob:{PASSWORD}?x@localhost:6379/0", "redis://…"),
        (f"redis://bob:{PASSWORD}#x@localhost:6379/0", "redis://…"),
        (f"postgresql://host/db?password={PASSWORD}", "postgresql://host/db"),
        (
            f"redis+sentinel://u:{PASSWORD}@one:1,two:2/main/0",
            "redis+sentinel://one:1,two:2/main/0",
        ),
        (f"mysql://bob:{PASSWORD}@host", "a store"),
        (PASSWORD, "a store"),
    ],
)
def test_a_store_is_named_without_secrets(url: str, expected: str) -> None:
    """Also where a password stands that was not written as a URL wants it."""
    assert expected == shown(url)
    assert PASSWORD not in shown(url)


def test_the_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    """Made once, read from then on."""
    file = tmp_path / "secret"
    first = kept_secret(str(file))
    assert first == kept_secret(str(file))
    assert len(first) >= 32
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"short", "holds no secret"),
        (b"\xff" * 40, "can't hold the secret"),
        (None, "No such file"),
    ],
)
def test_a_file_that_holds_no_secret_is_told(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    """Nothing is overwritten."""
    file = tmp_path / "secret"
    if content is None:
        file = tmp_path / "no folder" / "secret"
    else:
        file.write_bytes(content)
    with pytest.raises(ServingError, match=expected):
        kept_secret(str(file))


@pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
def test_sessions_outlive_the_demo_in_a_store_that_keeps_them(tmp_path: Path, asgi: bool) -> None:
    """The same cookie counts on after a restart; the page says where it is kept."""
    needs("uvicorn", "httpx")
    import httpx

    url, secret = f"sqlite:///{tmp_path}/s.db", str(tmp_path / "secret")
    arguments = ["--store", url, "--secret-file", secret, *(["--asgi"] if asgi else [])]
    cookies: dict[str, str] = {}
    for expected in (1, 2):
        with (
            served(tmp_path, *arguments) as (address, _),
            httpx.Client(base_url=address, cookies=cookies, trust_env=False) as client,
        ):
            page = Page(200, [], client.get("/foo").text)
            cookies = dict(client.cookies)
        assert expected == page.count
        assert f">{url}</span>" in page.text
        assert f"Sessions are kept in {url}." in page.text
        assert "memory" not in page.text.partition("<footer>")[2]


def test_a_fresh_secret_makes_old_cookies_strangers(tmp_path: Path) -> None:
    """Without --secret-file each start has its own."""
    needs("httpx")
    import httpx

    cookies: dict[str, str] = {}
    for expected in ("no-cookie", "bad-signature"):
        with (
            served(tmp_path, "--store", f"sqlite:///{tmp_path}/s.db") as (address, _),
            httpx.Client(base_url=address, cookies=cookies, trust_env=False) as client,
        ):
            page = Page(200, [], client.get("/foo").text)
            cookies = cookies or dict(client.cookies)
        assert expected == page.read


@pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
def test_the_table_of_a_postgres_is_made_when_asked_for(tmp_path: Path, asgi: bool) -> None:
    """Without it the demo doesn't start and says what to do."""
    needs("psycopg_pool", "uvicorn")
    import httpx

    server, table = url_of("postgres"), f"test_demo_{os.getpid()}_{int(asgi)}"
    url = f"{server}?table={table}"
    advice = re.escape("--create-schema, or run: python -m sessfast schema postgresql")
    with pytest.raises(ServingError, match=advice):
        place(url, asynchronous=asgi)
    try:
        arguments = ["--store", url, "--create-schema", *(["--asgi"] if asgi else [])]
        with (
            served(tmp_path, *arguments) as (address, _),
            httpx.Client(base_url=address, trust_env=False) as client,
        ):
            pages = [Page(200, [], client.get("/foo").text) for _ in range(2)]
        assert [1, 2] == [page.count for page in pages]
        assert "postgres@" not in pages[0].text
        store = open_store(url)
        assert 1 == store.length()
        store.close()
    finally:
        import psycopg

        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP TABLE IF EXISTS {table}".encode())


@pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
def test_a_redis_serves_both_fronts(tmp_path: Path, asgi: bool) -> None:
    """With Node's layout it needs Node's preset, and says so."""
    needs("redis", "uvicorn")
    import httpx

    url = url_of("redis") + f"?prefix=test-demo-{os.getpid()}:"
    with (
        served(tmp_path, "--store", url, *(["--asgi"] if asgi else [])) as (address, _),
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        pages = [Page(200, [], client.get("/foo").text) for _ in range(2)]
    assert [1, 2] == [page.count for page in pages]
    store = open_store(url)
    store.clear()
    store.close()


def test_nodes_layout_needs_nodes_preset(tmp_path: Path) -> None:
    """Its ids are not hashed."""
    url = f"sqlite:///{tmp_path}/s?layout=connect-sqlite3"
    with pytest.raises(ServingError, match=r"set hash_ids=False \(.* add --express\)"):
        place(url, asynchronous=False)
    here = place(url, asynchronous=False, express=True)
    assert here.outlives_us
    here.store.close()


def test_a_missing_client_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, with pip."""
    if importlib.util.find_spec("lmdb") is not None:
        monkeypatch.setitem(__import__("sys").modules, "lmdb", None)
    with pytest.raises(ServingError, match=r'pip install "sessfast\[lmdb\]"'):
        place("lmdb:///anywhere", asynchronous=False)
