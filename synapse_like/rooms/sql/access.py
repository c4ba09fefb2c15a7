"""SQL: the past of the two keys that decide who sees what.

The numbers of the keys are asked for on their own, so that no plan reads the whole past of a room to find them in it.
"""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_PAST = """
    SELECT t.room_nid, k.type, t.version, e.json FROM state_trunk t
    JOIN state_keys k ON k.key_nid = t.key_nid
    LEFT JOIN events e ON e.event_nid = t.event_nid
    WHERE t.room_nid IN :room_nids AND t.key_nid IN (
        (SELECT key_nid FROM state_keys WHERE type = 'm.room.history_visibility' AND state_key = ''),
        (SELECT key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key = :user_id))
    ORDER BY t.room_nid, t.version
"""
_CONTENTS_AT = """
    WITH asked (place, room_nid, branch, version, type, state_key) AS (VALUES :rows)
    SELECT asked.place, e.json FROM asked
    JOIN state_keys k ON k.type = asked.type AND k.state_key = asked.state_key
    LEFT JOIN state_branches f ON f.branch = asked.branch
    LEFT JOIN state_branch_rows b ON b.branch = asked.branch AND b.key_nid = k.key_nid AND b.version = (
        SELECT max(version) FROM state_branch_rows v
        WHERE v.branch = asked.branch AND v.key_nid = k.key_nid AND v.version <= asked.version)
    LEFT JOIN state_trunk t ON t.room_nid = asked.room_nid AND t.key_nid = k.key_nid AND t.version = (
        SELECT max(version) FROM state_trunk v
        WHERE v.room_nid = asked.room_nid AND v.key_nid = k.key_nid
            AND v.version <= coalesce(f.base_version, asked.version))
    JOIN events e ON e.event_nid = CASE WHEN b.key_nid IS NOT NULL THEN b.event_nid ELSE t.event_nid END
"""


def past_of_keys(transaction: Transaction, user_id: str, room_nids: Sequence[int]) -> list[Row]:
    """(room, type, version, json) of each value that history visibility and a user's membership had."""
    return transaction.all(_PAST, user_id=user_id, room_nids=room_nids) if room_nids else []


def contents_at(transaction: Transaction, asked: Sequence[Row]) -> list[Row]:
    """(place, json) of single keys of states: (place, room, branch, version, type, state key) in."""
    return transaction.query_rows(_CONTENTS_AT, asked)
