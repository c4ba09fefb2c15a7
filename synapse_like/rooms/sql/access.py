"""SQL: the past of the two keys that decide who sees what."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_PAST = """
    SELECT t.room_nid, k.type, t.version, e.json FROM state_keys k
    JOIN state_trunk t ON t.key_nid = k.key_nid AND t.room_nid IN :room_nids
    LEFT JOIN events e ON e.event_nid = t.event_nid
    WHERE (k.type = 'm.room.history_visibility' AND k.state_key = '')
        OR (k.type = 'm.room.member' AND k.state_key = :user_id)
    ORDER BY t.room_nid, t.version
"""


def past_of_keys(transaction: Transaction, user_id: str, room_nids: Sequence[int]) -> list[Row]:
    """(room, type, version, json) of each value that history visibility and a user's membership had."""
    return transaction.all(_PAST, user_id=user_id, room_nids=room_nids) if room_nids else []
