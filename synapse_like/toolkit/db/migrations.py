"""Migrations: numbered SQL files per feature, forward only, run by one process under a lock.

A file `schema/NNN_what.sql` holds statements ended by `;` at a line's end. The table `migrations` remembers what ran.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from synapse_like.toolkit.db.transaction import Transaction

logger = logging.getLogger(__name__)

_FILE = re.compile(r"(\d{3})_\w+\.sql")
_CREATE = (
    "CREATE TABLE IF NOT EXISTS migrations"
    " (feature TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (feature, number))"
)
_LOCK = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    "SELECT pg_advisory_xact_lock(7204136)",
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: which feature, its number, its statements."""

    feature: str
    number: int
    statements: tuple[str, ...]


def migrations_in(package: str) -> list[Migration]:
    """The migrations in `package`'s folder `schema`, in order; none if there is no such folder."""
    folder = files(package).joinpath("schema")
    if not folder.is_dir():
        return []
    found = []
    for entry in folder.iterdir():
        if match := _FILE.fullmatch(entry.name):
            found.append(Migration(package, int(match.group(1)), _statements(entry.read_text())))
    return sorted(found, key=lambda migration: migration.number)


def migrate(transaction: Transaction, engine_name: str, migrations: Sequence[Migration]) -> int:
    """Run those of `migrations` that have not run, in the order given; how many ran."""
    if engine_name == "postgresql":
        for statement in _LOCK:
            transaction.run(statement)
    transaction.run(_CREATE)
    done = set(transaction.all("SELECT feature, number FROM migrations"))
    pending = [migration for migration in migrations if (migration.feature, migration.number) not in done]
    for migration in pending:
        logger.info("migrating the database: %s %03d", migration.feature, migration.number)
        for statement in migration.statements:
            transaction.run(statement)
        transaction.run(
            "INSERT INTO migrations (feature, number) VALUES (:feature, :number)",
            feature=migration.feature,
            number=migration.number,
        )
    return len(pending)


def _statements(text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return tuple(_nonempty("\n".join(lines).split(";\n")))


def _nonempty(parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        if statement := part.strip().rstrip(";").strip():
            yield statement
