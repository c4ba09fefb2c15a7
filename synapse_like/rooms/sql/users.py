"""SQL: the shard of a user."""

from synapse_like.toolkit.db import Transaction

_SHARD = "SELECT shard FROM user_shards WHERE user_id = :user_id"
_PICK = "INSERT INTO user_shards (user_id, shard) VALUES (:user_id, :shard) ON CONFLICT (user_id) DO NOTHING"


def user_shard(transaction: Transaction, user_id: str, fresh: int) -> int:
    """The stored shard of a user; `fresh` is stored if there is none."""
    row = transaction.one(_SHARD, user_id=user_id)
    if row is not None:
        return int(row[0])
    transaction.run(_PICK, user_id=user_id, shard=fresh)
    row = transaction.one(_SHARD, user_id=user_id)
    return int(row[0]) if row else fresh
