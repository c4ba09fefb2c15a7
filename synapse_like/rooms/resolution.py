"""Resolving forks: reading the states that meet, and the events that decide between them, in a database thread."""

from collections.abc import Iterable, Sequence

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.state_resolution import InMemoryEvents, resolve
from synapse_like.rooms.event_store import stored_all
from synapse_like.rooms.facts import TRUNK, StateRef
from synapse_like.rooms.sql import events as events_sql
from synapse_like.rooms.sql import state as state_sql
from synapse_like.toolkit.db import Transaction

StateKey = tuple[str, str]
StateMap = dict[StateKey, str]

_MAX_AUTH_EVENTS = 100_000


def state_map(transaction: Transaction, room_nid: int, ref: StateRef) -> StateMap:
    """The whole state at a version of the trunk or of a branch: event ids by key."""
    if ref.branch == TRUNK:
        return _trunk(transaction, room_nid, ref.version)
    base, rows = state_sql.branch_at(transaction, ref.branch, ref.version)
    state = _trunk(transaction, room_nid, base)
    for kind, state_key, _, _, event_id in rows:
        if event_id is None:
            state.pop((kind, state_key), None)
        else:
            state[kind, state_key] = event_id
    return state


def _trunk(transaction: Transaction, room_nid: int, version: int) -> StateMap:
    return {
        (kind, state_key): event_id
        for kind, state_key, _, _, event_id in state_sql.trunk_at(transaction, room_nid, version)
    }


def resolved(
    transaction: Transaction, version: RoomVersion, states: Sequence[StateMap], known: Iterable[Event]
) -> StateMap:
    """The resolution of several states. `known` are events that are not stored yet."""
    if all(state == states[0] for state in states[1:]):
        return dict(states[0])
    events = InMemoryEvents(known)
    load_chains(transaction, events, {event_id for state in states for event_id in state.values()})
    return dict(resolve(version, states, events))


def load_chains(transaction: Transaction, events: InMemoryEvents, event_ids: set[str]) -> None:
    """Load events and all that they lead to by auth references, a query per generation."""
    waiting: set[str] = set(event_ids)
    seen: set[str] = set()
    while waiting and len(seen) < _MAX_AUTH_EVENTS:
        have = events.get(waiting)
        found = list(have.values())
        missing = sorted(waiting - have.keys())
        if missing:
            for stored in stored_all(transaction, events_sql.by_ids(transaction, missing)):
                events.add(stored.event)
                found.append(stored.event)
        seen |= waiting
        waiting = {str(auth_id) for event in found for auth_id in event.auth_references} - seen
