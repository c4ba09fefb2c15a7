"""State resolution v2.1: as v2, but nothing is lost that only old auth events vouch for. Room version 12 (MSC4297).

Two things differ: the replay starts from nothing instead of what all states agree on (which may be newer than the
events that are replayed and forbid them), and the events between two conflicted ones are replayed too.
"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_like.matrix.state_resolution.conflicts import StateKey, separate
from synapse_like.matrix.state_resolution.replay import replay
from synapse_like.matrix.state_resolution.sources import EventSource, LoadedEvents, StateMap


def resolve_v2_1(state_sets: Sequence[StateMap], source: EventSource, common: StateMap) -> dict[StateKey, str]:
    """Resolve states of a version 12 room; at least two, all different. See `resolve` for `common`."""
    unconflicted, conflicted = separate(state_sets)
    conflicted_state_set = set().union(*conflicted.values())
    full_conflicted_set = conflicted_state_set | source.conflicted_subgraph(conflicted_state_set)
    full_conflicted_set |= source.auth_chain_difference([list(state.values()) for state in state_sets], common.values())
    replayed = replay(full_conflicted_set, {}, LoadedEvents(source))
    return {key: event_id for key, event_id in replayed.items() if key not in common} | unconflicted
