"""SQL: rooms of a user, members of a room."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_ROOMS_OF = """
    SELECT r.room_id, r.room_nid, r.shard, m.membership, coalesce(e.event_id, ''), m.number, m.sender, m.is_forgotten,
        m.user_id
    FROM members m JOIN rooms r ON r.room_nid = m.room_nid LEFT JOIN events e ON e.event_nid = m.event_nid
    WHERE m.user_id IN :user_ids
"""
_MEMBERS_OF = """
    SELECT m.user_id, m.membership, e.event_id, m.display_name, m.avatar_url, m.is_local
    FROM members m JOIN events e ON e.event_nid = m.event_nid
    WHERE m.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :room_id) AND m.membership IN :memberships
"""
_JOINED_USERS = """
    SELECT user_id FROM members
    WHERE room_nid = (SELECT r.room_nid FROM rooms r JOIN room_heads h ON h.room_nid = r.room_nid
        WHERE r.room_id = :room_id) AND membership = 'join'
"""
_FORGET = """
    UPDATE members SET is_forgotten = 1
    WHERE user_id = :user_id AND room_nid = (SELECT room_nid FROM rooms WHERE room_id = :room_id)
"""


def rooms_of(transaction: Transaction, user_ids: Sequence[str]) -> list[Row]:
    """All memberships of some users, as `memberships.UserRoom` holds them, and the user."""
    return transaction.all(_ROOMS_OF, user_ids=user_ids)


def members_of(transaction: Transaction, room_id: str, memberships: Sequence[str]) -> list[Row]:
    """The members of a room with one of these memberships."""
    return transaction.all(_MEMBERS_OF, room_id=room_id, memberships=memberships)


def joined_users(transaction: Transaction, room_id: str) -> list[str]:
    """The joined members of a room that is live."""
    return [user_id for (user_id,) in transaction.all(_JOINED_USERS, room_id=room_id)]


def forget(transaction: Transaction, user_id: str, room_id: str) -> int:
    """Mark a room as forgotten by a user; 1 if there was a membership."""
    return transaction.run(_FORGET, user_id=user_id, room_id=room_id)
