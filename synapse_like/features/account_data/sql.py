"""SQL: account data. Rows are (user id, room id or empty, type, number, content as JSON, is deleted)."""

from collections.abc import Sequence
from typing import cast

from replication.ports import Transaction

Stored = tuple[str, str, str, int, str, int]
Shown = tuple[str, str, str, int]
"""(room id or empty, type, content as JSON, is deleted)"""

_STORE = """
    INSERT INTO account_data (user_id, room_id, type, number, content, is_deleted) VALUES :rows
    ON CONFLICT (user_id, room_id, type) DO UPDATE
    SET number = excluded.number, content = excluded.content, is_deleted = excluded.is_deleted
"""
_BETWEEN = """
    SELECT user_id, room_id, type, number, content, is_deleted FROM account_data
    WHERE number > :after AND number <= :upto ORDER BY number
"""
_ONE = """
    SELECT number, content FROM account_data
    WHERE user_id = :user_id AND room_id = :room_id AND type = :type AND is_deleted = 0
"""
_OF_TYPE = """
    SELECT user_id, number, content FROM account_data
    WHERE user_id IN :user_ids AND room_id = '' AND type = :type
"""
_ALL = "SELECT room_id, type, content, is_deleted FROM account_data WHERE user_id = :user_id AND is_deleted = 0"
_SINCE = """
    SELECT room_id, type, content, is_deleted FROM account_data
    WHERE user_id = :user_id AND number > :after
    UNION
    SELECT room_id, type, content, is_deleted FROM account_data
    WHERE user_id = :user_id AND room_id IN :fresh_rooms AND is_deleted = 0
"""


def store(transaction: Transaction, rows: Sequence[Stored]) -> None:
    """Store what is newest of each user, room and type."""
    newest = {row[:3]: row for row in rows}
    transaction.rows(_STORE, list(newest.values()))


def between(transaction: Transaction, after: int, upto: int) -> list[Stored]:
    """The rows with numbers above `after` up to `upto`."""
    return cast(list[Stored], transaction.all(_BETWEEN, after=after, upto=upto))


def content(transaction: Transaction, user_id: str, room_id: str, kind: str) -> str | None:
    """The stored JSON of one type."""
    row = transaction.one(_ONE, user_id=user_id, room_id=room_id, type=kind)
    return str(row[1]) if row else None


def of_type(transaction: Transaction, user_ids: Sequence[str], kind: str) -> list[tuple[str, int, str]]:
    """(user, number, JSON) of one global type, of those users who have or had it."""
    if not user_ids:
        return []
    rows = transaction.all(_OF_TYPE, user_ids=user_ids, type=kind)
    return [(user_id, int(number), str(text)) for user_id, number, text in rows]


def everything(transaction: Transaction, user_id: str) -> list[Shown]:
    """All data of a user."""
    return cast(list[Shown], transaction.all(_ALL, user_id=user_id))


def since(transaction: Transaction, user_id: str, after: int, fresh_rooms: Sequence[str]) -> list[Shown]:
    """What has changed after a number, and all there is in `fresh_rooms`."""
    return cast(list[Shown], transaction.all(_SINCE, user_id=user_id, after=after, fresh_rooms=fresh_rooms))
