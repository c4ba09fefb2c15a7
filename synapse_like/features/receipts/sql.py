"""SQL: receipts. Rows have the columns of the table, in its order."""

from collections.abc import Sequence
from typing import cast

from replication.ports import Transaction

Stored = tuple[int, str, str, str, str, str, int, int, int, int]

_COLUMNS = "room_nid, user_id, type, thread, room_id, event_id, depth, event_number, at_ms, number"
_STORE = f"""
    INSERT INTO receipts ({_COLUMNS}) VALUES :rows
    ON CONFLICT (room_nid, user_id, type, thread) DO UPDATE SET event_id = excluded.event_id, depth = excluded.depth,
        event_number = excluded.event_number, at_ms = excluded.at_ms, number = excluded.number
"""
_BETWEEN = f"SELECT {_COLUMNS} FROM receipts WHERE number > :after AND number <= :upto ORDER BY number"
_OF_USER = f"SELECT {_COLUMNS} FROM receipts WHERE room_nid = :room_nid AND user_id = :user_id"
_OF_USERS = f"SELECT {_COLUMNS} FROM receipts WHERE room_nid = :room_nid AND user_id IN :user_ids"
_SINCE = f"""
    WITH asked (asked_nid, after_number) AS (VALUES :rows)
    SELECT {_COLUMNS} FROM asked JOIN receipts ON room_nid = asked_nid AND number > after_number ORDER BY number
"""


def store(transaction: Transaction, rows: Sequence[Stored]) -> None:
    """Store what is newest of each room, user, type and thread."""
    newest = {row[:4]: row for row in rows}
    transaction.rows(_STORE, list(newest.values()))


def between(transaction: Transaction, after: int, upto: int) -> list[Stored]:
    """The rows with numbers above `after` up to `upto`."""
    return cast(list[Stored], transaction.all(_BETWEEN, after=after, upto=upto))


def of_user(transaction: Transaction, room_nid: int, user_id: str) -> list[Stored]:
    """The receipts of a user in a room."""
    return cast(list[Stored], transaction.all(_OF_USER, room_nid=room_nid, user_id=user_id))


def of_users(transaction: Transaction, room_nid: int, user_ids: Sequence[str]) -> list[Stored]:
    """The receipts of some users in a room."""
    return cast(list[Stored], transaction.all(_OF_USERS, room_nid=room_nid, user_ids=list(user_ids)))


def since(transaction: Transaction, asked: Sequence[tuple[int, int]]) -> list[Stored]:
    """The receipts of several rooms, each after a number: (room, after) in."""
    return cast(list[Stored], transaction.query_rows(_SINCE, asked))
