"""SQL: what a live room is loaded from, and the heads."""

from collections.abc import Sequence
from typing import Any

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_HEAD = """
    SELECT r.room_nid, r.room_version, r.shard, h.number, h.depth, h.trunk_version, h.received_ms, h.notified,
        h.highlighted, h.joined_members, h.invited_members, h.extremities
    FROM rooms r LEFT JOIN room_heads h ON h.room_nid = r.room_nid
    WHERE r.room_id = :room_id
"""

_SHARD = "SELECT shard FROM rooms WHERE room_id = :room_id"

_STATE = """
    SELECT e.event_nid, e.event_id, e.json FROM current_state s JOIN events e ON e.event_nid = s.event_nid
    WHERE s.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :room_id) AND s.is_member = 0
"""

_LOCAL_MEMBERS = """
    SELECT m.user_id, m.membership, m.event_nid, e.event_id, m.sender, m.display_name, m.avatar_url
    FROM members m JOIN events e ON e.event_nid = m.event_nid
    WHERE m.room_nid = (SELECT room_nid FROM rooms WHERE room_id = :room_id) AND m.is_local = 1
"""

_TRANSACTIONS = """
    SELECT user_id, device_id, transaction_id, event_id, received_ms FROM event_transactions
    WHERE room_nid = (SELECT room_nid FROM rooms WHERE room_id = :room_id) AND received_ms > :since_ms
    ORDER BY received_ms DESC LIMIT :bound
"""

_TRANSACTION = """
    SELECT event_id FROM event_transactions WHERE room_nid = :room_nid AND user_id = :user_id
        AND device_id = :device_id AND transaction_id = :transaction_id
"""

_MEMBERS = """
    SELECT m.user_id, m.membership, m.event_nid, e.event_id, m.sender, m.display_name, m.avatar_url
    FROM members m JOIN events e ON e.event_nid = m.event_nid WHERE m.room_nid = :room_nid AND m.user_id IN :user_ids
"""

_SET_HEADS = """
    INSERT INTO room_heads (room_nid, number, depth, trunk_version, received_ms, notified, highlighted, joined_members,
        invited_members, extremities)
    VALUES :rows
    ON CONFLICT (room_nid) DO UPDATE SET number = excluded.number, depth = excluded.depth,
        trunk_version = excluded.trunk_version, received_ms = excluded.received_ms, notified = excluded.notified,
        highlighted = excluded.highlighted, joined_members = excluded.joined_members,
        invited_members = excluded.invited_members, extremities = excluded.extremities
"""

_ADD_TRANSACTIONS = """
    INSERT INTO event_transactions (room_nid, user_id, device_id, transaction_id, event_id, received_ms) VALUES :rows
    ON CONFLICT (room_nid, user_id, device_id, transaction_id) DO UPDATE
    SET event_id = excluded.event_id, received_ms = excluded.received_ms
"""

_ADD_REDACTIONS = """
    INSERT INTO redactions (room_nid, redacted_id, redaction_nid, number) VALUES :rows
    ON CONFLICT (room_nid, redacted_id) DO NOTHING
"""

_REDACTIONS_OF_LOG = "SELECT redaction_nid, redacted_id FROM redactions WHERE number > :after AND number <= :upto"


def shard(transaction: Transaction, room_id: str) -> int | None:
    """The shard that a room lives in; None for an unknown room."""
    row = transaction.one(_SHARD, room_id=room_id)
    return int(row[0]) if row else None


def head(transaction: Transaction, room_id: str) -> Row | None:
    """The room and its head, or None if there is no such room."""
    return transaction.one(_HEAD, room_id=room_id)


def state_without_members(transaction: Transaction, room_id: str) -> list[Row]:
    """(event_nid, event_id, json) of the current state that is not membership."""
    return transaction.all(_STATE, room_id=room_id)


def local_members(transaction: Transaction, room_id: str) -> list[Row]:
    """All local users who have a membership, with what `live.LiveMember` holds."""
    return transaction.all(_LOCAL_MEMBERS, room_id=room_id)


def members(transaction: Transaction, room_nid: int, user_ids: Sequence[str]) -> list[Row]:
    """The memberships of some users, local or not."""
    return transaction.all(_MEMBERS, room_nid=room_nid, user_ids=user_ids)


def recent_transactions(transaction: Transaction, room_id: str, since_ms: int, bound: int) -> list[Row]:
    """(user, device, transaction id, event id, received) of the last requests, newest first, at most `bound`."""
    return transaction.all(_TRANSACTIONS, room_id=room_id, since_ms=since_ms, bound=bound)


def event_of_transaction(
    transaction: Transaction, room_nid: int, user_id: str, device_id: str, transaction_id: str
) -> str | None:
    """The event that a request made, if it was stored."""
    row = transaction.one(
        _TRANSACTION, room_nid=room_nid, user_id=user_id, device_id=device_id, transaction_id=transaction_id
    )
    return str(row[0]) if row else None


def set_heads(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """Store the rooms' heads after a batch."""
    transaction.rows(_SET_HEADS, rows)


def add_transactions(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """Remember which request made which event. An id that comes again was forgotten, and is a new request's."""
    transaction.rows(_ADD_TRANSACTIONS, rows)


def add_redactions(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """Remember redactions that take effect; the first one counts."""
    transaction.rows(_ADD_REDACTIONS, rows)


def redactions_of_log(transaction: Transaction, after: int, upto: int) -> dict[int, str]:
    """Which event each redaction of a shard's log redacts, by the redaction's number in the table."""
    return dict(transaction.all(_REDACTIONS_OF_LOG, after=after, upto=upto))
