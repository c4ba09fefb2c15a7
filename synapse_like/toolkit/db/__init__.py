"""The database: engines, transactions, lanes, migrations.

SQLite is the embedded default for one process, PostgreSQL is for everything else; both speak one SQL text (`sqltext`).
What a table holds is not known here: SQL of a subject lives in that subject's `sql.py`.
"""

from synapse_like.toolkit.db.database import Database
from synapse_like.toolkit.db.engines import open_engine
from synapse_like.toolkit.db.errors import (
    CommitUnknown,
    DatabaseError,
    DatabaseUnavailable,
    IntegrityViolated,
    Unstorable,
)
from synapse_like.toolkit.db.migrations import Migration, migrate, migrations_in
from synapse_like.toolkit.db.transaction import Transaction

__all__ = [
    "CommitUnknown",
    "Database",
    "DatabaseError",
    "DatabaseUnavailable",
    "IntegrityViolated",
    "Migration",
    "Transaction",
    "Unstorable",
    "migrate",
    "migrations_in",
    "open_engine",
]
