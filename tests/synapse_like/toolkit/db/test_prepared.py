"""Prepared statements of PostgreSQL: planned once a session, and no statement is lost when a session's are."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from twisted.internet import reactor

from synapse_like.toolkit.db import (
    Database,
    DatabaseError,
    DatabaseUnavailable,
    IntegrityViolated,
    Transaction,
    open_engine,
)
from synapse_like.toolkit.db.prepared import Prepared
from tests.kit import postgres

_HELD = """
    SELECT count(*) FROM pg_prepared_statements
    WHERE statement LIKE :pattern AND statement NOT LIKE '%pg_prepared_statements%'
"""


@pytest.fixture(params=[True, False], ids=["prepares", "does-not"])
def prepares(request: pytest.FixtureRequest) -> bool:
    """Whether statements are prepared."""
    return bool(request.param)


@pytest.fixture
def database(prepares: bool) -> Iterator[Database]:
    """An empty PostgreSQL database, with one connection for reading and one for writing."""
    engine = open_engine("psycopg2", postgres.create_database(), prepares=prepares)
    opened = Database(engine, reactor, readers=1)
    yield opened
    opened.close()


@pytest.fixture
async def table(database: Database) -> Database:
    """The database with the empty table `t (number, word)`."""
    await database.write(lambda txn: txn.run("CREATE TABLE t (number BIGINT PRIMARY KEY, word TEXT)"))
    return database


async def _held(database: Database, pattern: str) -> int:
    """How many prepared statements of the reading session are like this."""

    def ask(txn: Transaction) -> int:
        row = txn.one(_HELD, pattern=pattern)
        assert row is not None
        return int(row[0])

    return await database.read(ask)


async def test_a_statement_is_prepared_once_for_each_combination_of_types(table: Database, prepares: bool) -> None:
    for number in (1, 2, 3):
        await table.read(lambda txn, number=number: txn.all("SELECT word FROM t WHERE number = :it", it=number))  # type: ignore[misc]
    assert await _held(table, "%FROM t WHERE number = $1%") == prepares * 1
    await table.read(lambda txn: txn.all("SELECT word FROM t WHERE number = :it", it=None))
    assert await _held(table, "%FROM t WHERE number = $1%") == prepares * 2


async def test_numbers_of_any_size_follow_on_small_ones(table: Database) -> None:
    for number in (1, 2**40, -(2**62)):
        found = await table.read(lambda txn, number=number: txn.one("SELECT :it + 1", it=number))  # type: ignore[misc]
        assert found == (number + 1,)


@pytest.mark.parametrize("trouble", ["DEALLOCATE ALL", "ALTER TABLE t ALTER COLUMN word TYPE VARCHAR(20)"])
async def test_a_session_that_lost_its_statements_is_replaced(table: Database, trouble: str) -> None:
    def ask(txn: Transaction) -> Sequence[Any]:
        return txn.all("SELECT word, number FROM t WHERE number = :it", it=1)

    await table.write(lambda txn: txn.rows("INSERT INTO t VALUES :rows", [(1, "one")]))
    assert await table.read(ask) == [("one", 1)]
    if trouble.startswith("ALTER"):
        await table.write(lambda txn: txn.run(trouble))
    else:
        await table.read(lambda txn: txn.run(trouble))
    assert await table.read(ask) == [("one", 1)]
    assert await table.read(ask) == [("one", 1)]


async def test_what_postgresql_does_not_support_is_asked_for_once(table: Database) -> None:
    sent: list[str] = []
    table.observers.append(sent.append)
    with pytest.raises(DatabaseError, match="not allowed") as raised:
        await table.read(lambda txn: txn.all("SELECT count(*) FROM t FOR UPDATE"))
    assert not isinstance(raised.value, DatabaseUnavailable)
    assert len(sent) == 1


async def test_a_statement_that_fails_the_first_time_works_later(table: Database) -> None:
    def add(number: int, word: str) -> Any:
        return table.write(lambda txn: txn.run("INSERT INTO t VALUES (:number, :word)", number=number, word=word))

    await table.write(lambda txn: txn.run("INSERT INTO t VALUES (1, 'one')"))
    for _ in range(3):
        with pytest.raises(IntegrityViolated):
            await add(1, "again")
    await add(2, "two")
    with pytest.raises(IntegrityViolated):
        await add(2, "again")
    await add(3, "three")
    assert await table.read(lambda txn: txn.all("SELECT number FROM t ORDER BY number")) == [(1,), (2,), (3,)]


async def test_what_was_put_and_never_sent_is_not_taken_for_prepared(table: Database) -> None:
    def give_up(txn: Transaction) -> None:
        txn.put("INSERT INTO t VALUES :rows", [(1, "one")])
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await table.write(give_up)
    await table.write(lambda txn: txn.put("INSERT INTO t VALUES :rows", [(1, "one"), (2, None)]))
    assert await table.read(lambda txn: txn.all("SELECT number, word FROM t ORDER BY 1")) == [(1, "one"), (2, None)]


async def test_a_column_of_nulls_takes_the_type_of_the_table(table: Database) -> None:
    await table.write(lambda txn: txn.rows("INSERT INTO t VALUES :rows", [(1, None), (2, None)]))
    await table.write(lambda txn: txn.run("UPDATE t SET number = coalesce(:it, 7) WHERE number = 1", it=None))
    assert await table.read(lambda txn: txn.all("SELECT number, word FROM t ORDER BY 1")) == [(2, None), (7, None)]


def test_the_oldest_goes_where_too_many_are_held() -> None:
    prepared = Prepared(limit=2)

    def call(text: str) -> bytes:
        return prepared.call(text, ("bigint",), [1], lambda text, values: (text % tuple(values)).encode())

    assert call("A $1") == b"PREPARE s1 (bigint) AS A $1; EXECUTE s1 (1)"
    assert call("B $1") == b"PREPARE s2 (bigint) AS B $1; EXECUTE s2 (1)"
    assert call("A $1") == b"EXECUTE s1 (1)"
    assert call("C $1") == b"DEALLOCATE s2; PREPARE s3 (bigint) AS C $1; EXECUTE s3 (1)"
    assert call("B $1") == b"DEALLOCATE s1; PREPARE s4 (bigint) AS B $1; EXECUTE s4 (1)"


def test_a_failure_matters_only_where_something_new_was_handed_out() -> None:
    prepared = Prepared()
    prepared.call("A", (), [], lambda text, _: text.encode())
    prepared.succeeded()
    prepared.call("A", (), [], lambda text, _: text.encode())
    prepared.failed()
    assert prepared.is_sound
    prepared.call("B", (), [], lambda text, _: text.encode())
    prepared.failed()
    assert not prepared.is_sound
