"""SQL of the directory: aliases, published rooms, summaries."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_RESOLVE = "SELECT room_id, creator FROM room_aliases WHERE alias = :alias AND room_id <> ''"
_ALIASES = "SELECT alias FROM room_aliases WHERE room_id = :room_id ORDER BY created_ms, alias"
_POINTING = "SELECT alias FROM room_aliases WHERE room_id = :room_id AND alias IN :aliases"
_FREE_STALE = "DELETE FROM room_aliases WHERE alias = :alias AND room_id = '' AND created_ms < :stale_ms"
_RESERVE = """
    INSERT INTO room_aliases (alias, room_id, creator, created_ms) VALUES (:alias, :room_id, :creator, :now_ms)
    ON CONFLICT (alias) DO NOTHING
"""
_POINT = "UPDATE room_aliases SET room_id = :room_id WHERE alias = :alias AND room_id = ''"
_RELEASE = "DELETE FROM room_aliases WHERE alias = :alias AND room_id = ''"
_REMOVE = "DELETE FROM room_aliases WHERE alias = :alias AND room_id = :room_id"
_MOVE_ALIASES = "UPDATE room_aliases SET room_id = :new_id WHERE room_id = :old_id"
_PUBLISH = "INSERT INTO published_rooms (room_id) VALUES (:room_id) ON CONFLICT (room_id) DO NOTHING"
_UNPUBLISH = "DELETE FROM published_rooms WHERE room_id = :room_id"
_IS_PUBLISHED = "SELECT room_id FROM published_rooms WHERE room_id = :room_id"

SUMMARY_COLUMNS = (
    "name",
    "name_folded",
    "topic",
    "topic_folded",
    "canonical_alias",
    "avatar_url",
    "join_rule",
    "history_visibility",
    "guest_access",
    "room_type",
    "encryption",
)
_SET_SUMMARIES = f"""
    INSERT INTO room_summaries (room_nid, {", ".join(SUMMARY_COLUMNS)}) VALUES :rows
    ON CONFLICT (room_nid) DO UPDATE SET
    {", ".join(f"{name} = COALESCE(excluded.{name}, room_summaries.{name})" for name in SUMMARY_COLUMNS)}
"""
_CONTENTS = "SELECT event_nid, json FROM events WHERE event_nid IN :event_nids"
_REDACTED = """
    SELECT s.room_nid, e.type FROM events e
    JOIN current_state s ON s.room_nid = e.room_nid AND s.key_nid = e.key_nid AND s.event_nid = e.event_nid
    WHERE e.event_id IN :event_ids
"""

_VISIBLE = """
    FROM published_rooms p JOIN rooms r ON r.room_id = p.room_id
    JOIN room_heads h ON h.room_nid = r.room_nid JOIN room_summaries s ON s.room_nid = r.room_nid
    WHERE h.joined_members > 0
        AND (s.join_rule IN ('public', 'knock', 'knock_restricted') OR s.history_visibility = 'world_readable')
"""
_SUMMARIES = """
    SELECT r.room_id, r.room_nid, r.room_version, h.joined_members, s.name, s.topic, s.canonical_alias, s.avatar_url,
        s.join_rule, s.history_visibility, s.guest_access, s.room_type, s.encryption
    FROM rooms r JOIN room_heads h ON h.room_nid = r.room_nid JOIN room_summaries s ON s.room_nid = r.room_nid
    WHERE r.room_id IN :room_ids
"""
_COUNT = f"SELECT count(*) {_VISIBLE}"
_PAGE = f"""
    SELECT r.room_id, h.joined_members, s.name, s.topic, s.canonical_alias, s.avatar_url, s.join_rule,
        s.history_visibility, s.guest_access, s.room_type
    {_VISIBLE}
        AND (:has_any_type = 1 OR COALESCE(s.room_type, '') IN :room_types)
        AND (:pattern = '' OR s.name_folded LIKE :pattern ESCAPE '!' OR s.topic_folded LIKE :pattern ESCAPE '!'
            OR lower(s.canonical_alias) LIKE :pattern ESCAPE '!')
"""
_FORWARD = f"""{_PAGE}
        AND (h.joined_members < :members OR (h.joined_members = :members AND r.room_id > :room_id))
    ORDER BY h.joined_members DESC, r.room_id LIMIT :bound
"""
_BACKWARD = f"""{_PAGE}
        AND (h.joined_members > :members OR (h.joined_members = :members AND r.room_id < :room_id))
    ORDER BY h.joined_members, r.room_id DESC LIMIT :bound
"""


def resolve(transaction: Transaction, alias: str) -> tuple[str, str] | None:
    """(room id, who made it) of an alias."""
    row = transaction.one(_RESOLVE, alias=alias)
    return (str(row[0]), str(row[1])) if row else None


def aliases_of(transaction: Transaction, room_id: str) -> list[str]:
    """The aliases of a room, oldest first."""
    return [str(row[0]) for row in transaction.all(_ALIASES, room_id=room_id)]


def pointing(transaction: Transaction, room_id: str, aliases: Sequence[str]) -> set[str]:
    """Those of the aliases that point to the room."""
    return {str(row[0]) for row in transaction.all(_POINTING, room_id=room_id, aliases=aliases)}


def reserve(transaction: Transaction, alias: str, room_id: str, creator: str, *, now_ms: int, stale_ms: int) -> bool:
    """Take an alias; False if it is taken. Reservations from before `stale_ms` that came to nothing do not count."""
    transaction.run(_FREE_STALE, alias=alias, stale_ms=stale_ms)
    return transaction.run(_RESERVE, alias=alias, room_id=room_id, creator=creator, now_ms=now_ms) == 1


def point(transaction: Transaction, alias: str, room_id: str) -> None:
    """Let a reserved alias point to its room."""
    transaction.run(_POINT, alias=alias, room_id=room_id)


def release(transaction: Transaction, alias: str) -> None:
    """Give a reservation up."""
    transaction.run(_RELEASE, alias=alias)


def remove(transaction: Transaction, alias: str, room_id: str) -> None:
    """Remove an alias if it still points to the room."""
    transaction.run(_REMOVE, alias=alias, room_id=room_id)


def move(transaction: Transaction, old_id: str, new_id: str) -> None:
    """Give the aliases of a room, and its place in the directory, to another one."""
    transaction.run(_MOVE_ALIASES, old_id=old_id, new_id=new_id)
    if transaction.run(_UNPUBLISH, room_id=old_id):
        transaction.run(_PUBLISH, room_id=new_id)


def set_published(transaction: Transaction, room_id: str, is_public: bool) -> None:
    """Put a room into the directory or take it out."""
    transaction.run(_PUBLISH if is_public else _UNPUBLISH, room_id=room_id)


def is_published(transaction: Transaction, room_id: str) -> bool:
    """Whether a room is in the directory."""
    return transaction.one(_IS_PUBLISHED, room_id=room_id) is not None


def set_summaries(transaction: Transaction, news: Mapping[int, Mapping[str, str]]) -> None:
    """Write what changed of the rooms' summaries: room number to column to value."""
    rows = [(nid, *(changes.get(name) for name in SUMMARY_COLUMNS)) for nid, changes in news.items()]
    transaction.rows(_SET_SUMMARIES, rows)


def contents(transaction: Transaction, event_nids: Sequence[int]) -> dict[int, str]:
    """The JSON of events, by their numbers."""
    return {row[0]: row[1] for row in transaction.all(_CONTENTS, event_nids=event_nids)}


def redacted_state(transaction: Transaction, event_ids: Sequence[str]) -> list[Row]:
    """(room number, type) of those events that are current state."""
    return transaction.all(_REDACTED, event_ids=event_ids)


def public_rooms(
    transaction: Transaction,
    place: tuple[int, str],
    bound: int,
    *,
    is_backward: bool,
    pattern: str,
    room_types: Iterable[str] | None,
) -> list[Row]:
    """Published rooms after (or before) a place (members, room id), the largest first (or last), at most `bound`."""
    values: dict[str, Any] = {
        "members": place[0],
        "room_id": place[1],
        "bound": bound,
        "pattern": pattern,
        "has_any_type": int(room_types is None),
        "room_types": list(room_types or ()),
    }
    return transaction.all(_BACKWARD if is_backward else _FORWARD, **values)


def summaries(transaction: Transaction, room_ids: Sequence[str]) -> list[Row]:
    """What some rooms show of themselves, as `public_rooms.RoomSummary` holds it."""
    return transaction.all(_SUMMARIES, room_ids=list(room_ids)) if room_ids else []


def count_public_rooms(transaction: Transaction) -> int:
    """How many rooms the directory shows."""
    row = transaction.one(_COUNT)
    return int(row[0]) if row else 0
