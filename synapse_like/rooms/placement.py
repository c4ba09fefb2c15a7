"""Where an event from elsewhere stands: the state before it, found from its predecessors, and whether that allows it.

Here lives what reading has to find out; what becomes of the room is told in `receiving` and `backfilling`.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from synapse_like.matrix.auth_rules import auth_keys_of, check_auth, check_auth_event_choice
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.errors import AuthError, MatrixError
from synapse_like.matrix.events import Event
from synapse_like.rooms.changes import Change
from synapse_like.rooms.event_store import EventStore, StoredEvent
from synapse_like.rooms.facts import TRUNK, BranchRows, Kind, StateRef
from synapse_like.rooms.live import RoomIdentity
from synapse_like.rooms.numbers import KeyNumbers, NumberBlock
from synapse_like.rooms.points import Altered, Changes, State, StateKey, StateMap, StatePoint
from synapse_like.rooms.resolution import Resolver
from synapse_like.rooms.state_history import events_of_keys
from synapse_like.toolkit.db import Database, Transaction

T = TypeVar("T")

WITHOUT_STATE = (Kind.OUTLIER, Kind.OUT_OF_BAND)
"""Kinds of events that nobody can be placed behind."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Predecessors or auth events that this server does not have; they must be fetched first."""

    event_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Before:
    """The state before an event: its reference, and what it is made of.

    `rows` are the branch's rows if it is new; `events` what of it concerns the event.
    """

    ref: StateRef
    state: State
    events: Mapping[StateKey, Event]
    rows: tuple[BranchRows, ...] = ()


@dataclass(slots=True)
class Surroundings:
    """What is known around a batch of events.

    * `found`   stored events among those that the batch names, and those that were placed meanwhile
    * `after`   the states after events that were placed meanwhile, and after the room's extremities
    * `foreign` ids of events that are stored in another room
    * `given`   the states after predecessors that we do not have, as other servers told them
    """

    room: RoomIdentity
    found: dict[str, StoredEvent]
    foreign: frozenset[str] = frozenset()
    given: Mapping[str, StateMap] = field(default_factory=dict)
    after: dict[str, StatePoint] = field(default_factory=dict)

    def missing_of(self, event: Event) -> frozenset[str]:
        """Those of the event's predecessors and auth events without which it cannot be placed."""
        lost = {event_id for event_id in event.auth_references if event_id not in self.found}
        return frozenset(lost | {event_id for event_id in event.prev_event_ids if not self._is_placed(event_id)})

    def _is_placed(self, event_id: str) -> bool:
        if event_id in self.given:
            return True
        stored = self.found.get(event_id)
        return stored is not None and stored.kind not in WITHOUT_STATE

    def states_before(self, event: Event) -> list[State]:
        """The states that meet before an event, each once."""
        found: list[State] = []
        for event_id in event.prev_event_ids:
            state = self._after(event_id)
            if state not in found:
                found.append(state)
        return found

    def _after(self, event_id: str) -> State:
        point = self.after.get(event_id)
        if point is not None:
            return point
        stored = self.found.get(event_id)
        if stored is None or stored.kind in WITHOUT_STATE:
            return self.given[event_id]
        if stored.event.is_state and stored.kind is not Kind.REJECTED:
            return StatePoint(stored.before, stored.event.key, event_id)
        return StatePoint(stored.before)


class Placement:
    """Finds states and names them."""

    def __init__(self, database: Database, events: EventStore, keys: KeyNumbers, resolver: Resolver) -> None:
        self.resolver = resolver
        self._database = database
        self._events = events
        self._keys = keys
        self._branches = NumberBlock(database, "branch")

    async def surroundings(
        self, room: RoomIdentity, events: Sequence[Event], given: Mapping[str, StateMap]
    ) -> Surroundings:
        """Everything that a batch of events names, in one query."""
        wanted: dict[str, None] = {}
        for event in events:
            wanted.update(dict.fromkeys((event.event_id, *event.prev_event_ids, *event.auth_references)))
        found = await self._events.get(wanted)
        foreign = frozenset(name for name, stored in found.items() if stored.room_nid != room.room_nid)
        return Surroundings(room, {n: e for n, e in found.items() if n not in foreign}, foreign, given)

    def read(self, function: Callable[[Transaction], T]) -> Awaitable[T]:
        """Run a function in a snapshot."""
        return self._database.read(function)

    def write(self, function: Callable[[Transaction], T]) -> Awaitable[T]:
        """Run a function in a short transaction of its own, for what no reader sees."""
        return self._database.write(function)

    async def before(self, around: Surroundings, event: Event, trunk_version: int) -> Before:
        """The state before an event, computed from its predecessors' states."""
        states = around.states_before(event)
        nid = around.room.room_nid
        keys = sorted(auth_keys_of(event) | {CREATE})
        if len(states) == 1 and isinstance(states[0], StatePoint) and states[0].event_id is None:
            ref = states[0].ref
            at_ref = await self._database.read(lambda txn: events_of_keys(txn, nid, ref, keys))
            return Before(ref, states[0], {key: found.event for key, found in at_ref.items()})
        base = StatePoint(StateRef(TRUNK, trunk_version))

        def read(transaction: Transaction) -> tuple[Changes, list[str]]:
            changes = self.resolver.merged(transaction, around.room, trunk_version, states).changes
            trunk = self.resolver.state_at(transaction, nid, base)
            wanted = [changes.get(key, trunk.get(key)) for key in keys]
            return changes, [event_id for event_id in wanted if event_id is not None]

        changes, wanted = await self._database.read(read)
        ref, rows = await self.named(changes, trunk_version)
        stored = await self._events.get(wanted)
        state_here: State = Altered(trunk_version, changes) if rows else StatePoint(ref)
        return Before(ref, state_here, {found.event.key: found.event for found in stored.values()}, rows)

    async def named(
        self, changes: Changes, trunk_version: int, *own: Change
    ) -> tuple[StateRef, tuple[BranchRows, ...]]:
        """A reference for the state with this difference to a version of the trunk: a new branch off it, if any.

        `own` are events in the difference that are not stored yet.
        """
        if not changes:
            return StateRef(TRUNK, trunk_version), ()
        keys = await self._keys.of_all(changes)
        stored = await self._events.get([event_id for event_id in changes.values() if event_id is not None])
        nids: dict[str | None, int | None] = {event_id: found.event_nid for event_id, found in stored.items()}
        nids[None] = None
        nids.update({change.event.event_id: change.event_nid for change in own})
        branch = await self._branches.take()
        rows = tuple((keys[key], 1, nids[event_id]) for key, event_id in changes.items())
        return StateRef(branch, 1), (BranchRows(branch, trunk_version, rows),)


def is_allowed(event: Event, auth_events: Iterable[Event], state: Mapping[StateKey, Event]) -> bool:
    """Whether the event passes by the auth events that it names, and by the state before it."""
    return passes_by_auth_events(event, auth_events) and passes(event, state)


def passes_by_auth_events(event: Event, auth_events: Iterable[Event]) -> bool:
    """Whether the event has chosen well what authorizes it, and is allowed by that (and the implied create event)."""
    found = list(auth_events)
    listed: Collection[str] = set(event.auth_event_ids)
    try:
        check_auth_event_choice(event, [each for each in found if each.event_id in listed])
        check_auth(event, {each.key: each for each in found if each.is_state})
    except MatrixError:
        return False
    return True


def passes(event: Event, state: Mapping[StateKey, Event]) -> bool:
    """Whether a state allows the event."""
    try:
        check_auth(event, state)
    except AuthError:
        return False
    return True
