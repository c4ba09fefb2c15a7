"""SQL: trunk, branches, current state and members: writing a batch, reading a point."""

from collections.abc import Sequence
from typing import Any

from synapse_like.rooms.facts import Member, TrunkChange
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_ADD_TRUNK = "INSERT INTO state_trunk (room_nid, key_nid, version, event_nid, number) VALUES :rows"
_ADD_BRANCHES = "INSERT INTO state_branches (branch, room_nid, base_version) VALUES :rows"
_ADD_BRANCH_ROWS = "INSERT INTO state_branch_rows (branch, key_nid, version, event_nid) VALUES :rows"

_SET_CURRENT = """
    INSERT INTO current_state (room_nid, key_nid, event_nid, is_member) VALUES :rows
    ON CONFLICT (room_nid, key_nid) DO UPDATE SET event_nid = excluded.event_nid
"""
_REMOVE_CURRENT = """
    WITH gone (room_nid, key_nid) AS (VALUES :rows)
    DELETE FROM current_state WHERE EXISTS
        (SELECT 1 FROM gone WHERE gone.room_nid = current_state.room_nid AND gone.key_nid = current_state.key_nid)
"""
_SET_MEMBERS = """
    INSERT INTO members (room_nid, user_nid, user_id, membership, event_nid, number, sender, display_name, avatar_url,
        is_local, is_forgotten)
    VALUES :rows
    ON CONFLICT (room_nid, user_nid) DO UPDATE SET membership = excluded.membership, event_nid = excluded.event_nid,
        number = excluded.number, sender = excluded.sender, display_name = excluded.display_name,
        avatar_url = excluded.avatar_url, is_forgotten = 0
"""
_REMOVE_MEMBERS = """
    WITH gone (room_nid, user_nid, number) AS (VALUES :rows)
    UPDATE members SET membership = 'leave', event_nid = 0, number = gone.number FROM gone
    WHERE gone.room_nid = members.room_nid AND gone.user_nid = members.user_nid
"""

_CURRENT = """
    SELECT k.type, k.state_key, s.key_nid, s.event_nid, e.event_id FROM current_state s
    JOIN state_keys k ON k.key_nid = s.key_nid JOIN events e ON e.event_nid = s.event_nid
    WHERE s.room_nid = :room_nid
"""
_TRUNK_AT = """
    SELECT k.type, k.state_key, t.key_nid, t.event_nid, e.event_id FROM (
        SELECT key_nid, max(version) AS version FROM state_trunk
        WHERE room_nid = :room_nid AND version <= :version GROUP BY key_nid
    ) newest
    JOIN state_trunk t ON t.room_nid = :room_nid AND t.key_nid = newest.key_nid AND t.version = newest.version
    JOIN state_keys k ON k.key_nid = t.key_nid JOIN events e ON e.event_nid = t.event_nid
"""
_BRANCH = "SELECT base_version FROM state_branches WHERE branch = :branch"
_BRANCH_AT = """
    SELECT k.type, k.state_key, b.key_nid, b.event_nid, e.event_id FROM (
        SELECT key_nid, max(version) AS version FROM state_branch_rows
        WHERE branch = :branch AND version <= :version GROUP BY key_nid
    ) newest
    JOIN state_branch_rows b ON b.branch = :branch AND b.key_nid = newest.key_nid AND b.version = newest.version
    JOIN state_keys k ON k.key_nid = b.key_nid LEFT JOIN events e ON e.event_nid = b.event_nid
"""
_TRUNK_BETWEEN = """
    WITH asked (room_nid, after_number, upto_number) AS (VALUES :rows)
    SELECT t.room_nid, k.type, k.state_key, t.key_nid, t.version, t.number, e.event_id, e.event_nid
    FROM asked
    JOIN state_trunk t ON t.room_nid = asked.room_nid
        AND t.number > asked.after_number AND t.number <= asked.upto_number
    JOIN state_keys k ON k.key_nid = t.key_nid LEFT JOIN events e ON e.event_nid = t.event_nid
    ORDER BY t.room_nid, t.version
"""
_TRUNK_OF_LOG = """
    SELECT t.number, k.type, k.state_key, t.key_nid, e.event_id, e.event_nid, m.membership, m.sender, m.display_name,
        m.avatar_url, m.is_local
    FROM state_trunk t JOIN state_keys k ON k.key_nid = t.key_nid
    LEFT JOIN events e ON e.event_nid = t.event_nid
    LEFT JOIN members m ON m.room_nid = t.room_nid AND m.user_nid = t.key_nid AND m.number = t.number
    WHERE t.number > :after AND t.number <= :upto ORDER BY t.number
"""


def add_trunk(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """(room, key, version, event or None, number) for each change of a room's resolved state."""
    transaction.rows(_ADD_TRUNK, rows)


def add_branches(transaction: Transaction, branches: Sequence[Row], rows: Sequence[Row]) -> None:
    """New branches, and rows of new or known ones."""
    transaction.rows(_ADD_BRANCHES, branches)
    transaction.rows(_ADD_BRANCH_ROWS, rows)


def set_current(transaction: Transaction, rows: Sequence[Row], removed: Sequence[Row]) -> None:
    """Bring the table of current state up to date."""
    transaction.rows(_SET_CURRENT, rows)
    transaction.rows(_REMOVE_CURRENT, removed)


def set_members(transaction: Transaction, rows: Sequence[Row], removed: Sequence[Row]) -> None:
    """Bring the table of members up to date.

    Whose membership was taken out by a resolution counts as having left, without an event that says so.
    """
    transaction.rows(_SET_MEMBERS, rows)
    transaction.rows(_REMOVE_MEMBERS, removed)


def current(transaction: Transaction, room_nid: int) -> list[Row]:
    """(type, state key, key number, event number, event id) of the current state."""
    return transaction.all(_CURRENT, room_nid=room_nid)


def trunk_at(transaction: Transaction, room_nid: int, version: int) -> list[Row]:
    """The same as `current`, as of a version of the trunk."""
    return transaction.all(_TRUNK_AT, room_nid=room_nid, version=version)


def branch_at(transaction: Transaction, branch: int, version: int) -> tuple[int, list[Row]]:
    """A branch's base version, and its rows as of a version; event id None: removed."""
    row = transaction.one(_BRANCH, branch=branch)
    return (int(row[0]) if row else 0), transaction.all(_BRANCH_AT, branch=branch, version=version)


def trunk_between(transaction: Transaction, rooms: Sequence[tuple[int, int, int]]) -> list[Row]:
    """What changed in the trunks of several rooms between two numbers of each: (room, after, upto) in,
    (room, type, state key, key number, version, number, event id, event number) out, in order of version.
    """
    return transaction.query_rows(_TRUNK_BETWEEN, rooms)


def trunk_of_log(transaction: Transaction, after: int, upto: int) -> dict[int, list[TrunkChange]]:
    """The trunk changes of a shard's log by number, for a reader with a gap."""
    found: dict[int, list[TrunkChange]] = {}
    for number, kind, state_key, key_nid, event_id, event_nid, membership, *profile in transaction.all(
        _TRUNK_OF_LOG, after=after, upto=upto
    ):
        member = None
        if membership is not None:
            sender, display_name, avatar_url, is_local = profile
            member = Member(state_key, membership, sender, display_name, avatar_url, bool(is_local), None)
        found.setdefault(number, []).append(TrunkChange(kind, state_key, key_nid, event_id, event_nid, member))
    return found
