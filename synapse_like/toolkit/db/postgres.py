"""PostgreSQL through psycopg2: read-only snapshots for readers, READ COMMITTED behind the fence for writers."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
import psycopg2.extensions

from synapse_like.toolkit.db.arrays import columns_of
from synapse_like.toolkit.db.errors import (
    CommitUnknown,
    DatabaseError,
    DatabaseUnavailable,
    IntegrityViolated,
    Repeatable,
    Unstorable,
)
from synapse_like.toolkit.db.prepared import Prepared, type_of
from synapse_like.toolkit.db.sqltext import (
    arrays_for_postgres,
    for_postgres,
    numbered_for_postgres,
    rows_for_postgres,
)
from synapse_like.toolkit.db.transaction import Observer, Row

# Serialisation failure, dead lock, lock timeout; the server stopped, or ended our session or transaction.
_REPEATABLE_CODES = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}
# A prepared statement that the session does not know (any more), or has already.
_OTHER_SESSION_CODES = {"26000", "42P05"}
_UNSTORABLE_CODES = {"22003", "22021", "22P05"}
_POOL_KEYS = {"cp_min", "cp_max", "cp_reconnect", "cp_noisy", "cp_openfun"}
_IDLE = psycopg2.extensions.TRANSACTION_STATUS_IDLE
_PAGE_ROWS = 1000
_KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""Who waits for an answer of a machine that is gone notices within about ten seconds."""
_WRITER_SETTINGS = (
    "-c statement_timeout=15000 -c idle_in_transaction_session_timeout=5000 -c lock_timeout=10000 -c TimeZone=UTC"
)


class PostgresEngine:
    """A PostgreSQL database, named by libpq's connection arguments."""

    name = "postgresql"
    has_one_writer = False

    def __init__(self, arguments: Mapping[str, Any], *, prepares: bool = True) -> None:
        self._prepares = prepares
        self._arguments = {key: value for key, value in arguments.items() if key not in _POOL_KEYS}
        self._arguments.setdefault("application_name", "synapse-like")
        self._arguments.setdefault("connect_timeout", 10)
        self._arguments.setdefault("tcp_user_timeout", 10_000)
        for key, value in _KEEPALIVES.items():
            self._arguments.setdefault(key, value)
        options = self._arguments.get("options", "")
        self._arguments["options"] = f"{_WRITER_SETTINGS} {options}".strip()

    def connect(self, observer: Observer) -> "PostgresConnection":
        """Open a connection."""
        try:
            raw = psycopg2.connect(**self._arguments)
        except psycopg2.Error as error:
            raise DatabaseUnavailable(f"cannot connect to PostgreSQL: {error}") from error
        raw.autocommit = True
        return PostgresConnection(raw, observer, Prepared() if self._prepares else None)

    def close(self) -> None:
        """Nothing is held besides connections."""


class PostgresConnection:
    """One psycopg2 connection in autocommit mode; we say BEGIN and COMMIT ourselves."""

    def __init__(self, raw: "psycopg2.extensions.connection", observer: Observer, prepared: Prepared | None) -> None:
        self._raw = raw
        self._observer = observer
        self._prepared = prepared

    def begin(self, *, is_read_only: bool) -> "PostgresTransaction":
        """BEGIN travels with the first statement, to save a round trip."""
        start = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; " if is_read_only else b"BEGIN; "
        return PostgresTransaction(self._raw, self._observer, self._prepared, start)

    def close(self) -> None:
        """Close; what is open is rolled back by the server."""
        try:
            self._raw.close()
        except psycopg2.Error:
            return


class PostgresTransaction:
    """Statements on one connection between BEGIN and COMMIT. `_ahead` is what travels with the next statement."""

    engine_name = PostgresEngine.name

    def __init__(
        self, raw: "psycopg2.extensions.connection", observer: Observer, prepared: Prepared | None, start: bytes
    ) -> None:
        self._raw = raw
        self._prepared = prepared
        self._cursor = raw.cursor()
        self._observer = observer
        self._ahead = start
        self._has_put = False
        self._is_open = False
        self._has_failed = False

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Every row of a query."""
        self._execute(sql, values)
        return self._cursor.fetchall()

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a query, or None."""
        self._execute(sql, values)
        return self._cursor.fetchone()

    def run(self, sql: str, /, **values: Any) -> int:
        """Run a statement; how many rows it touched."""
        self._execute(sql, values)
        return self._cursor.rowcount

    def rows(self, sql: str, rows: Sequence[Sequence[Any]], /) -> int:
        """Run a `VALUES :rows` statement for all rows, up to a thousand rows a statement."""
        touched = 0
        for start in range(0, len(rows), _PAGE_ROWS):
            self._send(sql, self._page(sql, rows[start : start + _PAGE_ROWS]))
            touched += self._cursor.rowcount
        return touched

    def put(self, sql: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Run a `VALUES :rows` statement for all rows: it travels with the next statement, or with COMMIT."""
        for start in range(0, len(rows), _PAGE_ROWS):
            self._observer(sql)
            self._ahead += self._page(sql, rows[start : start + _PAGE_ROWS]) + b"; "
            self._has_put = True

    def query_rows(self, sql: str, rows: Sequence[Sequence[Any]], /) -> list[Row]:
        """Run a `VALUES :rows` query."""
        found: list[Row] = []
        for start in range(0, len(rows), _PAGE_ROWS):
            self._send(sql, self._page(sql, rows[start : start + _PAGE_ROWS]))
            found.extend(self._cursor.fetchall())
        return found

    def commit(self) -> None:
        """COMMIT; a connection that breaks meanwhile leaves the outcome unknown."""
        if self._has_failed:
            raise DatabaseError("a statement of this transaction failed; nothing of it is kept")
        if not self._is_open and not self._has_put:
            return
        try:
            self._cursor.execute(self._ahead + b"COMMIT")
            self._took_plans()
        except psycopg2.Error as error:
            translated = _translated(error, "COMMIT")
            if self._is_outcome_unknown(error):
                raise CommitUnknown(str(error).strip()) from error
            raise translated from error

    def rollback(self) -> bool:
        """Forget everything since BEGIN; a broken connection has already forgotten."""
        if self._prepared is not None:
            self._prepared.failed()
            if not self._prepared.is_sound:
                return False
        if self._raw.info.transaction_status == _IDLE:
            return not self._raw.closed
        try:
            self._cursor.execute("ROLLBACK")
        except psycopg2.Error:
            return False
        return True

    def _is_outcome_unknown(self, error: psycopg2.Error) -> bool:
        """Whether the server fell silent, rather than say that it did not get as far as COMMIT, or rolled back there.

        A statement that travelled with COMMIT and failed leaves the transaction open and broken.
        """
        if self._raw.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR:
            return False
        return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError) and not _is_refusal(error)

    def _execute(self, sql: str, values: dict[str, Any]) -> None:
        if self._prepared is None or (numbered := numbered_for_postgres(sql)) is None:
            text, lists = for_postgres(sql)
            for name in lists:
                values[name] = list(values[name])
            self._send(sql, self._written(text, values))
            return
        text, names, lists = numbered
        ordered = [list(values[name]) if name in lists else values[name] for name in names]
        self._send(sql, self._prepared.call(text, tuple(map(type_of, ordered)), ordered, self._written))

    def _send(self, sql: str, written: bytes) -> None:
        self._observer(sql)
        try:
            self._cursor.execute(self._ahead + written)
            self._took_plans()
        except psycopg2.Error as error:
            self._has_failed = True
            raise _translated(error, sql) from error
        finally:
            if self._raw.info.transaction_status != _IDLE:
                self._is_open = True
                self._ahead = b""

    def _page(self, sql: str, rows: Sequence[Sequence[Any]]) -> bytes:
        """A statement with some rows in it."""
        try:
            columns = columns_of(rows) if self._prepared is not None else None
        except ValueError as error:
            raise self._unstorable(error) from error
        if columns is None or self._prepared is None:
            values = [value for row in rows for value in row]
            return self._written(rows_for_postgres(sql, len(rows[0]), len(rows)), values)
        types = tuple(each for each in columns[0] if each is not None)
        return self._prepared.call(arrays_for_postgres(sql, columns[0]), types, columns[1], self._written)

    def _took_plans(self) -> None:
        if self._prepared is not None:
            self._prepared.succeeded()

    def _written(self, text: str, values: Mapping[str, Any] | Sequence[Any]) -> bytes:
        """A statement with its values in it."""
        try:
            return self._cursor.mogrify(text, values)
        except ValueError as error:
            raise self._unstorable(error) from error
        except psycopg2.Error as error:
            self._has_failed = True
            raise _translated(error, text) from error

    def _unstorable(self, error: ValueError) -> Unstorable:
        self._has_failed = True
        return Unstorable(str(error))


def _is_refusal(error: psycopg2.Error) -> bool:
    """Whether the server itself said that it rolled back (class 40), rather than fell silent."""
    return error.pgcode is not None and error.pgcode.startswith("40")


def _is_stale_plan(error: psycopg2.Error) -> bool:
    """Whether the tables of a prepared statement have got other columns ("cached plan must not change result type").

    Of what is "not supported" that is told by where it is raised: messages speak the server's language.
    """
    return error.pgcode == "0A000" and error.diag.source_function == "RevalidateCachedQuery"


def _translated(error: psycopg2.Error, sql: str) -> DatabaseError:
    if isinstance(error, psycopg2.IntegrityError):
        return IntegrityViolated(str(error).strip())
    if error.pgcode in _REPEATABLE_CODES or error.pgcode in _OTHER_SESSION_CODES or _is_stale_plan(error):
        return Repeatable(str(error).strip())
    if isinstance(error, psycopg2.InterfaceError) or (
        isinstance(error, psycopg2.OperationalError) and error.pgcode is None
    ):
        return Repeatable(str(error).strip())
    if error.pgcode in _UNSTORABLE_CODES:
        return Unstorable(str(error).strip())
    return DatabaseError(f"{str(error).strip()} in: {' '.join(sql.split())[:300]}")
