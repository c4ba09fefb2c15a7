"""SQL of /sync: what several rooms' state is, or was, for one response. Each question is asked once for all rooms."""

from collections.abc import Sequence

from synapse_like.rooms.sql.events import COLUMNS
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_JOINS = """JOIN rooms r ON r.room_nid = e.room_nid
    LEFT JOIN redactions x ON x.room_nid = e.room_nid AND x.redacted_id = e.event_id"""

_CURRENT = f"""
    SELECT {COLUMNS} FROM current_state s JOIN events e ON e.event_nid = s.event_nid {_JOINS}
    WHERE s.room_nid IN :room_nids
"""
_CURRENT_WITHOUT_MEMBERS = f"""
    SELECT {COLUMNS} FROM current_state s JOIN events e ON e.event_nid = s.event_nid {_JOINS}
    WHERE s.room_nid IN :room_nids AND s.is_member = 0
"""
_MEMBERS = f"""
    WITH asked (room_nid, user_id) AS (VALUES :rows)
    SELECT {COLUMNS} FROM asked JOIN members m ON m.room_nid = asked.room_nid AND m.user_id = asked.user_id
    JOIN events e ON e.event_nid = m.event_nid {_JOINS}
"""
_STATE_AT = f"""
    WITH asked (room_nid, number) AS (VALUES :rows)
    SELECT {COLUMNS} FROM asked JOIN (
        SELECT a.room_nid, t.key_nid, max(t.version) AS version FROM asked a
        JOIN state_trunk t ON t.room_nid = a.room_nid AND t.number <= a.number GROUP BY a.room_nid, t.key_nid
    ) newest ON newest.room_nid = asked.room_nid
    JOIN state_trunk t ON t.room_nid = newest.room_nid AND t.key_nid = newest.key_nid AND t.version = newest.version
    JOIN events e ON e.event_nid = t.event_nid {_JOINS}
"""
_MEMBERSHIP_AT = """
    WITH asked (room_nid, user_id, number) AS (VALUES :rows)
    SELECT asked.room_nid, e.json FROM asked
    JOIN state_keys k ON k.type = 'm.room.member' AND k.state_key = asked.user_id
    JOIN state_trunk t ON t.room_nid = asked.room_nid
        AND t.key_nid = k.key_nid AND t.version = (SELECT max(v.version) FROM state_trunk v
            WHERE v.room_nid = asked.room_nid AND v.key_nid = k.key_nid AND v.number <= asked.number)
    JOIN events e ON e.event_nid = t.event_nid
"""
_HEADS = "SELECT room_nid, number, joined_members, invited_members FROM room_heads WHERE room_nid IN :room_nids"
_HEROES = """
    SELECT room_nid, user_id, membership FROM (
        SELECT m.room_nid, m.user_id, m.membership, row_number() OVER (PARTITION BY m.room_nid ORDER BY
            CASE WHEN m.membership IN ('join', 'invite') THEN 0 ELSE 1 END, m.number) AS place
        FROM members m WHERE m.room_nid IN :room_nids AND m.user_id <> :user_id
            AND m.membership IN ('join', 'invite', 'leave', 'ban')
    ) ranked WHERE place <= 5 ORDER BY room_nid, place
"""
_NAMED = """
    SELECT s.room_nid FROM current_state s JOIN state_keys k ON k.key_nid = s.key_nid
    WHERE s.room_nid IN :room_nids AND s.is_member = 0
        AND k.type IN ('m.room.name', 'm.room.canonical_alias') AND k.state_key = ''
"""
_CHANGED_ROOMS = """
    WITH asked (room_nid, after_number) AS (VALUES :rows)
    SELECT asked.room_nid FROM asked JOIN room_heads h ON h.room_nid = asked.room_nid
    WHERE h.number > asked.after_number
"""


def current_state(transaction: Transaction, room_nids: Sequence[int], *, has_members: bool) -> list[Row]:
    """The current state of several rooms, with or without membership."""
    if not room_nids:
        return []
    return transaction.all(_CURRENT if has_members else _CURRENT_WITHOUT_MEMBERS, room_nids=room_nids)


def members(transaction: Transaction, asked: Sequence[tuple[int, str]]) -> list[Row]:
    """The current membership events of (room, user) pairs."""
    return transaction.query_rows(_MEMBERS, asked)


def state_at(transaction: Transaction, asked: Sequence[tuple[int, int]]) -> list[Row]:
    """The state of several rooms, each at a number of its log."""
    return transaction.query_rows(_STATE_AT, asked)


def memberships_at(transaction: Transaction, user_id: str, asked: Sequence[tuple[int, int]]) -> dict[int, str]:
    """The JSON of a user's membership event in each room as of a number: (room, number) in, by room."""
    return dict(transaction.query_rows(_MEMBERSHIP_AT, [(nid, user_id, number) for nid, number in asked]))


def heads(transaction: Transaction, room_nids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """The last number of a room's log, how many have joined and how many are invited, by room."""
    rows = transaction.all(_HEADS, room_nids=room_nids) if room_nids else []
    return {nid: (number, joined, invited) for nid, number, joined, invited in rows}


def heroes(transaction: Transaction, room_nids: Sequence[int], user_id: str) -> dict[int, list[tuple[str, str]]]:
    """Up to five other members, (user, membership), those who are there first; by room."""
    found: dict[int, list[tuple[str, str]]] = {}
    if room_nids:
        for nid, hero, membership in transaction.all(_HEROES, room_nids=room_nids, user_id=user_id):
            found.setdefault(nid, []).append((hero, membership))
    return found


def named_rooms(transaction: Transaction, room_nids: Sequence[int]) -> set[int]:
    """Those of the rooms that have a name or a canonical alias: they need no heroes."""
    return {row[0] for row in transaction.all(_NAMED, room_nids=room_nids)} if room_nids else set()


def changed_rooms(transaction: Transaction, asked: Sequence[tuple[int, int]]) -> set[int]:
    """Those of the rooms whose log has events after a number."""
    return {row[0] for row in transaction.query_rows(_CHANGED_ROOMS, asked)}
