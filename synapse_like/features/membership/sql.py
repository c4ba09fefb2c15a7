"""SQL of membership: forgetting rooms. Everything else about members is written with their events."""

from synapse_like.toolkit.db import Transaction

_FORGET = """
    UPDATE members SET is_forgotten = 1
    WHERE user_id = :user_id AND membership IN ('leave', 'ban')
        AND room_nid = (SELECT room_nid FROM rooms WHERE room_id = :room_id)
"""


def forget(transaction: Transaction, user_id: str, room_id: str) -> bool:
    """Mark a room that the user has left as forgotten; False if the user has not left it."""
    return transaction.run(_FORGET, user_id=user_id, room_id=room_id) == 1
