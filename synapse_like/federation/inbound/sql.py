"""SQL of receiving: staged events, answered transactions, versions of rooms."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_STAGE = """
    INSERT INTO federation_staged (room_id, event_id, origin, shard, received_ms, tries, json) VALUES :rows
    ON CONFLICT (room_id, event_id) DO NOTHING
"""
_STAGED = """
    SELECT room_id, event_id, origin, shard, received_ms, tries, json FROM federation_staged
    WHERE shard IN :shards ORDER BY received_ms
"""
_UNSTAGE = "DELETE FROM federation_staged WHERE room_id = :room_id AND event_id IN :event_ids"
_TRIED = "UPDATE federation_staged SET tries = tries + 1 WHERE room_id = :room_id AND event_id IN :event_ids"
_ANSWER = """
    SELECT answer FROM federation_transactions WHERE origin = :origin AND transaction_id = :transaction_id
"""
_ANSWERED = """
    INSERT INTO federation_transactions (origin, transaction_id, received_ms, answer) VALUES :rows
    ON CONFLICT (origin, transaction_id) DO NOTHING
"""
_FORGET = "DELETE FROM federation_transactions WHERE received_ms < :before_ms"
_VERSIONS = "SELECT room_id, room_version FROM rooms WHERE room_id IN :room_ids"


def stage(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Keep events that wait: (room, event, origin, shard, received, tries, json)."""
    transaction.rows(_STAGE, rows)


def staged(transaction: Transaction, shards: Sequence[int]) -> list[Row]:
    """What waits in the rooms of some shards, oldest first."""
    return transaction.all(_STAGED, shards=shards)


def unstage(transaction: Transaction, room_id: str, event_ids: Sequence[str]) -> None:
    """Forget events that wait no more."""
    transaction.run(_UNSTAGE, room_id=room_id, event_ids=event_ids)


def tried(transaction: Transaction, room_id: str, event_ids: Sequence[str]) -> None:
    """Count an attempt."""
    transaction.run(_TRIED, room_id=room_id, event_ids=event_ids)


def answer(transaction: Transaction, origin: str, transaction_id: str) -> str | None:
    """What was answered to a transaction."""
    row = transaction.one(_ANSWER, origin=origin, transaction_id=transaction_id)
    return str(row[0]) if row else None


def answered(transaction: Transaction, origin: str, transaction_id: str, received_ms: int, text: str) -> None:
    """Remember what is answered to a transaction."""
    transaction.rows(_ANSWERED, [(origin, transaction_id, received_ms, text)])


def forget_answers(transaction: Transaction, before_ms: int) -> None:
    """Forget old answers."""
    transaction.run(_FORGET, before_ms=before_ms)


def versions(transaction: Transaction, room_ids: Sequence[str]) -> dict[str, str]:
    """The versions of those of the rooms that are known."""
    return dict(transaction.all(_VERSIONS, room_ids=room_ids))
