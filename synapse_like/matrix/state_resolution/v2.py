"""State resolution v2: conflicted events are replayed on what all states agree on. Room versions 2 to 11."""

from __future__ import annotations

from collections.abc import Sequence

from synapse_like.matrix.state_resolution.conflicts import StateKey, separate
from synapse_like.matrix.state_resolution.replay import replay
from synapse_like.matrix.state_resolution.sources import EventSource, LoadedEvents, StateMap


def resolve_v2(state_sets: Sequence[StateMap], source: EventSource, common: StateMap) -> dict[StateKey, str]:
    """Resolve states of a room of version 2 to 11; at least two, all different. See `resolve` for `common`."""
    unconflicted, conflicted = separate(state_sets)
    full_conflicted_set = set().union(*conflicted.values())
    full_conflicted_set |= source.auth_chain_difference([list(state.values()) for state in state_sets], common.values())
    replayed = replay(full_conflicted_set, {**common, **unconflicted}, LoadedEvents(source))
    return {key: event_id for key, event_id in replayed.items() if key not in common} | unconflicted
