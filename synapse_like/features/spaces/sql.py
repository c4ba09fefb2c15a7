"""The SQL of spaces: the state events that make one, and which servers are in which rooms."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction

_STATE = """
    SELECT e.event_id FROM current_state s JOIN state_keys k ON k.key_nid = s.key_nid
    JOIN events e ON e.event_nid = s.event_nid
    WHERE s.room_nid IN :room_nids AND s.is_member = 0 AND k.type IN :types
"""
_ENTERED = """
    SELECT DISTINCT r.room_id FROM rooms r JOIN members m ON m.room_nid = r.room_nid
    WHERE r.room_id IN :room_ids AND m.membership IN :memberships
        AND m.user_id LIKE :pattern AND m.user_id NOT LIKE :other_pattern
"""


_ENTERED_BY = """
    SELECT r.room_id FROM rooms r JOIN members m ON m.room_nid = r.room_nid
    WHERE m.user_id = :user_id AND m.membership IN :memberships AND r.room_id IN :room_ids
"""


def entered_by(transaction: Transaction, user_id: str, room_ids: Sequence[str], memberships: Sequence[str]) -> set[str]:
    """Those of the rooms in which a user has one of these memberships."""
    values = {"room_ids": list(room_ids), "memberships": list(memberships), "user_id": user_id}
    return {room_id for (room_id,) in transaction.all(_ENTERED_BY, **values)} if room_ids else set()


def state_ids(transaction: Transaction, room_nids: Sequence[int], types: Sequence[str]) -> list[str]:
    """The ids of the current state events of some types in some rooms."""
    rows = transaction.all(_STATE, room_nids=list(room_nids), types=list(types)) if room_nids else []
    return [event_id for (event_id,) in rows]


def entered(transaction: Transaction, server: str, room_ids: Sequence[str], memberships: Sequence[str]) -> set[str]:
    """Those of the rooms in which a user of a server (not of one that only ends so) has one of these memberships."""
    values = {
        "room_ids": list(room_ids),
        "memberships": list(memberships),
        "pattern": f"@%:{server}",
        "other_pattern": f"@%:%:{server}",
    }
    return {room_id for (room_id,) in transaction.all(_ENTERED, **values)} if room_ids else set()
