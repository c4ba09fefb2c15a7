"""SQL: profiles, and the intents to tell rooms of them."""

from collections.abc import Sequence
from typing import cast

from replication.ports import Transaction

Stored = tuple[str, int, str | None, str | None, str, int]
"""(user id, number, display name, avatar, fields as JSON, is gone)"""
RoomName = tuple[str, str | None, str | None]
"""(room id, display name, avatar)"""

_STORE = """
    INSERT INTO profiles (user_id, number, display_name, avatar_url, fields, is_gone) VALUES :rows
    ON CONFLICT (user_id) DO UPDATE SET number = excluded.number, display_name = excluded.display_name,
        avatar_url = excluded.avatar_url, fields = excluded.fields, is_gone = excluded.is_gone
"""
_INTEND = """
    INSERT INTO profile_intents (user_id, number) VALUES :rows
    ON CONFLICT (user_id) DO UPDATE SET number = excluded.number
"""
_BETWEEN = """
    SELECT user_id, number, display_name, avatar_url, fields, is_gone FROM profiles
    WHERE number > :after AND number <= :upto ORDER BY number
"""
_OF_USERS = """
    SELECT user_id, number, display_name, avatar_url, fields, is_gone FROM profiles WHERE user_id IN :user_ids
"""
_INTENT = """
    SELECT i.number, p.display_name, p.avatar_url
    FROM profile_intents i JOIN profiles p ON p.user_id = i.user_id
    WHERE i.user_id = :user_id
"""
_INTENDING = "SELECT user_id FROM profile_intents ORDER BY user_id"
_FULFILLED = "DELETE FROM profile_intents WHERE user_id = :user_id AND number = :number"
_JOINED = """
    SELECT r.room_id, m.display_name, m.avatar_url
    FROM members m JOIN rooms r ON r.room_nid = m.room_nid
    WHERE m.user_id = :user_id AND m.membership = 'join'
    ORDER BY r.room_id
"""


def store(transaction: Transaction, rows: Sequence[Stored]) -> None:
    """Store the newest profile of each user."""
    transaction.rows(_STORE, list({row[0]: row for row in rows}.values()))


def intend(transaction: Transaction, rows: Sequence[tuple[str, int]]) -> None:
    """Note that the rooms of these users are to be told of the change with this number."""
    transaction.rows(_INTEND, list({row[0]: row for row in rows}.values()))


def between(transaction: Transaction, after: int, upto: int) -> list[Stored]:
    """The rows with numbers above `after` up to `upto`."""
    return cast(list[Stored], transaction.all(_BETWEEN, after=after, upto=upto))


def of_users(transaction: Transaction, user_ids: Sequence[str]) -> list[Stored]:
    """The profiles of those users who have one."""
    return cast(list[Stored], transaction.all(_OF_USERS, user_ids=user_ids))


def intent(transaction: Transaction, user_id: str) -> tuple[int, str | None, str | None] | None:
    """(number, display name, avatar) of what the user's rooms have yet to be told."""
    return cast(tuple[int, str | None, str | None] | None, transaction.one(_INTENT, user_id=user_id))


def intending(transaction: Transaction) -> list[str]:
    """The users whose rooms have yet to be told something."""
    return [row[0] for row in transaction.all(_INTENDING)]


def fulfilled(transaction: Transaction, user_id: str, number: int) -> None:
    """Note that all rooms have been told, unless there is a newer change."""
    transaction.run(_FULFILLED, user_id=user_id, number=number)


def names_in_rooms(transaction: Transaction, user_id: str) -> list[RoomName]:
    """How the user is called in the rooms that they have joined."""
    return cast(list[RoomName], transaction.all(_JOINED, user_id=user_id))
