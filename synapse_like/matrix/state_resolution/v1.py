"""State resolution v1: by depth and the SHA-1 of event ids. For room version 1 alone; it is known to lose state.

Where the specification leaves room, this does what the servers that made these rooms do: memberships are resolved
user by user, each against the state without the other conflicted memberships; and if no candidate for a key is
allowed, the one with the least depth stays. Source: "Room Version 1", "State resolution".
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1

from synapse_like.matrix.auth_rules import auth_keys_of, check_auth
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.state_resolution.conflicts import StateKey, separate_v1
from synapse_like.matrix.state_resolution.sources import EventSource, LoadedEvents, StateMap

_AUTH_TYPES_IN_ORDER = ("m.room.power_levels", "m.room.join_rules", "m.room.member")


def resolve_v1(state_sets: Sequence[StateMap], source: EventSource, common: StateMap) -> dict[StateKey, str]:
    """Resolve states of a version 1 room; at least two, all different. See `resolve` for `common`."""
    events = LoadedEvents(source)
    resolved, conflicted_ids = separate_v1(state_sets)
    known: StateMap = ChainMap(resolved, dict(common))
    events.load(event_id for event_ids in conflicted_ids.values() for event_id in event_ids)
    conflicted = {key: sorted(events.find_all(event_ids), key=_by_depth) for key, event_ids in conflicted_ids.items()}
    for event_type in _AUTH_TYPES_IN_ORDER:
        candidates = {key: found for key, found in conflicted.items() if key[0] == event_type and found}
        state = _auth_state(candidates, known, events)
        resolved.update({key: _last_allowed(found, state).event_id for key, found in candidates.items()})
    others = {key: found for key, found in conflicted.items() if key[0] not in _AUTH_TYPES_IN_ORDER and found}
    state = _auth_state(others, known, events)
    resolved.update({key: _deepest_allowed(found, state).event_id for key, found in others.items()})
    return resolved


def _by_depth(event: Event) -> tuple[int, str]:
    """Deepest first, then the smallest SHA-1."""
    return -event.depth, sha1(event.event_id.encode(), usedforsecurity=False).hexdigest()


def _auth_state(
    candidates: Mapping[StateKey, Iterable[Event]], resolved: StateMap, events: LoadedEvents
) -> dict[StateKey, Event]:
    """What has been resolved of the state that authorizes these events."""
    keys = {key for found in candidates.values() for event in found for key in auth_keys_of(event)}
    found = events.find_all([resolved[key] for key in keys if key in resolved])
    return {event.key: event for event in found}


def _last_allowed(candidates: Sequence[Event], state: Mapping[StateKey, Event]) -> Event:
    """From the least deep on, each must be allowed by its predecessor; the last one before that fails."""
    *later, chosen = candidates
    for event in reversed(later):
        if not _is_allowed(event, {**state, chosen.key: chosen}):
            break
        chosen = event
    return chosen


def _deepest_allowed(candidates: Sequence[Event], state: Mapping[StateKey, Event]) -> Event:
    return next((event for event in candidates if _is_allowed(event, state)), candidates[-1])


def _is_allowed(event: Event, state: Mapping[StateKey, Event]) -> bool:
    try:
        check_auth(event, state)
    except AuthError:
        return False
    return True
