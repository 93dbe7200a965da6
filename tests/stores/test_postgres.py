"""PostgreSQL keeps the contract, sync and async, in both layouts."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install sessfast[postgres]")
pytest.importorskip("psycopg_pool", reason="pip install sessfast[postgres]")

import psycopg

from sessfast.stores.postgres import open_postgres
from sessfast.testing import StoreContract
from tests.stores.sampling import Sampled
from tests.stores.servers import url_of


class OnPostgres(StoreContract):
    """The contract on a real server, in a table of its own. The clock is the store's."""

    asynchronous: ClassVar[bool] = False
    layout: ClassVar[str] = "native"
    tick: ClassVar[float] = 1e-6  # a timestamp's

    def make_store(self, clock: Any) -> Any:
        url = url_of("postgres")
        self.table = f"test_{secrets.token_hex(6)}"
        self.store = open_postgres(
            url, self.layout, asynchronous=self.asynchronous, table=self.table, clock=clock
        )
        self.raw = psycopg.connect(url, autocommit=True)
        self.raw.execute(self.store.schema_sql().encode())
        return self.store

    def teardown_method(self) -> None:
        super().teardown_method()
        self.raw.execute(f"DROP TABLE {self.table}".encode())
        self.raw.close()


class TestPostgres(OnPostgres):
    """The usual case."""


class TestAsyncPostgres(Sampled, OnPostgres):
    asynchronous: ClassVar[bool] = True


class NodesTable(Sampled, OnPostgres):
    """The text itself is the version, and lives end with a second."""

    layout: ClassVar[str] = "connect-pg-simple"
    any_octets: ClassVar[bool] = False
    any_sid: ClassVar[bool] = False
    unique_versions: ClassVar[bool] = False
    tick: ClassVar[float] = 1.0

    def sid(self) -> str:
        return "sess:" + super().sid()


class TestNodesTable(NodesTable):
    pass


class TestAsyncNodesTable(NodesTable):
    asynchronous: ClassVar[bool] = True
