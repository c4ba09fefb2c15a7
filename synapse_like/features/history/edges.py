"""Where what this server has of a room's past ends: predecessors of its events that it has not got."""

from collections.abc import Sequence

from synapse_like.features.history import sql
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.timeline import View, own_events
from synapse_like.toolkit.db import Transaction

MOST_EDGES = 20


def behind(transaction: Transaction, view: View, events: Sequence[StoredEvent], *, is_end: bool) -> list[str]:
    """The predecessors of some events (and with `is_end` of the oldest of the room) that have no place in the room.

    Nothing for those who have left: what they may see does not grow.
    """
    if not view.has_joined:
        return []
    looked_at = list(events)
    if is_end:
        looked_at += own_events(sql.oldest(transaction, view.room_nid), (view.past.user_id, ""))
    known = {event.event_id for event in looked_at}
    named = [each for event in looked_at for each in event.event.prev_event_ids if each not in known]
    asked = list(dict.fromkeys(reversed(named)))
    placed = sql.placed(transaction, asked) if asked else set()
    return [str(event_id) for event_id in asked if event_id not in placed][:MOST_EDGES]
