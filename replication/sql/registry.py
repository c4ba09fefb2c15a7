"""The SQL of the registry of processes."""

from typing import Any

from replication.ports import Transaction

_REGISTER = """
    INSERT INTO workers (name, kind, address, version, started_ms, beat_until_ms, is_draining, is_struck)
    VALUES (:name, :kind, :address, :version, :started_ms, {now_ms} + :lease_ms, 0, 0)
    ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, address = excluded.address, version = excluded.version,
        started_ms = excluded.started_ms, beat_until_ms = excluded.beat_until_ms, is_draining = 0, is_struck = 0
"""

_BEAT = """
    UPDATE workers SET beat_until_ms = {now_ms} + :lease_ms, is_draining = :is_draining
    WHERE name = :name AND started_ms = :started_ms AND is_struck = 0
"""

_LIVE = """
    SELECT name, kind, address, version, started_ms, is_draining FROM workers
    WHERE beat_until_ms >= {now_ms} AND is_struck = 0 ORDER BY name
"""

_BELIEVING = """
    SELECT name, kind, address, version, started_ms, is_draining, is_struck, beat_until_ms - {now_ms} FROM workers
    WHERE beat_until_ms >= {now_ms} ORDER BY name
"""

_STRIKE = "UPDATE workers SET is_struck = 1 WHERE name = :name AND started_ms = :started_ms"

_LEFT = "SELECT beat_until_ms - {now_ms} FROM workers WHERE name = :name AND started_ms = :started_ms"

_LEAVE = "DELETE FROM workers WHERE name = :name AND started_ms = :started_ms"

_SWEEP = "DELETE FROM workers WHERE beat_until_ms < {now_ms} - :kept_ms"


def register(transaction: Transaction, lease_ms: int, **worker: Any) -> None:
    """Make a process known, in place of one of the same name."""
    transaction.run(_REGISTER, lease_ms=lease_ms, **worker)


def beat(transaction: Transaction, name: str, started_ms: int, lease_ms: int, *, is_draining: bool) -> bool:
    """Say that a process lives; False if it was struck out or replaced by another of its name."""
    return bool(
        transaction.run(_BEAT, name=name, started_ms=started_ms, lease_ms=lease_ms, is_draining=int(is_draining))
    )


def live(transaction: Transaction) -> list[tuple[Any, ...]]:
    """(name, kind, address, version, started_ms, is_draining) of the processes that have beaten lately."""
    return transaction.all(_LIVE)


def believing(transaction: Transaction) -> list[tuple[Any, ...]]:
    """As `live`, with those that were struck out but may not know it; then is_struck, and how long that may last."""
    return transaction.all(_BELIEVING)


def strike(transaction: Transaction, name: str, started_ms: int) -> int:
    """Strike a process out, as one that is not to be trusted; how many ms it may take to notice, 0 if it has left."""
    transaction.run(_STRIKE, name=name, started_ms=started_ms)
    row = transaction.one(_LEFT, name=name, started_ms=started_ms)
    return max(0, int(row[0])) if row else 0


def leave(transaction: Transaction, name: str, started_ms: int) -> None:
    """Take out a process that has left."""
    transaction.run(_LEAVE, name=name, started_ms=started_ms)


def sweep(transaction: Transaction, kept_ms: int) -> None:
    """Forget processes that have been silent for long."""
    transaction.run(_SWEEP, kept_ms=kept_ms)
