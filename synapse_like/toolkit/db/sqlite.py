"""SQLite, the embedded default: WAL, full durability, one writer, an OS lock against a second server."""

import fcntl
import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from synapse_like.toolkit.db.errors import (
    DatabaseError,
    DatabaseUnavailable,
    IntegrityViolated,
    Repeatable,
    Unstorable,
)
from synapse_like.toolkit.db.sqltext import for_sqlite, rows_for_sqlite
from synapse_like.toolkit.db.transaction import Observer, Row

_MAX_VARIABLES = 30_000
_BUSY_TIMEOUT_S = 10.0
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",
    "PRAGMA mmap_size = 268435456",
)


class SqliteEngine:
    """A database file. Raises DatabaseUnavailable when another process has it."""

    name = "sqlite"
    has_one_writer = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._opening = threading.Lock()
        self._lock: IO[str] = Path(path + ".lock").open("w")  # noqa: SIM115 (held for as long as the engine lives)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise DatabaseUnavailable(
                f"{path} is in use by another server process; stop it first, or use PostgreSQL for several processes"
            ) from error

    def connect(self, observer: Observer) -> "SqliteConnection":
        """Open a connection with the pragmas that durability and speed ask for."""
        try:
            raw = sqlite3.connect(
                self._path,
                timeout=_BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
            with self._opening:  # two at once cannot both turn a new file to WAL, however long they wait
                for pragma in _PRAGMAS:
                    raw.execute(pragma)
        except sqlite3.OperationalError as error:
            raise DatabaseUnavailable(f"cannot open {self._path}: {error}") from error
        return SqliteConnection(raw, observer)

    def close(self) -> None:
        """Let go of the lock file."""
        self._lock.close()


class SqliteConnection:
    """One sqlite3 connection in autocommit mode; we say BEGIN and COMMIT ourselves."""

    def __init__(self, raw: sqlite3.Connection, observer: Observer) -> None:
        self._raw = raw
        self._observer = observer
        self._is_read_only: bool | None = None

    def begin(self, *, is_read_only: bool) -> "SqliteTransaction":
        """A deferred transaction is a snapshot from its first read; a writer takes the write lock at once."""
        try:
            if is_read_only is not self._is_read_only:
                self._raw.execute(f"PRAGMA query_only = {int(is_read_only)}")
                self._is_read_only = is_read_only
            self._raw.execute("BEGIN" if is_read_only else "BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Repeatable(str(error)) from error
        return SqliteTransaction(self._raw, self._observer)

    def close(self) -> None:
        """Close; what is open is rolled back."""
        self._raw.close()


class SqliteTransaction:
    """Statements on one connection between BEGIN and COMMIT."""

    engine_name = SqliteEngine.name

    def __init__(self, raw: sqlite3.Connection, observer: Observer) -> None:
        self._raw = raw
        self._observer = observer
        self._has_failed = False

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Every row of a query."""
        return self._execute(sql, values).fetchall()

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a query, or None."""
        row: Row | None = self._execute(sql, values).fetchone()
        return row

    def run(self, sql: str, /, **values: Any) -> int:
        """Run a statement; how many rows it touched."""
        before = self._raw.total_changes
        self._execute(sql, values)
        return self._raw.total_changes - before

    def rows(self, sql: str, rows: Sequence[Sequence[Any]], /) -> int:
        """Run a `VALUES :rows` statement for all rows."""
        before = self._raw.total_changes
        for part in _parts(rows):
            self._execute_rows(sql, part)
        return self._raw.total_changes - before

    def put(self, sql: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Run a `VALUES :rows` statement for all rows: nothing has to travel here."""
        for part in _parts(rows):
            self._execute_rows(sql, part)

    def query_rows(self, sql: str, rows: Sequence[Sequence[Any]], /) -> list[Row]:
        """Run a `VALUES :rows` query."""
        return [row for part in _parts(rows) for row in self._execute_rows(sql, part).fetchall()]

    def commit(self) -> None:
        """COMMIT, synchronously on disk when it returns."""
        if self._has_failed:
            raise DatabaseError("a statement of this transaction failed; nothing of it is kept")
        try:
            self._raw.execute("COMMIT")
        except sqlite3.Error as error:
            raise _translated(error, "COMMIT") from error

    def rollback(self) -> bool:
        """Forget everything since BEGIN."""
        try:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
        except sqlite3.Error:
            return False
        return True

    def _execute(self, sql: str, values: dict[str, Any]) -> sqlite3.Cursor:
        text, lists = for_sqlite(sql)
        for name in lists:
            values[name] = json.dumps(list(values[name]))
        return self._send(sql, text, values)

    def _execute_rows(self, sql: str, rows: Sequence[Sequence[Any]]) -> sqlite3.Cursor:
        text = rows_for_sqlite(sql, len(rows[0]), len(rows))
        return self._send(sql, text, [value for row in rows for value in row])

    def _send(self, sql: str, text: str, values: Mapping[str, Any] | Sequence[Any]) -> sqlite3.Cursor:
        self._observer(sql)
        try:
            return self._raw.execute(text, values)
        except sqlite3.Error as error:
            self._has_failed = True
            raise _translated(error, sql) from error
        except (ValueError, OverflowError) as error:
            self._has_failed = True
            raise Unstorable(str(error)) from error


def _parts(rows: Sequence[Sequence[Any]]) -> list[Sequence[Sequence[Any]]]:
    if not rows:
        return []
    size = _MAX_VARIABLES // len(rows[0])
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _translated(error: sqlite3.Error, sql: str) -> DatabaseError:
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityViolated(str(error))
    if isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error)):
        return Repeatable(str(error))
    return DatabaseError(f"{error} in: {' '.join(sql.split())[:300]}")
