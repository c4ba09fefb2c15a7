"""``python -m workers shards``: who lives, who owns what, and how far each log goes, as the database says now."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from replication.registry import Worker, live_workers
from replication.sql.shards import owners
from synapse_like.toolkit.config import ConfigErrors
from synapse_like.toolkit.config.server import DatabaseConfig
from synapse_like.toolkit.db import Transaction, open_engine
from synapse_like.toolkit.db.errors import DatabaseError
from workers.settings import load_settings

Row = tuple[str, int, str, int, int]


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the word."""
    command = commands.add_parser(
        "shards",
        help="print which processes live and which shards they own",
        description="Print the processes that live, and for each family of shards who owns which, with epochs and "
        "positions, as the database of the running server says.",
    )
    command.add_argument("-c", "--config", action="append", required=True, metavar="FILE", help="homeserver.yaml")
    command.set_defaults(run=_run)


def lines(workers: Sequence[Worker], rows: Sequence[Row]) -> Iterator[str]:
    """What is printed: processes first, then shards."""
    yield f"{'process':<28} {'kind':<20} {'calls':<24} version"
    for worker in workers:
        leaving = "  leaving" if worker.is_draining else ""
        yield f"{worker.name:<28} {worker.kind:<20} {worker.address:<24} {worker.version}{leaving}"
    yield ""
    yield f"{'family':<12} {'shard':>5} {'epoch':>6} {'position':>12}  owner"
    for family, shard, owner, epoch, position in rows:
        yield f"{family:<12} {shard:>5} {epoch:>6} {position:>12}  {owner or '(nobody)'}"


def _run(chosen: argparse.Namespace) -> int:
    try:
        database = load_settings(chosen.config)[DatabaseConfig].database
        if database.name == "sqlite3":
            print("SQLite is for a single process, which owns everything.", file=sys.stderr)
            return 2
        print("\n".join(lines(*_look(database.name, database.arguments))))
    except (ConfigErrors, DatabaseError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _look(name: str, arguments: dict[str, object]) -> tuple[list[Worker], list[Row]]:
    engine = open_engine(name, arguments)
    connection = engine.connect(lambda _: None)
    try:
        transaction: Transaction = connection.begin(is_read_only=True)
        found = live_workers(transaction), owners(transaction)
        transaction.rollback()  # type: ignore[attr-defined]
        return found
    finally:
        connection.close()
        engine.close()
