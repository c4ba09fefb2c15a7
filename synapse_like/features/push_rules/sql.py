"""SQL: the push rules of users who have changed something."""

from collections.abc import Sequence

from replication.ports import Transaction

Stored = tuple[str, int, str]
"""(user id, number, rules as JSON)"""

_STORE = """
    INSERT INTO push_rules (user_id, number, rules) VALUES :rows
    ON CONFLICT (user_id) DO UPDATE SET number = excluded.number, rules = excluded.rules
"""
_BETWEEN = """
    SELECT user_id, number, rules FROM push_rules WHERE number > :after AND number <= :upto ORDER BY number
"""
_OF_USER = "SELECT user_id, number, rules FROM push_rules WHERE user_id = :user_id"
_OF_USERS = "SELECT user_id, number, rules FROM push_rules WHERE user_id IN :user_ids"


def store(transaction: Transaction, rows: Sequence[Stored]) -> None:
    """Store the newest rules of each user."""
    newest = {row[0]: row for row in rows}
    transaction.rows(_STORE, list(newest.values()))


def between(transaction: Transaction, after: int, upto: int) -> list[Stored]:
    """The rows with numbers above `after` up to `upto`."""
    return [(user_id, number, rules) for user_id, number, rules in transaction.all(_BETWEEN, after=after, upto=upto)]


def of_user(transaction: Transaction, user_id: str) -> Stored | None:
    """The rules of a user; None for one who never changed any."""
    row = transaction.one(_OF_USER, user_id=user_id)
    return None if row is None else (row[0], row[1], row[2])


def of_users(transaction: Transaction, user_ids: Sequence[str]) -> list[Stored]:
    """The rules of those users who have changed any; one query."""
    if not user_ids:
        return []
    return [(user_id, number, rules) for user_id, number, rules in transaction.all(_OF_USERS, user_ids=user_ids)]
