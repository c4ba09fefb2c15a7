"""What is stored beside a batch of events: the times at which those of the timeline were sent."""

from collections.abc import Sequence

from synapse_like.features.history import sql
from synapse_like.rooms.facts import EventFact, Kind
from synapse_like.toolkit.db import Transaction

MAX_TIME_MS = 2**53
"""The latest time that an event can carry; others are kept as this or its negative."""
_IN_TIMELINE = (Kind.LIVE, Kind.BACKFILLED)


def keep_times(transaction: Transaction, facts: Sequence[EventFact]) -> None:
    """Store the times of a batch."""
    shown = [fact for fact in facts if fact.kind in _IN_TIMELINE]
    sql.add_times(transaction, [(f.room_nid, _bounded(f.event.origin_server_ts), f.event_nid) for f in shown])


def _bounded(time_ms: int) -> int:
    return max(-MAX_TIME_MS, min(time_ms, MAX_TIME_MS))
