"""The state of a room at any point of its past: whole, in part, key by key, and the difference of two points.

Within a snapshot, in a database thread; each question is one query (two if events are not in memory, or a
difference touches a branch).
"""

from collections.abc import Sequence

from synapse_like.rooms.event_store import Peek, StoredEvent, known_or_read, no_memory
from synapse_like.rooms.facts import TRUNK, Kind, StateRef
from synapse_like.rooms.sql import state_history as sql
from synapse_like.rooms.sql.state_history import NEWEST_VERSION, Part, Point
from synapse_like.rooms.timeline import whole_event
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row

StateKey = tuple[str, str]
StateMap = dict[StateKey, str]
Difference = dict[StateKey, tuple[str | None, str | None]]
"""The event ids before and after, of each key where they differ; None: the key was not set."""

__all__ = ["NOW", "Difference", "Part", "StateMap", "difference", "event_at", "events_at", "state_after", "state_at"]

NOW = StateRef(TRUNK, NEWEST_VERSION)
"""The current state."""
_EVERYTHING = Part()


def state_at(transaction: Transaction, room_nid: int, ref: StateRef, part: Part = _EVERYTHING) -> StateMap:
    """The event ids of a state, by key."""
    rows = sql.ids(transaction, Point(room_nid, ref.branch, ref.version), part)
    return {(kind, state_key): event_id for kind, state_key, event_id in rows}


def events_at(
    transaction: Transaction,
    room_nid: int,
    ref: StateRef,
    part: Part = _EVERYTHING,
    *,
    upto: int | None = None,
    peek: Peek = no_memory,
) -> list[StoredEvent]:
    """The events of a state, in no order. `upto`: as of that number of the room's log, if it is before `ref`."""
    return known_or_read(transaction, rows_at(transaction, room_nid, ref, part, upto=upto), peek)


def rows_at(
    transaction: Transaction, room_nid: int, ref: StateRef, part: Part = _EVERYTHING, *, upto: int | None = None
) -> list[Row]:
    """The events of a state as rows for `event_store.known_or_read`."""
    point = Point(room_nid, ref.branch, ref.version, *(() if upto is None else (upto,)))
    return sql.events(transaction, point, part)


def state_after(
    transaction: Transaction, event: StoredEvent, part: Part = _EVERYTHING, *, peek: Peek = no_memory
) -> list[StoredEvent]:
    """The events of the state after an event: the state before it, and the event itself if it is state."""
    before = events_at(transaction, event.room_nid, event.before, part, peek=peek)
    if not event.event.is_state or event.kind is Kind.REJECTED:
        return before
    return [*(each for each in before if each.event.key != event.event.key), event]


def events_of_keys(
    transaction: Transaction, room_nid: int, ref: StateRef, keys: Sequence[StateKey], *, peek: Peek = no_memory
) -> dict[StateKey, StoredEvent]:
    """The events of some keys of a state, as far as they are set."""
    rows = sql.events_of_keys(transaction, Point(room_nid, ref.branch, ref.version), keys)
    return {event.event.key: event for event in (whole_event(row, peek) for row in rows)}


def event_at(transaction: Transaction, room_nid: int, ref: StateRef, key: StateKey) -> StoredEvent | None:
    """The event of one key of a state."""
    return events_of_keys(transaction, room_nid, ref, [key]).get(key)


def difference(transaction: Transaction, room_nid: int, old: StateRef, new: StateRef) -> Difference:
    """What changed from one state to another; a range of the trunk's log if both are on the trunk."""
    if old.branch == new.branch == TRUNK:
        low, high = sorted((old.version, new.version))
        rows = sql.between(transaction, room_nid, low, high)
        found = {(kind, state_key): (before, after) for kind, state_key, before, after in rows if before != after}
        return found if low == old.version else {key: (after, before) for key, (before, after) in found.items()}
    before, after = state_at(transaction, room_nid, old), state_at(transaction, room_nid, new)
    keys = before.keys() | after.keys()
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}
