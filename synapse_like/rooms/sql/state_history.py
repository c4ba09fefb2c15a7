"""SQL: the state of a room now, or at a version of its trunk or of a branch. Each question is one query.

The past is found by the newest row of each key; what is current has a table of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_like.rooms.sql.events import KNOWN, REDACTED
from synapse_like.rooms.sql.timeline import JOINS, WHOLE
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_NOW = """
    WITH state AS (
        SELECT s.key_nid, s.event_nid FROM current_state s WHERE s.room_nid = :room_nid
            AND ((s.is_member = 0 AND :has_others = 1) OR (s.is_member = 1 AND :has_members = 1)
                OR s.key_nid IN (SELECT key_nid FROM state_keys WHERE type = 'm.room.member' AND state_key IN :users))
    )
"""
_THEN = """
    WITH own AS (SELECT b.key_nid, max(b.version) AS version FROM state_branch_rows b
        WHERE b.branch = :branch AND b.version <= :version GROUP BY b.key_nid),
    trunk AS (SELECT t.key_nid, max(t.version) AS version FROM state_trunk t
        WHERE t.room_nid = :room_nid AND t.number <= :upto AND t.version <= coalesce(
            (SELECT base_version FROM state_branches WHERE branch = :branch), :version) GROUP BY t.key_nid),
    state AS (
        SELECT t.key_nid, t.event_nid FROM trunk JOIN state_trunk t
            ON t.room_nid = :room_nid AND t.key_nid = trunk.key_nid AND t.version = trunk.version
            WHERE trunk.key_nid NOT IN (SELECT key_nid FROM own)
        UNION ALL
        SELECT b.key_nid, b.event_nid FROM own
            JOIN state_branch_rows b ON b.branch = :branch AND b.key_nid = own.key_nid AND b.version = own.version
    )
"""
_PART = """
    WHERE (k.type <> 'm.room.member' AND :has_others = 1)
        OR (k.type = 'm.room.member' AND (:has_members = 1 OR k.state_key IN :users))
"""
_NAMED = f"""
    SELECT k.type, k.state_key, e.event_id FROM state
    JOIN state_keys k ON k.key_nid = state.key_nid JOIN events e ON e.event_nid = state.event_nid {_PART}
"""
_KNOWN = f"""
    SELECT {KNOWN} FROM state
    JOIN state_keys k ON k.key_nid = state.key_nid JOIN events e ON e.event_nid = state.event_nid {REDACTED} {_PART}
"""
_IDS = {True: _NOW + _NAMED, False: _THEN + _NAMED}
_EVENTS = {True: _NOW + _KNOWN, False: _THEN + _KNOWN}
_KEYS = f"""
    WITH asked (room_nid, branch, version, type, state_key) AS (VALUES :rows)
    SELECT {WHOLE} FROM asked
    JOIN state_keys k ON k.type = asked.type AND k.state_key = asked.state_key
    LEFT JOIN state_branches f ON f.branch = asked.branch
    LEFT JOIN state_branch_rows b ON b.branch = asked.branch AND b.key_nid = k.key_nid AND b.version = (
        SELECT max(version) FROM state_branch_rows v
        WHERE v.branch = asked.branch AND v.key_nid = k.key_nid AND v.version <= asked.version)
    LEFT JOIN state_trunk t ON t.room_nid = asked.room_nid AND t.key_nid = k.key_nid AND t.version = (
        SELECT max(version) FROM state_trunk v
        WHERE v.room_nid = asked.room_nid AND v.key_nid = k.key_nid
            AND v.version <= coalesce(f.base_version, asked.version))
    JOIN events e ON e.event_nid = CASE WHEN b.key_nid IS NOT NULL THEN b.event_nid ELSE t.event_nid END {JOINS}
"""
_MEMBERSHIP = {
    "postgresql": "CAST(e.json AS json) -> 'content' ->> 'membership'",
    "sqlite": "json_extract(e.json, '$.content.membership')",
}
_JOINED = {
    engine: {
        is_now: f"""{start} SELECT k.state_key FROM state
            JOIN state_keys k ON k.key_nid = state.key_nid AND k.type = 'm.room.member'
            JOIN events e ON e.event_nid = state.event_nid WHERE {membership} = 'join'"""
        for is_now, start in ((True, _NOW), (False, _THEN))
    }
    for engine, membership in _MEMBERSHIP.items()
}
_OF_SERVER = {
    is_now: start
    + """ SELECT k.state_key, e.json FROM state
        JOIN state_keys k ON k.key_nid = state.key_nid AND k.type = 'm.room.member'
            AND k.state_key LIKE :pattern ESCAPE '\\'
        JOIN events e ON e.event_nid = state.event_nid"""
    for is_now, start in ((True, _NOW), (False, _THEN))
}
_BETWEEN = """
    SELECT k.type, k.state_key, was.event_id, became.event_id FROM (
        SELECT DISTINCT t.key_nid FROM state_trunk t
        WHERE t.room_nid = :room_nid AND t.version > :low AND t.version <= :high
    ) changed
    JOIN state_keys k ON k.key_nid = changed.key_nid
    LEFT JOIN events was ON was.event_nid = (SELECT t.event_nid FROM state_trunk t WHERE t.room_nid = :room_nid
        AND t.key_nid = changed.key_nid AND t.version <= :low ORDER BY t.version DESC LIMIT 1)
    LEFT JOIN events became ON became.event_nid = (SELECT t.event_nid FROM state_trunk t WHERE t.room_nid = :room_nid
        AND t.key_nid = changed.key_nid AND t.version <= :high ORDER BY t.version DESC LIMIT 1)
"""

ANY_NUMBER = 2**62
NEWEST_VERSION = 2**62
"""A version of the trunk that is never reached: the state now."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which keys of a state are wanted: `users` are those whose membership is wanted if not everybody's is."""

    has_others: bool = True
    has_members: bool = True
    users: Sequence[str] = ()


_MEMBERS_ALONE = Part(has_others=False)


@dataclass(frozen=True, slots=True)
class Point:
    """A state of a room. `upto` bounds a version of the trunk by the number at which it came into force."""

    room_nid: int
    branch: int
    version: int
    upto: int = ANY_NUMBER

    @property
    def is_now(self) -> bool:
        """Whether this is the current state."""
        return self.branch == 0 and self.version >= NEWEST_VERSION and self.upto >= ANY_NUMBER


def ids(transaction: Transaction, point: Point, part: Part) -> list[Row]:
    """(type, state key, event id) of a state."""
    return transaction.all(_IDS[point.is_now], **_values(point, part))


def events(transaction: Transaction, point: Point, part: Part) -> list[Row]:
    """The events of a state, as `event_store.known_or_read` takes them."""
    return transaction.all(_EVENTS[point.is_now], **_values(point, part))


def members_of_server(transaction: Transaction, point: Point, server_name: str) -> list[Row]:
    """(user, JSON of the membership event) of the users of one server in a state."""
    pattern = "%:" + server_name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return transaction.all(_OF_SERVER[point.is_now], pattern=pattern, **_values(point, _MEMBERS_ALONE))


def joined(transaction: Transaction, point: Point) -> list[str]:
    """The joined members in a state."""
    text = _JOINED[transaction.engine_name][point.is_now]
    return [user_id for (user_id,) in transaction.all(text, **_values(point, _MEMBERS_ALONE))]


def events_of_keys(transaction: Transaction, point: Point, keys: Sequence[tuple[str, str]]) -> list[Row]:
    """The events of some keys of a state; `upto` is not looked at."""
    return transaction.query_rows(_KEYS, [(point.room_nid, point.branch, point.version, *key) for key in keys])


def between(transaction: Transaction, room_nid: int, low: int, high: int) -> list[Row]:
    """(type, state key, old event id, new event id) of the keys that were set between two versions of the trunk."""
    return transaction.all(_BETWEEN, room_nid=room_nid, low=low, high=high)


def _values(point: Point, part: Part) -> dict[str, object]:
    values: dict[str, object] = {
        "room_nid": point.room_nid,
        "has_others": int(part.has_others),
        "has_members": int(part.has_members),
        "users": list(part.users),
    }
    return values if point.is_now else {**values, "branch": point.branch, "version": point.version, "upto": point.upto}
