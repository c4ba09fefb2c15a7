"""Events made elsewhere: checked, placed, and merged into the room, forks and all; many at once, in one commit.

The room is parked while events are placed: nothing is built on it until its new state is known. An event whose
predecessors are exactly the room's extremities, or that forked off the state that still holds, is placed without
reading anything; any other has its state before it computed from its predecessors, and the room's state becomes the
resolution over all its extremities.
Source: server-server API, "Checks performed on receipt of a PDU".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from replication.committer import Append, Dropped
from replication.log import Log
from synapse_like.matrix.auth_rules import auth_keys_of
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.errors import NotFound
from synapse_like.matrix.events import Event
from synapse_like.matrix.policy_servers import POLICY
from synapse_like.rooms.changes import Change, extend, put, remember_reference, remove
from synapse_like.rooms.creation import Identity, Numbers
from synapse_like.rooms.event_store import EventStore, from_fact
from synapse_like.rooms.facts import EVENTS, TRUNK, BranchRows, EventFact, Extremity, Kind, StateRef, TrunkChange
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.placement import (
    WITHOUT_STATE,
    Before,
    Missing,
    Placement,
    Surroundings,
    is_allowed,
    passes,
)
from synapse_like.rooms.points import Altered, Changes, State, StateMap, StatePoint
from synapse_like.rooms.ports import NoPolicyServers, Notices, Outcome, PolicyServers
from synapse_like.rooms.redactions import takes_effect
from synapse_like.toolkit.clock import Clock

_TRIES = 4
_HIDDEN_ANCESTORS = 100

Result = Kind | Missing
"""What became of an event."""


class MissingEvents(NotFound):
    """Predecessors or auth events that this server does not have; they must be fetched first."""

    def __init__(self, event_ids: Iterable[str]) -> None:
        super().__init__("Events are missing")
        self.event_ids = frozenset(event_ids)


@dataclass(slots=True)
class _Batch:
    """Events that are being placed in one room, and what of them is not on its way to the database yet."""

    room: LiveRoom
    around: Surroundings
    extras: Mapping[str, Mapping[str, Any]]
    unwanted: frozenset[str] = frozenset()
    """The ids of those that the room's policy server does not recommend."""
    facts: list[EventFact] = field(default_factory=list)

    def known(self, event: Event) -> Kind | None:
        """The kind of an event that has been placed already."""
        stored = self.around.found.get(event.event_id)
        return None if stored is None or stored.kind in WITHOUT_STATE else stored.kind


class EventReception:
    """Takes in verified events (format, signatures and hashes are checked by the caller)."""

    def __init__(
        self,
        identity: Identity,
        rooms: LiveRooms,
        log: Log,
        numbers: Numbers,
        events: EventStore,
        placement: Placement,
        clock: Clock,
        notices: Notices,
    ) -> None:
        self._identity = identity
        self._rooms = rooms
        self._log = log
        self._numbers = numbers
        self._events = events
        self._placement = placement
        self._clock = clock
        self._notices = notices
        self.shown: Callable[[LiveRoom, str], list[dict[str, Any]]] = lambda room, inviter: []
        """What the invited are shown of a room; the feature that invites knows."""
        self.policy_servers: PolicyServers = NoPolicyServers()
        """Asked about events of rooms that have one, before the room is parked; federation puts itself here."""

    async def receive(self, room_id: str, events: Sequence[Event]) -> list[Kind]:
        """Take in events of one room, predecessors first; what became of each.

        Raises MissingEvents (those before it are stored), NotFound for a room in which this server is not.
        """
        kinds: list[Kind] = []
        for result in await self.take_in(room_id, events):
            if isinstance(result, Missing):
                raise MissingEvents(result.event_ids)
            kinds.append(result)
        return kinds

    async def take_in(
        self,
        room_id: str,
        events: Sequence[Event],
        *,
        given: Mapping[str, StateMap] | None = None,
        extras: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> list[Result]:
        """Take in events of one room, predecessors first; what became of each. Those that are known are passed over.

        `given` are the states after predecessors that we do not have (all events of them are stored), `extras` what is
        to be kept beside events, by id. Raises NotFound for a room in which this server is not.
        """
        for attempt in range(1, _TRIES + 1):
            room = await self._rooms.get(room_id)
            unwanted: frozenset[str] = frozenset()
            if POLICY in room.state:
                events, unwanted = await self.policy_servers.reviewed(room, events)
            try:
                return await self._take_in(room, events, given or {}, extras or {}, unwanted)
            except Dropped:
                if attempt == _TRIES:
                    raise
        raise Dropped()

    async def _take_in(
        self,
        room: LiveRoom,
        events: Sequence[Event],
        given: Mapping[str, StateMap],
        extras: Mapping[str, Mapping[str, Any]],
        unwanted: frozenset[str],
    ) -> list[Result]:
        await room.turn.acquire()
        try:
            batch = await self._batch(room, events, given, extras)
            batch.unwanted = unwanted
            if room.is_dropped:
                raise Dropped()
            results = [await self._place(batch, event) for event in events]
            stored = self._store(batch)
        except BaseException:
            self._rooms.drop(room)
            raise
        finally:
            room.turn.release()
        if stored is not None:
            await stored
        return results

    async def _batch(
        self,
        room: LiveRoom,
        events: Sequence[Event],
        given: Mapping[str, StateMap],
        extras: Mapping[str, Mapping[str, Any]],
    ) -> _Batch:
        """Everything that placing the events will ask for, as far as one can tell before."""
        around = await self._placement.surroundings(room.identity, events, given)
        users = {key[1] for event in events for key in auth_keys_of(event) if key[0] == MEMBER}
        await self._rooms.add_members(room, users | {event.sender for event in events})
        await self._notices.prepare(room, events)
        await self._numbers.keys.of_all(event.key for event in events if event.is_state)
        await self._events.get({event.redacts for event in events if event.redacts is not None})
        return _Batch(room, around, extras)

    # -- one event -----------------------------------------------------------------------------------------------------

    async def _place(self, batch: _Batch, event: Event) -> Result:
        known = batch.known(event)
        if known is not None:
            return known
        if event.event_id in batch.around.foreign or event.room_id != batch.room.identity.room_id:
            return Kind.REJECTED
        missing = batch.around.missing_of(event)
        if missing:
            return Missing(missing)
        room, around = batch.room, batch.around
        for extremity in room.head.extremities:
            around.after[extremity.event_id] = StatePoint(StateRef(extremity.branch, extremity.version))
        is_next = set(event.prev_event_ids) == {extremity.event_id for extremity in room.head.extremities}
        if is_next or around.states_before(event) == [_now(room)]:
            before = self._state_now(room, event)
        else:
            await self._flush(batch)
            before = await self._placement.before(around, event, room.head.trunk_version)
        change = await self._numbered(batch, event)
        auth_events = [around.found[event_id].event for event_id in event.auth_references]
        if not is_allowed(event, auth_events, before.events):
            event.rejected = True
            return self._keep(batch, self._fact(batch, change, Kind.REJECTED, before))
        if event.event_id in batch.unwanted:
            return self._keep(batch, self._fact(batch, change, Kind.SOFT_FAILED, before))
        if is_next:
            trunk = extend(room, change, is_local=self._is_local)
            return self._keep(batch, self._fact(batch, change, Kind.LIVE, before, trunk=trunk))
        if before.ref != _now(room).ref and not passes(event, self._state_now(room, event).events):
            return self._keep(batch, self._fact(batch, change, Kind.SOFT_FAILED, before))
        return await self._fork(batch, change, before)

    def _state_now(self, room: LiveRoom, event: Event) -> Before:
        state = {key: found for key in auth_keys_of(event) if (found := room.auth_event(key)) is not None}
        now = _now(room)
        return Before(now.ref, now, {**state, CREATE: room.create_event})

    async def _fork(self, batch: _Batch, change: Change, before: Before) -> Kind:
        """Accept an event that does not follow on all extremities: it becomes one of several, or the only one."""
        room, event = batch.room, change.event
        covered = await self._covered(batch, event)
        others = [extremity for extremity in room.head.extremities if extremity.event_id not in covered]
        tips = {StatePoint(StateRef(e.branch, e.version)) for e in others}
        was = {StatePoint(StateRef(e.branch, e.version)) for e in room.head.extremities}
        mine = _with(before.state, change)
        rows: tuple[BranchRows, ...] = before.rows
        trunk: tuple[TrunkChange, ...] = ()
        if (
            isinstance(mine, StatePoint)
            and mine.event_id is None
            and ({*tips, mine} == was or {*tips, mine} == {_now(room)})
        ):
            after = mine.ref
        else:
            await self._flush(batch)
            changes, own_changes = await self._new_state(room, [mine, *tips], event)
            base = room.head.trunk_version
            trunk = await self._become(room, changes, change)
            if changes == own_changes:
                after = StateRef(TRUNK, room.head.trunk_version)
            elif change.key_nid is None:
                after = before.ref
            elif before.rows:
                after, rows = _grown(before.rows[0], change)
            else:
                after, more = await self._placement.named(own_changes, base, change)
                rows = (*rows, *more)
        extremity = Extremity(event.event_id, change.event_nid, after.branch, after.version, event.depth)
        depth = max(room.head.depth, event.depth)
        room.head = msgspec.structs.replace(room.head, depth=depth, extremities=(*others, extremity))
        remember_reference(room, event)
        return self._keep(batch, self._fact(batch, change, Kind.LIVE, before, trunk=trunk, rows=rows))

    async def _covered(self, batch: _Batch, event: Event) -> set[str]:
        """What is behind the event: its predecessors, and those of such as are no extremities themselves."""
        found = batch.around.found
        covered: set[str] = set()
        waiting = list(event.prev_event_ids)
        while waiting and len(covered) < _HIDDEN_ANCESTORS:
            event_id = waiting.pop()
            covered.add(event_id)
            stored = found.get(event_id)
            if stored is not None and stored.kind in (Kind.SOFT_FAILED, Kind.REJECTED):
                behind = [each for each in stored.event.prev_event_ids if each not in covered]
                found.update(await self._events.get([each for each in behind if each not in found]))
                waiting += behind
        return covered

    async def _new_state(self, room: LiveRoom, states: Sequence[State], event: Event) -> tuple[Changes, Changes]:
        """What changes in the room's state, over all these extremities; and in what the first one differs from it."""
        resolver, version = self._placement.resolver, room.head.trunk_version
        merged = await self._placement.read(lambda txn: resolver.merged(txn, room.identity, version, states, [event]))
        return merged.changes, merged.each[0]

    async def _become(self, room: LiveRoom, changes: Changes, change: Change) -> tuple[TrunkChange, ...]:
        """Bring the live room to a resolved state; the trunk changes that it takes."""
        if not changes:
            return ()
        keys = await self._numbers.keys.of_all(changes)
        stored = await self._events.get([event_id for event_id in changes.values() if event_id is not None])
        await self._rooms.add_members(room, [key[1] for key in changes if key[0] == MEMBER])
        room.head = msgspec.structs.replace(room.head, trunk_version=room.head.trunk_version + 1)
        made = []
        for key in sorted(changes):
            event_id = changes[key]
            if event_id is None:
                made.append(remove(room, *key, keys[key], is_local=self._is_local))
            elif event_id == change.event.event_id:
                made.append(put(room, change, is_local=self._is_local))
            else:
                found = stored[event_id]
                made.append(put(room, Change(found.event, found.event_nid, keys[key]), is_local=self._is_local))
        return tuple(made)

    # -- facts ---------------------------------------------------------------------------------------------------------

    async def _numbered(self, batch: _Batch, event: Event) -> Change:
        stored = batch.around.found.get(event.event_id)
        nid = stored.event_nid if stored is not None else await self._numbers.events.take()
        return Change(event, nid, await self._numbers.keys.of(event.key) if event.is_state else None)

    def _is_local(self, user_id: str) -> bool:
        return user_id.endswith(":" + self._identity.server_name)

    def _fact(
        self,
        batch: _Batch,
        change: Change,
        kind: Kind,
        before: Before,
        *,
        trunk: tuple[TrunkChange, ...] = (),
        rows: tuple[BranchRows, ...] | None = None,
    ) -> EventFact:
        room, event = batch.room, change.event
        outcome = self._notices.count(room, event, trunk) if kind is Kind.LIVE else Outcome()
        target = self._events.peek(event.redacts) if event.redacts and kind is Kind.LIVE else None
        member = room.members.get(event.sender)
        extras = batch.extras.get(event.event_id) or self._shown_to_invited(room, event, kind)
        return EventFact(
            room_id=room.identity.room_id,
            room_nid=room.identity.room_nid,
            event=event,
            event_nid=change.event_nid,
            key_nid=change.key_nid,
            kind=kind,
            received_ms=room.received_now(self._clock.now_ms()),
            extras=dict(extras) if extras else None,
            before=before.ref,
            head=room.head,
            trunk=trunk,
            branch_rows=before.rows if rows is None else rows,
            redacts=event.redacts if target and takes_effect(event, target.event, room.power_levels) else None,
            thread=outcome.thread,
            notified=outcome.notified,
            highlighted=outcome.highlighted,
            outcome=(outcome.counts, outcome.highlights),
            deviations=outcome.deviations,
            sender_member=member.event_id if member else None,
            members=tuple(c.state_key for c in trunk if c.type == MEMBER),
        )

    def _shown_to_invited(self, room: LiveRoom, event: Event, kind: Kind) -> Mapping[str, Any]:
        """The stripped state for an invite of one of our users that comes as an event of a room in which we are."""
        if kind is not Kind.LIVE or event.membership != "invite" or not self._is_local(event.key[1]):
            return {}
        return {"invite_room_state": self.shown(room, event.sender)}

    def _keep(self, batch: _Batch, fact: EventFact) -> Kind:
        """Queue a fact for the batch's commit, and let later events of the batch find its event."""
        batch.facts.append(fact)
        batch.around.found[fact.event.event_id] = from_fact(fact)
        return fact.kind

    async def _flush(self, batch: _Batch) -> None:
        """Bring everything that was built on the room into the database, where the next question will look."""
        stored = self._store(batch)
        if stored is not None:
            await stored
        await batch.room.settled()
        if batch.room.is_dropped:
            raise Dropped()

    def _store(self, batch: _Batch) -> "Deferred[None] | None":
        """Queue what the batch has; fires after the commit."""
        facts, batch.facts = batch.facts, []
        if not facts:
            return None
        room = batch.room
        append = Append(
            ROOM.name,
            room.identity.shard,
            room.identity.room_id,
            [(EVENTS, fact) for fact in facts],
            is_current=lambda: not room.is_dropped,
        )
        return Deferred.fromCoroutine(self._stored(room, append, facts))

    async def _stored(self, room: LiveRoom, append: Append, facts: Sequence[EventFact]) -> None:
        await self._rooms.store(room, self._log, append)
        self._events.take(facts)


def _now(room: LiveRoom) -> StatePoint:
    """The room's state as it is."""
    return StatePoint(StateRef(TRUNK, room.head.trunk_version))


def _with(state: State, change: Change) -> State:
    """A state with an event that is accepted on it."""
    if change.key_nid is None:
        return state
    event = change.event
    if isinstance(state, StatePoint):
        return StatePoint(state.ref, event.key, event.event_id)
    if isinstance(state, Altered):
        return Altered(state.base, {**state.changes, event.key: event.event_id})
    return {**state, event.key: event.event_id}


def _grown(rows: BranchRows, change: Change) -> tuple[StateRef, tuple[BranchRows, ...]]:
    """The state after an accepted event whose state before has a new branch of its own: one more row on that."""
    more = (*rows.rows, (change.key_nid or 0, 2, change.event_nid))
    return StateRef(rows.branch, 2), (BranchRows(rows.branch, rows.base_version, more),)
