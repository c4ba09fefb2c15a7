"""Events made elsewhere: checked, placed, and merged into the room, forks and all.

The room is parked meanwhile: nothing is built on it until its new state is known. An event whose predecessors are
exactly the room's extremities extends it like one of ours; any other has its state before it computed from its
predecessors, and the room's state becomes the resolution over all its extremities.
Source: server-server API, "Checks performed on receipt of a PDU".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from replication.committer import Append
from replication.log import Log
from synapse_like.matrix.auth_rules import auth_keys_of, check_auth, check_auth_event_choice
from synapse_like.matrix.errors import AuthError, MatrixError, NotFound
from synapse_like.matrix.events import Event
from synapse_like.rooms.changes import Change, extend, put, remove
from synapse_like.rooms.creation import Identity, Numbers
from synapse_like.rooms.event_store import EventStore, StoredEvent
from synapse_like.rooms.facts import EVENTS, TRUNK, BranchRows, EventFact, Extremity, Kind, StateRef, TrunkChange
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.live import MEMBER, LiveRoom
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.numbers import NumberBlock
from synapse_like.rooms.ports import Notices, Outcome
from synapse_like.rooms.redactions import takes_effect
from synapse_like.rooms.resolution import StateMap, resolved, state_map
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction


class MissingEvents(NotFound):
    """Predecessors or auth events that this server does not have; they must be fetched first."""

    def __init__(self, event_ids: Iterable[str]) -> None:
        super().__init__("Events are missing")
        self.event_ids = frozenset(event_ids)


@dataclass(frozen=True, slots=True)
class Merge:
    """What a fork's arithmetic gave: the state before the event, and the room's state after it."""

    before: StateMap
    current: StateMap


class EventReception:
    """Takes in verified events (signatures and hashes are checked by the caller)."""

    def __init__(
        self,
        identity: Identity,
        rooms: LiveRooms,
        log: Log,
        numbers: Numbers,
        events: EventStore,
        database: Database,
        clock: Clock,
        notices: Notices,
    ) -> None:
        self._identity = identity
        self._rooms = rooms
        self._log = log
        self._numbers = numbers
        self._branches = NumberBlock(database, "branch")
        self._events = events
        self._database = database
        self._clock = clock
        self._notices = notices

    async def receive(self, room_id: str, events: Sequence[Event]) -> list[Kind]:
        """Take in events of one room, predecessors first; what became of each. Those that are known are passed over.

        Raises MissingEvents before anything of that event is stored, NotFound for an unknown room.
        """
        room = await self._rooms.get(room_id)
        await room.turn.acquire()
        try:
            await room.settled()
            if room.is_dropped:
                raise NotFound("The room was reloaded")
            kinds = []
            for event in events:
                kinds.append(await self._take(room, event))
            return kinds
        finally:
            room.turn.release()

    async def _take(self, room: LiveRoom, event: Event) -> Kind:
        known = await self._events.get_one(event.event_id)
        if known is not None and known.kind is not Kind.OUTLIER:
            return known.kind
        predecessors = await self._stored(event.prev_event_ids)
        auth = await self._stored(event.auth_references)
        await self._bring_members(room, event)
        await self._notices.prepare(room, [event])
        tips = {extremity.event_id for extremity in room.head.extremities}
        if set(event.prev_event_ids) == tips:
            fact = await self._extend(room, event, auth)
        else:
            fact = await self._merge(room, event, predecessors, auth)
        await self._store(room, fact)
        return fact.kind

    async def _stored(self, event_ids: Sequence[str]) -> dict[str, StoredEvent]:
        found = await self._events.get(event_ids)
        missing = [event_id for event_id in event_ids if event_id not in found]
        if missing:
            raise MissingEvents(missing)
        return found

    async def _bring_members(self, room: LiveRoom, event: Event) -> None:
        users = {key[1] for key in auth_keys_of(event) if key[0] == MEMBER} | {event.sender}
        await self._rooms.add_members(room, users)

    # -- the common case: the event follows on everything that we have -------------------------------------------------

    async def _extend(self, room: LiveRoom, event: Event, auth: Mapping[str, StoredEvent]) -> EventFact:
        before = StateRef(TRUNK, room.head.trunk_version)
        change = await self._numbered(event)
        state = {key: found for key in auth_keys_of(event) if (found := room.auth_event(key)) is not None}
        state["m.room.create", ""] = room.create_event
        if not _is_allowed(event, auth, state):
            return self._fact(room, change, Kind.REJECTED, before)
        trunk = extend(room, change, is_local=self._is_local)
        return self._fact(room, change, Kind.LIVE, before, trunk=trunk)

    # -- forks and merges ----------------------------------------------------------------------------------------------

    async def _merge(
        self,
        room: LiveRoom,
        event: Event,
        predecessors: Mapping[str, StoredEvent],
        auth: Mapping[str, StoredEvent],
    ) -> EventFact:
        change = await self._numbered(event)
        merge = await self._database.read(lambda txn: self._compute(txn, room, event, predecessors))
        before_events = await self._stored(_ids_for_auth(event, merge.before))
        state = {stored.event.key: stored.event for stored in before_events.values()}
        before, rows = await self._name(room, merge.before)
        if not _is_allowed(event, auth, state):
            return self._fact(room, change, Kind.REJECTED, before, rows=rows)
        if not _passes(event, {k: e for k in auth_keys_of(event) if (e := room.auth_event(k))}, room.create_event):
            return self._fact(room, change, Kind.SOFT_FAILED, before, rows=rows)
        after, rows = _after(change, before, rows, await self._branches.take())
        extremities = [e for e in room.head.extremities if e.event_id not in event.prev_event_ids]
        extremity = Extremity(event.event_id, change.event_nid, after.branch, after.version, event.depth)
        trunk = await self._become(room, merge.current, change)
        depth = max(room.head.depth, event.depth)
        room.head = msgspec.structs.replace(room.head, depth=depth, extremities=(*extremities, extremity))
        return self._fact(room, change, Kind.LIVE, before, trunk=trunk, rows=rows)

    def _compute(
        self, transaction: Transaction, room: LiveRoom, event: Event, predecessors: Mapping[str, StoredEvent]
    ) -> Merge:
        """In a database thread: the state before the event, and over all extremities once it is one of them."""
        nid, version = room.identity.room_nid, room.identity.version
        after = {e.event_id: StateRef(e.branch, e.version) for e in room.head.extremities}
        states = [self._state_after(transaction, nid, stored, after) for stored in predecessors.values()]
        before = resolved(transaction, version, states, [event])
        mine = {**before, event.key: event.event_id} if event.is_state else before
        others = [ref for event_id, ref in after.items() if event_id not in event.prev_event_ids]
        current = resolved(transaction, version, [mine, *(state_map(transaction, nid, r) for r in others)], [event])
        return Merge(before, current)

    @staticmethod
    def _state_after(
        transaction: Transaction, room_nid: int, stored: StoredEvent, known: Mapping[str, StateRef]
    ) -> StateMap:
        if stored.event_id in known:
            return state_map(transaction, room_nid, known[stored.event_id])
        state = state_map(transaction, room_nid, stored.before)
        if stored.event.is_state and stored.kind is not Kind.REJECTED:
            state[stored.event.key] = stored.event_id
        return state

    async def _name(self, room: LiveRoom, state: StateMap) -> tuple[StateRef, tuple[BranchRows, ...]]:
        """A reference for a state: the trunk's head if it is that, else a new branch off it."""
        nid, version = room.identity.room_nid, room.head.trunk_version
        trunk = await self._database.read(lambda txn: state_map(txn, nid, StateRef(TRUNK, version)))
        changed = {key: state.get(key) for key in state.keys() | trunk.keys() if state.get(key) != trunk.get(key)}
        if not changed:
            return StateRef(TRUNK, version), ()
        keys = await self._numbers.keys.of_all(changed)
        stored = await self._events.get([event_id for event_id in changed.values() if event_id is not None])
        branch = await self._branches.take()
        rows = tuple(
            (keys[key], 1, stored[event_id].event_nid if event_id is not None else None)
            for key, event_id in changed.items()
        )
        return StateRef(branch, 1), (BranchRows(branch, version, rows),)

    async def _become(self, room: LiveRoom, state: StateMap, change: Change) -> tuple[TrunkChange, ...]:
        """Bring the live room to a resolved state; the trunk changes that it takes."""
        nid, version = room.identity.room_nid, room.head.trunk_version
        old = await self._database.read(lambda txn: state_map(txn, nid, StateRef(TRUNK, version)))
        differing = [key for key in state.keys() | old.keys() if state.get(key) != old.get(key)]
        if not differing:
            return ()
        keys = await self._numbers.keys.of_all(differing)
        stored = await self._events.get([event_id for key in differing if (event_id := state.get(key)) is not None])
        await self._rooms.add_members(room, [key[1] for key in differing if key[0] == MEMBER])
        room.head = msgspec.structs.replace(room.head, trunk_version=version + 1)
        changes = []
        for key in sorted(differing):
            event_id = state.get(key)
            if event_id is None:
                changes.append(remove(room, *key, keys[key], is_local=self._is_local))
            elif event_id == change.event.event_id:
                changes.append(put(room, change, is_local=self._is_local))
            else:
                found = stored[event_id]
                other = Change(found.event, found.event_nid, keys[key])
                changes.append(put(room, other, is_local=self._is_local))
        return tuple(changes)

    # -- what both have in common --------------------------------------------------------------------------------------

    async def _numbered(self, event: Event) -> Change:
        nid = await self._numbers.events.take()
        return Change(event, nid, await self._numbers.keys.of(event.key) if event.is_state else None)

    def _is_local(self, user_id: str) -> bool:
        return user_id.endswith(":" + self._identity.server_name)

    def _fact(
        self,
        room: LiveRoom,
        change: Change,
        kind: Kind,
        before: StateRef,
        *,
        trunk: tuple[TrunkChange, ...] = (),
        rows: tuple[BranchRows, ...] = (),
    ) -> EventFact:
        event = change.event
        outcome = self._notices.count(room, event, trunk) if kind is Kind.LIVE else Outcome()
        target = self._events.peek(event.redacts) if event.redacts and kind is Kind.LIVE else None
        member = room.members.get(event.sender)
        return EventFact(
            room_id=room.identity.room_id,
            room_nid=room.identity.room_nid,
            event=event,
            event_nid=change.event_nid,
            key_nid=change.key_nid,
            kind=kind,
            received_ms=room.received_now(self._clock.now_ms()),
            json=event.encoded.decode(),
            extras=None,
            before=before,
            head=room.head,
            trunk=trunk,
            branch_rows=rows,
            redacts=event.redacts if target and takes_effect(event, target.event, room.power_levels) else None,
            thread=outcome.thread,
            notified=outcome.notified,
            highlighted=outcome.highlighted,
            outcome=(outcome.counts, outcome.highlights),
            deviations=outcome.deviations,
            sender_member=member.event_id if member else None,
            members=tuple(c.state_key for c in trunk if c.type == MEMBER),
        )

    async def _store(self, room: LiveRoom, fact: EventFact) -> None:
        append = Append(
            ROOM.name,
            room.identity.shard,
            room.identity.room_id,
            [(EVENTS, fact)],
            is_current=lambda: not room.is_dropped,
        )
        try:
            await self._log.submit(append)
        except BaseException:
            self._rooms.drop(room)
            raise
        self._events.take([fact])


def _after(
    change: Change, before: StateRef, rows: tuple[BranchRows, ...], spare_branch: int
) -> tuple[StateRef, tuple[BranchRows, ...]]:
    """The reference of the state after an accepted event: its own row on a branch, if it is state."""
    if change.key_nid is None:
        return before, rows
    if not rows:
        row = (change.key_nid, 1, change.event_nid)
        return StateRef(spare_branch, 1), (BranchRows(spare_branch, before.version, (row,)),)
    first = rows[0]
    grown = (*first.rows, (change.key_nid, 2, change.event_nid))
    return StateRef(first.branch, 2), (BranchRows(first.branch, first.base_version, grown),)


def _ids_for_auth(event: Event, state: StateMap) -> list[str]:
    keys = auth_keys_of(event) | {("m.room.create", "")}
    return [state[key] for key in keys if key in state]


def _is_allowed(event: Event, auth: Mapping[str, StoredEvent], state: Mapping[tuple[str, str], Event]) -> bool:
    """Whether the event passes by the auth events that it names, and by the state before it."""
    listed = [stored.event for stored in auth.values()]
    try:
        check_auth_event_choice(event, [e for e in listed if e.event_id in event.auth_event_ids])
        check_auth(event, {e.key: e for e in listed if e.is_state})
        check_auth(event, state)
    except AuthError:
        return False
    return True


def _passes(event: Event, current: dict[tuple[str, str], Event], create: Event) -> bool:
    """Whether the room's current state would allow the event; if not, it is soft-failed."""
    try:
        check_auth(event, {**current, ("m.room.create", ""): create})
    except MatrixError:
        return False
    return True
