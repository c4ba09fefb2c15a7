"""SQL: stored filters."""

from synapse_like.toolkit.db import Transaction

_ADD = """
    INSERT INTO filters (user_id, filter_id, json) VALUES (:user_id, :filter_id, :json)
    ON CONFLICT (user_id, filter_id) DO NOTHING
"""
_GET = "SELECT json FROM filters WHERE user_id = :user_id AND filter_id = :filter_id"
_COUNT = "SELECT count(*) FROM filters WHERE user_id = :user_id"


def add(transaction: Transaction, user_id: str, filter_id: str, json: str) -> None:
    """Store a filter, unless it is there."""
    transaction.run(_ADD, user_id=user_id, filter_id=filter_id, json=json)


def get(transaction: Transaction, user_id: str, filter_id: str) -> str | None:
    """A filter's JSON."""
    row = transaction.one(_GET, user_id=user_id, filter_id=filter_id)
    return str(row[0]) if row else None


def count(transaction: Transaction, user_id: str) -> int:
    """How many filters a user has stored."""
    row = transaction.one(_COUNT, user_id=user_id)
    return int(row[0]) if row else 0
