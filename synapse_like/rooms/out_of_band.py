"""Memberships of our users in rooms in which this server is not: invites, knocks, and how they end.

They have a number, so that /sync tells of them, and no state. Once the room becomes live here its own state counts.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from replication.committer import Append
from replication.log import Log
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion, room_version
from synapse_like.rooms.arrival import Arrivals
from synapse_like.rooms.changes import member_change
from synapse_like.rooms.creation import Numbers
from synapse_like.rooms.event_store import EventStore
from synapse_like.rooms.facts import EVENTS, TRUNK, EventFact, Kind, StateRef
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.live_rooms import LiveRooms
from synapse_like.rooms.persist import NO_HEAD
from synapse_like.rooms.placement import WITHOUT_STATE
from synapse_like.rooms.sql.numbers import room as room_row
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database


class OutOfBand:
    """Keeps memberships that hold without the room; runs where the room is owned."""

    def __init__(
        self,
        database: Database,
        rooms: LiveRooms,
        log: Log,
        numbers: Numbers,
        events: EventStore,
        arrivals: Arrivals,
        clock: Clock,
    ) -> None:
        self._database = database
        self._rooms = rooms
        self._log = log
        self._numbers = numbers
        self._events = events
        self._arrivals = arrivals
        self._clock = clock

    async def version_of(self, room_id: str) -> RoomVersion | None:
        """The version of a room that we have heard of."""
        row = await self._database.read(lambda txn: room_row(txn, room_id))
        return room_version(row[1]) if row is not None else None

    async def store(
        self, room_id: str, version: RoomVersion, event: Event, extras: Mapping[str, Any] | None = None
    ) -> None:
        """Let a membership event of a local user hold. `extras` may have `invite_room_state` or `knock_room_state`.

        Raises AuthError for an event that is part of the room already.
        """
        room = await self._arrivals.identity_of(room_id, version)
        known = await self._events.get_one(event.event_id)
        if known is not None and (known.room_nid != room.room_nid or known.kind not in WITHOUT_STATE):
            raise AuthError("This event is part of a room already")
        nid = known.event_nid if known is not None else await self._numbers.events.take()
        key_nid = await self._numbers.keys.of(event.key)
        change = msgspec.structs.replace(member_change(event, nid, is_local=True), key_nid=key_nid)
        fact = EventFact(
            room_id=room_id,
            room_nid=room.room_nid,
            event=event,
            event_nid=nid,
            key_nid=key_nid,
            kind=Kind.OUT_OF_BAND,
            received_ms=self._clock.now_ms(),
            extras=dict(extras) if extras else None,
            before=StateRef(TRUNK, 0),
            head=NO_HEAD,
            trunk=(change,),
            members=(event.key[1],),
        )
        await self._log.submit(Append(ROOM.name, room.shard, room_id, [(EVENTS, fact)]))
        live = self._rooms.peek(room_id)
        if live is not None:
            self._rooms.drop(live)
        self._events.take([fact])
