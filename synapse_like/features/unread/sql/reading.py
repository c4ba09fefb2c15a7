"""SQL: a member's place in rooms, read: as many queries for one room as for a thousand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from synapse_like.features.unread.counting import (
    ALL_THREADS,
    Correction,
    ModeChange,
    Point,
    Standing,
    StoredMode,
)
from synapse_like.toolkit.db import Transaction

_AFTER_MARK = """
    JOIN unread_marks m ON m.user_id = :user_id AND m.room_nid = x.room_nid AND m.thread = ''
    WHERE m.room_nid IN :room_nids AND x.number > m.number
"""
_STANDINGS = f"""
    SELECT 'now' AS what, room_nid, '' AS thread, number, notified, highlighted, 0 AS mode
    FROM room_heads WHERE room_nid IN :room_nids
    UNION ALL SELECT 'mark', room_nid, thread, number, notified, highlighted, 0
    FROM unread_marks WHERE user_id = :user_id AND room_nid IN :room_nids
    UNION ALL SELECT 'mode', room_nid, '', number, notified, highlighted, mode
    FROM unread_modes WHERE user_id = :user_id AND room_nid IN :room_nids
    UNION ALL SELECT 'thread', x.room_nid, x.thread, 0, x.notified, x.highlighted, 0 FROM unread_threads x {_AFTER_MARK}
    UNION ALL SELECT 'deviation', d.room_nid, d.thread, 0, sum(d.notify), sum(d.highlight), 0
    FROM unread_deviations d
    LEFT JOIN unread_marks a ON a.user_id = d.user_id AND a.room_nid = d.room_nid AND a.thread = ''
    LEFT JOIN unread_marks t ON t.user_id = d.user_id AND t.room_nid = d.room_nid AND t.thread = d.thread
    WHERE d.user_id = :user_id AND d.room_nid IN :room_nids
        AND d.number > coalesce(a.number, 0) AND d.number > coalesce(t.number, 0)
    GROUP BY d.room_nid, d.thread
    UNION ALL SELECT 'correction', x.room_nid, x.thread, x.number, x.notify, x.highlight, 0
    FROM unread_corrections x {_AFTER_MARK}
    ORDER BY 2, 4
"""
_PROBES = """
    WITH asked (room_nid, thread, number) AS (VALUES :rows)
    SELECT asked.room_nid, asked.thread, asked.number, e.notified, e.highlighted FROM asked
    JOIN events e ON e.room_nid = asked.room_nid AND e.number = (
        SELECT max(n.number) FROM events n WHERE n.room_nid = asked.room_nid AND n.thread = asked.thread
            AND n.number <= asked.number AND n.number > 0 AND n.kind = 0)
"""
_CHANGED = """
    WITH asked (user_id, room_nid, after_number) AS (VALUES :rows)
    SELECT m.room_nid FROM asked JOIN unread_marks m
        ON m.user_id = asked.user_id AND m.room_nid = asked.room_nid AND m.changed > asked.after_number
    UNION
    SELECT h.room_nid FROM asked JOIN room_heads h ON h.room_nid = asked.room_nid AND h.number > asked.after_number
"""
_LIVELIEST = """
    SELECT h.room_nid, h.joined_members, m.display_name FROM room_heads h
    JOIN members m ON m.room_nid = h.room_nid AND m.user_id = :user_id
    WHERE h.room_nid IN :room_nids ORDER BY h.received_ms DESC LIMIT :bound
"""
_STATE = """
    SELECT s.room_nid, k.type, e.event_id FROM state_keys k
    JOIN current_state s ON s.key_nid = k.key_nid JOIN events e ON e.event_nid = s.event_nid
    WHERE k.type IN ('m.room.create', 'm.room.power_levels') AND k.state_key = '' AND s.room_nid IN :room_nids
"""


@dataclass(slots=True)
class Head:
    """A room as it is now: members, the user's display name there, the ids of what power levels follow from."""

    joined_members: int
    display_name: str | None
    state: dict[str, str] = field(default_factory=dict)


def standings(transaction: Transaction, user_id: str, room_nids: Sequence[int]) -> dict[int, Standing]:
    """A user's place in rooms, by the rooms' numbers; one query, or two where threads have to be looked up."""
    found = {nid: Standing() for nid in room_nids}
    if not found:
        return found
    rows = transaction.all(_STANDINGS, user_id=user_id, room_nids=room_nids)
    for what, nid, thread, number, notified, highlighted, mode in rows:
        standing, counts = found[nid], (int(notified), int(highlighted))
        match what:
            case "now":
                standing.now = counts
            case "mark":
                standing.marks[thread] = Point(number, counts)
            case "mode":
                standing.modes.append(ModeChange(Point(number, counts), StoredMode(mode)))
            case "thread":
                standing.threads[thread] = counts
            case "deviation":
                standing.deviations[thread] = counts
            case "correction":
                standing.corrections.append(Correction(number, thread, counts))
    _probe(transaction, found)
    return found


def _probe(transaction: Transaction, found: dict[int, Standing]) -> None:
    """Look up where threads stood at the places that matter; one query, if any."""
    asked = {(nid, *place) for nid, s in found.items() if ALL_THREADS in s.marks for place in s.missing()}
    for nid, thread, number, notified, highlighted in transaction.query_rows(_PROBES, sorted(asked)):
        found[nid].probed[thread, number] = notified, highlighted


def changed(transaction: Transaction, user_id: str, asked: Sequence[tuple[int, int]]) -> set[int]:
    """Those of the rooms in which the user has read something, or anything happened: (room, after number) in."""
    return {nid for (nid,) in transaction.query_rows(_CHANGED, [(user_id, *room) for room in asked])}


def liveliest(transaction: Transaction, user_id: str, room_nids: Sequence[int], bound: int) -> dict[int, Head]:
    """Those of a user's rooms in which something happened last; two queries."""
    if not room_nids:
        return {}
    rows = transaction.all(_LIVELIEST, user_id=user_id, room_nids=room_nids, bound=bound)
    heads = {nid: Head(joined_members, display_name) for nid, joined_members, display_name in rows}
    for nid, kind, event_id in transaction.all(_STATE, room_nids=list(heads)):
        heads[nid].state[kind] = event_id
    return heads
