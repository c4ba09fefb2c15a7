"""The SQL of user-interactive authentication."""

from typing import NamedTuple

from replication.ports import Transaction

_ADD = """
    INSERT INTO uia_sessions (session_id, operation, user_id, flows, result, created_ms)
    VALUES (:session_id, :operation, :user_id, :flows, NULL, :created_ms)
    ON CONFLICT (session_id) DO NOTHING
"""

_GET = """
    SELECT session_id, operation, user_id, flows, result, created_ms FROM uia_sessions WHERE session_id = :session_id
"""

_STAGES = "SELECT stage, outcome FROM uia_stages WHERE session_id = :session_id"

_COMPLETE = """
    INSERT INTO uia_stages (session_id, stage, outcome) VALUES (:session_id, :stage, :outcome)
    ON CONFLICT (session_id, stage) DO UPDATE SET outcome = excluded.outcome
"""

_REMEMBER = "UPDATE uia_sessions SET result = :result WHERE session_id = :session_id"

_END_STAGES = "DELETE FROM uia_stages WHERE session_id = :session_id"

_END = "DELETE FROM uia_sessions WHERE session_id = :session_id"

_PURGE_STAGES = """
    DELETE FROM uia_stages WHERE session_id IN (SELECT session_id FROM uia_sessions WHERE created_ms < :before_ms)
"""

_PURGE = "DELETE FROM uia_sessions WHERE created_ms < :before_ms"


class SessionRow(NamedTuple):
    """A stored session; `flows` is JSON."""

    session_id: str
    operation: str
    user_id: str | None
    flows: str
    result: str | None
    created_ms: int


def add(transaction: Transaction, row: SessionRow) -> None:
    """Store a new session."""
    transaction.run(
        _ADD,
        session_id=row.session_id,
        operation=row.operation,
        user_id=row.user_id,
        flows=row.flows,
        created_ms=row.created_ms,
    )


def get(transaction: Transaction, session_id: str) -> tuple[SessionRow, dict[str, str]] | None:
    """A session and the outcomes of its completed stages."""
    row = transaction.one(_GET, session_id=session_id)
    if row is None:
        return None
    return SessionRow(*row), dict(transaction.all(_STAGES, session_id=session_id))


def complete(transaction: Transaction, session_id: str, stage: str, outcome: str) -> None:
    """Note that a stage was completed."""
    transaction.run(_COMPLETE, session_id=session_id, stage=stage, outcome=outcome)


def remember(transaction: Transaction, session_id: str, result: str) -> None:
    """Note what the operation gave."""
    transaction.run(_REMEMBER, session_id=session_id, result=result)


def end(transaction: Transaction, session_id: str) -> None:
    """Forget a session."""
    transaction.run(_END_STAGES, session_id=session_id)
    transaction.run(_END, session_id=session_id)


def purge(transaction: Transaction, before_ms: int) -> None:
    """Forget sessions that began before a time."""
    transaction.run(_PURGE_STAGES, before_ms=before_ms)
    transaction.run(_PURGE, before_ms=before_ms)
