"""SQL: which servers are in which rooms, and what happened there that a server has missed."""

from collections.abc import Sequence

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_ADD_SERVERS = """
    INSERT INTO room_servers (room_nid, server) VALUES :rows ON CONFLICT (room_nid, server) DO NOTHING
"""
_JOINED = """
    SELECT r.room_id, m.room_nid, m.user_id FROM rooms r JOIN members m ON m.room_nid = r.room_nid
    WHERE r.room_id IN :room_ids AND m.membership = 'join' AND m.is_local = 0
"""
_NUMBERS = "SELECT room_id, room_nid, shard FROM rooms WHERE room_id IN :room_ids"
_CHANGED = """
    WITH asked (room_nid, after_number) AS (VALUES :rows)
    SELECT DISTINCT asked.room_nid FROM asked
    JOIN state_trunk t ON t.room_nid = asked.room_nid AND t.number > asked.after_number
    JOIN state_keys k ON k.key_nid = t.key_nid WHERE k.type = 'm.room.member'
"""
_ROOMS_OF = """
    SELECT r.room_nid, r.room_id, r.shard, h.number FROM room_servers s JOIN rooms r ON r.room_nid = s.room_nid
    JOIN room_heads h ON h.room_nid = r.room_nid WHERE s.server = :server
"""
_SHARED_WITH = """
    SELECT r.room_id, h.number FROM room_servers s JOIN rooms r ON r.room_nid = s.room_nid
    JOIN room_heads h ON h.room_nid = r.room_nid
    WHERE s.server = :server AND EXISTS (
        SELECT 1 FROM members m WHERE m.room_nid = s.room_nid AND m.membership = 'join' AND m.is_local = 0
            AND m.user_id LIKE :pattern AND m.user_id NOT LIKE :other_pattern
    )
"""
_LOCAL_MEMBERS = """
    SELECT DISTINCT m.user_id FROM room_servers s JOIN members m ON m.room_nid = s.room_nid
    WHERE s.server = :server AND m.membership = 'join' AND m.is_local = 1
"""
_MEMBERS_OF_SERVER = """
    SELECT m.room_nid, m.user_id, m.membership, m.number FROM members m
    WHERE m.room_nid IN :room_nids AND m.is_local = 0 AND m.user_id LIKE :pattern
"""


def add_servers(transaction: Transaction, rows: Sequence[tuple[int, str]]) -> None:
    """Note that servers have joined rooms."""
    transaction.rows(_ADD_SERVERS, sorted(rows))


def joined(transaction: Transaction, room_ids: Sequence[str]) -> list[Row]:
    """(room id, room, user id) of the members from other servers."""
    return transaction.all(_JOINED, room_ids=list(room_ids))


def numbers(transaction: Transaction, room_ids: Sequence[str]) -> list[Row]:
    """(room id, room, shard)."""
    return transaction.all(_NUMBERS, room_ids=list(room_ids))


def changed_after(transaction: Transaction, asked: Sequence[tuple[int, int]]) -> set[int]:
    """Those of (room, number) in which a membership has changed after the number."""
    return {room_nid for (room_nid,) in transaction.query_rows(_CHANGED, asked)}


def rooms_of(transaction: Transaction, server: str) -> list[Row]:
    """(room, room id, shard, number of the newest event) of the rooms in which a server is or was."""
    return transaction.all(_ROOMS_OF, server=server)


def shared_with(transaction: Transaction, server: str) -> list[Row]:
    """(room id, number of the newest event) of the rooms in which a server is."""
    return transaction.all(_SHARED_WITH, server=server, pattern=f"@%:{server}", other_pattern=f"@%:%:{server}")


def local_members(transaction: Transaction, server: str) -> list[str]:
    """The local users who are in rooms in which a server is or was."""
    return [user_id for (user_id,) in transaction.all(_LOCAL_MEMBERS, server=server)]


def members_of_server(transaction: Transaction, server: str, room_nids: Sequence[int]) -> list[Row]:
    """(room, user id, membership, number) of the users of a server in some rooms (others may come along)."""
    return transaction.all(_MEMBERS_OF_SERVER, room_nids=list(room_nids), pattern=f"%:{server}")
