"""What a server gets that was away: the events of its rooms that it has missed, read from the logs; of many in one room
only the newest, from which it finds the others itself.

Nothing is stored for a server that is away but one position, so that those who never come back cost nothing.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from replication.numbers import counter_of, pack
from replication.reader import Reader
from synapse_like.federation.edus import EduSource, Piece
from synapse_like.federation.outbound.pdus import Pdu, is_ours_to_send, pdu_of
from synapse_like.federation.outbound.positions import Positions
from synapse_like.federation.outbound.queue import News, Queue
from synapse_like.federation.outbound.sql import rooms as sql
from synapse_like.rooms.event_store import StoredEvent, stored_all
from synapse_like.rooms.hosts import hosts_at, server_of
from synapse_like.rooms.sql.events import newest_of_rooms
from synapse_like.toolkit.db import Database, Transaction

MOST_OF_A_ROOM: Final = 50
"""Where a server has missed more events of a room, it gets the newest of ours."""
_ROOMS_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class _Room:
    """A room where something happened: its number and shard."""

    room_nid: int
    room_id: str
    shard: int


@dataclass(slots=True)
class _Round:
    """The rooms that are left to look into, and the position that is reached when that is done."""

    rooms: deque[_Room]
    goal: Positions


class CatchUp:
    """Fills the queues of destinations that lag."""

    def __init__(self, database: Database, reader: Reader, server_name: str) -> None:
        self._database = database
        self._reader = reader
        self._server_name = server_name
        self._sources: list[EduSource] = []
        self._rounds: dict[str, _Round] = {}

    def add(self, sources: Sequence[EduSource]) -> None:
        """Know more sources of news that must arrive."""
        self._sources += [source for source in sources if source.missed is not None]

    def forget(self, queue: Queue) -> None:
        """This destination is somebody else's now."""
        self._rounds.pop(queue.destination, None)

    async def fill(self, queue: Queue) -> None:
        """Put what is next into a queue whose last filling has been acknowledged; attach it if that is all.

        Raises outages.
        """
        while queue.lag is not None and not queue.is_attached:
            current = self._rounds.pop(queue.destination, None) or await self._begin(queue)
            if current is None:
                await self._attach(queue)
                return
            while current.rooms:
                chunk = [current.rooms.popleft() for _ in range(min(_ROOMS_AT_ONCE, len(current.rooms)))]
                pdus = await self._missed(queue, chunk, current.goal)
                if pdus:
                    self._rounds[queue.destination] = current
                    queue.pdus.extend(pdus)
                    return
            queue.lag = Positions(current.goal.rooms, queue.lag.users)

    async def _begin(self, queue: Queue) -> _Round | None:
        """A round through the rooms; None if they are so few that all can be done at once."""
        goal = Positions.of(self._reader.positions)
        rooms = await self._database.read(lambda txn: self._rooms(txn, queue))
        return None if len(rooms) <= _ROOMS_AT_ONCE else _Round(deque(rooms), goal)

    async def _attach(self, queue: Queue) -> None:
        """From now on what happens goes into the queue; what happened before is put in front of it."""
        goal = Positions.of(self._reader.positions)
        queue.start, queue.is_attached, queue.is_filling = goal, True, True

        def read(transaction: Transaction) -> tuple[list[Pdu], list[tuple[EduSource, Piece]]]:
            rooms = self._rooms(transaction, queue)
            return self._read(transaction, queue, rooms, goal), self._news(transaction, queue)

        try:
            pdus, news = await self._database.read(read)
        except BaseException:
            queue.is_filling = False
            queue.give_up(goal)
            raise
        queue.is_filling = False
        if not queue.is_attached:
            return
        queue.pdus.extendleft(reversed(pdus))
        for source, piece in news:
            if (key := (source.edu_type, piece.key)) not in queue.news:
                queue.add_news(key, News(source, piece.content, piece.number))

    async def _missed(self, queue: Queue, rooms: Sequence[_Room], goal: Positions) -> list[Pdu]:
        return await self._database.read(lambda txn: self._read(txn, queue, rooms, goal))

    # -- in a database thread ------------------------------------------------------------------------------------------

    def _rooms(self, transaction: Transaction, queue: Queue) -> list[_Room]:
        lag = _lag(queue)
        rows = sql.rooms_of(transaction, queue.destination)
        return [_Room(nid, room_id, shard) for nid, room_id, shard, head in rows if counter_of(head) > lag.rooms[shard]]

    def _read(self, transaction: Transaction, queue: Queue, rooms: Sequence[_Room], goal: Positions) -> list[Pdu]:
        """The events of these rooms that the server has missed, in the order in which they happened in each."""
        if not rooms:
            return []
        lag = _lag(queue)
        after = {room.room_nid: lag.rooms.floor(room.shard) for room in rooms}
        asked = [(room.room_nid, after[room.room_nid], pack(room.shard, goal.rooms[room.shard])) for room in rooms]
        events: dict[int, list[StoredEvent]] = {}
        for event in stored_all(transaction, newest_of_rooms(transaction, asked, MOST_OF_A_ROOM + 1)):
            events.setdefault(event.room_nid, []).append(event)
        members: dict[int, list[tuple[str, int]]] = {}
        for nid, user_id, membership, number in sql.members_of_server(transaction, queue.destination, list(after)):
            if server_of(user_id) == queue.destination:
                members.setdefault(nid, []).append((membership, number))
        pdus: list[Pdu] = []
        for nid, found in events.items():
            ours = [event for event in found if self._is_for(event, queue.destination)]
            if len(found) > MOST_OF_A_ROOM:
                ours = ours[-1:]
            mine = members.get(nid, [])
            if any(number > after[nid] for _, number in mine):
                ours = [event for event in ours if _was_there(transaction, event, queue.destination)]
            elif not any(membership == "join" for membership, _ in mine):
                continue
            pdus += [pdu_of(event.event, event.number or 0) for event in ours]
        return pdus

    def _news(self, transaction: Transaction, queue: Queue) -> list[tuple[EduSource, Piece]]:
        """The news that must arrive about users whom the server knows from its rooms."""
        if not self._sources:
            return []
        users = sql.local_members(transaction, queue.destination)
        known = _lag(queue).users.covers
        return [
            (source, piece)
            for source in self._sources
            if source.missed is not None
            for piece in source.missed(transaction, users, known)
        ]

    def _is_for(self, event: StoredEvent, server: str) -> bool:
        """Whether we are to tell that server of an event of a room that it is in."""
        is_ours = is_ours_to_send(event.event, event.kind, event.extras, self._server_name)
        return is_ours and server_of(event.event.sender) != server


def _lag(queue: Queue) -> Positions:
    assert queue.lag is not None
    return queue.lag


def _was_there(transaction: Transaction, event: StoredEvent, server: str) -> bool:
    return server in hosts_at(transaction, event.room_nid, event.before)
