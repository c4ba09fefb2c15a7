"""Loading, keeping and dropping live rooms. A room loads in four queries of one snapshot, whatever its size."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
from twisted.internet.defer import Deferred

from replication.batch import Append
from replication.log import Log
from synapse_like.matrix.errors import NotFound
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.facts import Extremity, Head
from synapse_like.rooms.live import LiveMember, LiveRoom, LiveState, RoomIdentity
from synapse_like.rooms.ports import Notices
from synapse_like.rooms.sql import rooms as sql
from synapse_like.rooms.transactions import HORIZON_MS, RecentTransactions, TransactionKey
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row

_TRANSACTIONS_AT_ONCE = 2000
_KEPT_BYTES = 32 * 1024 * 1024
_WEIGHT_OF_ANY, _WEIGHT_OF_STATE, _WEIGHT_OF_MEMBER = 8000, 2500, 600
_WEIGHED_EVERY = 100
"""Rooms grow while they are here: all are weighed again when so many have come."""
_EXTREMITIES = tuple[Extremity, ...]


def _is_ours(_: int) -> None:
    """Everything is ours."""


class LiveRooms:
    """The live rooms of this process. `check` raises NotOwned for a shard that is not its own."""

    def __init__(
        self, database: Database, clock: Clock, notices: Notices, check: Callable[[int], None] = _is_ours
    ) -> None:
        self._database = database
        self._check = check
        self._clock = clock
        self._notices = notices
        self._rooms: OrderedDict[str, LiveRoom] = OrderedDict()
        self._loading: dict[str, list[Deferred[None]]] = {}
        self._unsettled: dict[str, LiveRoom] = {}
        """Rooms that were dropped while something of them was on its way to the database."""
        self._drops = 0
        self._weight = 0
        self._deserted: LiveRoom | None = None
        self._since_weighed = 0
        self.hits = self.misses = 0

    def __len__(self) -> int:
        """How many rooms are live here."""
        return len(self._rooms)

    @property
    def limit(self) -> int:
        """How many there would be at the most if all were like those that are here."""
        return _KEPT_BYTES * len(self._rooms) // self._weight if self._weight else _KEPT_BYTES // _WEIGHT_OF_ANY

    async def get(self, room_id: str) -> LiveRoom:
        """The live room, loaded if need be.

        Raises NotFound for a room that this server does not know, NotOwned for one that lives elsewhere.
        """
        if (room := self._rooms.get(room_id)) is not None:
            self._check(room.identity.shard)
            self.hits += 1
            self._rooms.move_to_end(room_id)
            return room
        self.misses += 1
        while (room := self._rooms.get(room_id)) is None:
            waiting = self._loading.get(room_id)
            if waiting is not None:
                waiter: Deferred[None] = Deferred()
                waiting.append(waiter)
                await waiter
                continue
            await self._load(room_id)
        self._check(room.identity.shard)
        self._rooms.move_to_end(room_id)
        return room

    def peek(self, room_id: str) -> LiveRoom | None:
        """The live room if it is in memory."""
        return self._rooms.get(room_id)

    def found(self, room: LiveRoom) -> None:
        """Keep a room that was just made."""
        self._keep(room)

    def drop(self, room: LiveRoom) -> None:
        """Throw a live room away: what is queued on it fails, and the next question loads it again."""
        room.is_dropped = True
        if room.unstored:
            self._unsettled[room.identity.room_id] = room
        if self._rooms.get(room.identity.room_id) is room:
            del self._rooms[room.identity.room_id]
            self._weight = max(0, self._weight - _weight(room))

    async def store(self, room: LiveRoom, log: Log, append: Append) -> None:
        """Store what was built on a live room; returns after the commit. If that fails the room is dropped.

        It is dropped as well if nobody waits for the end any more, which may be good or bad; then the room is loaded
        again when it has come.
        """
        room.unstored += 1
        append.on_ended = partial(self._ended, room)
        try:
            await self._submitted(log, append)
        except BaseException:
            self.drop(room)
            raise

    def _submitted(self, log: Log, append: Append) -> "Deferred[None]":
        try:
            return log.submit(append)
        except BaseException:
            if append.on_ended is not None:
                append.on_ended()  # it was not even begun
            raise

    def _ended(self, room: LiveRoom) -> None:
        """One append has come back from the database."""
        room.stored()
        room_id = room.identity.room_id
        if not room.unstored and self._unsettled.get(room_id) is room:
            del self._unsettled[room_id]

    def desert(self, room: LiveRoom) -> None:
        """Everybody has left this room, or it was loaded as such: it is kept only until the next such room comes."""
        old, self._deserted = self._deserted, room
        if old is not None and old is not room and old.is_deserted and _is_idle(old):
            self.drop(old)

    def drop_shard(self, shard: int) -> None:
        """Throw the live rooms of a shard away, and what is being loaded: others may have written meanwhile."""
        self._drops += 1
        for room in [room for room in self._rooms.values() if room.identity.shard == shard]:
            self.drop(room)

    def drop_all(self) -> None:
        """Throw all live rooms away."""
        for room in list(self._rooms.values()):
            self.drop(room)

    async def add_members(self, room: LiveRoom, user_ids: Iterable[str]) -> None:
        """Bring the memberships of these users into memory, as far as they have one."""
        missing = [user_id for user_id in user_ids if user_id not in room.members]
        if not missing:
            return
        nid = room.identity.room_nid
        rows = await self._database.read(lambda txn: sql.members(txn, nid, missing))
        for row in rows:
            room.members.setdefault(row[0], LiveMember(*row))

    async def event_of_transaction(self, room: LiveRoom, key: TransactionKey) -> str | None:
        """The event that a request has made, if it has been made before."""
        event_id = room.transactions.get(key)
        if event_id is None and room.transactions.may_be_stored(key, self._clock.now_ms()):
            nid = room.identity.room_nid
            event_id = await self._database.read(lambda txn: sql.event_of_transaction(txn, nid, *key))
        return event_id

    async def _load(self, room_id: str) -> None:
        waiting = self._loading[room_id] = []
        drops = self._drops
        since_ms = self._clock.now_ms() - HORIZON_MS
        try:
            if (old := self._unsettled.get(room_id)) is not None:
                await old.settled()
            room = await self._database.read(lambda txn: _read(txn, room_id, since_ms))
            self._check(room.identity.shard)
            await self._notices.load(room)
            if drops == self._drops:
                self._keep(room)
        finally:
            del self._loading[room_id]
            for waiter in waiting:
                waiter.callback(None)

    def _keep(self, room: LiveRoom) -> None:
        self._rooms[room.identity.room_id] = room
        self._since_weighed += 1
        if self._since_weighed < _WEIGHED_EVERY:
            self._weight += _weight(room)
        else:
            self._weight = sum(map(_weight, self._rooms.values()))
            self._since_weighed = 0
        if room.is_deserted and room.head.extremities:
            self.desert(room)
        if self._weight > _KEPT_BYTES:
            self._make_room_for(room)

    def _make_room_for(self, new: LiveRoom) -> None:
        """Drop those that nobody asked for longest, but none that is at work."""
        for old in list(self._rooms.values()):
            if self._weight <= _KEPT_BYTES:
                return
            if old is not new and _is_idle(old):
                self.drop(old)


def _is_idle(room: LiveRoom) -> bool:
    """Whether nothing of the room is on its way to the database, and nobody works at it."""
    return not room.unstored and not room.turn.locked


def _weight(room: LiveRoom) -> int:
    """About how many bytes of memory a room takes."""
    return _WEIGHT_OF_ANY + _WEIGHT_OF_STATE * len(room.state) + _WEIGHT_OF_MEMBER * len(room.members)


def _read(transaction: Transaction, room_id: str, since_ms: int) -> LiveRoom:
    row = sql.head(transaction, room_id)
    if row is None or row[3] is None:
        raise NotFound("This server does not know that room")
    identity = RoomIdentity(room_id, row[0], room_version(row[1]), row[2])
    members = [LiveMember(*member) for member in sql.local_members(transaction, room_id)]
    rows = sql.recent_transactions(transaction, room_id, since_ms, _TRANSACTIONS_AT_ONCE)
    known_ms = since_ms if len(rows) < _TRANSACTIONS_AT_ONCE else rows[-1][4] + 1
    return LiveRoom(
        identity=identity,
        head=_head(row),
        state=_state(identity, sql.state_without_members(transaction, room_id)),
        members={member.user_id: member for member in members},
        transactions=RecentTransactions.loaded(
            [((user, device, txn), event) for user, device, txn, event, _ in rows], known_ms
        ),
        received_ms=row[6],
    )


def _head(row: Row) -> Head:
    return Head(
        depth=row[4],
        trunk_version=row[5],
        notified=row[7],
        highlighted=row[8],
        joined_members=row[9],
        invited_members=row[10],
        extremities=msgspec.json.decode(row[11], type=_EXTREMITIES),
    )


def _state(identity: RoomIdentity, rows: list[Row]) -> dict[tuple[str, str], LiveState]:
    found = {}
    for event_nid, event_id, text in rows:
        event = Event.recalled(event_id, text, identity.version)
        found[event.key] = LiveState(event, event_nid)
    return found
