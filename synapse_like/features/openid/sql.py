"""SQL: OpenID tokens, by their hashes."""

from synapse_like.toolkit.db import Transaction

_ADD = "INSERT INTO openid_tokens (token_hash, user_id, expires_ms) VALUES (:token_hash, :user_id, :expires_ms)"
_OWNER = "SELECT user_id FROM openid_tokens WHERE token_hash = :token_hash AND expires_ms > :now_ms"
_EXPIRE = "DELETE FROM openid_tokens WHERE expires_ms <= :now_ms"
_REVOKE = "DELETE FROM openid_tokens WHERE user_id = :user_id"


def add(transaction: Transaction, token_hash: str, user_id: str, expires_ms: int) -> None:
    """Store a token."""
    transaction.run(_ADD, token_hash=token_hash, user_id=user_id, expires_ms=expires_ms)


def owner(transaction: Transaction, token_hash: str, now_ms: int) -> str | None:
    """Whose token it is, if it is still good."""
    row = transaction.one(_OWNER, token_hash=token_hash, now_ms=now_ms)
    return str(row[0]) if row else None


def remove_expired(transaction: Transaction, now_ms: int) -> int:
    """Remove tokens that are not good any more; how many."""
    return transaction.run(_EXPIRE, now_ms=now_ms)


def remove_of(transaction: Transaction, user_id: str) -> int:
    """Remove all tokens of a user; how many."""
    return transaction.run(_REVOKE, user_id=user_id)
