"""What other servers are told of our rooms: events, states and auth chains, the past. Each from one snapshot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synapse_like.federation.serving import sql
from synapse_like.federation.serving.access import ServedRoom, ServerAccess
from synapse_like.federation.serving.visibility import shown_to
from synapse_like.matrix.errors import NotFound
from synapse_like.matrix.events import Event
from synapse_like.rooms.auth_graph import AuthEdges, AuthWalk
from synapse_like.rooms.event_store import MAX_DEPTH, StoredEvent, stored_all
from synapse_like.rooms.facts import Kind
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.points import StateMap
from synapse_like.rooms.sql import auth_graph as auth_sql
from synapse_like.rooms.sql import events as events_sql
from synapse_like.rooms.sql.timeline import room_of_event
from synapse_like.rooms.state_history import state_at
from synapse_like.toolkit.db import Database, Transaction

BACKFILL_LIMIT = 100
MISSING_LIMIT = 20
_NEAR_A_TIME = 50
_GENEROSITY = 2
_TEXTS_AT_ONCE = 5_000
_PLACED = (Kind.LIVE, Kind.BACKFILLED, Kind.SOFT_FAILED)


@dataclass(frozen=True, slots=True)
class Served:
    """A state and the auth chain of all in it, as ids."""

    state_ids: list[str]
    auth_ids: list[str]


class RoomRecords:
    """Reads rooms for other servers."""

    def __init__(self, rooms: Rooms, database: Database, access: ServerAccess) -> None:
        self._rooms = rooms
        self._database = database
        self._access = access
        self._edges = AuthEdges()

    async def event(self, server: str, event_id: str) -> Event:
        """One event. Raises NotFound, Forbidden."""
        room_id = await self._database.read(lambda txn: room_of_event(txn, event_id))
        if room_id is None:
            raise NotFound("Event not found")
        room = await self._access.enter(server, room_id)

        def read(transaction: Transaction) -> Event:
            stored = _named(transaction, room, [event_id])
            return shown_to(transaction, server, room.room_nid, stored)[0]

        return await self._database.read(read)

    async def state_ids(self, server: str, room_id: str, event_id: str) -> Served:
        """The state before an event. Raises NotFound, Forbidden."""
        room = await self._access.enter(server, room_id)
        return await self._database.read(lambda txn: self._state(txn, room, event_id))

    async def state(self, server: str, room_id: str, event_id: str) -> tuple[list[str], list[str]]:
        """The same, as the JSON of the events."""
        room = await self._access.enter(server, room_id)

        def read(transaction: Transaction) -> tuple[list[str], list[str]]:
            served = self._state(transaction, room, event_id)
            return texts(transaction, served.state_ids), texts(transaction, served.auth_ids)

        return await self._database.read(read)

    async def auth_chain(self, server: str, room_id: str, event_id: str) -> list[str]:
        """The auth chain of an event, as JSON. Raises NotFound, Forbidden."""
        room = await self._access.enter(server, room_id)

        def read(transaction: Transaction) -> list[str]:
            event = _named(transaction, room, [event_id])[0].event
            return texts(transaction, self.chain(transaction, event.auth_references))

        return await self._database.read(read)

    async def backfill(self, server: str, room_id: str, event_ids: Sequence[str], limit: int) -> list[Event]:
        """The events and what leads to them, the deepest first, at most `limit`. Raises NotFound, Forbidden."""
        room = await self._access.enter(server, room_id)

        def read(transaction: Transaction) -> list[Event]:
            start = [event for event in _found(transaction, room, event_ids) if event.kind in _PLACED]
            ancestors = _ancestors(transaction, room, start, frozenset(), min(limit, BACKFILL_LIMIT), 0)
            return shown_to(transaction, server, room.room_nid, ancestors)

        return await self._database.read(read)

    async def missing_events(
        self, server: str, room_id: str, earliest: Sequence[str], latest: Sequence[str], limit: int, min_depth: int
    ) -> list[Event]:
        """What lies between two sets of events, oldest first, at most `limit`. Raises NotFound, Forbidden."""
        room = await self._access.enter(server, room_id)

        def read(transaction: Transaction) -> list[Event]:
            behind = {prev for event in _found(transaction, room, latest) for prev in event.event.prev_event_ids}
            stop = frozenset(earliest)
            start = [event for event in _found(transaction, room, sorted(behind - stop)) if event.kind in _PLACED]
            found = _ancestors(transaction, room, start, stop, min(limit, MISSING_LIMIT), min_depth)
            return shown_to(transaction, server, room.room_nid, found[::-1])

        return await self._database.read(read)

    async def event_at_time(self, server: str, room_id: str, time_ms: int, *, is_backward: bool) -> StoredEvent:
        """The event sent nearest to a time. Raises NotFound, Forbidden."""
        room = await self._access.enter(server, room_id)
        events = await self._database.read(
            lambda txn: stored_all(txn, sql.nearest(txn, room.room_nid, time_ms, 1, is_backward=is_backward))
        )
        if not events:
            raise NotFound("There is no event in that direction")
        return events[0]

    def chain(self, transaction: Transaction, event_ids: Iterable[str]) -> list[str]:
        """The auth chain of some events, those included."""
        return sorted(AuthWalk(transaction, self._edges).chain(set(event_ids)))

    def state_map(self, transaction: Transaction, event: StoredEvent) -> StateMap:
        """The state before an event."""
        return state_at(transaction, event.room_nid, event.before)

    def _state(self, transaction: Transaction, room: ServedRoom, event_id: str) -> Served:
        event = _named(transaction, room, [event_id])[0]
        if event.kind in (Kind.OUTLIER, Kind.OUT_OF_BAND) or event.number is None:
            raise NotFound("This server does not know the state at that event")
        state_ids = list(self.state_map(transaction, event).values())
        chain = AuthWalk(transaction, self._edges).chain(state_ids)
        own = set(state_ids)
        auth_ids = {each for state_id in chain for each in self._edges.load(transaction, [state_id]).get(state_id, ())}
        return Served(state_ids, sorted(auth_ids | (chain - own)))


def texts(transaction: Transaction, event_ids: Sequence[str]) -> list[str]:
    """The JSON of events as they were signed."""
    found: list[str] = []
    for start in range(0, len(event_ids), _TEXTS_AT_ONCE):
        rows = auth_sql.texts(transaction, event_ids[start : start + _TEXTS_AT_ONCE])
        found += [text for _, text in rows]
    return found


def _found(transaction: Transaction, room: ServedRoom, event_ids: Sequence[str]) -> list[StoredEvent]:
    """Those of the events that are stored in the room."""
    if not event_ids:
        return []
    events = stored_all(transaction, events_sql.by_ids(transaction, list(event_ids)))
    return [event for event in events if event.room_nid == room.room_nid]


def _named(transaction: Transaction, room: ServedRoom, event_ids: Sequence[str]) -> list[StoredEvent]:
    found = [event for event in _found(transaction, room, event_ids) if event.kind is not Kind.REJECTED]
    if not found:
        raise NotFound("Event not found")
    return found


def _ancestors(
    transaction: Transaction,
    room: ServedRoom,
    start: Sequence[StoredEvent],
    stop: frozenset[str],
    limit: int,
    min_depth: int,
) -> list[StoredEvent]:
    """The events and what leads to them, the deepest first: a walk through what lies at these depths."""
    if not start or limit <= 0:
        return []
    deepest = min(max(event.event.depth for event in start), MAX_DEPTH)
    rows = sql.up_to_depth(transaction, room.room_nid, deepest, limit * _GENEROSITY + len(start))
    near = {event.event_id: event for event in (*stored_all(transaction, rows), *start)}
    found: list[StoredEvent] = []
    waiting = {event.event_id: event for event in start}
    seen = set(waiting)
    while waiting and len(found) < limit:
        event = max(waiting.values(), key=lambda each: each.place)
        del waiting[event.event_id]
        found.append(event)
        behind = [each for each in event.event.prev_event_ids if each not in seen and each not in stop]
        seen.update(behind)
        far = [each for each in behind if each not in near]
        near |= {each.event_id: each for each in _found(transaction, room, far) if each.kind in _PLACED}
        waiting |= {each: near[each] for each in behind if each in near and near[each].event.depth >= min_depth}
    return found
