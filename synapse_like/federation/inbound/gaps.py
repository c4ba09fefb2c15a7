"""Filling the gap before an event: first what lies between it and what we have, then the state beyond that.

Everything is bounded: a server can make us ask a few dozen times for an event of its own, and nobody else waits.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from synapse_like.federation.remote_rooms import RemoteRooms, RoomHere, ToldState
from synapse_like.matrix.auth_rules.selection import CREATE
from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.events import Event
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.live import LiveRoom
from synapse_like.rooms.placement import Missing
from synapse_like.rooms.points import StateMap

logger = logging.getLogger(__name__)

MOST_MISSING = 20
"""How many events are asked for between an event and what we have."""
MOST_STATES = 5
"""How many states are fetched for one event that came in."""
SINGLE_EVENTS = 50
"""How many events of a state are asked for one by one; if more are missing it is asked for as a whole."""
OTHER_SERVERS = 2
"""How many servers besides the origin are asked for a state."""


class GapFilling:
    """Fetches what leads to an event, and takes it in."""

    def __init__(self, rooms: Rooms, remote: RemoteRooms) -> None:
        self._rooms = rooms
        self._remote = remote

    async def fill(self, room: LiveRoom, origin: str, event: Event, missing: frozenset[str]) -> bool:
        """Take in an event of which these predecessors or auth events are missing; whether that has worked.

        What goes wrong between servers is logged, and not raised.
        """
        here = RoomHere(room.identity.room_id, room.identity.version)
        if not missing <= set(event.prev_event_ids):
            await self._fetch_auth_chain(room, here, origin, event)
        between = await self._between(room, here, origin, event)
        states = 0
        is_placed = False
        for each in (*between, event):
            (result,) = await self._rooms.reception.take_in(here.room_id, [each])
            is_placed = not isinstance(result, Missing)
            if not isinstance(result, Missing):
                continue
            given: dict[str, StateMap] = {}
            for prev_id in sorted(result.event_ids & set(each.prev_event_ids)):
                if states >= MOST_STATES:
                    break
                states += 1
                state = await self._state_after(room, here, origin, prev_id)
                if state is not None:
                    given[prev_id] = state
            (result,) = await self._rooms.reception.take_in(here.room_id, [each], given=given)
            is_placed = not isinstance(result, Missing)
        return is_placed

    async def _between(self, room: LiveRoom, here: RoomHere, origin: str, event: Event) -> list[Event]:
        """What the origin gives of the events between the room's extremities and this one, predecessors first."""
        earliest = [extremity.event_id for extremity in room.head.extremities[-MOST_MISSING:]]
        try:
            found = await self._remote.missing_events(origin, here, earliest, [event.event_id], MOST_MISSING)
        except MatrixError as error:
            logger.info("%s does not tell what leads to %s: %s", origin, event.event_id, error)
            return []
        return predecessors_first([each for each in found if each.event_id != event.event_id])

    async def _fetch_auth_chain(self, room: LiveRoom, here: RoomHere, origin: str, event: Event) -> None:
        try:
            chain = await self._remote.auth_chain(origin, here, event.event_id)
        except MatrixError as error:
            logger.info("%s does not tell what authorizes %s: %s", origin, event.event_id, error)
            return
        await self._rooms.outliers.store(room.identity, chain)

    async def _state_after(self, room: LiveRoom, here: RoomHere, origin: str, event_id: str) -> StateMap | None:
        """The state after an event that we do not have, as the origin or another server of the room tells it."""
        for server in await self._servers(here.room_id, origin):
            try:
                state = await self.state_after(room, here, server, event_id)
            except MatrixError as error:
                logger.info("%s does not tell the state at %s: %s", server, event_id, error)
                continue
            if state is not None:
                return state
        return None

    async def _servers(self, room_id: str, origin: str) -> list[str]:
        hosts = await self._rooms.hosts.of(room_id)
        own = self._rooms.identity.server_name
        others = sorted((host for host in hosts if host not in (own, origin)), key=lambda host: -hosts[host])
        return [origin, *others[:OTHER_SERVERS]]

    async def state_after(self, room: LiveRoom, here: RoomHere, server: str, event_id: str) -> StateMap | None:
        """The state after an event, asked of one server; all events of it are stored. Raises MatrixError."""
        state = await self.state_before(room, here, server, event_id)
        own = await self._rooms.events.get_one(event_id)
        if state is None or own is None or own.room_nid != room.identity.room_nid:
            return None
        if own.event.is_state and not own.event.rejected:
            return {**state, own.event.key: event_id}
        return state

    async def state_before(self, room: LiveRoom, here: RoomHere, server: str, event_id: str) -> StateMap | None:
        """The state before an event, asked of one server; that event and all of the state are stored.

        None if what was told cannot be a state. Raises MatrixError.
        """
        told = await self._remote.state_ids(server, here.room_id, event_id)
        await self._fetch(room, here, server, event_id, told)
        stored = await self._rooms.events.get(told.state_ids)
        state: StateMap = {}
        for state_id in told.state_ids:
            found = stored.get(state_id)
            if found is None or found.room_nid != room.identity.room_nid or found.event.rejected:
                continue
            if found.event.is_state:
                state[found.event.key] = state_id
        return state if CREATE in state else None

    async def _fetch(self, room: LiveRoom, here: RoomHere, server: str, event_id: str, told: ToldState) -> None:
        """Store what is missing of a state: the event, its state, the auth chain."""
        wanted = list(dict.fromkeys((*told.auth_ids, *told.state_ids, event_id)))
        known = await self._rooms.events.get(wanted)
        missing = [each for each in wanted if each not in known]
        if not missing:
            return
        if len(missing) > SINGLE_EVENTS:
            async with self._remote.state(server, here, event_id) as reply:
                verify = await self._remote.reader.verifier(reply.keys)
                await self._rooms.outliers.store_told(room.identity, reply.told, verify)
            missing = [event_id] if event_id in missing else []
        found = await self._remote.events(server, here, missing)
        await self._rooms.outliers.store(room.identity, found)


def predecessors_first(events: Iterable[Event]) -> list[Event]:
    """The events, each after those of its predecessors that are among them; else in the order given."""
    by_id: Mapping[str, Event] = {event.event_id: event for event in events}
    order: list[Event] = []
    placed: set[str] = set()
    for start in by_id:
        waiting: list[tuple[str, bool]] = [(start, False)]
        while waiting:
            event_id, is_done = waiting.pop()
            event = by_id[event_id]
            if is_done:
                order.append(event)
            elif event_id not in placed:
                placed.add(event_id)
                waiting.append((event_id, True))
                waiting += _unplaced(event.prev_event_ids, by_id, placed)
    return order


def _unplaced(event_ids: Sequence[str], by_id: Mapping[str, Event], placed: set[str]) -> list[tuple[str, bool]]:
    return [(event_id, False) for event_id in event_ids if event_id in by_id and event_id not in placed]
