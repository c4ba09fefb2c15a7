"""The SQL of changed lists of devices: whose changed, and who has to hear of it."""

from collections.abc import Iterable, Sequence

import orjson

from replication.ports import Row, Transaction

_STORE_CHANGES = """
    INSERT INTO device_list_changes (user_id, device_id, number, is_deleted, changed_ms) VALUES :rows
    ON CONFLICT (user_id, device_id) DO UPDATE
    SET number = excluded.number, is_deleted = excluded.is_deleted, changed_ms = excluded.changed_ms
"""
_CHANGES_BETWEEN = """
    SELECT user_id, device_id, number, is_deleted, changed_ms FROM device_list_changes
    WHERE number > :after AND number <= :upto ORDER BY number
"""
_VERSIONS = """
    SELECT user_id, max(number) FROM device_list_changes WHERE user_id IN :user_ids GROUP BY user_id
"""
_PURGE = """
    DELETE FROM device_list_changes WHERE is_deleted = 1 AND changed_ms < :before_ms AND number <
        (SELECT max(newest.number) FROM device_list_changes newest WHERE newest.user_id = device_list_changes.user_id)
"""
_STORE_SIGNED = """
    INSERT INTO signed_users (user_id, signed_user_id, number) VALUES :rows
    ON CONFLICT (user_id, signed_user_id) DO UPDATE SET number = excluded.number
"""
_SIGNED_BETWEEN = """
    SELECT user_id, signed_user_id, number FROM signed_users
    WHERE number > :after AND number <= :upto ORDER BY number
"""
_SIGNED_SINCE = "SELECT signed_user_id FROM signed_users WHERE user_id = :user_id AND number > :after"
_JOINED_ROOMS = """
    SELECT m.user_id, r.room_id FROM members m JOIN rooms r ON r.room_nid = m.room_nid
    WHERE m.user_id IN :user_ids AND m.membership = 'join'
"""
_CHANGED_SHARERS = """
    WITH asked (after_number, upto_number, user_id) AS (VALUES :rows)
    SELECT c.user_id FROM asked JOIN device_list_changes c
        ON c.number > asked.after_number AND c.number <= asked.upto_number
    WHERE c.user_id = asked.user_id OR EXISTS (
        SELECT 1 FROM members theirs JOIN members mine ON mine.room_nid = theirs.room_nid
        WHERE theirs.user_id = c.user_id AND theirs.membership = 'join'
            AND mine.user_id = asked.user_id AND mine.membership = 'join'
    )
"""
_MEMBERS_CHANGED = """
    WITH asked (room_nid, after_number) AS (VALUES :rows)
    SELECT m.user_id, m.membership, e.json
    FROM (
        SELECT DISTINCT asked.room_nid, asked.after_number, t.key_nid
        FROM asked JOIN state_trunk t ON t.room_nid = asked.room_nid AND t.number > asked.after_number
    ) moved
    JOIN members m ON m.room_nid = moved.room_nid AND m.user_nid = moved.key_nid
    LEFT JOIN state_trunk old ON old.room_nid = moved.room_nid AND old.key_nid = moved.key_nid
        AND old.version = (SELECT max(v.version) FROM state_trunk v WHERE v.room_nid = moved.room_nid
            AND v.key_nid = moved.key_nid AND v.number <= moved.after_number)
    LEFT JOIN events e ON e.event_nid = old.event_nid
"""
_MET = """
    SELECT m.user_id FROM members m WHERE m.room_nid IN :room_nids AND m.membership = 'join'
"""
_SMALL_OR_ENCRYPTED = """
    SELECT h.room_nid FROM room_heads h WHERE h.room_nid IN :room_nids AND (h.joined_members <= :few OR EXISTS (
        SELECT 1 FROM current_state s JOIN state_keys k ON k.key_nid = s.key_nid
        WHERE s.room_nid = h.room_nid AND s.is_member = 0 AND k.type = 'm.room.encryption' AND k.state_key = ''
    ))
"""
_LEFT_BEHIND = """
    WITH asked (room_nid, number) AS (VALUES :rows)
    SELECT m.user_id FROM asked JOIN members m ON m.room_nid = asked.room_nid
    WHERE (m.membership = 'join' AND m.number <= asked.number) OR (m.number > asked.number AND EXISTS (
        SELECT 1 FROM state_trunk t WHERE t.room_nid = m.room_nid AND t.key_nid = m.user_nid
            AND t.number <= asked.number))
"""
_SHARERS = """
    SELECT DISTINCT theirs.user_id FROM members theirs JOIN members mine ON mine.room_nid = theirs.room_nid
    WHERE theirs.user_id IN :user_ids AND theirs.membership = 'join'
        AND mine.user_id = :user_id AND mine.membership = 'join'
"""
_ALL_SHARERS = """
    SELECT DISTINCT theirs.user_id FROM members mine JOIN members theirs ON theirs.room_nid = mine.room_nid
    WHERE mine.user_id = :user_id AND mine.membership = 'join' AND theirs.membership = 'join'
"""


def store_changes(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Write the newest change of each device."""
    transaction.put(_STORE_CHANGES, rows)


def changes_between(transaction: Transaction, after: int, upto: int) -> list[Row]:
    """(user, device, number, is deleted, time) of what changed last in a part of a log."""
    return transaction.all(_CHANGES_BETWEEN, after=after, upto=upto)


def versions(transaction: Transaction, user_ids: Sequence[str]) -> dict[str, int]:
    """The number of the newest change of each of these users who has one."""
    return dict(transaction.all(_VERSIONS, user_ids=user_ids)) if user_ids else {}


def purge(transaction: Transaction, before_ms: int) -> int:
    """Forget devices that ended long ago, but for each user's newest change; how many."""
    return transaction.run(_PURGE, before_ms=before_ms)


def store_signed(transaction: Transaction, rows: Sequence[Row]) -> None:
    """Note who has signed whom."""
    transaction.put(_STORE_SIGNED, rows)


def signed_between(transaction: Transaction, after: int, upto: int) -> list[Row]:
    """(user, signed user, number) in a part of a log."""
    return transaction.all(_SIGNED_BETWEEN, after=after, upto=upto)


def signed_since(transaction: Transaction, user_id: str, after: int) -> list[str]:
    """Whom a user has signed after a number."""
    return [row[0] for row in transaction.all(_SIGNED_SINCE, user_id=user_id, after=after)]


def joined_rooms(transaction: Transaction, user_ids: Sequence[str]) -> dict[str, list[str]]:
    """The rooms that users have joined."""
    found: dict[str, list[str]] = {}
    for user_id, room_id in transaction.all(_JOINED_ROOMS, user_ids=user_ids) if user_ids else ():
        found.setdefault(user_id, []).append(room_id)
    return found


def changed_sharers(transaction: Transaction, user_id: str, spans: Sequence[tuple[int, int]]) -> set[str]:
    """Those who share a room with the user, and the user, whose lists changed in one of the spans of numbers."""
    return {row[0] for row in transaction.query_rows(_CHANGED_SHARERS, [(*span, user_id) for span in spans])}


def members_changed(transaction: Transaction, rooms: Sequence[tuple[int, int]]) -> list[tuple[str, str, str | None]]:
    """(user, membership, membership before) of those whose membership moved after a number: (room, number) in."""
    found = []
    for user_id, membership, text in transaction.query_rows(_MEMBERS_CHANGED, rooms):
        before = orjson.loads(text)["content"].get("membership") if text is not None else None
        found.append((user_id, membership, before))
    return found


def small_or_encrypted(transaction: Transaction, room_nids: Sequence[int], few: int) -> list[int]:
    """Those of the rooms that are encrypted or have few members."""
    return [row[0] for row in transaction.all(_SMALL_OR_ENCRYPTED, room_nids=room_nids, few=few)] if room_nids else []


def members(transaction: Transaction, room_nids: Sequence[int]) -> set[str]:
    """Who has joined one of these rooms."""
    return {row[0] for row in transaction.all(_MET, room_nids=room_nids)} if room_nids else set()


def left_behind(transaction: Transaction, rooms: Sequence[tuple[int, int]]) -> set[str]:
    """Those who were in rooms that somebody has left: (room, number at which they were together) in."""
    return {row[0] for row in transaction.query_rows(_LEFT_BEHIND, rooms)}


def sharers(transaction: Transaction, user_id: str, user_ids: Iterable[str]) -> set[str]:
    """Those of the users who share a room with the user."""
    asked = sorted(user_ids)
    rows = transaction.all(_SHARERS, user_id=user_id, user_ids=asked) if asked else []
    return {row[0] for row in rows}


def all_sharers(transaction: Transaction, user_id: str) -> set[str]:
    """Everybody who shares a room with the user."""
    return {row[0] for row in transaction.all(_ALL_SHARERS, user_id=user_id)}
