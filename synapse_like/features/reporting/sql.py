"""SQL of reports: one table, written and never changed."""

from synapse_like.toolkit.db import Transaction

_ADD = """
    INSERT INTO reports (report_id, kind, received_ms, reporter, room_id, event_id, user_id, reason, score)
    VALUES (:report_id, :kind, :received_ms, :reporter, :room_id, :event_id, :user_id, :reason, :score)
"""


def add(transaction: Transaction, report_id: int, received_ms: int, values: dict[str, str | int | None]) -> None:
    """Store a report; `values` hold the other columns."""
    transaction.run(_ADD, report_id=report_id, received_ms=received_ms, **values)
