"""The pages of the stores are true: their code runs on real servers, and prints what they say."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.stores.servers import url_of
from tests.test_docs import blocks, broken_links

PAGES = Path(__file__).resolve().parent.parent.parent / "docs" / "stores"

# page, the package its store needs, the server, the URL that the page has in its examples
STORES = [
    ("redis.md", "redis", "redis", "redis://localhost:6379/0"),
    ("postgres.md", "psycopg_pool", "postgres", "postgresql://postgres@localhost:5432/postgres"),
    ("memcached.md", "socket", "memcached", "memcached://localhost:11211"),
]
TABLES = ("sessfast_sessions", "node_session")


@pytest.mark.parametrize(("page", "package", "server", "url"), STORES)
def test_the_code_of_a_stores_page_runs(page: str, package: str, server: str, url: str) -> None:
    """All of it in order, then a visit to the first app; also the links."""
    pytest.importorskip(package)
    from werkzeug.test import Client

    path, real = PAGES / page, url_of(server)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    ran, printed = 0, ""
    with warnings.catch_warnings(), dropping_tables(server, real):
        warnings.simplefilter("ignore", UserWarning)  # the express preset warns of its defaults
        first: Any = None
        for block in blocks(path.read_text()):
            if block.language == "python":
                assert block.mark == "not run: needs a server"
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(block.text.replace(url, real), page, "exec"), namespace)
                printed, ran = out.getvalue(), ran + 1
                first = first or namespace.get("app")
            elif block.mark == "output":
                assert block.text == printed
        assert ran >= 2
        browser = Client(first)
        assert ["1", "2"] == [browser.get("/").text for _ in range(2)]
        close(namespace)
    assert [] == broken_links(path)


def close(namespace: dict[str, Any]) -> None:
    """Close the sync stores and clients that a page has made."""
    for name in ("store", "shared", "nodes", "client"):
        if name in namespace:
            namespace[name].close()


@contextlib.contextmanager
def dropping_tables(server: str, url: str) -> Any:
    """Leave no table behind."""
    yield
    if server == "postgres":
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            for table in TABLES:
                connection.execute(f"DROP TABLE {table}".encode())
