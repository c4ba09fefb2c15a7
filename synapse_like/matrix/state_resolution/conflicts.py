"""What the states agree on and what they do not."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_like.matrix.state_resolution.sources import StateMap

StateKey = tuple[str, str]


def separate(state_sets: Sequence[StateMap]) -> tuple[dict[StateKey, str], dict[StateKey, set[str]]]:
    """The unconflicted state map, and for every other key all the events that it has in any of the states.

    A key that one of the states lacks is conflicted (v2 and later).
    """
    unconflicted: dict[StateKey, str] = {}
    conflicted: dict[StateKey, set[str]] = {}
    for key in dict.fromkeys(key for state in state_sets for key in state):
        values = {state.get(key) for state in state_sets}
        found = {event_id for event_id in values if event_id is not None}
        if len(values) == 1:
            unconflicted[key] = found.pop()
        else:
            conflicted[key] = found
    return unconflicted, conflicted


def separate_v1(state_sets: Sequence[StateMap]) -> tuple[dict[StateKey, str], dict[StateKey, set[str]]]:
    """The same for v1, where a key is conflicted only if two states have different events for it."""
    unconflicted, conflicted = separate(state_sets)
    for key in [key for key, event_ids in conflicted.items() if len(event_ids) == 1]:
        unconflicted[key] = conflicted.pop(key).pop()
    return unconflicted, conflicted
