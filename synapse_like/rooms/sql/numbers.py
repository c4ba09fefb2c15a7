"""SQL: number blocks, rooms and state keys."""

from collections.abc import Sequence
from typing import Any

from synapse_like.toolkit.db import Transaction

Key = tuple[str, str]

_START_BLOCK = "INSERT INTO number_blocks (name, next) VALUES (:name, 1) ON CONFLICT (name) DO NOTHING"
_TAKE_BLOCK = "UPDATE number_blocks SET next = next + :size WHERE name = :name"
_BLOCK = "SELECT next FROM number_blocks WHERE name = :name"

_KEYS = """
    WITH wanted (type, state_key) AS (VALUES :rows)
    SELECT k.type, k.state_key, k.key_nid FROM wanted
    JOIN state_keys k ON k.type = wanted.type AND k.state_key = wanted.state_key
"""
_ADD_KEYS = """
    INSERT INTO state_keys (key_nid, type, state_key) VALUES :rows ON CONFLICT (type, state_key) DO NOTHING
    RETURNING type, state_key, key_nid
"""

_ADD_ROOM = """
    INSERT INTO rooms (room_nid, room_id, room_version, shard) VALUES (:room_nid, :room_id, :room_version, :shard)
    ON CONFLICT (room_id) DO NOTHING
"""
_ROOM = "SELECT room_nid, room_version, shard FROM rooms WHERE room_id = :room_id"


def take_block(transaction: Transaction, name: str, size: int) -> int:
    """Reserve `size` numbers; the first of them."""
    if not transaction.run(_TAKE_BLOCK, name=name, size=size):
        transaction.run(_START_BLOCK, name=name)
        transaction.run(_TAKE_BLOCK, name=name, size=size)
    row = transaction.one(_BLOCK, name=name)
    return int(row[0]) - size if row else 1


def keys(transaction: Transaction, wanted: Sequence[Key]) -> dict[Key, int]:
    """The numbers of those (type, state key) pairs that have one."""
    return {row[:2]: row[2] for row in transaction.query_rows(_KEYS, wanted)}


def add_keys(transaction: Transaction, fresh: Sequence[tuple[int, str, str]]) -> dict[Key, int]:
    """Number new pairs (others may have been first), in sorted order; the numbers that count."""
    added = {row[:2]: row[2] for row in transaction.query_rows(_ADD_KEYS, sorted(fresh, key=_by_key))}
    others = [(kind, state_key) for _, kind, state_key in fresh if (kind, state_key) not in added]
    return added | keys(transaction, others)


def add_room(transaction: Transaction, room_nid: int, room_id: str, room_version: str, shard: int) -> bool:
    """Make a room known; whether it was new."""
    return transaction.run(_ADD_ROOM, room_nid=room_nid, room_id=room_id, room_version=room_version, shard=shard) == 1


def room(transaction: Transaction, room_id: str) -> tuple[int, str, int] | None:
    """A room's number, version and shard."""
    row = transaction.one(_ROOM, room_id=room_id)
    return (row[0], row[1], row[2]) if row else None


def _by_key(row: Sequence[Any]) -> Key:
    return row[1], row[2]
