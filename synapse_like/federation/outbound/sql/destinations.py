"""SQL: which servers do not answer, and how far each has come."""

from collections.abc import Sequence
from typing import Any, Final

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_FAILING = """
    SELECT destination, failing_since_ms, retry_last_ms, retry_interval_ms FROM destinations
    WHERE failing_since_ms IS NOT NULL
"""
_SET_BACKOFFS = """
    INSERT INTO destinations (destination, shard, failing_since_ms, retry_last_ms, retry_interval_ms) VALUES :rows
    ON CONFLICT (destination) DO UPDATE SET failing_since_ms = excluded.failing_since_ms,
        retry_last_ms = excluded.retry_last_ms, retry_interval_ms = excluded.retry_interval_ms
"""
_SET_SUCCEEDED = """
    INSERT INTO destinations (destination, shard, succeeded_ms, retry_last_ms, retry_interval_ms) VALUES :rows
    ON CONFLICT (destination) DO UPDATE SET succeeded_ms = excluded.succeeded_ms
"""
_SET_LAGS = """
    INSERT INTO destinations (destination, shard, lag, retry_last_ms, retry_interval_ms) VALUES :rows
    ON CONFLICT (destination) DO UPDATE SET lag = excluded.lag
"""
_LAGGING = "SELECT destination, lag FROM destinations WHERE shard IN :shards AND lag IS NOT NULL"
_CURSORS = "SELECT shard, positions FROM outbound_cursors WHERE shard IN :shards"
_SET_CURSORS = """
    INSERT INTO outbound_cursors (shard, positions) VALUES :rows
    ON CONFLICT (shard) DO UPDATE SET positions = excluded.positions
"""
_COLUMNS = "destination, failing_since_ms, retry_last_ms, retry_interval_ms, succeeded_ms, lag"
_ONE = f"SELECT {_COLUMNS} FROM destinations WHERE destination = :destination"
_COUNT = "SELECT count(*) FROM destinations WHERE lower(destination) LIKE :pattern ESCAPE '!'"
_ORDERS: Final = {
    "destination": "destination",
    "retry_last_ts": "retry_last_ms",
    "retry_interval": "retry_interval_ms",
    "failure_ts": "coalesce(failing_since_ms, 0)",
    "last_successful_stream_ordering": "coalesce(succeeded_ms, 0)",
}
ORDERS: Final = tuple(_ORDERS)
"""What lists of destinations can be ordered by."""
_PAGES: Final = {
    (name, direction): f"""
        SELECT {_COLUMNS} FROM destinations WHERE lower(destination) LIKE :pattern ESCAPE '!'
        ORDER BY {column} {direction}, destination {direction} LIMIT :bound OFFSET :start
    """
    for name, column in _ORDERS.items()
    for direction in ("ASC", "DESC")
}


def failing(transaction: Transaction) -> list[Row]:
    """(destination, failing since, last tried, interval) of the servers that do not answer."""
    return transaction.all(_FAILING)


def set_backoffs(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """(destination, shard, failing since or None, last tried, interval)."""
    transaction.rows(_SET_BACKOFFS, sorted(rows, key=_destination))


def save(
    transaction: Transaction,
    cursors: Sequence[tuple[int, str]],
    lags: Sequence[tuple[str, int, str | None]],
    succeeded: Sequence[tuple[str, int, int]],
) -> None:
    """Store how far shards, and servers by themselves, have come; and when servers last took something."""
    transaction.rows(_SET_CURSORS, sorted(cursors))
    transaction.rows(_SET_LAGS, sorted(((*row, 0, 0) for row in lags), key=_destination))
    transaction.rows(_SET_SUCCEEDED, sorted(((*row, 0, 0) for row in succeeded), key=_destination))


def cursors(transaction: Transaction, shards: Sequence[int]) -> dict[int, str]:
    """How far some shards have come."""
    return dict(transaction.all(_CURSORS, shards=list(shards)))


def lagging(transaction: Transaction, shards: Sequence[int]) -> list[Row]:
    """(destination, position) of the servers of some shards that lag behind."""
    return transaction.all(_LAGGING, shards=list(shards))


def one(transaction: Transaction, destination: str) -> Row | None:
    """One server: name, failing since, last tried, interval, last success, position of its own."""
    return transaction.one(_ONE, destination=destination)


def page(
    transaction: Transaction, text: str, order: str, bounds: tuple[int, int], *, is_backward: bool
) -> tuple[list[Row], int]:
    """Servers whose names contain `text`, from `bounds[0]` on, at most `bounds[1]`; and how many there are in all."""
    pattern = "%" + "".join("!" + each if each in "!%_" else each for each in text.lower()) + "%"
    start, bound = bounds
    sql = _PAGES[order, "DESC" if is_backward else "ASC"]
    rows = transaction.all(sql, pattern=pattern, start=start, bound=bound)
    counted = transaction.one(_COUNT, pattern=pattern)
    return rows, int(counted[0]) if counted else 0


def _destination(row: Sequence[Any]) -> str:
    return str(row[0])
