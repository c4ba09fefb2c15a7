"""Who is in which room, as readers know it: loaded from a snapshot per user, then kept current by the log.

An entry is stamped with the positions of the snapshot it was read in, and ignores facts up to the stamp.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import intern

from replication import sql as replication_sql
from replication.numbers import shard_of
from replication.positions import Vector
from synapse_like.rooms.facts import EventFact
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.sql import members as sql
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row
from synapse_like.toolkit.gathered import Gathered

_KNOWN_USERS = 20_000


@dataclass(frozen=True, slots=True)
class UserRoom:
    """A user's place in a room. `number` is when the membership became current (in the room's shard).

    `event_id` is empty if a resolution took the membership out: the user has left, and no event says so.
    """

    room_id: str
    room_nid: int
    shard: int
    membership: str
    event_id: str
    number: int
    sender: str
    is_forgotten: bool


UserRooms = dict[str, UserRoom]


@dataclass(frozen=True, slots=True)
class RoomMember:
    """A member of a room."""

    user_id: str
    membership: str
    event_id: str
    display_name: str | None
    avatar_url: str | None
    is_local: bool


@dataclass(slots=True)
class _Entry:
    rooms: UserRooms
    stamp: Vector
    joined: tuple[str, ...] | None = None
    """The ids of the joined ones among them, once somebody has asked."""


class Memberships:
    """The rooms of users, and the members of rooms."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.limit = _KNOWN_USERS
        self.hits = self.misses = 0
        self._users: OrderedDict[str, _Entry] = OrderedDict()
        self._missed: dict[str, list[EventFact]] = {}
        """What has happened to those whose rooms are being read."""
        self._dropped: set[str] = set()
        self._stored = Gathered(self._load)

    def __len__(self) -> int:
        """How many users' rooms are in memory."""
        return len(self._users)

    def take(self, facts: Sequence[EventFact]) -> None:
        """Take in membership changes of the log."""
        for fact in facts:
            for user_id in fact.members:
                if user_id in self._missed:
                    self._missed[user_id].append(fact)
                entry = self._users.get(user_id)
                if entry is not None:
                    _apply(entry, user_id, fact)

    def drop(self, user_id: str) -> None:
        """Read this user's rooms again at the next question."""
        self._users.pop(user_id, None)
        if user_id in self._missed:
            self._dropped.add(user_id)

    async def rooms_of(self, user_id: str) -> Mapping[str, UserRoom]:
        """All rooms in which the user has, or had, a membership, by room id."""
        return (await self._of(user_id)).rooms

    async def _of(self, user_id: str) -> _Entry:
        entry = self._users.get(user_id)
        if entry is None:
            self.misses += 1
            entry = await self._stored.get(user_id)
            assert entry is not None
        else:
            self.hits += 1
            self._users.move_to_end(user_id)
        return entry

    def peek(self, user_id: str) -> Mapping[str, UserRoom] | None:
        """The rooms of a user if they are in memory."""
        entry = self._users.get(user_id)
        return entry.rooms if entry else None

    async def of(self, user_id: str, room_id: str) -> str | None:
        """The user's membership in a room, None if there never was one."""
        room = (await self.rooms_of(user_id)).get(room_id)
        return room.membership if room else None

    async def joined_rooms(self, user_id: str) -> tuple[str, ...]:
        """The ids of the rooms that the user has joined: the same object for as long as nothing changes."""
        entry = await self._of(user_id)
        if entry.joined is None:
            entry.joined = tuple(room.room_id for room in entry.rooms.values() if room.membership == "join")
        return entry.joined

    async def share_a_room(self, one: str, other: str) -> bool:
        """Whether both users have joined one room."""
        mine = set(await self.joined_rooms(one))
        return any(room_id in mine for room_id in await self.joined_rooms(other))

    async def members_of(self, room_id: str, memberships: Sequence[str] = ("join",)) -> list[RoomMember]:
        """The members of a room with one of these memberships."""
        rows = await self._database.read(lambda txn: sql.members_of(txn, room_id, memberships))
        return [RoomMember(*row) for row in rows]

    async def _load(self, user_ids: Sequence[str]) -> dict[str, _Entry]:
        """Read the rooms of these users, and keep them: one load at a time, which no request can cancel."""
        self._missed = {user_id: [] for user_id in user_ids}
        try:
            entries = await self._database.read(lambda txn: _entries(txn, user_ids))
            return {user_id: self._keep(user_id, entry) for user_id, entry in entries.items()}
        finally:
            self._missed = {}
            self._dropped = set()

    def _keep(self, user_id: str, entry: _Entry) -> _Entry:
        """Bring an entry that was read up to date; the one that is kept, if one is or may be."""
        for fact in self._missed[user_id]:
            _apply(entry, user_id, fact)
        if user_id in self._dropped:
            return entry
        kept = self._users.setdefault(user_id, entry)
        if len(self._users) > self.limit:
            self._users.popitem(last=False)
        return kept


def _entries(transaction: Transaction, user_ids: Sequence[str]) -> dict[str, _Entry]:
    """The rooms of each of these users within a snapshot."""
    stamp = Vector(replication_sql.positions(transaction, ROOM.name))
    entries = {user_id: _Entry({}, stamp) for user_id in user_ids}
    for row in sql.rooms_of(transaction, user_ids):
        entries[row[8]].rooms[row[0]] = _user_room(row)
    return entries


def rooms_in(transaction: Transaction, user_id: str) -> UserRooms:
    """The rooms of a user within a snapshot."""
    return {row[0]: _user_room(row) for row in sql.rooms_of(transaction, [user_id])}


def _user_room(row: Row) -> UserRoom:
    """A user's place in a room out of the database; what many have in common is there once."""
    room_id, room_nid, shard, membership, event_id, number, sender, is_forgotten = row[:8]
    return UserRoom(room_id, room_nid, shard, intern(membership), event_id, number, intern(sender), is_forgotten)


def _apply(entry: _Entry, user_id: str, fact: EventFact) -> None:
    if entry.stamp.covers(fact.number):
        return
    entry.joined = None
    for change in fact.trunk:
        if change.type != "m.room.member" or change.state_key != user_id:
            continue
        if change.member is None:
            entry.rooms.pop(fact.room_id, None)
            continue
        entry.rooms[fact.room_id] = UserRoom(
            room_id=fact.room_id,
            room_nid=fact.room_nid,
            shard=shard_of(fact.number),
            membership=change.member.membership,
            event_id=change.event_id or "",
            number=fact.number,
            sender=change.member.sender,
            is_forgotten=False,
        )
