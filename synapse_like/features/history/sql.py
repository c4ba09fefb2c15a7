"""SQL: events by the time at which they were sent, and the oldest that there are."""

from collections.abc import Sequence

from synapse_like.rooms.sql.timeline import JOINS, WHOLE
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

_NEAREST = {
    order: f"""
        SELECT {WHOLE}, NULL FROM (
            SELECT a.event_nid, a.sent_ms FROM events a
            WHERE a.room_nid = :room_nid AND a.sent_ms {sign} :time_ms AND a.kind IN (0, 1)
            ORDER BY a.sent_ms {order}, a.event_nid {order} LIMIT :bound
        ) near JOIN events e ON e.event_nid = near.event_nid {JOINS} ORDER BY near.sent_ms {order}, e.event_nid {order}
    """
    for order, sign in (("ASC", ">="), ("DESC", "<="))
}

_OLDEST = f"""
    SELECT {WHOLE}, NULL FROM (
        SELECT o.event_nid FROM events o WHERE o.room_nid = :room_nid AND o.kind IN (0, 1)
        ORDER BY o.depth, o.number LIMIT 1
    ) oldest JOIN events e ON e.event_nid = oldest.event_nid {JOINS}
"""
_PLACED = "SELECT event_id FROM events WHERE event_id IN :event_ids AND kind IN (0, 1, 2, 3) AND number IS NOT NULL"


def nearest(transaction: Transaction, room_nid: int, time_ms: int, bound: int, *, is_backward: bool) -> list[Row]:
    """The events sent at a time and after (or before) it, nearest first, as `timeline.own_events` takes them."""
    sql = _NEAREST["DESC" if is_backward else "ASC"]
    return transaction.all(sql, room_nid=room_nid, time_ms=time_ms, bound=bound)


def oldest(transaction: Transaction, room_nid: int) -> list[Row]:
    """The first event of a room's timeline, as `timeline.own_events` takes it."""
    return transaction.all(_OLDEST, room_nid=room_nid)


def placed(transaction: Transaction, event_ids: Sequence[str]) -> set[str]:
    """Those of the events that have a place in their room."""
    return {event_id for (event_id,) in transaction.all(_PLACED, event_ids=event_ids)}
