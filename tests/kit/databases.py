"""The databases that storage tests run on: each test once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor

from synapse_like.toolkit.db import Database, open_engine
from tests.kit import postgres

KINDS = ("sqlite", "postgresql")


def open_database(kind: str, folder: Path) -> Database:
    """An empty database of that kind."""
    if kind == "sqlite":
        engine = open_engine("sqlite3", {"database": str(folder / "test.db")})
    else:
        engine = open_engine("psycopg2", postgres.create_database())
    return Database(engine, reactor, readers=2)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, closed at the end."""
    opened = open_database(request.param, tmp_path)
    yield opened
    opened.close()
