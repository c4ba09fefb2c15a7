"""Coming into a room of other servers: what they told of it is stored in bulk, then one short commit makes it live.

The first join of one of our users begins the room's log: its trunk starts with the state before the join. Whoever of
other servers is a member is written before, outside of the log, as no reader looks at a room without a head. A room
that this server was in before goes on from its old trunk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from replication.committer import Append, Dropped, Extra
from replication.log import Log
from replication.numbers import pack
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.errors import AuthError, NotFound
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.changes import Change, counted, extend, member_change, member_of, put, remove
from synapse_like.rooms.creation import Identity, Numbers
from synapse_like.rooms.event_store import EventStore
from synapse_like.rooms.facts import EVENTS, TRUNK, EventFact, Extremity, Head, Kind, StateRef, TrunkChange
from synapse_like.rooms.families import ROOM, fresh_shard
from synapse_like.rooms.live import MEMBER, LiveRoom, RoomIdentity
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.outliers import Outliers, Stored
from synapse_like.rooms.placement import Placement, changes_between, is_allowed
from synapse_like.rooms.resolution import StateKey, StatePoint
from synapse_like.rooms.sql import arrival as sql
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row
from synapse_like.toolkit.locks import KeyedLocks

_WRITTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A join that another server has accepted, with what it told of the room; signatures and hashes are checked."""

    room_id: str
    version: RoomVersion
    join: Event
    state: Sequence[Event]
    """The room's state before the join."""
    auth_chain: Sequence[Event]


@dataclass(frozen=True, slots=True)
class _Before:
    """The state before the join, as stored."""

    events: dict[StateKey, Stored]
    keys: dict[StateKey, int]


class Arrivals:
    """Makes rooms of other servers live here."""

    def __init__(
        self,
        identity: Identity,
        rooms: LiveRooms,
        log: Log,
        numbers: Numbers,
        events: EventStore,
        outliers: Outliers,
        placement: Placement,
        clock: Clock,
    ) -> None:
        self._identity = identity
        self._rooms = rooms
        self._log = log
        self._numbers = numbers
        self._events = events
        self._outliers = outliers
        self._placement = placement
        self._clock = clock
        self._turns = KeyedLocks()

    async def arrive(self, arrival: Arrival) -> None:
        """Take a room in; it is live, and the join told to readers, when this returns.

        Raises AuthError if the state that we were told does not allow the join.
        """
        async with self._turns.hold(arrival.room_id):
            await self._placement.write(
                lambda txn: sql.correct_version(txn, arrival.room_id, arrival.version.identifier)
            )
            room = await self.identity_of(arrival.room_id, arrival.version)
            stored = await self._outliers.store(room, [*arrival.auth_chain, *arrival.state])
            state = {e.key: stored[e.event_id] for e in arrival.state if e.event_id in stored and e.is_state}
            state = {key: each for key, each in state.items() if not each.is_rejected}
            await self._check(arrival, state)
            before = _Before(state, await self._numbers.keys.of_all([*state, arrival.join.key]))
            try:
                live = await self._rooms.get(arrival.room_id)
            except NotFound:
                await self._begin(room, arrival.join, before)
            else:
                await self._return(live, arrival.join, before)

    async def identity_of(self, room_id: str, version: RoomVersion) -> RoomIdentity:
        """The numbers of a room, given now if it was not known. Raises AuthError if it is known by another version."""
        known = await self._placement.read(lambda txn: sql.room(txn, room_id))
        if known is None:
            shard = fresh_shard(ROOM, room_id)
            return RoomIdentity(
                room_id, await self._numbers.rooms.add(room_id, version.identifier, shard), version, shard
            )
        if known[1] != version.identifier:
            raise AuthError("This server knows the room by another version")
        return RoomIdentity(room_id, known[0], version, known[2])

    async def _check(self, arrival: Arrival, state: dict[StateKey, Stored]) -> None:
        create = state.get(CREATE)
        if create is None or create.event.room_id != arrival.room_id:
            raise AuthError("The state that we were told has no create event of this room")
        if create.event.content.get("room_version", "1") != arrival.version.identifier:
            raise AuthError("The room is of another version than we were told")
        found = await self._events.get(arrival.join.auth_references)
        if len(found) < len(arrival.join.auth_references):
            raise AuthError("What authorizes the join was not told")
        auth_events = [each.event for each in found.values()]
        if not is_allowed(arrival.join, auth_events, {key: each.event for key, each in state.items()}):
            raise AuthError("The state that we were told does not allow the join")

    # -- a room that is new to us --------------------------------------------------------------------------------------

    async def _begin(self, room: RoomIdentity, join: Event, before: _Before) -> None:
        others = {key: each for key, each in before.events.items() if key[0] == MEMBER and not self._is_local(key[1])}
        await self._write_members(room, others, before)
        first = [
            self._change(each, before.keys[key], version=1) for key, each in before.events.items() if key not in others
        ]
        nid = await self._nid(join)
        change = Change(join, nid, before.keys[join.key])
        was = before.events.get(join.key)
        became = member_change(join, nid, is_local=True, before=was.event.membership if was is not None else None)
        trunk = [*first, msgspec.structs.replace(became, key_nid=change.key_nid or 0)]
        fact = self._fact(room, change, 1, self._head(join, nid, before), tuple(trunk))

        def count(transaction: Transaction) -> None:
            if sql.count_of_state(transaction, room.room_nid) != len(others):
                raise Dropped()

        await self._append(room, fact, count)

    async def _write_members(self, room: RoomIdentity, others: dict[StateKey, Stored], before: _Before) -> None:
        """The members of other servers, in version 1 of the trunk; what an earlier attempt has left is taken away."""
        nid, number = room.room_nid, pack(room.shard, 0)
        await self._placement.write(lambda txn: sql.forget_attempt(txn, nid))
        items = list(others.items())
        for start in range(0, len(items), _WRITTEN_AT_ONCE):
            part = items[start : start + _WRITTEN_AT_ONCE]
            trunk = [(nid, before.keys[key], 1, each.event_nid, number) for key, each in part]
            current = [(nid, before.keys[key], each.event_nid, 1) for key, each in part]
            members = [_member_row(nid, before.keys[key], number, each) for key, each in part]
            await self._placement.write(partial(sql.add_state, trunk=trunk, current=current, members=members))

    def _change(self, stored: Stored, key_nid: int, version: int) -> TrunkChange:
        event = stored.event
        if event.type != MEMBER:
            return TrunkChange(*event.key, key_nid, event.event_id, stored.event_nid, version=version)
        change = member_change(event, stored.event_nid, is_local=self._is_local(event.key[1]))
        return msgspec.structs.replace(change, key_nid=key_nid, version=version)

    def _head(self, join: Event, nid: int, before: _Before) -> Head:
        head = Head(
            depth=join.depth,
            trunk_version=2,
            extremities=(Extremity(join.event_id, nid, TRUNK, 2, join.depth),),
            notified=0,
            highlighted=0,
            joined_members=0,
            invited_members=0,
        )
        memberships = {key: each.event.membership for key, each in before.events.items() if key[0] == MEMBER}
        for membership in {**memberships, join.key: "join"}.values():
            head = counted(head, None, membership)
        return head

    # -- a room that we were in before ---------------------------------------------------------------------------------

    async def _return(self, room: LiveRoom, join: Event, before: _Before) -> None:
        await room.turn.acquire()
        try:
            await room.settled()
            version, nid = room.head.trunk_version, room.identity.room_nid
            ref = StatePoint(StateRef(TRUNK, version))
            resolver = self._placement.resolver
            old = await self._placement.read(lambda txn: resolver.state_at(txn, nid, ref))
            changes = changes_between(old, {key: each.event.event_id for key, each in before.events.items()})
            keys = before.keys | await self._numbers.keys.of_all(changes)
            await self._rooms.add_members(room, {key[1] for key in (*changes, join.key) if key[0] == MEMBER})
            trunk = []
            for key in sorted(changes):
                found = before.events.get(key)
                if found is None:
                    made = remove(room, *key, keys[key], is_local=self._is_local)
                else:
                    made = put(room, Change(found.event, found.event_nid, keys[key]), is_local=self._is_local)
                trunk.append(msgspec.structs.replace(made, version=version + 1))
            room.head = msgspec.structs.replace(room.head, trunk_version=version + 1, depth=0)
            change = Change(join, await self._nid(join), keys[join.key])
            trunk += extend(room, change, is_local=self._is_local)
            await self._append(room.identity, self._fact(room.identity, change, version + 1, room.head, tuple(trunk)))
        finally:
            self._rooms.drop(room)
            room.turn.release()

    # -- what both have in common --------------------------------------------------------------------------------------

    async def _nid(self, join: Event) -> int:
        known = await self._events.get_one(join.event_id)
        return known.event_nid if known is not None else await self._numbers.events.take()

    def _is_local(self, user_id: str) -> bool:
        return user_id.endswith(":" + self._identity.server_name)

    def _fact(
        self, room: RoomIdentity, change: Change, version: int, head: Head, trunk: tuple[TrunkChange, ...]
    ) -> EventFact:
        return EventFact(
            room_id=room.room_id,
            room_nid=room.room_nid,
            event=change.event,
            event_nid=change.event_nid,
            key_nid=change.key_nid,
            kind=Kind.LIVE,
            received_ms=self._clock.now_ms(),
            json=change.event.encoded.decode(),
            extras=None,
            before=StateRef(TRUNK, version),
            head=head,
            trunk=trunk,
            members=tuple(each.state_key for each in trunk if each.type == MEMBER),
        )

    async def _append(self, room: RoomIdentity, fact: EventFact, extra: Extra | None = None) -> None:
        await self._log.submit(Append(ROOM.name, room.shard, room.room_id, [(EVENTS, fact)], extra=extra))
        self._events.take([fact])


def _member_row(room_nid: int, user_nid: int, number: int, stored: Stored) -> Row:
    """The row of a member of another server."""
    found = member_of(stored.event, stored.event_nid)
    names = found.display_name, found.avatar_url
    return room_nid, user_nid, found.user_id, found.membership, stored.event_nid, number, found.sender, *names, 0, 0
