"""What v2 and v2.1 share: choosing the conflicted events that decide about power, and replaying everything in order.

Source: "Room Version 2", "State resolution", "Algorithm".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from synapse_like.matrix.auth_rules import auth_keys_of, check_auth
from synapse_like.matrix.auth_rules.selection import CREATE, POWER_LEVELS
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.state_resolution.conflicts import StateKey
from synapse_like.matrix.state_resolution.ordering import (
    create_event_of,
    mainline_order,
    reverse_topological_power_order,
)
from synapse_like.matrix.state_resolution.sources import LoadedEvents, StateMap


def replay(full_conflicted_set: set[str], state: dict[StateKey, str], events: LoadedEvents) -> dict[StateKey, str]:
    """What replaying the conflicted events on a state brings into force: those about power first, then the others.

    `state` is moved along.
    """
    conflicted: dict[str, Event] = {
        event.event_id: event for event in events.find_all(full_conflicted_set) if event.is_state
    }
    events.load(auth_id for event in conflicted.values() for auth_id in event.auth_event_ids)
    power_events = _power_events_and_their_reasons(conflicted)
    applied = _apply(reverse_topological_power_order(power_events, events), state, events)
    power_levels_id = state.get(POWER_LEVELS)
    power_levels = None if power_levels_id is None else events.find(power_levels_id)
    others = [event for event_id, event in conflicted.items() if event_id not in power_events]
    return applied | _apply(mainline_order(others, power_levels, events), state, events)


def is_power_event(event: Event) -> bool:
    """Whether the event might take away somebody's power to do something: power levels, join rules, kicks and bans."""
    if event.type == "m.room.member":
        return event.membership in ("leave", "ban") and event.sender != event.state_key
    return event.type in ("m.room.power_levels", "m.room.join_rules") and event.is_state


def _power_events_and_their_reasons(conflicted: Mapping[str, Event]) -> dict[str, Event]:
    """The power events, and what is reached from them by auth events without leaving the conflicted ones."""
    chosen: dict[str, Event] = {}
    waiting = [event_id for event_id, event in conflicted.items() if is_power_event(event)]
    while waiting:
        event_id = waiting.pop()
        if event_id not in chosen:
            chosen[event_id] = conflicted[event_id]
            waiting.extend(auth_id for auth_id in conflicted[event_id].auth_event_ids if auth_id in conflicted)
    return chosen


def _apply(order: Iterable[Event], state: dict[StateKey, str], events: LoadedEvents) -> dict[StateKey, str]:
    """The iterative auth checks: each event that the state so far allows becomes part of it. What has done so."""
    applied: dict[StateKey, str] = {}
    for event in order:
        try:
            check_auth(event, _authorizing_state(event, state, events))
        except AuthError:
            continue
        state[event.key] = applied[event.key] = event.event_id
    return applied


def _authorizing_state(event: Event, state: StateMap, events: LoadedEvents) -> dict[StateKey, Event]:
    """What authorizes the event: from the state, or where that has nothing, its own auth events if not rejected."""
    found: dict[StateKey, Event] = {}
    create = create_event_of(event, events)
    if create is not None and not create.rejected:
        found[CREATE] = create
    for auth_event in events.find_all(event.auth_event_ids):
        if auth_event.is_state and not auth_event.rejected:
            found[auth_event.key] = auth_event
    for key in auth_keys_of(event):
        in_state = events.find(state[key]) if key in state else None
        if in_state is not None:
            found[key] = in_state
    return found
