"""SQL: EDUs that must arrive."""

from collections.abc import Sequence
from typing import Any

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_ADD = "INSERT INTO outbound_edus (destination, id, shard, type, content) VALUES :rows"
_FIRST = """
    SELECT id, type, content FROM outbound_edus WHERE destination = :destination ORDER BY id LIMIT :bound
"""
_REMOVE = "DELETE FROM outbound_edus WHERE destination = :destination AND id IN :ids"
_PURGE = "DELETE FROM outbound_edus WHERE id < :before_id"
_WAITING = "SELECT DISTINCT destination FROM outbound_edus WHERE shard IN :shards"


def add(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """(destination, id, shard, type, content as JSON)."""
    transaction.rows(_ADD, rows)


def first(transaction: Transaction, destination: str, bound: int) -> list[Row]:
    """(id, type, content as JSON) of what waits for a server, the oldest first."""
    return transaction.all(_FIRST, destination=destination, bound=bound)


def remove(transaction: Transaction, destination: str, ids: Sequence[int]) -> None:
    """Forget what a server has acknowledged."""
    transaction.run(_REMOVE, destination=destination, ids=list(ids))


def purge(transaction: Transaction, before_id: int) -> int:
    """Forget what nobody has taken for long; how many EDUs."""
    return transaction.run(_PURGE, before_id=before_id)


def waiting(transaction: Transaction, shards: Sequence[int]) -> list[str]:
    """The servers of some shards for which something waits."""
    return [destination for (destination,) in transaction.all(_WAITING, shards=list(shards))]
