"""Coming into a room of other servers: what they told of it is stored in parts, then one short commit makes it live.

The first join of one of our users begins the room's log: its trunk starts with the state before the join. Whoever of
other servers is a member is written before, outside of the log, as no reader looks at a room without a head. A room
that this server was in before goes on from its old trunk.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial

import msgspec

from replication.committer import Append, Dropped, Extra
from replication.log import Log
from replication.numbers import pack
from synapse_like.matrix.auth_rules import auth_keys_of
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.errors import AuthError, NotFound
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.changes import Change, counted, extend, member_change, put, remove
from synapse_like.rooms.creation import Identity, Numbers
from synapse_like.rooms.event_store import EventStore
from synapse_like.rooms.facts import EVENTS, TRUNK, EventFact, Extremity, Head, Kind, StateRef, TrunkChange
from synapse_like.rooms.families import ROOM, fresh_shard
from synapse_like.rooms.live import MEMBER, LiveRoom, RoomIdentity
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.outliers import Outliers, Verify
from synapse_like.rooms.placement import Placement, is_allowed
from synapse_like.rooms.points import Changes, StateKey, StatePoint, changes_between
from synapse_like.rooms.sql import arrival as sql
from synapse_like.rooms.told import Told
from synapse_like.rooms.told_state import ToldKey, ToldState
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.db.transaction import Row
from synapse_like.toolkit.locks import KeyedLocks

_WRITTEN_AT_ONCE = 1000


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

    async def arrive(self, told: Told, join: Event, verify: Verify) -> None:
        """Take a room in of which all has been told; it is live, and the join told to readers, when this returns.

        `join` is the one that another server has accepted. Raises AuthError if the state that we were told does not
        allow it.
        """
        async with self._turns.hold(told.room_id):
            await self._placement.write(lambda txn: sql.correct_version(txn, told.room_id, told.version.identifier))
            room = await self.identity_of(told.room_id, told.version)
            with closing(ToldState({*auth_keys_of(join), CREATE, join.key})) as state:
                await self._outliers.store_told(room, told, verify, state.add)
                await self._check(told, join, {key: stored.event for key, stored in state.events.items()})
                try:
                    live = await self._rooms.get(told.room_id)
                except NotFound:
                    await self._begin(room, join, state)
                else:
                    await self._return(live, join, state)

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

    async def _check(self, told: Told, join: Event, state: Mapping[StateKey, Event]) -> None:
        create = state.get(CREATE)
        if create is None or create.room_id != told.room_id:
            raise AuthError("The state that we were told has no create event of this room")
        if create.content.get("room_version", "1") != told.version.identifier:
            raise AuthError("The room is of another version than we were told")
        found = await self._events.get(join.auth_references)
        if len(found) < len(join.auth_references):
            raise AuthError("What authorizes the join was not told")
        if not is_allowed(join, [each.event for each in found.values()], state):
            raise AuthError("The state that we were told does not allow the join")

    # -- a room that is new to us --------------------------------------------------------------------------------------

    async def _begin(self, room: RoomIdentity, join: Event, state: ToldState) -> None:
        written = _Written(join)
        await self._placement.write(lambda txn: sql.forget_attempt(txn, room.room_nid))
        part: list[ToldKey] = []
        for told in state:
            written.count(told)
            is_local = told.type == MEMBER and self._is_local(told.state_key)
            if told.type != MEMBER or is_local:
                written.told.append(told.change(version=1, is_local=is_local))
                continue
            written.others += 1
            part.append(told)
            if len(part) == _WRITTEN_AT_ONCE:
                await self._write_members(room, part)
                part = []
        await self._write_members(room, part)
        change = Change(join, await self._nid(join), await self._numbers.keys.of(join.key))
        was = state.events.get(join.key)
        before = was.event.membership if was is not None else None
        became = member_change(join, change.event_nid, is_local=True, before=before)
        trunk = (*written.told, msgspec.structs.replace(became, key_nid=change.key_nid or 0))
        extremity = Extremity(join.event_id, change.event_nid, TRUNK, 2, join.depth)
        head = msgspec.structs.replace(written.head, extremities=(extremity,))
        fact = self._fact(room, change, 1, head, trunk)

        def count(transaction: Transaction) -> None:
            if sql.count_of_state(transaction, room.room_nid) != written.others:
                raise Dropped()

        await self._append(room, fact, count)

    async def _write_members(self, room: RoomIdentity, part: Sequence[ToldKey]) -> None:
        """Members of other servers, in version 1 of the trunk."""
        nid, number = room.room_nid, pack(room.shard, 0)
        trunk = [(nid, told.key_nid, 1, told.event_nid, number) for told in part]
        current = [(nid, told.key_nid, told.event_nid, 1) for told in part]
        members = [_member_row(nid, number, told) for told in part]
        await self._placement.write(partial(sql.add_state, trunk=trunk, current=current, members=members))

    # -- a room that we were in before ---------------------------------------------------------------------------------

    async def _return(self, room: LiveRoom, join: Event, state: ToldState) -> None:
        await room.turn.acquire()
        try:
            await room.settled()
            version, nid = room.head.trunk_version, room.identity.room_nid
            ref = StatePoint(StateRef(TRUNK, version))
            resolver = self._placement.resolver
            old = await self._placement.read(lambda txn: resolver.state_at(txn, nid, ref))
            changes = changes_between(old, {told.key: told.event_id for told in state})
            await self._rooms.add_members(room, {key[1] for key in (*changes, join.key) if key[0] == MEMBER})
            made = await self._applied(room, state, changes)
            trunk = [msgspec.structs.replace(each, version=version + 1) for each in made]
            room.head = msgspec.structs.replace(room.head, trunk_version=version + 1, depth=0)
            change = Change(join, await self._nid(join), await self._numbers.keys.of(join.key))
            trunk += extend(room, change, is_local=self._is_local)
            fact = self._fact(room.identity, change, version + 1, room.head, tuple(trunk))
            await self._rooms.store(room, self._log, _append_of(room.identity, fact))
            self._events.take([fact])
        finally:
            self._rooms.drop(room)
            room.turn.release()

    async def _applied(self, room: LiveRoom, state: ToldState, changes: Changes) -> list[TrunkChange]:
        """Bring into force what has changed while we were away; sorted by key."""
        new = {told.key: told for told in state if told.key in changes}
        keys = await self._numbers.keys.of_all(changes)
        events = await self._events.get(told.event_id for told in new.values())
        made = []
        for key in sorted(changes):
            told = new.get(key)
            if told is None:
                made.append(remove(room, *key, keys[key], is_local=self._is_local))
            else:
                change = Change(events[told.event_id].event, told.event_nid, told.key_nid)
                made.append(put(room, change, is_local=self._is_local))
        return made

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
            extras=None,
            before=StateRef(TRUNK, version),
            head=head,
            trunk=trunk,
            members=tuple(each.state_key for each in trunk if each.type == MEMBER),
        )

    async def _append(self, room: RoomIdentity, fact: EventFact, extra: Extra | None = None) -> None:
        await self._log.submit(_append_of(room, fact, extra))
        self._events.take([fact])


def _append_of(room: RoomIdentity, fact: EventFact, extra: Extra | None = None) -> Append:
    return Append(ROOM.name, room.shard, room.room_id, [(EVENTS, fact)], extra=extra)


class _Written:
    """What is gathered while the state before a join is written: the head after the join, and what the log tells."""

    def __init__(self, join: Event) -> None:
        self._join_key = join.key
        self.told: list[TrunkChange] = []
        self.others = 0
        """How many keys are written outside of the log."""
        head = Head(
            depth=join.depth,
            trunk_version=2,
            extremities=(),
            notified=0,
            highlighted=0,
            joined_members=0,
            invited_members=0,
        )
        self.head = counted(head, None, "join")

    def count(self, told: ToldKey) -> None:
        """One key of the state before the join."""
        if told.type == MEMBER and told.key != self._join_key:
            self.head = counted(self.head, None, told.membership)


def _member_row(room_nid: int, number: int, told: ToldKey) -> Row:
    """The row of a member of another server."""
    names = told.display_name, told.avatar_url
    user = told.key_nid, told.state_key, told.membership
    return room_nid, *user, told.event_nid, number, told.sender, *names, 0, 0
