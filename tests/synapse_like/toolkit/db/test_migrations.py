"""Migrations: from nothing, again, with a new file, by two at once, and when one fails."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from synapse_like.toolkit.db import Database, DatabaseError, Migration, migrate, migrations_in, open_engine
from tests.kit import postgres

FIRST = Migration("pages", 1, ("CREATE TABLE pages (id BIGINT PRIMARY KEY)", "CREATE INDEX pages_by_id ON pages (id)"))
SECOND = Migration("pages", 2, ("ALTER TABLE pages ADD COLUMN words TEXT",))
OTHER = Migration("books", 1, ("CREATE TABLE books (id BIGINT PRIMARY KEY)",))


async def _migrate(database: Database, *migrations: Migration) -> int:
    return await database.write(lambda txn: migrate(txn, database.engine.name, migrations))


async def _done(database: Database) -> list[Any]:
    return await database.read(lambda txn: txn.all("SELECT feature, number FROM migrations ORDER BY feature, number"))


async def test_fresh_then_again_then_with_a_new_file(database: Database) -> None:
    assert await _migrate(database, FIRST, OTHER) == 2
    await database.write(lambda txn: txn.run("INSERT INTO pages (id) VALUES (1)"))
    assert await _migrate(database, FIRST, OTHER) == 0
    assert await _migrate(database, FIRST, SECOND, OTHER) == 1
    assert await database.read(lambda txn: txn.all("SELECT id, words FROM pages")) == [(1, None)]
    assert await _done(database) == [("books", 1), ("pages", 1), ("pages", 2)]


async def test_an_older_program_leaves_a_newer_database_alone(database: Database) -> None:
    await _migrate(database, FIRST, SECOND)
    assert await _migrate(database, FIRST) == 0
    assert await _done(database) == [("pages", 1), ("pages", 2)]


async def test_a_migration_that_fails_leaves_nothing_of_any(database: Database) -> None:
    broken = Migration("pages", 2, ("CREATE TABLE more (id BIGINT)", "CREATE TABLE more (id BIGINT)"))
    with pytest.raises(DatabaseError):
        await _migrate(database, FIRST, broken)
    assert await _migrate(database, FIRST, SECOND) == 2


async def test_two_at_once_run_each_once() -> None:
    dsn = postgres.create_database()
    sites = [Database(open_engine("psycopg2", dsn), reactor) for _ in range(2)]
    holds_the_lock, may_go_on = threading.Event(), threading.Event()

    def slow(txn: Any) -> int:
        ran = migrate(txn, "postgresql", [FIRST, OTHER])
        holds_the_lock.set()
        assert may_go_on.wait(30)
        return ran

    slower = sites[0].write(slow)
    assert holds_the_lock.wait(30)
    faster = sites[1].write(lambda txn: migrate(txn, "postgresql", [FIRST, OTHER, SECOND]))
    while not await sites[0].read(
        lambda txn: txn.all("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    ):
        continue
    may_go_on.set()
    assert await slower == 2
    assert await faster == 1
    for site in sites:
        site.close()


async def test_a_long_migration_is_not_cut_short_and_only_it_is_let_off() -> None:
    """The writers' time limits are for requests."""
    database = Database(
        open_engine("psycopg2", {**postgres.create_database(), "options": "-c statement_timeout=100"}), reactor
    )
    long = Migration("pages", 1, ("SELECT pg_sleep(0.3)",))
    assert await _migrate(database, long) == 1
    with pytest.raises(DatabaseError):
        await database.write(lambda txn: txn.all("SELECT pg_sleep(0.3)"))
    database.close()


def test_the_files_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "example_of_migrations"
    (package / "schema").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "schema" / "002_second.sql").write_text("-- A word; with a semicolon;\nSELECT 2")
    (package / "schema" / "001_first.sql").write_text(
        "-- What it is.\nCREATE TABLE a (\n    -- inside\n    b TEXT -- 'x;y'\n);\n\nCREATE TABLE c (d TEXT);\n;\n"
    )
    (package / "schema" / "notes.txt").write_text("not SQL")
    monkeypatch.syspath_prepend(tmp_path)
    first, second = migrations_in("example_of_migrations")
    assert (first.feature, first.number, second.number) == ("example_of_migrations", 1, 2)
    assert first.statements == ("CREATE TABLE a (\n    b TEXT -- 'x;y'\n)", "CREATE TABLE c (d TEXT)")
    assert second.statements == ("SELECT 2",)
    sys.modules.pop("example_of_migrations", None)


def test_a_package_without_schema_has_none() -> None:
    assert migrations_in("synapse_like.matrix") == []


async def test_the_schemas_of_the_product_run_on_both(database: Database) -> None:
    everything = [*migrations_in("replication"), *migrations_in("synapse_like.rooms")]
    assert await _migrate(database, *everything) == len(everything) >= 2
    assert await _migrate(database, *everything) == 0
