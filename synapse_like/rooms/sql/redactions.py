"""SQL: redactions that came before what they redact, and so wait for it."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_WAIT = """
    INSERT INTO waiting_redactions (room_nid, redacted_id, redaction_id) VALUES :rows
    ON CONFLICT (room_nid, redacted_id, redaction_id) DO NOTHING
"""
_WAITING = """
    SELECT redacted_id, redaction_id FROM waiting_redactions
    WHERE room_nid = :room_nid AND redacted_id IN :event_ids
"""
_APPLY = """
    INSERT INTO redactions (room_nid, redacted_id, redaction_nid, number) VALUES :rows
    ON CONFLICT (room_nid, redacted_id) DO NOTHING
"""


def wait(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Remember redactions of what is not known yet: (room, redacted event, redaction)."""
    transaction.rows(_WAIT, rows)


def waiting(transaction: Transaction, room_nid: int, event_ids: Sequence[str]) -> list[Row]:
    """(redacted event, redaction) of those that wait for these events."""
    return transaction.all(_WAITING, room_nid=room_nid, event_ids=event_ids)


def apply(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Let redactions take effect: (room, redacted event, number in the table, number); the first one counts."""
    transaction.rows(_APPLY, rows)
