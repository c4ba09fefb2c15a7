"""Events of a room's past, fetched from other servers: judged by the state before them and stored behind what we have.

They get backward numbers, so that no reader hears of them as new, and touch neither the room's state nor its
extremities. Their states hang on branches: one for a run of events, with a row for each change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from replication.committer import Append, Dropped
from replication.log import Log
from synapse_like.matrix.auth_rules import auth_keys_of
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.events import Event
from synapse_like.rooms.changes import Change
from synapse_like.rooms.creation import Numbers
from synapse_like.rooms.event_store import EventStore, StoredEvent
from synapse_like.rooms.facts import EVENTS, TRUNK, BranchRows, EventFact, Kind, StateRef
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.live import LiveRoom
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.placement import WITHOUT_STATE, Placement, is_allowed
from synapse_like.rooms.points import StateMap, StatePoint, changes_between
from synapse_like.rooms.redactions import takes_effect
from synapse_like.rooms.sql import redactions as redactions_sql
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Transaction

_FIRST_VERSION = 1


@dataclass(slots=True)
class _Run:
    """A run of events that is being placed. Maps are told apart by identity, and never change.

    * `states`   the state after each event that is placed, and (as `before`) before those whose predecessors we lack
    * `refs`     how the states are named
    * `tip`      the newest version of the run's branch, by branch
    """

    room: LiveRoom
    base: StateMap
    found: dict[str, StoredEvent]
    before: Mapping[str, StateMap]
    states: dict[str, StateMap] = field(default_factory=dict)
    named: dict[int, tuple[StateMap, StateRef]] = field(default_factory=dict)
    tips: dict[int, int] = field(default_factory=dict)
    own: dict[str, Change] = field(default_factory=dict)
    facts: list[EventFact] = field(default_factory=list)


class Backfilling:
    """Stores the past of rooms that are live here."""

    def __init__(
        self, rooms: LiveRooms, log: Log, numbers: Numbers, events: EventStore, placement: Placement, clock: Clock
    ) -> None:
        self._rooms = rooms
        self._log = log
        self._numbers = numbers
        self._events = events
        self._placement = placement
        self._clock = clock

    async def unplaced(self, event_ids: Sequence[str]) -> list[str]:
        """Those of the events that have no place in their room: unknown, or known only as part of a state."""
        found = await self._events.get(event_ids)
        return [each for each in event_ids if each not in found or found[each].kind in WITHOUT_STATE]

    async def store(self, room_id: str, events: Sequence[Event], before: Mapping[str, StateMap]) -> list[str]:
        """Store verified events, predecessors first; the ids of those that have got a place.

        `before` are the states before those whose predecessors we lack; every event of them is stored. An event whose
        state cannot be known is left out. Raises NotFound for a room in which this server is not.
        """
        room = await self._rooms.get(room_id)
        await room.turn.acquire()
        try:
            await room.settled()
            if room.is_dropped:
                raise Dropped()
            run = await self._begin(room, events, before)
            for event in events:
                await self._place(run, event)
            await self._append(run)
        finally:
            room.turn.release()
        return [fact.event.event_id for fact in run.facts]

    async def _begin(self, room: LiveRoom, events: Sequence[Event], before: Mapping[str, StateMap]) -> _Run:
        """What the run will ask for: stored predecessors with their states, numbers of state keys."""
        identity = room.identity
        around = await self._placement.surroundings(identity, events, {})
        await self._numbers.keys.of_all(event.key for event in events if event.is_state)
        placed: dict[str, StatePoint] = {
            event_id: _after(around.found[event_id])
            for event in events
            for event_id in event.prev_event_ids
            if event_id in around.found and around.found[event_id].kind not in WITHOUT_STATE
        }
        base = StatePoint(StateRef(TRUNK, _FIRST_VERSION))
        resolver = self._placement.resolver

        def read(transaction: Transaction) -> tuple[StateMap, dict[str, StateMap]]:
            states = {
                event_id: resolver.state_at(transaction, identity.room_nid, point) for event_id, point in placed.items()
            }
            return resolver.state_at(transaction, identity.room_nid, base), states

        base_map, states = await self._placement.read(read)
        run = _Run(room, base_map, around.found, before, states)
        run.named[id(base_map)] = (base_map, base.ref)
        for event_id, point in placed.items():
            if point.event_id is None:
                run.named[id(states[event_id])] = (states[event_id], point.ref)
        return run

    async def _place(self, run: _Run, event: Event) -> None:
        stored = run.found.get(event.event_id)
        if stored is not None and stored.kind not in WITHOUT_STATE:
            return
        known = [self._known(run, event_id) for event_id in event.auth_references]
        auth = [each for each in known if each is not None]
        state = await self._state_before(run, event)
        if state is None or len(auth) < len(known):
            return
        nid = stored.event_nid if stored is not None else await self._numbers.events.take()
        change = Change(event, nid, await self._numbers.keys.of(event.key) if event.is_state else None)
        ref, rows = await self._named(run, state)
        event.rejected = not is_allowed(event, auth, await self._part(run, state, event))
        after = state
        if event.is_state and not event.rejected:
            after, more = self._grown(run, state, ref, change)
            rows += more
        run.states[event.event_id] = after
        run.own[event.event_id] = change
        run.facts.append(self._fact(run, change, ref, tuple(rows)))

    def _known(self, run: _Run, event_id: str) -> Event | None:
        if event_id in run.own:
            return run.own[event_id].event
        stored = run.found.get(event_id)
        return stored.event if stored is not None else None

    async def _state_before(self, run: _Run, event: Event) -> StateMap | None:
        """The state before an event: as it was told, or what its predecessors resolve to; None if nobody knows."""
        told = run.before.get(event.event_id)
        if told is not None:
            return told
        if event.is_create:
            return {}
        states: list[StateMap] = []
        for event_id in event.prev_event_ids:
            state = run.states.get(event_id)
            if state is None:
                return None
            if state not in states:
                states.append(state)
        if len(states) < 2:
            return states[0] if states else None
        room, resolver = run.room.identity, self._placement.resolver
        unstored = [change.event for change in run.own.values()]
        return await self._placement.read(lambda txn: resolver.resolved(txn, room.version, states, unstored))

    async def _part(self, run: _Run, state: StateMap, event: Event) -> dict[tuple[str, str], Event]:
        """What of the state before an event concerns it."""
        ids = [state[key] for key in auth_keys_of(event) | {CREATE} if key in state]
        stored = await self._events.get([each for each in ids if each not in run.own])
        events = [run.own[each].event for each in ids if each in run.own] + [found.event for found in stored.values()]
        return {each.key: each for each in events}

    async def _named(self, run: _Run, state: StateMap) -> tuple[StateRef, list[BranchRows]]:
        """The name of a state; a new branch off the beginning of the trunk if it has none."""
        known = run.named.get(id(state))
        if known is not None:
            return known[1], []
        own = [change for change in run.own.values() if change.event.is_state]
        ref, rows = await self._placement.named(changes_between(run.base, state), _FIRST_VERSION, *own)
        run.named[id(state)] = (state, ref)
        if ref.branch != TRUNK:
            run.tips[ref.branch] = ref.version
        return ref, list(rows)

    def _grown(self, run: _Run, state: StateMap, ref: StateRef, change: Change) -> tuple[StateMap, list[BranchRows]]:
        """The state with an event on it: a row more if nothing else has grown out of that version."""
        after = {**state, change.event.key: change.event.event_id}
        if run.tips.get(ref.branch) != ref.version:
            return after, []
        version = ref.version + 1
        run.tips[ref.branch] = version
        run.named[id(after)] = (after, StateRef(ref.branch, version))
        return after, [BranchRows(ref.branch, None, ((change.key_nid or 0, version, change.event_nid),))]

    def _fact(self, run: _Run, change: Change, ref: StateRef, rows: tuple[BranchRows, ...]) -> EventFact:
        room, event = run.room, change.event
        return EventFact(
            room_id=room.identity.room_id,
            room_nid=room.identity.room_nid,
            event=event,
            event_nid=change.event_nid,
            key_nid=change.key_nid,
            kind=Kind.REJECTED if event.rejected else Kind.BACKFILLED,
            received_ms=self._clock.now_ms(),
            extras=None,
            before=ref,
            head=room.head,
            branch_rows=rows,
            redacts=self._target(run, event),
        )

    def _target(self, run: _Run, event: Event) -> str | None:
        """What a redaction of the past redacts, of what is known."""
        if event.redacts is None or event.rejected:
            return None
        own = run.own.get(event.redacts)
        stored = self._events.peek(event.redacts)
        target = own.event if own is not None else stored.event if stored is not None else None
        return event.redacts if target and takes_effect(event, target, run.room.power_levels) else None

    async def _append(self, run: _Run) -> None:
        if not run.facts:
            return
        identity = run.room.identity
        waiting = await self._redactions(run)

        def extra(transaction: Transaction) -> None:
            redactions_sql.apply(transaction, waiting)

        await self._log.submit(
            Append(
                ROOM.name,
                identity.shard,
                identity.room_id,
                [],
                backward=[(EVENTS, fact) for fact in reversed(run.facts)],
                extra=extra if waiting else None,
            )
        )
        for fact in run.facts:
            self._events.forget(fact.event.event_id)

    async def _redactions(self, run: _Run) -> list[tuple[int, str, int, int]]:
        """Redactions that came before what they redact: those that take effect on events of this run."""
        nid, targets = run.room.identity.room_nid, {fact.event.event_id: fact.event for fact in run.facts}
        rows = await self._placement.read(lambda txn: redactions_sql.waiting(txn, nid, list(targets)))
        stored = await self._events.get([event_id for _, event_id in rows])
        levels = run.room.power_levels
        return [
            (nid, redacted_id, redaction.event_nid, redaction.number or 0)
            for redacted_id, event_id in rows
            if (redaction := stored.get(event_id)) is not None
            and takes_effect(redaction.event, targets[redacted_id], levels)
        ]


def _after(stored: StoredEvent) -> StatePoint:
    """The state after a stored event."""
    if stored.event.is_state and stored.kind is not Kind.REJECTED:
        return StatePoint(stored.before, stored.event.key, stored.event_id)
    return StatePoint(stored.before)
