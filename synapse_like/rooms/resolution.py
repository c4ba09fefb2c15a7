"""Resolving forks: the states that meet, and the events that decide between them, in a database thread.

A state is named by a point: a version, perhaps with one more event on it. Points never change their meaning once they
are stored, so maps of trunks, the auth graph and resolutions are remembered, within bounds.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.state_resolution import AuthGraph, resolve
from synapse_like.rooms.auth_graph import AuthEdges, AuthWalk
from synapse_like.rooms.event_store import EventStore
from synapse_like.rooms.facts import TRUNK, StateRef
from synapse_like.rooms.sql import state as state_sql
from synapse_like.rooms.sql import state_history as history_sql
from synapse_like.toolkit.db import Transaction

StateKey = tuple[str, str]
StateMap = dict[StateKey, str]

_REMEMBERED_KEYS = 500_000


@dataclass(frozen=True, slots=True)
class StatePoint:
    """A state: a version of the trunk or a branch, with one event on it that is not in that version, if `event_id`."""

    ref: StateRef
    key: StateKey | None = None
    event_id: str | None = None


State = StatePoint | StateMap
"""A state by name, or (as another server told it) in full."""


@dataclass(slots=True)
class _Remembered:
    """State maps by key, bounded by the sum of their sizes."""

    limit: int
    size: int = 0
    maps: "OrderedDict[object, StateMap]" = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: object) -> StateMap | None:
        with self.lock:
            found = self.maps.get(key)
            if found is not None:
                self.maps.move_to_end(key)
            return found

    def put(self, key: object, state: StateMap) -> None:
        with self.lock:
            old = self.maps.pop(key, None)
            self.size += len(state) - (len(old) if old is not None else 0)
            self.maps[key] = state
            while self.size > self.limit and self.maps:
                self.size -= len(self.maps.popitem(last=False)[1])


class Resolver:
    """Knows the full state at points, and resolves several of them into one. Its maps are not to be changed."""

    def __init__(self, events: EventStore, remembered_keys: int = _REMEMBERED_KEYS) -> None:
        self.edges = AuthEdges()
        self._events = events
        self._trunks: OrderedDict[int, int] = OrderedDict()
        self._maps = _Remembered(remembered_keys)
        self._resolutions = _Remembered(remembered_keys)

    def state_at(self, transaction: Transaction, room_nid: int, state: State) -> StateMap:
        """The event ids of a state, by key."""
        if not isinstance(state, StatePoint):
            return state
        ref = state.ref
        if ref.branch == TRUNK:
            found = self._trunk(transaction, room_nid, ref.version)
        else:
            found = self._branch(transaction, room_nid, ref)
        if state.key is None or state.event_id is None:
            return found
        return {**found, state.key: state.event_id}

    def resolved(
        self,
        transaction: Transaction,
        room_nid: int,
        version: RoomVersion,
        states: Sequence[State],
        unstored: Iterable[Event] = (),
    ) -> StateMap:
        """The resolution of several states. `unstored` are events in them that the database does not have yet."""
        points: list[StatePoint] = [state for state in states if isinstance(state, StatePoint)]
        name = (room_nid, frozenset(points)) if len(points) == len(states) else None
        known = self._resolutions.get(name) if name is not None else None
        if known is not None:
            return known
        told: list[State] = [state for state in states if not isinstance(state, StatePoint)]
        maps: list[StateMap] = []
        different: list[State] = [*dict.fromkeys(points), *told]
        for state in different:
            found = self.state_at(transaction, room_nid, state)
            if found not in maps:
                maps.append(found)
        if len(maps) == 1:
            return maps[0]
        source = StoredEvents(transaction, self._events, self.edges, unstored)
        result = dict(resolve(version, maps, source))
        if name is not None:
            self._resolutions.put(name, result)
        return result

    def _trunk(self, transaction: Transaction, room_nid: int, version: int) -> StateMap:
        """From the version that is remembered, by the difference; the newest one that was asked for is kept."""
        near = self._trunks.get(room_nid)
        known = self._maps.get((room_nid, near)) if near is not None else None
        if known is not None and near == version:
            return known
        if known is None or near is None:
            rows = history_sql.ids(transaction, history_sql.Point(room_nid, TRUNK, version), history_sql.Part())
            found = {(kind, state_key): event_id for kind, state_key, event_id in rows}
        else:
            low, high = sorted((near, version))
            found = dict(known)
            for kind, state_key, was, became in history_sql.between(transaction, room_nid, low, high):
                _set(found, (kind, state_key), became if high == version else was)
        if near is None or version >= near or known is None:
            self._trunks[room_nid] = version
            self._maps.put((room_nid, version), found)
            if len(self._trunks) > self._maps.limit:
                self._trunks.popitem(last=False)
        return found

    def _branch(self, transaction: Transaction, room_nid: int, ref: StateRef) -> StateMap:
        known = self._maps.get((room_nid, ref))
        if known is not None:
            return known
        base, rows = state_sql.branch_at(transaction, ref.branch, ref.version)
        found = dict(self._trunk(transaction, room_nid, base))
        for kind, state_key, _, _, event_id in rows:
            _set(found, (kind, state_key), event_id)
        self._maps.put((room_nid, ref), found)
        return found


class StoredEvents:
    """What state resolution asks about events, from the database (`matrix.state_resolution.EventSource`)."""

    def __init__(
        self, transaction: Transaction, events: EventStore, edges: AuthEdges, unstored: Iterable[Event] = ()
    ) -> None:
        self._transaction = transaction
        self._events = events
        self._unstored: dict[str, Event] = {event.event_id: event for event in unstored}
        self._walk = AuthWalk(transaction, edges, self._unstored.values())

    def get(self, event_ids: Collection[str]) -> Mapping[str, Event]:
        """The events of these ids."""
        stored = self._events.read(self._transaction, [e for e in event_ids if e not in self._unstored])
        found: dict[str, Event] = {event_id: each.event for event_id, each in stored.items()}
        return found | {event_id: self._unstored[event_id] for event_id in event_ids if event_id in self._unstored}

    def auth_chain_difference(self, state_sets: Sequence[Collection[str]]) -> set[str]:
        """The events in the auth chain of some but not of all states, without those that are themselves in dispute.

        What all states share has one chain in all of them: it is walked only to tell whether an event that is in
        nobody's state but in the chains of some lies on it as well.
        """
        if not state_sets:
            return set()
        states = [set(state) for state in state_sets]
        shared = states[0].intersection(*states[1:])
        chains = [self._walk.chain(state - shared, without=shared) for state in states]
        differing = set().union(*chains) - chains[0].intersection(*chains[1:])
        disputed = set().union(*states) - shared
        undecided = differing - disputed
        if undecided:
            undecided -= self._walk.chain(shared, until=undecided)
        return (differing & disputed) | undecided

    def conflicted_subgraph(self, conflicted: Collection[str]) -> set[str]:
        """Every event on a path of auth events from one of the conflicted events to another, both ends included."""
        self._walk.chain(conflicted)
        return AuthGraph(self._walk.auth_ids).subgraph(conflicted)


def _set(state: StateMap, key: StateKey, event_id: str | None) -> None:
    if event_id is None:
        state.pop(key, None)
    else:
        state[key] = event_id
