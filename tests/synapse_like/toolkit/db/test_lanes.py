"""Lanes: what is repeated, what is not, and what a broken connection leaves behind."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from synapse_like.toolkit.db import (
    CommitUnknown,
    Database,
    DatabaseError,
    DatabaseUnavailable,
    IntegrityViolated,
    Transaction,
    lanes,
    open_engine,
)
from synapse_like.toolkit.db.errors import Repeatable
from synapse_like.toolkit.db.lanes import ATTEMPTS, unobserved
from synapse_like.toolkit.db.transaction import Engine
from tests.kit import postgres
from tests.kit.databases import open_database


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that grow from next to nothing."""
    monkeypatch.setattr(lanes, "FIRST_PAUSE_S", 0.0001)


@pytest.fixture
async def table(database: Database) -> Database:
    await database.write(lambda txn: txn.run("CREATE TABLE t (id BIGINT PRIMARY KEY)"))
    return database


@pytest.fixture
def dsn() -> dict[str, Any]:
    return postgres.create_database()


@pytest.fixture
async def postgresql(dsn: dict[str, Any]) -> Any:
    """A PostgreSQL database with one thread per lane, so that a lane's connection is always the same."""
    opened = Database(open_engine("psycopg2", dsn), reactor, readers=1, writers=1)
    await opened.write(lambda txn: txn.run("CREATE TABLE t (id BIGINT PRIMARY KEY)"))
    yield opened
    opened.close()


def _kill(dsn: dict[str, Any], pid: int) -> None:
    """End a backend, and wait until it is gone."""
    connection = psycopg2.connect(**dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
        assert cursor.fetchone() == (True,)
    connection.close()


def _pid(txn: Transaction) -> int:
    row = txn.one("SELECT pg_backend_pid()")
    assert row is not None
    return int(row[0])


def _insert(number: int, txn: Transaction) -> int:
    return txn.run("INSERT INTO t (id) VALUES (:id)", id=number)


def _commit(database: Database, function: Any) -> "Deferred[Any]":
    waiter: Deferred[Any] = Deferred()
    database.commit(function, waiter.callback, waiter.errback)
    return waiter


async def _ids(database: Database) -> list[int]:
    return [number for (number,) in await database.read(lambda txn: txn.all("SELECT id FROM t ORDER BY id"))]


class Attempts:
    """A transaction that adds a row and fails the first so many times."""

    def __init__(self, failures: int, error: type[Exception]) -> None:
        self.count = 0
        self._failures = failures
        self._error = error

    def __call__(self, txn: Transaction) -> int:
        self.count += 1
        txn.run("INSERT INTO t (id) VALUES (:id)", id=self.count)
        if self.count <= self._failures:
            raise self._error("again")
        return self.count


@pytest.mark.parametrize("failures", [1, ATTEMPTS - 1])
async def test_what_may_be_repeated_is_repeated_from_its_beginning(table: Database, failures: int) -> None:
    for use in (table.write, lambda function: _commit(table, function)):
        attempts = Attempts(failures, Repeatable)
        assert await use(attempts) == failures + 1
        assert await _ids(table) == [failures + 1]
        await table.write(lambda txn: txn.run("DELETE FROM t"))


@pytest.mark.parametrize(("error", "expected"), [(Repeatable, ATTEMPTS), (DatabaseUnavailable, 4)])
async def test_repeating_ends(table: Database, error: type[Exception], expected: int) -> None:
    attempts = Attempts(99, error)
    with pytest.raises(DatabaseUnavailable):
        await table.write(attempts)
    assert attempts.count == expected
    assert await _ids(table) == []


@pytest.mark.parametrize("error", [ValueError, IntegrityViolated, DatabaseError, CommitUnknown])
async def test_other_failures_are_not_repeated(table: Database, error: type[Exception]) -> None:
    attempts = Attempts(1, error)
    with pytest.raises(error):
        await table.write(attempts)
    assert attempts.count == 1
    assert await _ids(table) == []
    await table.write(lambda txn: txn.run("INSERT INTO t (id) VALUES (7)"))
    assert await _ids(table) == [7]


async def test_a_lane_runs_in_order_and_one_at_a_time(table: Database) -> None:
    order: list[int] = []
    running: list[int] = []

    def step(index: int) -> Any:
        def run(txn: Transaction) -> None:
            running.append(index)
            txn.run("INSERT INTO t (id) VALUES (:id)", id=index)
            assert running == [index]
            running.clear()
            order.append(index)

        return run

    for waiter in [_commit(table, step(index)) for index in range(30)]:
        await waiter
    assert order == list(range(30))


async def test_closing_finishes_what_is_queued(tmp_path: Path) -> None:
    for kind in ("sqlite", "postgresql"):
        opened = open_database(kind, tmp_path)
        await opened.write(lambda txn: txn.run("CREATE TABLE t (id BIGINT PRIMARY KEY)"))
        waiters = [opened.write(partial(_insert, number)) for number in range(20)]
        opened.close()
        assert [await waiter for waiter in waiters] == [1] * 20


async def test_a_cancelled_wait_does_not_stop_the_transaction(table: Database) -> None:
    waiter = Deferred.fromCoroutine(_awaited(table.write(lambda txn: txn.run("INSERT INTO t (id) VALUES (1)"))))
    waiter.addErrback(lambda _: None)
    waiter.cancel()
    await table.write(lambda txn: txn.run("INSERT INTO t (id) VALUES (2)"))
    assert 2 in await _ids(table)


async def _awaited(waiter: Any) -> Any:
    return await waiter


async def test_a_backend_that_dies_while_a_transaction_runs(postgresql: Database, dsn: dict[str, Any]) -> None:
    for use in (postgresql.write, lambda function: _commit(postgresql, function)):
        pids: list[int] = []

        def work(txn: Transaction, pids: list[int] = pids) -> int:
            pids.append(_pid(txn))
            txn.run("INSERT INTO t (id) VALUES (:id)", id=len(pids))
            if len(pids) == 1:
                _kill(dsn, pids[0])
            txn.run("INSERT INTO t (id) VALUES (:id)", id=100 + len(pids))
            return len(pids)

        assert await use(work) == 2
        assert pids[0] != pids[1]
        assert await _ids(postgresql) == [2, 102]
        await postgresql.write(lambda txn: txn.run("DELETE FROM t"))


async def test_a_backend_that_dies_while_nobody_uses_it(postgresql: Database, dsn: dict[str, Any]) -> None:
    for use in (postgresql.read, postgresql.write, lambda function: _commit(postgresql, function)):
        pid = await use(_pid)
        _kill(dsn, pid)
        assert await use(_pid) != pid


async def test_a_backend_that_dies_before_commit_leaves_the_outcome_unknown(
    postgresql: Database, dsn: dict[str, Any]
) -> None:
    calls: list[int] = []

    def work(txn: Transaction) -> None:
        calls.append(1)
        txn.run("INSERT INTO t (id) VALUES (1)")
        _kill(dsn, _pid(txn))

    with pytest.raises(CommitUnknown):
        await _commit(postgresql, work)
    assert len(calls) == 1
    assert await _ids(postgresql) == []
    await _commit(postgresql, lambda txn: txn.run("INSERT INTO t (id) VALUES (2)"))
    assert await _ids(postgresql) == [2]


async def test_a_read_whose_backend_dies_at_its_end_is_repeated(postgresql: Database, dsn: dict[str, Any]) -> None:
    pids: list[int] = []

    def work(txn: Transaction) -> Any:
        pids.append(_pid(txn))
        if len(pids) == 1:
            _kill(dsn, pids[0])
        return len(pids)

    assert await postgresql.read(work) == 2


async def test_code_that_fails_on_a_dead_connection_does_not_break_the_lane(
    postgresql: Database, dsn: dict[str, Any]
) -> None:
    def work(txn: Transaction) -> None:
        _kill(dsn, _pid(txn))
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        await postgresql.write(work)
    assert await postgresql.write(lambda txn: txn.run("INSERT INTO t (id) VALUES (1)")) == 1


async def test_a_dead_lock_is_repeated(dsn: dict[str, Any]) -> None:
    database = Database(open_engine("psycopg2", {**dsn, "options": "-c deadlock_timeout=50ms"}), reactor, writers=2)
    await database.write(lambda txn: txn.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)"))
    await database.write(lambda txn: txn.run("INSERT INTO t (id, n) VALUES (1, 0), (2, 0)"))
    both_hold_one = threading.Barrier(2)
    attempts: list[int] = []

    def work(first: int, second: int) -> Any:
        def run(txn: Transaction) -> None:
            attempts.append(first)
            txn.run("UPDATE t SET n = n + 1 WHERE id = :id", id=first)
            if len(attempts) <= 2:
                both_hold_one.wait(30)
            txn.run("UPDATE t SET n = n + 1 WHERE id = :id", id=second)

        return run

    waiters = [database.write(work(1, 2)), database.write(work(2, 1))]
    for waiter in waiters:
        await waiter
    assert await database.read(lambda txn: txn.all("SELECT n FROM t")) == [(2,), (2,)]
    assert len(attempts) >= 3
    database.close()


async def test_a_serialisation_failure_is_repeated(postgresql: Database, dsn: dict[str, Any]) -> None:
    attempts: list[int] = []

    def work(txn: Transaction) -> None:
        attempts.append(1)
        txn.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        txn.all("SELECT id FROM t")
        if len(attempts) == 1:
            _elsewhere(dsn, "UPDATE t SET id = 2")
        txn.run("UPDATE t SET id = id + 10")

    await postgresql.write(lambda txn: txn.run("INSERT INTO t (id) VALUES (1)"))
    await postgresql.write(work)
    assert len(attempts) == 2
    assert await _ids(postgresql) == [12]


def _elsewhere(dsn: dict[str, Any], statement: str) -> None:
    connection = psycopg2.connect(**dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


async def test_a_constraint_checked_at_commit_is_a_violation(postgresql: Database) -> None:
    await postgresql.write(lambda txn: txn.run("CREATE TABLE d (id BIGINT, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)"))
    with pytest.raises(IntegrityViolated):
        await _commit(postgresql, lambda txn: txn.run("INSERT INTO d (id) VALUES (1), (1)"))


async def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    database = Database(open_engine("psycopg2", {"host": str(tmp_path), "dbname": "none"}), reactor)
    with pytest.raises(DatabaseUnavailable, match="cannot connect"):
        await database.read(lambda txn: txn.one("SELECT 1"))
    database.close()


async def test_sqlite_is_for_one_process_at_a_time(tmp_path: Path) -> None:
    first = open_database("sqlite", tmp_path)
    with pytest.raises(DatabaseUnavailable, match="in use by another"):
        open_database("sqlite", tmp_path)
    first.close()
    open_database("sqlite", tmp_path).close()


def test_many_threads_may_open_a_new_sqlite_file_at_once(tmp_path: Path) -> None:
    for number in range(20):
        _open_in_many_threads(tmp_path / f"{number}.db")


def _open_in_many_threads(path: Path) -> None:
    engine = open_engine("sqlite3", {"database": str(path)})
    together = threading.Barrier(8)

    def connect(_: int) -> None:
        together.wait(30)
        engine.connect(unobserved).close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(connect, range(8))) == [None] * 8
    engine.close()


def _setting(engine: Engine, name: str, *, is_read_only: bool) -> Any:
    connection = engine.connect(unobserved)
    transaction = connection.begin(is_read_only=is_read_only)
    row = transaction.one(name)
    transaction.commit()
    connection.close()
    assert row is not None
    return row[0]


def test_nothing_lowers_durability(tmp_path: Path, dsn: dict[str, Any]) -> None:
    sqlite = open_engine("sqlite3", {"database": str(tmp_path / "a.db")})
    assert _setting(sqlite, "PRAGMA synchronous", is_read_only=False) == 2
    assert _setting(sqlite, "PRAGMA journal_mode", is_read_only=False) == "wal"
    sqlite.close()
    server = {**dsn, "options": "-c synchronous_commit=on"}
    postgresql = open_engine("psycopg2", server)
    assert _setting(postgresql, "SHOW synchronous_commit", is_read_only=False) == "on"
    assert _setting(postgresql, "SHOW transaction_isolation", is_read_only=True) == "repeatable read"
    assert _setting(postgresql, "SHOW transaction_read_only", is_read_only=True) == "on"
    assert _setting(postgresql, "SHOW transaction_isolation", is_read_only=False) == "read committed"
    assert _setting(postgresql, "SHOW idle_in_transaction_session_timeout", is_read_only=False) == "5s"


async def test_one_after_the_other_is_done_where_the_last_was_done(dsn: dict[str, Any]) -> None:
    database = Database(open_engine("psycopg2", dsn), reactor, readers=8, writers=1)
    try:
        backends = {await database.read(_pid) for _ in range(100)}
    finally:
        database.close()
    # A thread may still be on its way back to the others when the next transaction comes.
    assert len(backends) <= 4
