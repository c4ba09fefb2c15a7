"""Resolving forks: the states that meet, and the events that decide between them, in a database thread.

A state is named by a point: a version, perhaps with one more event on it. Points never change their meaning once they
are stored, so maps of trunks, differences, the auth graph and resolutions are remembered, within bounds. States that
meet are compared by what they differ in from the room's trunk: nobody looks at ten thousand keys once per extremity.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.state_resolution import AuthGraph, resolve
from synapse_like.rooms.auth_graph import AuthEdges, AuthWalk
from synapse_like.rooms.differences import Differences
from synapse_like.rooms.event_store import EventStore
from synapse_like.rooms.facts import TRUNK, StateRef
from synapse_like.rooms.live import RoomIdentity
from synapse_like.rooms.points import Altered, Changes, State, StateKey, StateMap, StatePoint
from synapse_like.rooms.sql import state as state_sql
from synapse_like.rooms.sql import state_history as history_sql
from synapse_like.toolkit.db import Transaction

M = TypeVar("M", StateMap, Changes)

_REMEMBERED_KEYS = 500_000


@dataclass(frozen=True, slots=True)
class Merged:
    """What several states resolve to, and each of them: as changes of a version of the room's trunk."""

    changes: Changes
    each: Sequence[Changes]


@dataclass(slots=True)
class _Remembered(Generic[M]):
    """Maps by key, bounded by the sum of their sizes."""

    limit: int
    size: int = 0
    maps: "OrderedDict[object, M]" = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: object) -> M | None:
        with self.lock:
            found = self.maps.get(key)
            if found is not None:
                self.maps.move_to_end(key)
            return found

    def put(self, key: object, state: M) -> None:
        with self.lock:
            old = self.maps.pop(key, None)
            self.size += len(state) - (len(old) if old is not None else -1)
            self.maps[key] = state
            while self.size > self.limit and self.maps:
                self.size -= 1 + len(self.maps.popitem(last=False)[1])


class Resolver:
    """Knows the full state at points, and resolves several of them into one. Its maps are not to be changed."""

    def __init__(self, events: EventStore, remembered_keys: int = _REMEMBERED_KEYS) -> None:
        self.edges = AuthEdges()
        self._events = events
        self._trunks: OrderedDict[int, int] = OrderedDict()
        self._maps: _Remembered[StateMap] = _Remembered(remembered_keys)
        self._resolutions: _Remembered[Changes] = _Remembered(remembered_keys)
        self._differences = Differences()

    def state_at(self, transaction: Transaction, room_nid: int, state: State) -> StateMap:
        """The event ids of a state, by key."""
        if isinstance(state, Altered):
            altered = dict(self._trunk(transaction, room_nid, state.base))
            for key, event_id in state.changes.items():
                _set(altered, key, event_id)
            return altered
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
        version: RoomVersion,
        states: Sequence[StateMap],
        unstored: Iterable[Event] = (),
    ) -> StateMap:
        """The resolution of several full states. `unstored` are events in them that the database does not have yet."""
        return dict(resolve(version, states, StoredEvents(transaction, self._events, self.edges, unstored)))

    def merged(
        self,
        transaction: Transaction,
        room: RoomIdentity,
        base: int,
        states: Sequence[State],
        unstored: Iterable[Event] = (),
    ) -> Merged:
        """The resolution of several states. `base` is a version of the trunk, `unstored` as in `resolved`."""
        nid = room.room_nid
        trunk = self._trunk(transaction, nid, base)
        each = self._differences.of(transaction, nid, base, states, trunk)
        points = [state for state in states if isinstance(state, StatePoint)]
        name = (nid, base, frozenset(points)) if len(points) == len(states) else None
        known = self._resolutions.get(name) if name is not None else None
        if known is not None:
            return Merged(known, each)
        different: list[Changes] = []
        for changes in each:
            if changes not in different:
                different.append(changes)
        result = different[0] if different else dict.fromkeys(trunk)  # no states are the empty one
        if len(different) > 1:
            source = StoredEvents(transaction, self._events, self.edges, unstored)
            result = _resolved_changes(room.version, trunk, different, source)
        if name is not None:
            self._resolutions.put(name, result)
        return Merged(result, each)

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


def _resolved_changes(
    version: RoomVersion, trunk: StateMap, different: Sequence[Changes], source: "StoredEvents"
) -> Changes:
    """What the states resolve to, by what each of them changes in the trunk; itself a change of the trunk."""
    touched = set().union(*different)
    common = dict(trunk)
    for key in touched:
        common.pop(key, None)
    parts = []
    for changes in different:
        part = {key: changes[key] if key in changes else trunk.get(key) for key in touched}
        parts.append({key: event_id for key, event_id in part.items() if event_id is not None})
    found = resolve(version, parts, source, common)
    became: dict[StateKey, str | None] = {**dict.fromkeys(touched), **found}
    return {key: event_id for key, event_id in became.items() if event_id != trunk.get(key)}


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

    def auth_chain_difference(self, state_sets: Sequence[Collection[str]], common: Collection[str] = ()) -> set[str]:
        """The events in the auth chain of some but not of all states, without those that are themselves in dispute.

        What all states share has one chain in all of them: it is walked only to tell whether an event that is in
        nobody's state but in the chains of some lies on it as well.
        """
        if not state_sets:
            return set()
        states = [set(state) for state in state_sets]
        shared = states[0].intersection(*states[1:]).union(common)
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
