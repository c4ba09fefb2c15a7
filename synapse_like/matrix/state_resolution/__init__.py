"""State resolution: one state of the room out of several that disagree.

Here live the algorithms of all room versions: v1 (version 1), v2 (2 to 11) and v2.1 (12). They read events through
the `EventSource` that the caller gives them, which has everything at hand: nothing here waits or loads.
Source: "Room Versions", "State resolution" of versions 1, 2 and 12 (MSC4297).
"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_like.matrix.room_versions import RoomVersion, StateResolution
from synapse_like.matrix.state_resolution.sources import AuthGraph, EventSource, InMemoryEvents, StateMap
from synapse_like.matrix.state_resolution.v1 import resolve_v1
from synapse_like.matrix.state_resolution.v2 import resolve_v2
from synapse_like.matrix.state_resolution.v2_1 import resolve_v2_1

__all__ = ["AuthGraph", "EventSource", "InMemoryEvents", "StateMap", "resolve"]

_ALGORITHMS = {StateResolution.V1: resolve_v1, StateResolution.V2: resolve_v2, StateResolution.V2_1: resolve_v2_1}


_NOTHING: StateMap = {}


def resolve(
    room_version: RoomVersion, state_sets: Sequence[StateMap], events: EventSource, common: StateMap = _NOTHING
) -> StateMap:
    """The resolution of these states: event ids by (type, state key).

    The order of `state_sets` does not matter, nor does it if one is there twice; where all are equal, that state is
    the answer and no event is read. No states at all resolve to the empty one. `common` is what all states have besides
    (in large rooms that is nearly everything); none of its keys is in them, nor in the answer.
    """
    different: list[StateMap] = []
    for state in state_sets:
        if state not in different:
            different.append(state)
    if len(different) < 2:
        return dict(different[0]) if different else {}
    return _ALGORITHMS[room_version.state_resolution](different, events, common)
