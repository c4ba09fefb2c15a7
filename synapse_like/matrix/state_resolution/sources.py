"""Where state resolution finds events and the shape of the auth graph.

Here live the Protocol, one implementation for events that are all in memory, and the cache that the algorithms read
through. Whoever has the auth graph in a database answers the same questions from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from synapse_like.matrix.events import Event

StateMap = Mapping[tuple[str, str], str]
"""The state of a room: the id of the event for each (type, state key)."""


class EventSource(Protocol):
    """What state resolution asks about events; everything that it may ask for has been loaded before."""

    def get(self, event_ids: Collection[str]) -> Mapping[str, Event]:
        """The events of these ids; those that are not known are missing from the answer."""

    def auth_chain_difference(self, state_sets: Sequence[Collection[str]], common: Collection[str] = ()) -> set[str]:
        """The ids that are in the auth chain of some but not of all of these sets of event ids, all with `common`.

        The auth chain of a set counts its own events in, so that an event that two states share is no difference
        between them merely because only one of them also holds a successor.
        """

    def conflicted_subgraph(self, conflicted: Collection[str]) -> set[str]:
        """Every event on a path of auth events from one of the conflicted events to another, both ends included."""


class AuthGraph:
    """The graph of auth events, walked in memory. `auth_ids` gives the auth events of an event, () if it is unknown."""

    def __init__(self, auth_ids: Callable[[str], Sequence[str]]) -> None:
        self._auth_ids = auth_ids

    def chain(self, start: Collection[str], known: Collection[str] = ()) -> set[str]:
        """The events and their auth chains, but for what is already known (and so is all that it leads to)."""
        chain: set[str] = set()
        waiting = [event_id for event_id in start if event_id not in known]
        while waiting:
            event_id = waiting.pop()
            if event_id not in chain:
                chain.add(event_id)
                waiting.extend(auth_id for auth_id in self._auth_ids(event_id) if auth_id not in known)
        return chain

    def subgraph(self, conflicted: Collection[str]) -> set[str]:
        """Every event on a path from one of the conflicted events to another, both ends included."""
        ends = set(conflicted)
        leads_to_end: dict[str, bool] = {}
        for event_id in self.in_order(ends):
            leads_to_end[event_id] = event_id in ends or any(
                leads_to_end.get(auth_id, False) for auth_id in self._auth_ids(event_id)
            )
        return {event_id for event_id, leads in leads_to_end.items() if leads}

    def in_order(self, start: Collection[str]) -> list[str]:
        """The events and their auth chains, each after all of its auth events (but for circles)."""
        order: list[str] = []
        seen: set[str] = set()
        waiting: list[tuple[str, bool]] = [(event_id, False) for event_id in start]
        while waiting:
            event_id, is_done = waiting.pop()
            if is_done:
                order.append(event_id)
            elif event_id not in seen:
                seen.add(event_id)
                waiting.append((event_id, True))
                waiting.extend((auth_id, False) for auth_id in self._auth_ids(event_id) if auth_id not in seen)
        return order


class InMemoryEvents:
    """Events in memory; the auth graph is walked by their `auth_event_ids`."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events: dict[str, Event] = {event.event_id: event for event in events}
        self._graph = AuthGraph(self._auth_ids)

    def add(self, event: Event) -> None:
        """Let another event be known."""
        self._events[event.event_id] = event

    def get(self, event_ids: Collection[str]) -> Mapping[str, Event]:
        """See `EventSource`."""
        return {event_id: self._events[event_id] for event_id in event_ids if event_id in self._events}

    def auth_chain_difference(self, state_sets: Sequence[Collection[str]], common: Collection[str] = ()) -> set[str]:
        """See `EventSource`."""
        if not state_sets:
            return set()
        in_every = set(state_sets[0]).intersection(*state_sets[1:]).union(common)
        shared = self._graph.chain(in_every)  # in all chains: no need to walk it once per set
        chains = [self._graph.chain(state, shared) for state in state_sets]
        return set().union(*chains) - chains[0].intersection(*chains[1:])

    def conflicted_subgraph(self, conflicted: Collection[str]) -> set[str]:
        """See `EventSource`."""
        return self._graph.subgraph(conflicted)

    def _auth_ids(self, event_id: str) -> tuple[str, ...]:
        event = self._events.get(event_id)
        return () if event is None else event.auth_event_ids


class LoadedEvents:
    """Reads an `EventSource` and remembers what it answered, for the length of one resolution."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._known: dict[str, Event | None] = {}

    def load(self, event_ids: Iterable[str]) -> None:
        """Fetch these in one question, so that `find` has them."""
        wanted = {event_id for event_id in event_ids if event_id not in self._known}
        if wanted:
            found = self._source.get(wanted)
            self._known.update((event_id, found.get(event_id)) for event_id in wanted)

    def find(self, event_id: str) -> Event | None:
        """The event, None if nobody knows it."""
        if event_id not in self._known:
            self.load((event_id,))
        return self._known[event_id]

    def find_all(self, event_ids: Collection[str]) -> list[Event]:
        """Those of the events that are known."""
        self.load(event_ids)
        return [event for event_id in event_ids if (event := self._known[event_id]) is not None]

    def auth_event(self, event: Event, key: tuple[str, str]) -> Event | None:
        """The auth event of this key that the event lists, rejected or not."""
        for found in self.find_all(event.auth_event_ids):
            if found.state_key is not None and found.key == key:
                return found
        return None
