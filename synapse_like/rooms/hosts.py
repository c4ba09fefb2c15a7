"""Which servers are in a room: those of its joined members, now or at any point of its past.

Who is asked about often is kept in memory, loaded from a snapshot and then kept current by the log, as memberships of
users are (`memberships`). The past is read from the state at that point.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence

from replication import sql as replication_sql
from replication.positions import Vector
from synapse_like.rooms.facts import EventFact, StateRef
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.live import MEMBER
from synapse_like.rooms.sql import members as sql
from synapse_like.rooms.sql.state_history import Point, joined
from synapse_like.toolkit.db import Database, Transaction

_KNOWN_ROOMS = 5_000


class RoomHosts:
    """The servers of rooms, with how many joined members each has."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rooms: OrderedDict[str, tuple[Counter[str], Vector]] = OrderedDict()
        self._loading: dict[str, list[EventFact]] = {}

    def take(self, facts: Sequence[EventFact]) -> None:
        """Take in membership changes of the log."""
        for fact in facts:
            if fact.begins_room:
                self._keep(fact.room_id, Counter(), Vector.zero(ROOM.shards))
            if not fact.members:
                continue
            if fact.room_id in self._loading:
                self._loading[fact.room_id].append(fact)
            entry = self._rooms.get(fact.room_id)
            if entry is not None and not (_apply(*entry, fact) and entry[0]):
                del self._rooms[fact.room_id]  # unclear, or deserted

    async def of(self, room_id: str) -> Mapping[str, int]:
        """The servers in a room now, with their numbers of joined members; nothing for an unknown room."""
        entry = self._rooms.get(room_id)
        if entry is None:
            return await self._load(room_id)
        self._rooms.move_to_end(room_id)
        return entry[0]

    async def has(self, room_id: str, server_name: str) -> bool:
        """Whether a server is in a room now."""
        return server_name in await self.of(room_id)

    async def at(self, room_nid: int, ref: StateRef) -> frozenset[str]:
        """The servers in a room in a state of its past, such as the one before an event."""
        return await self._database.read(lambda txn: hosts_at(txn, room_nid, ref))

    async def _load(self, room_id: str) -> Mapping[str, int]:
        missed = self._loading.setdefault(room_id, [])

        def read(transaction: Transaction) -> tuple[Counter[str], Vector]:
            stamp = Vector(replication_sql.positions(transaction, ROOM.name))
            return Counter(map(server_of, sql.joined_users(transaction, room_id))), stamp

        try:
            counts, stamp = await self._database.read(read)
        finally:
            self._loading.pop(room_id, None)
        if not all(_apply(counts, stamp, fact) for fact in missed):
            return await self._load(room_id)
        if counts:
            self._keep(room_id, counts, stamp)
        return counts

    def _keep(self, room_id: str, counts: Counter[str], stamp: Vector) -> None:
        self._rooms[room_id] = (counts, stamp)
        if len(self._rooms) > _KNOWN_ROOMS:
            self._rooms.popitem(last=False)


def hosts_at(transaction: Transaction, room_nid: int, ref: StateRef) -> frozenset[str]:
    """The servers in a room in a state of its past, within a snapshot."""
    users = joined(transaction, Point(room_nid, ref.branch, ref.version))
    return frozenset(map(server_of, users))


def server_of(user_id: str) -> str:
    """The server of a user id that stands in the state of a room."""
    return user_id.partition(":")[2]


def _apply(counts: Counter[str], stamp: Vector, fact: EventFact) -> bool:
    """Follow one fact; False if it does not tell enough (it was refilled, or much came into force at once)."""
    if stamp.covers(fact.number):
        return True
    if not fact.head.extremities or any(change.version is not None for change in fact.trunk):
        return False
    for change in fact.trunk:
        if change.type != MEMBER or change.member is None:
            continue
        server = server_of(change.state_key)
        counts[server] += (change.member.membership == "join") - (change.member.before == "join")
        if counts[server] <= 0:
            del counts[server]
    return True
