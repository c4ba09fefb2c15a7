"""The SQL of nonces for registration by shared secret."""

from replication.ports import Transaction

_ADD = "INSERT INTO registration_nonces (nonce, created_ms) VALUES (:nonce, :now_ms)"
_PURGE = "DELETE FROM registration_nonces WHERE created_ms < :before_ms"
_USE = "DELETE FROM registration_nonces WHERE nonce = :nonce AND created_ms >= :after_ms"


def add_nonce(transaction: Transaction, nonce: str, now_ms: int, before_ms: int) -> None:
    """Store a nonce, and forget those from before a time."""
    transaction.run(_PURGE, before_ms=before_ms)
    transaction.run(_ADD, nonce=nonce, now_ms=now_ms)


def use_nonce(transaction: Transaction, nonce: str, after_ms: int) -> bool:
    """Use a nonce up; False if it is unknown or too old."""
    return transaction.run(_USE, nonce=nonce, after_ms=after_ms) == 1
