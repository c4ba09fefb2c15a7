"""Fetching the past: a run of events before those that we have, or a single event, with the state before it.

Runs where the room is owned. Bounded: a few servers are asked, for a hundred events at most; what nobody gave is not
asked for again for some minutes.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence

from replication.owned import owned
from synapse_like.federation.inbound.gaps import GapFilling, predecessors_first
from synapse_like.federation.inbound.intake import is_inside
from synapse_like.federation.remote_rooms import RemoteRooms, RoomHere
from synapse_like.matrix.errors import MatrixError, NotFound
from synapse_like.matrix.events import Event
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.live import LiveRoom
from synapse_like.rooms.points import StateMap
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.locks import KeyedLocks

logger = logging.getLogger(__name__)

LIMIT = 100
SERVERS = 3
MOST_STATES = 3
PAUSE_MS = 5 * 60 * 1000
_REMEMBERED = 10_000


class RemotePast:
    """The front door for the feature of history."""

    def __init__(self, rooms: Rooms, remote: RemoteRooms, gaps: GapFilling, clock: Clock) -> None:
        self._rooms = rooms
        self._remote = remote
        self._gaps = gaps
        self._clock = clock
        self._turns = KeyedLocks()
        self._in_vain: OrderedDict[str, int] = OrderedDict()

    async def is_shared(self, room_id: str) -> bool:
        """Whether there is another server to ask about a room."""
        hosts = await self._rooms.hosts.of(room_id)
        return any(host != self._rooms.identity.server_name for host in hosts)

    async def has_gap_before(self, event: StoredEvent) -> bool:
        """Whether predecessors of an event are missing."""
        return bool(await self._rooms.backfilling.unplaced(event.event.prev_event_ids))

    @owned(ROOM, "room_id")
    async def fetch_before(self, room_id: str, event_ids: list[str]) -> bool:
        """Fetch what leads to events: `event_ids` are predecessors that we may lack. Whether there is more now."""
        async with self._turns.hold(room_id):
            room = await self._room(room_id)
            if room is None:
                return False
            missing = [each for each in await self._rooms.backfilling.unplaced(event_ids) if self._is_worth_it(each)]
            if not missing:
                return False
            for server in await self._servers(room_id):
                if await self._fetch(room, server, missing):
                    return True
            self._remember(missing)
            return False

    @owned(ROOM, "room_id")
    async def fetch_event(self, room_id: str, event_id: str) -> bool:
        """Fetch one event of the past; whether it has a place now."""
        async with self._turns.hold(room_id):
            room = await self._room(room_id)
            if room is None or not await self._rooms.backfilling.unplaced([event_id]):
                return room is not None
            if not self._is_worth_it(event_id):
                return False
            here = RoomHere(room_id, room.identity.version)
            for server in await self._servers(room_id):
                found = await self._remote.events(server, here, [event_id])
                if found and await self._store(room, server, found):
                    return True
            self._remember([event_id])
            return False

    async def event_at_time(self, room_id: str, time_ms: int, *, is_backward: bool) -> tuple[str, int] | None:
        """The event nearest to a time that another server knows, with its own time."""
        best: tuple[str, int] | None = None
        for server in await self._servers(room_id):
            try:
                found = await self._remote.event_at_time(server, room_id, time_ms, "b" if is_backward else "f")
            except MatrixError as error:
                logger.info("%s finds no event of that time: %s", server, error)
                continue
            if found is not None and (best is None or abs(found[1] - time_ms) < abs(best[1] - time_ms)):
                best = found
        return best

    async def _fetch(self, room: LiveRoom, server: str, event_ids: Sequence[str]) -> bool:
        here = RoomHere(room.identity.room_id, room.identity.version)
        try:
            events = await self._remote.backfill(server, here, event_ids, LIMIT)
        except MatrixError as error:
            logger.info("%s does not tell what leads to %s: %s", server, event_ids, error)
            return False
        return await self._store(room, server, predecessors_first(events))

    async def _store(self, room: LiveRoom, server: str, events: Sequence[Event]) -> bool:
        """Store a run of events; for those whose predecessors we lack the server has to tell the state."""
        here = RoomHere(room.identity.room_id, room.identity.version)
        told = {event.event_id for event in events}
        behind = [each for event in events for each in event.prev_event_ids if each not in told]
        lost = set(await self._rooms.backfilling.unplaced(list(dict.fromkeys(behind))))
        ends = [event for event in events if lost.intersection(event.prev_event_ids)]
        before: dict[str, StateMap] = {}
        for event in ends[-MOST_STATES:]:
            try:
                state = await self._gaps.state_before(room, here, server, event.event_id)
            except MatrixError as error:
                logger.info("%s does not tell the state at %s: %s", server, event.event_id, error)
                continue
            if state is not None:
                before[event.event_id] = state
        await self._fetch_auth_events(room, here, server, events)
        return bool(await self._rooms.backfilling.store(here.room_id, events, before))

    async def _fetch_auth_events(self, room: LiveRoom, here: RoomHere, server: str, events: Sequence[Event]) -> None:
        """What authorizes events and is neither stored nor among them."""
        told = {event.event_id for event in events}
        named = list(dict.fromkeys(each for event in events for each in event.auth_references if each not in told))
        known = await self._rooms.events.get(named)
        lost = {each for each in named if each not in known}
        for event in events:
            if lost.intersection(event.auth_references):
                try:
                    chain = await self._remote.auth_chain(server, here, event.event_id)
                except MatrixError as error:
                    logger.info("%s does not tell what authorizes %s: %s", server, event.event_id, error)
                    return
                lost -= (await self._rooms.outliers.store(room.identity, chain)).keys()

    async def _room(self, room_id: str) -> LiveRoom | None:
        try:
            room = await self._rooms.live.get(room_id)
        except NotFound:
            return None
        return room if is_inside(room, self._rooms.identity.server_name) else None

    async def _servers(self, room_id: str) -> list[str]:
        hosts = await self._rooms.hosts.of(room_id)
        own = self._rooms.identity.server_name
        return sorted((host for host in hosts if host != own), key=lambda host: -hosts[host])[:SERVERS]

    def _is_worth_it(self, event_id: str) -> bool:
        return self._in_vain.get(event_id, 0) < self._clock.now_ms()

    def _remember(self, event_ids: Sequence[str]) -> None:
        for event_id in event_ids:
            self._in_vain[event_id] = self._clock.now_ms() + PAUSE_MS
            self._in_vain.move_to_end(event_id)
        while len(self._in_vain) > _REMEMBERED:
            self._in_vain.popitem(last=False)
