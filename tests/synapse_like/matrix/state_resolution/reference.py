"""State resolution v2 and v2.1 a second time: slow, and as close to the words of the specification as it goes.

The tests compare the two. What they share is the authorization rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key
from itertools import combinations

from synapse_like.matrix.auth_rules import auth_keys_of, check_auth
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.power_levels import PowerLevels

State = dict[tuple[str, str], str]
LEVELS, CREATE = ("m.room.power_levels", ""), ("m.room.create", "")


class Reference:
    def __init__(self, events: dict[str, Event], is_v2_1: bool) -> None:
        self.events = events
        self.is_v2_1 = is_v2_1
        self._chains: dict[str, set[str]] = {}

    def resolve(self, states: list[State]) -> State:
        keys = {key for state in states for key in state}
        unconflicted = {key: states[0][key] for key in keys if len({state.get(key) for state in states}) == 1}
        conflicted = {state[key] for state in states for key in keys - set(unconflicted) if key in state}
        chains = [self.chain_of(state.values()) for state in states]
        full = conflicted | (set().union(*chains) - chains[0].intersection(*chains))
        if self.is_v2_1:
            full |= self.subgraph(conflicted)
        power = self.power_events(full)
        state = self.iterate(self.kahn(power), {} if self.is_v2_1 else dict(unconflicted))
        rest = self.by_mainline(full - power, state.get(LEVELS))
        return self.iterate(rest, state) | unconflicted

    def chain_of(self, event_ids: Iterable[str]) -> set[str]:
        """The events and all that authorizes them."""
        return set().union(*(self.chain_of_one(event_id) for event_id in event_ids))

    def chain_of_one(self, event_id: str) -> set[str]:
        if event_id not in self._chains:
            self._chains[event_id] = {event_id} | self.chain_of(self.events[event_id].auth_event_ids)
        return self._chains[event_id]

    def subgraph(self, conflicted: set[str]) -> set[str]:
        between = set(conflicted)
        for first, second in combinations(conflicted, 2):
            for newer, older in ((first, second), (second, first)):
                chain = self.chain_of_one(newer)
                if older in chain:
                    between |= {event_id for event_id in chain if older in self.chain_of_one(event_id)}
        return between

    def power_events(self, full: set[str]) -> set[str]:
        chosen = set()
        for event_id in full:
            event = self.events[event_id]
            is_removal = event.membership in ("leave", "ban") and event.sender != event.state_key
            if event.type in ("m.room.power_levels", "m.room.join_rules") or is_removal:
                chosen |= self.chain_within(event_id, full)
        return chosen

    def chain_within(self, event_id: str, full: set[str]) -> set[str]:
        auth_ids = [auth_id for auth_id in self.events[event_id].auth_event_ids if auth_id in full]
        return {event_id}.union(*(self.chain_within(auth_id, full) for auth_id in auth_ids))

    def kahn(self, event_ids: set[str]) -> list[Event]:
        order: list[Event] = []
        left = set(event_ids)
        while left:
            ready = [self.events[e] for e in left if not left.intersection(self.events[e].auth_event_ids)]
            smallest = min(ready, key=lambda event: (-self.power(event), event.origin_server_ts, event.event_id))
            left.remove(smallest.event_id)
            order.append(smallest)
        return order

    def auth_event(self, event: Event, key: tuple[str, str]) -> Event | None:
        listed = [self.events[auth_id] for auth_id in event.auth_references]
        return next((found for found in listed if found.key == key), None)

    def power(self, event: Event) -> float:
        create, levels = self.auth_event(event, CREATE), self.auth_event(event, LEVELS)
        if create is None:
            return 0
        return PowerLevels(create, levels.content if levels else None, event.room_version).of(event.sender)

    def levels_behind(self, event: Event) -> list[str]:
        found = self.auth_event(event, LEVELS)
        return [] if found is None else [found.event_id, *self.levels_behind(found)]

    def by_mainline(self, event_ids: set[str], levels: str | None) -> list[Event]:
        mainline = [] if levels is None else [levels, *self.levels_behind(self.events[levels])]

        def position(event: Event) -> float:
            return next((mainline.index(e) for e in self.levels_behind(event) if e in mainline), float("inf"))

        def compare(x: Event, y: Event) -> int:
            if position(x) != position(y):
                return -1 if position(x) > position(y) else 1
            return -1 if (x.origin_server_ts, x.event_id) < (y.origin_server_ts, y.event_id) else 1

        return sorted((self.events[event_id] for event_id in event_ids), key=cmp_to_key(compare))

    def iterate(self, order: list[Event], state: State) -> State:
        state = dict(state)
        for event in order:
            known = {self.events[e].key: self.events[e] for e in event.auth_references if not self.events[e].rejected}
            known |= {key: self.events[state[key]] for key in auth_keys_of(event) if key in state}
            try:
                check_auth(event, known)
            except AuthError:
                continue
            state[event.key] = event.event_id
        return state
