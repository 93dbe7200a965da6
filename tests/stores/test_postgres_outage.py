"""PostgreSQL is down, slow, silent, breaks off: a StoreError in time, then on as before."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install sessfast[postgres]")
pytest.importorskip("psycopg_pool", reason="pip install sessfast[postgres]")

import psycopg

from sessfast.stores.postgres import PostgresStore, open_postgres
from tests.stores.outages import TIMEOUT, Outages
from tests.stores.servers import url_of

TABLE = "test_outage"


class TestPostgresOutages(Outages):
    """One bound for the whole call."""

    server: ClassVar[str] = "postgres"
    bound: ClassVar[dict[bool, int]] = {False: 1, True: 1}

    @classmethod
    def setup_class(cls) -> None:
        cls.prepare(url_of("postgres"))

    @classmethod
    def teardown_class(cls) -> None:
        with psycopg.connect(url_of("postgres")) as connection:
            connection.execute(f"DROP TABLE {TABLE}".encode())

    @classmethod
    def prepare(cls, url: str) -> None:
        store = PostgresStore(url, table=TABLE, timeout=10)
        store.create_schema()
        store.close()

    def open(self, url: str, asynchronous: bool, timeout: float = TIMEOUT) -> Any:
        return open_postgres(url, asynchronous=asynchronous, timeout=timeout, table=TABLE)

    def version(self) -> Any:
        return 1
