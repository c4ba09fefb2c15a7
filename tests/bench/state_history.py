"""``python -m tests.bench state-history``: ways to store a large room's state history, measured on both databases.

A room whose members join and then change at random shares its shard's log with many other rooms. What is found is
also compared with a naive replay, so that no candidate wins by being wrong. The verdict is in NOTES.md.
"""

import argparse
import gc
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import psycopg2

from replication.numbers import pack
from synapse_like.toolkit.db import Transaction, open_engine
from synapse_like.toolkit.db.lanes import unobserved
from synapse_like.toolkit.db.transaction import Connection, Row
from tests.bench.history_encodings import ENCODINGS, Change, ClusteredRows, Rows
from tests.kit import postgres, run_folder

ROOM = 7
SHARD = 3
EVENTS_BETWEEN = 10
NEIGHBOURS = 500
HOT_KEYS = 100
FILL_BATCH = 1000
MEASURED_BATCHES, MEASURED_BATCH = 200, 20
REPEATS = 15
T = TypeVar("T")
Query = Callable[[Transaction], list[Row]]
_EVENTS = (
    "CREATE TABLE events (event_nid BIGINT PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, json TEXT NOT NULL)",
    "CREATE TABLE state_keys (key_nid BIGINT PRIMARY KEY, type TEXT NOT NULL, state_key TEXT NOT NULL,"
    " UNIQUE (type, state_key))",
)


def main(arguments: Sequence[str]) -> int:
    """Fill, measure, print a table per database."""
    asked = _arguments(arguments)
    databases = [asked.database] if asked.database else ["sqlite", "postgresql"]
    try:
        for database, count in product(databases, asked.changes):
            changes = list(room_changes(asked.members, count))
            print(f"\n{database}: {asked.members} keys, {count} changes; best of {REPEATS}, ms", flush=True)
            for kind in ENCODINGS:
                if asked.only in kind.name and not (database != "sqlite" and kind is ClusteredRows):
                    _measure(database, kind(), changes)
    finally:
        run_folder.remove()
    return 0


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench state-history", description=__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--changes", type=int, nargs="+", default=[100_000], help="one after the other; 1000 at least")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this one")
    parser.add_argument("--only", default="", help="only candidates whose name contains this")
    return parser.parse_args(arguments)


def room_changes(keys: int, count: int) -> Iterator[Change]:
    """Everybody joins, then keys change: one in three changes hits a few hot keys."""
    dice = random.Random(4711)
    for version in range(1, count + 1):
        hot = dice.randrange(3) == 0
        key = version if version <= keys else dice.randint(1, min(HOT_KEYS, keys) if hot else keys)
        yield Change(ROOM, version, key, version, pack(SHARD, version * EVENTS_BETWEEN))


def _neighbour(change: Change) -> Change:
    """A change of another room that comes just before this one in the log."""
    room = 1000 + change.version % NEIGHBOURS
    return Change(room, change.version // NEIGHBOURS + 1, change.version % 97 + 1, change.version, change.number - 1)


@contextmanager
def _connected(database: str) -> Iterator[tuple[Connection, Callable[[], object]]]:
    """A connection to an empty database, and what settles it after many writes."""
    with tempfile.TemporaryDirectory() as folder:
        if database == "sqlite":
            engine = open_engine("sqlite3", {"database": str(Path(folder) / "history.db")})
        else:
            dsn = postgres.create_database(durable=True)
            engine = open_engine("psycopg2", dsn)
        connection = engine.connect(unobserved)
        try:
            if database == "sqlite":
                yield connection, lambda: _run(connection, lambda txn: txn.run("ANALYZE"))
            else:
                yield connection, lambda: _vacuum(dsn)
        finally:
            connection.close()
            engine.close()


def _measure(database: str, encoding: Rows, changes: Sequence[Change]) -> None:
    measured = min(MEASURED_BATCHES * MEASURED_BATCH, len(changes) // 2)
    with _connected(database) as (connection, settle):
        _run(connection, lambda txn: _fill_events(txn, changes))
        before = _run(connection, lambda txn: _bytes(txn, database))
        _run(connection, lambda txn: [txn.run(table) for table in encoding.tables])
        for batch in _batches(changes[:-measured], FILL_BATCH):
            _record(connection, encoding, [each for change in batch for each in (_neighbour(change), change)])
        insert_us = _inserts(connection, encoding, changes[-measured:])
        settle()
        size = _run(connection, lambda txn: _bytes(txn, database)) - before
        print(f"  {encoding.name}")
        print(f"    bytes per change {size / (2 * len(changes) - measured):.0f}, insert {insert_us:.0f} µs per change")
        print("    " + ", ".join(_reads(connection, encoding, changes)), flush=True)


def _reads(connection: Connection, encoding: Rows, changes: Sequence[Change]) -> Iterator[str]:
    yield from _states(connection, encoding, changes)
    middle = len(changes) * 11 // 20
    took, _ = _time(connection, lambda txn: encoding.key_at(txn, ROOM, middle, 5))
    yield f"one key {took:.2f}"
    for name, span in (("near", 10), ("far", len(changes) // 5)):
        took, rows = _time(connection, _between(encoding, ROOM, changes[middle].number, changes[middle + span].number))
        _check([row[2] for row in rows], [change.version for change in changes[middle + 1 : middle + span + 1]])
        yield f"{name} difference {took:.2f}"
    took, _ = _time(connection, _between(encoding, 1001, changes[100].number, changes[-len(changes) // 20].number))
    yield f"far difference of a small room {took:.2f}"
    took, rows = _time(connection, lambda txn: encoding.current(txn, ROOM))
    _check(dict(rows), {each.key_nid: each.event_nid for each in changes})
    yield f"current {took:.1f}"


def _states(connection: Connection, encoding: Rows, changes: Sequence[Change]) -> Iterator[str]:
    newest = len(changes)
    points = {"old": newest // 20, "random": newest * 11 // 20, "late": newest * 9 // 10, "new": newest - 100}
    for name, version in points.items():
        took, rows = _time(connection, _state(encoding, version))
        _check(dict(rows), {change.key_nid: change.event_nid for change in changes[:version]})
        named, _ = _time(connection, _names(encoding, version))
        yield f"{name} {took:.1f} (with names {named:.1f})"


def _state(encoding: Rows, version: int) -> Query:
    return lambda transaction: encoding.state_at(transaction, ROOM, version)


def _names(encoding: Rows, version: int) -> Query:
    return lambda transaction: encoding.names_at(transaction, ROOM, version)


def _between(encoding: Rows, room: int, after: int, upto: int) -> Query:
    return lambda transaction: encoding.changes_between(transaction, room, after, upto)


def _fill_events(transaction: Transaction, changes: Sequence[Change]) -> None:
    for table in _EVENTS:
        transaction.run(table)
    padding = "x" * 600
    transaction.rows(
        "INSERT INTO events (event_nid, event_id, json) VALUES :rows",
        [(each.event_nid, f"${each.event_nid:043d}", padding) for each in changes],
    )
    transaction.rows(
        "INSERT INTO state_keys (key_nid, type, state_key) VALUES :rows",
        [(key, "m.room.member", f"@user{key}:example.org") for key in sorted({each.key_nid for each in changes})],
    )


def _inserts(connection: Connection, encoding: Rows, changes: Sequence[Change]) -> float:
    """Microseconds per change, in durable transactions of a group commit's size."""
    took = []
    for batch in _batches(changes, MEASURED_BATCH):
        began = time.perf_counter()
        _record(connection, encoding, batch)
        took.append(time.perf_counter() - began)
    return statistics.median(took) / MEASURED_BATCH * 1e6


def _vacuum(dsn: dict[str, Any]) -> None:
    """What PostgreSQL does by itself after a while."""
    connection = psycopg2.connect(**dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def _bytes(transaction: Transaction, database: str) -> int:
    if database == "sqlite":
        (pages,) = transaction.all("PRAGMA page_count")[0]
        (size,) = transaction.all("PRAGMA page_size")[0]
        return int(pages) * int(size)
    return int(transaction.all("SELECT pg_database_size(current_database())")[0][0])


def _record(connection: Connection, encoding: Rows, changes: Sequence[Change]) -> None:
    _run(connection, lambda txn: encoding.record(txn, changes))


def _run(connection: Connection, function: Callable[[Transaction], T]) -> T:
    transaction = connection.begin(is_read_only=False)
    result = function(transaction)
    transaction.commit()
    return result


def _time(connection: Connection, query: Query) -> tuple[float, list[Row]]:
    """The best time in milliseconds (other programs on the machine only ever add to it), and what was found."""
    took = []
    rows: list[Row] = []
    gc.disable()
    for _ in range(REPEATS):
        began = time.perf_counter()
        rows = _run(connection, query)
        took.append(time.perf_counter() - began)
    gc.enable()
    return min(took) * 1000, rows


def _check(found: object, expected: object) -> None:
    if found != expected:
        sys.exit("a candidate gave a wrong answer")


def _batches(changes: Sequence[Change], size: int) -> Iterator[Sequence[Change]]:
    for start in range(0, len(changes), size):
        yield changes[start : start + size]
