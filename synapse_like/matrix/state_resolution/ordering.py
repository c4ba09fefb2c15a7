"""The two orders in which v2 and v2.1 replay conflicted events.

Source: "Room Version 2", "State resolution", "Definitions".
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Mapping

from synapse_like.matrix.auth_rules.selection import CREATE, POWER_LEVELS
from synapse_like.matrix.events import Event
from synapse_like.matrix.power_levels import PowerLevels
from synapse_like.matrix.state_resolution.sources import LoadedEvents

Rank = tuple[int | float, int, str]


def reverse_topological_power_order(chosen: Mapping[str, Event], events: LoadedEvents) -> list[Event]:
    """Auth events before what they authorize; among those that are ready, more power first, then the older, then by id.

    Only edges between the chosen events count. Events that authorize each other in a circle, which ids that servers
    choose make possible, are left out.
    """
    missing = {event_id: _edges(event, chosen) for event_id, event in chosen.items()}
    authorized: dict[str, list[str]] = {event_id: [] for event_id in chosen}
    for event_id, auth_ids in missing.items():
        for auth_id in auth_ids:
            authorized[auth_id].append(event_id)
    powers = _SenderPowers(events)
    ready = [powers.rank(chosen[event_id]) for event_id, auth_ids in missing.items() if not auth_ids]
    heapq.heapify(ready)
    order: list[Event] = []
    while ready:
        event = chosen[heapq.heappop(ready)[2]]
        order.append(event)
        for event_id in authorized[event.event_id]:
            missing[event_id].discard(event.event_id)
            if not missing[event_id]:
                heapq.heappush(ready, powers.rank(chosen[event_id]))
    return order


def _edges(event: Event, chosen: Collection[str]) -> set[str]:
    return {str(auth_id) for auth_id in event.auth_event_ids if auth_id in chosen}


class _SenderPowers:
    """The power that senders had according to the auth events of what they sent."""

    def __init__(self, events: LoadedEvents) -> None:
        self._events = events
        self._levels: dict[tuple[str, str], PowerLevels] = {}

    def rank(self, event: Event) -> Rank:
        """What events are sorted by, the smallest first."""
        return -self._power(event), event.origin_server_ts, event.event_id

    def _power(self, event: Event) -> int | float:
        create = create_event_of(event, self._events)
        if create is None:
            return 0
        levels = self._events.auth_event(event, POWER_LEVELS)
        name = (create.event_id, "" if levels is None else levels.event_id)
        if name not in self._levels:
            content = None if levels is None else levels.content
            self._levels[name] = PowerLevels(create, content, create.room_version)
        return self._levels[name].of(event.sender)


def create_event_of(event: Event, events: LoadedEvents) -> Event | None:
    """The create event by which an event is authorized: one of its auth events, or named by its room id."""
    implied = event.create_event_id
    return events.auth_event(event, CREATE) if implied is None else events.find(implied)


def mainline_order(chosen: Collection[Event], power_levels: Event | None, events: LoadedEvents) -> list[Event]:
    """Events by how far back on the mainline of `power_levels` they hang, the furthest first; then by time, then by id.

    The mainline are those power levels, the ones that authorized them, and so on; without any, only time and id count.
    """
    positions: dict[str, int | float] = {}
    current = power_levels
    while current is not None and current.event_id not in positions:
        positions[current.event_id] = len(positions)
        current = events.auth_event(current, POWER_LEVELS)
    events.load(auth_id for event in chosen for auth_id in event.auth_event_ids)
    ranks: dict[str, Rank] = {}
    for event in chosen:
        position = _mainline_position(event, positions, events)
        ranks[event.event_id] = (-position, event.origin_server_ts, event.event_id)
    return sorted(chosen, key=lambda event: ranks[event.event_id])


def _mainline_position(event: Event, positions: dict[str, int | float], events: LoadedEvents) -> int | float:
    """The place of the first of the event's power levels, their power levels, ... that is on the mainline.

    Places that are found out on the way are kept in `positions`.
    """
    passed: list[str] = []
    current = events.auth_event(event, POWER_LEVELS)
    while current is not None and current.event_id not in positions:
        positions[current.event_id] = math.inf  # until we know better; it also ends a circle
        passed.append(current.event_id)
        current = events.auth_event(current, POWER_LEVELS)
    position = math.inf if current is None else positions[current.event_id]
    positions.update((event_id, position) for event_id in passed)
    return position
