"""SQL of what other servers are told: events by place and time, JSON as stored, members of one server."""

from synapse_like.rooms.sql.events import COLUMNS
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_JOINS = """JOIN rooms r ON r.room_nid = e.room_nid
    LEFT JOIN redactions x ON x.room_nid = e.room_nid AND x.redacted_id = e.event_id"""

_UP_TO_DEPTH = f"""
    SELECT {COLUMNS} FROM (
        SELECT * FROM events d WHERE d.room_nid = :room_nid AND d.depth <= :depth AND d.kind IN (0, 1, 2)
        ORDER BY d.depth DESC, d.number DESC LIMIT :bound
    ) e {_JOINS}
"""
_NEAREST = {
    order: f"""
        SELECT {COLUMNS} FROM (
            SELECT * FROM events a WHERE a.room_nid = :room_nid AND a.sent_ms {sign} :time_ms AND a.kind IN (0, 1)
            ORDER BY a.sent_ms {order}, a.event_nid {order} LIMIT :bound
        ) e {_JOINS} ORDER BY e.sent_ms {order}, e.event_nid {order}
    """
    for order, sign in (("ASC", ">="), ("DESC", "<="))
}
_ROOM = "SELECT r.room_nid, r.room_version FROM rooms r WHERE r.room_id = :room_id"


def room(transaction: Transaction, room_id: str) -> Row | None:
    """A room's number and version."""
    return transaction.one(_ROOM, room_id=room_id)


def up_to_depth(transaction: Transaction, room_nid: int, depth: int, bound: int) -> list[Row]:
    """The deepest events of a room up to a depth, at most `bound`."""
    return transaction.all(_UP_TO_DEPTH, room_nid=room_nid, depth=depth, bound=bound)


def nearest(transaction: Transaction, room_nid: int, time_ms: int, bound: int, *, is_backward: bool) -> list[Row]:
    """The events sent at a time and after (or before) it, nearest first."""
    sql = _NEAREST["DESC" if is_backward else "ASC"]
    return transaction.all(sql, room_nid=room_nid, time_ms=time_ms, bound=bound)
