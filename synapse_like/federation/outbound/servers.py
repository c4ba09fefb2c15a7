"""Which other servers are in a room, as the follower of the logs needs it: before each event, in the order of the log.

`rooms.hosts` knows who is in a room now. Here a room is known from some number on and then moved along event by event,
so that an event goes to those who were there when it happened, however late it is looked at.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from replication import sql as replication_sql
from replication.numbers import pack
from synapse_like.federation.outbound.sql import rooms as sql
from synapse_like.rooms.facts import EventFact
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.hosts import hosts_at, server_of
from synapse_like.rooms.live import MEMBER
from synapse_like.toolkit.db import Database, Transaction

_KEPT_NAMES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Present:
    """The other servers in a room, and from which number on that is true."""

    servers: tuple[str, ...]
    since: int


class RoomServers:
    """Other servers by room. What is kept is bounded by the number of names."""

    def __init__(self, database: Database, server_name: str, kept_names: int = _KEPT_NAMES) -> None:
        self._database = database
        self._server_name = server_name
        self._kept_names = kept_names
        self._names = 0
        self._rooms: OrderedDict[str, Present] = OrderedDict()

    def before(self, fact: EventFact) -> tuple[str, ...] | None:
        """The other servers in the room before an event; None if that must be loaded."""
        if fact.begins_room:
            return ()
        present = self._rooms.get(fact.room_id)
        if present is None or present.since > fact.number:
            return None
        self._rooms.move_to_end(fact.room_id)
        return present.servers

    def is_alone(self, fact: EventFact) -> bool:
        """Whether it is known that no other server was in the room before an event."""
        present = self._rooms.get(fact.room_id)
        return present is not None and not present.servers and present.since <= fact.number

    def take(self, fact: EventFact) -> None:
        """Move a room past an event."""
        if fact.begins_room:
            self._keep(fact.room_id, Present((), fact.number))
        present = self._rooms.get(fact.room_id)
        if present is None or not fact.members or fact.number < present.since:
            return
        if fact.head.extremities and not fact.head.joined_members:
            self._drop(fact.room_id)  # deserted
            return
        for change in fact.trunk:
            if change.type != MEMBER or (server := server_of(change.state_key)) == self._server_name:
                continue
            if change.member is None:  # a refilled fact, of a membership that has changed again since
                self._drop(fact.room_id)
                return
            if change.member.membership != "join":
                if server in present.servers:
                    self._drop(fact.room_id)
                    return
            elif server not in present.servers:
                present = Present((*present.servers, server), present.since)
        self._keep(fact.room_id, present)

    def forget(self) -> None:
        """Forget everything."""
        self._rooms.clear()
        self._names = 0

    async def load(self, facts: Sequence[EventFact]) -> None:
        """Load who was there before each of these events, one for each room."""
        for fact, servers in await self._database.read(lambda txn: self._read_before(txn, facts)):
            self._keep(fact.room_id, Present(servers, fact.number))

    async def now(self, room_ids: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """The other servers in some rooms, as of now or a moment ago; one query for all that are not in memory."""
        wanted = tuple(dict.fromkeys(room_ids))
        missing = [room_id for room_id in wanted if room_id not in self._rooms]
        loaded = await self._database.read(lambda txn: self._read_now(txn, missing)) if missing else {}
        for room_id, present in loaded.items():
            if room_id not in self._rooms:
                self._keep(room_id, present)
        found = {room_id: self._rooms.get(room_id) or loaded.get(room_id) for room_id in wanted}
        return {room_id: present.servers for room_id, present in found.items() if present is not None}

    def _read_before(
        self, transaction: Transaction, facts: Sequence[EventFact]
    ) -> list[tuple[EventFact, tuple[str, ...]]]:
        changed = sql.changed_after(transaction, [(fact.room_nid, fact.number - 1) for fact in facts])
        steady = [fact.room_id for fact in facts if fact.room_nid not in changed]
        joined = self._joined(transaction, steady) if steady else {}
        found = []
        for fact in facts:
            if fact.room_nid in changed:
                names = hosts_at(transaction, fact.room_nid, fact.before) - {self._server_name}
                found.append((fact, tuple(sorted(names))))
            else:
                found.append((fact, joined.get(fact.room_id, ())))
        return found

    def _read_now(self, transaction: Transaction, room_ids: Sequence[str]) -> dict[str, Present]:
        positions = replication_sql.positions(transaction, ROOM.name)
        joined = self._joined(transaction, room_ids)
        return {
            room_id: Present(joined.get(room_id, ()), pack(shard, positions[shard]) + 1)
            for room_id, _, shard in sql.numbers(transaction, room_ids)
        }

    def _joined(self, transaction: Transaction, room_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        for room_id, _, user_id in sql.joined(transaction, room_ids):
            found.setdefault(room_id, {})[server_of(user_id)] = None
        return {room_id: tuple(sorted(names)) for room_id, names in found.items()}

    def _keep(self, room_id: str, present: Present) -> None:
        self._drop(room_id)
        self._rooms[room_id] = present
        self._names += 1 + len(present.servers)
        while self._names > self._kept_names and len(self._rooms) > 1:
            self._drop(next(iter(self._rooms)))

    def _drop(self, room_id: str) -> None:
        present = self._rooms.pop(room_id, None)
        if present is not None:
            self._names -= 1 + len(present.servers)
