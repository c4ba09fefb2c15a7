"""SQL: the members of a room now."""

from synapse_like.rooms.sql.events import KNOWN, REDACTED
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_MEMBERS = f"""
    SELECT {KNOWN} FROM members m JOIN events e ON e.event_nid = m.event_nid {REDACTED}
    WHERE m.room_nid = :room_nid AND (:has_wanted = 0 OR m.membership = :wanted)
        AND (:has_unwanted = 0 OR m.membership <> :unwanted)
"""
_JOINED = """
    SELECT user_id, display_name, avatar_url FROM members WHERE room_nid = :room_nid AND membership = 'join'
"""


def members(transaction: Transaction, room_nid: int, wanted: str | None, unwanted: str | None) -> list[Row]:
    """The membership events with `wanted` membership (None: any), without `unwanted`; for `known_or_read`."""
    return transaction.all(
        _MEMBERS,
        room_nid=room_nid,
        has_wanted=int(wanted is not None),
        wanted=wanted or "",
        has_unwanted=int(unwanted is not None),
        unwanted=unwanted or "",
    )


def joined_profiles(transaction: Transaction, room_nid: int) -> list[Row]:
    """(user, display name, avatar) of those who have joined."""
    return transaction.all(_JOINED, room_nid=room_nid)
