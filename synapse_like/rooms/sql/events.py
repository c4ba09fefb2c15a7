"""SQL: events as rows, one by one or in the order of a room."""

from collections.abc import Sequence
from typing import Any

from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

COLUMNS = """e.event_id, e.event_nid, e.room_nid, e.number, e.depth, e.kind, e.received_ms, e.branch, e.version,
    e.thread, e.notified, e.highlighted, e.json, e.extras, r.room_id, r.room_version, r.shard, x.redaction_nid"""
"""What `event_store.stored` takes, in this order."""

KNOWN = "e.event_id, e.number, x.redaction_nid"
"""What `event_store.known_or_read` takes, in this order: enough to tell whether memory holds the event as it is."""

REDACTED = "LEFT JOIN redactions x ON x.room_nid = e.room_nid AND x.redacted_id = e.event_id"

_FROM = """FROM events e JOIN rooms r ON r.room_nid = e.room_nid
    LEFT JOIN redactions x ON x.room_nid = e.room_nid AND x.redacted_id = e.event_id"""

_ADD = """
    INSERT INTO events (event_nid, event_id, room_nid, number, depth, kind, type, key_nid, sender, received_ms, sent_ms,
        branch, version, thread, notified, highlighted, json, extras)
    VALUES :rows
    ON CONFLICT (event_nid) DO UPDATE SET number = excluded.number, depth = excluded.depth, kind = excluded.kind,
        received_ms = excluded.received_ms, branch = excluded.branch, version = excluded.version,
        thread = excluded.thread, notified = excluded.notified, highlighted = excluded.highlighted,
        json = excluded.json, extras = excluded.extras
"""
_ADD_OUTLIERS = """
    INSERT INTO events (event_nid, event_id, room_nid, number, depth, kind, type, key_nid, sender, received_ms, sent_ms,
        branch, version, thread, notified, highlighted, json, extras)
    VALUES :rows ON CONFLICT (event_id) DO NOTHING
"""
_NIDS = "SELECT event_id, event_nid, room_nid, kind FROM events WHERE event_id IN :event_ids"
_TRANSACTION_IDS = """
    SELECT event_id, transaction_id FROM event_transactions
    WHERE user_id = :user_id AND device_id = :device_id AND room_nid IN :room_nids AND event_id IN :event_ids
"""
_BY_IDS = f"SELECT {COLUMNS} {_FROM} WHERE e.event_id IN :event_ids"
_BY_NIDS = f"SELECT {COLUMNS} {_FROM} WHERE e.event_nid IN :event_nids"

BOUNDS = (2, 11, 21, 51, 101, 1001)
"""How many events of a room can be asked for at once: engines take no bound from a row of the question."""

_NEWEST_BY_NUMBER = {
    bound: {
        "postgresql": f"""
            WITH asked (room_nid, after_number, upto_number) AS (VALUES :rows)
            SELECT {COLUMNS} FROM asked CROSS JOIN LATERAL (
                SELECT * FROM events n WHERE n.room_nid = asked.room_nid AND n.number > asked.after_number
                    AND n.number <= asked.upto_number AND n.kind = 0 ORDER BY n.number DESC LIMIT {bound}
            ) e JOIN rooms r ON r.room_nid = e.room_nid
            LEFT JOIN redactions x ON x.room_nid = e.room_nid AND x.redacted_id = e.event_id
            ORDER BY e.room_nid, e.number
        """,
        "sqlite": f"""
            WITH asked (room_nid, after_number, upto_number) AS (VALUES :rows)
            SELECT {COLUMNS} FROM asked JOIN events e ON e.room_nid = asked.room_nid AND e.number IN (
                SELECT n.number FROM events n WHERE n.room_nid = asked.room_nid AND n.number > asked.after_number
                    AND n.number <= asked.upto_number AND n.kind = 0 ORDER BY n.number DESC LIMIT {bound}
            ) JOIN rooms r ON r.room_nid = e.room_nid
            LEFT JOIN redactions x ON x.room_nid = e.room_nid AND x.redacted_id = e.event_id
            ORDER BY e.room_nid, e.number
        """,
    }
    for bound in BOUNDS
}
_LOG = f"""
    SELECT {COLUMNS} {_FROM} WHERE e.number > :after AND e.number <= :upto ORDER BY e.number
"""


def add(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """Store events of a batch; those that were there without a place get theirs."""
    transaction.rows(_ADD, rows)


def add_outliers(transaction: Transaction, rows: Sequence[Sequence[Any]]) -> None:
    """Store events that have no place; those that are there already stay as they are."""
    transaction.rows(_ADD_OUTLIERS, rows)


def nids(transaction: Transaction, event_ids: Sequence[str]) -> list[Row]:
    """(event id, number in the table, room, kind) of those of the events that are stored."""
    return transaction.all(_NIDS, event_ids=event_ids)


def by_ids(transaction: Transaction, event_ids: Sequence[str]) -> list[Row]:
    """Events by id, in no order."""
    return transaction.all(_BY_IDS, event_ids=event_ids)


def by_nids(transaction: Transaction, event_nids: Sequence[int]) -> list[Row]:
    """Events by their numbers in the table, in no order."""
    return transaction.all(_BY_NIDS, event_nids=event_nids)


def newest_of_rooms(transaction: Transaction, asked: Sequence[tuple[int, int, int]], bound: int) -> list[Row]:
    """The newest live events of several rooms: (room, after, upto) in; events by room and number out.

    At least `bound` of each room, if there are as many; a few more may come.
    """
    step = next((step for step in BOUNDS if step >= bound), BOUNDS[-1])
    return transaction.query_rows(_NEWEST_BY_NUMBER[step][transaction.engine_name], asked)


def of_log(transaction: Transaction, after: int, upto: int) -> list[Row]:
    """Events of one shard's log, for a reader with a gap."""
    return transaction.all(_LOG, after=after, upto=upto)


def transaction_ids(
    transaction: Transaction, user_id: str, device_id: str, room_nids: Sequence[int], event_ids: Sequence[str]
) -> dict[str, str]:
    """The transaction ids with which a device sent some of these events, by event id."""
    values = {"user_id": user_id, "device_id": device_id, "room_nids": room_nids, "event_ids": event_ids}
    return dict(transaction.all(_TRANSACTION_IDS, **values)) if event_ids else {}
