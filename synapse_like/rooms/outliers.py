"""Events without a place in their room: auth chains and states that other servers tell of.

The bulk lane: they are content-addressed and no reader sees them, so they are stored in small transactions of their
own, outside of the log. Each is judged by the auth events that it names before it is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_like.matrix.events import Event
from synapse_like.matrix.state_resolution import AuthGraph
from synapse_like.rooms.creation import Numbers
from synapse_like.rooms.event_store import MAX_DEPTH, EventStore
from synapse_like.rooms.facts import Kind
from synapse_like.rooms.live import RoomIdentity
from synapse_like.rooms.persist import MAX_TIME_MS
from synapse_like.rooms.placement import passes_by_auth_events
from synapse_like.rooms.sql import events as sql
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row

_STORED_AT_ONCE = 500
_JUDGED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Stored:
    """An outlier as it is in the database."""

    event: Event
    event_nid: int
    is_rejected: bool


class Outliers:
    """Judges and stores events without a place."""

    def __init__(self, database: Database, events: EventStore, numbers: Numbers, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._numbers = numbers
        self._clock = clock

    async def store(self, room: RoomIdentity, events: Sequence[Event]) -> dict[str, Stored]:
        """Store verified events of a room (known ones are passed over); what became of each, by id.

        Those that belong to another room, or whose auth events are neither stored nor among them, are left out.
        """
        judged = await self._judged(room, events)
        known = await self._nids(room, list(judged))
        fresh = [event for event in judged.values() if event.event_id not in known]
        if fresh:
            known |= await self._add(room, fresh)
        return {
            event_id: Stored(event, known[event_id][0], event.rejected or known[event_id][1] == Kind.REJECTED)
            for event_id, event in judged.items()
            if event_id in known
        }

    async def _judged(self, room: RoomIdentity, events: Sequence[Event]) -> dict[str, Event]:
        """The events that can be judged, each after its auth events; `rejected` is set on those that are refused."""
        given: dict[str, Event] = {event.event_id: event for event in events if event.room_id == room.room_id}
        named = {str(auth_id) for event in given.values() for auth_id in event.auth_references} - given.keys()
        stored = await self._events.get(named)
        known: dict[str, Event] = {event_id: found.event for event_id, found in stored.items()}
        order = AuthGraph(lambda event_id: _references(given, event_id)).in_order(given)
        judged: dict[str, Event] = {}
        for index, event_id in enumerate(order, 1):
            event = given.get(event_id)
            if event is None:
                continue
            auth = [known[auth_id] for auth_id in event.auth_references if auth_id in known]
            if len(auth) < len(event.auth_references):
                continue
            event.rejected = not passes_by_auth_events(event, auth)
            judged[event_id] = known[event_id] = event
            if index % _JUDGED_AT_ONCE == 0:
                await self._clock.sleep(0)
        return judged

    async def _nids(self, room: RoomIdentity, event_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Number and kind of those that are stored in this room."""
        rows = await self._database.read(lambda txn: sql.nids(txn, event_ids))
        return {event_id: (nid, kind) for event_id, nid, room_nid, kind in rows if room_nid == room.room_nid}

    async def _add(self, room: RoomIdentity, events: Sequence[Event]) -> dict[str, tuple[int, int]]:
        keys = await self._numbers.keys.of_all(event.key for event in events if event.is_state)
        first = await self._numbers.events.take(len(events))
        now_ms = self._clock.now_ms()
        rows = []
        for nid, event in enumerate(events, first):
            rows.append(outlier_row(room, event, nid, keys[event.key] if event.is_state else None, now_ms))
        found: dict[str, tuple[int, int]] = {}
        for start in range(0, len(rows), _STORED_AT_ONCE):
            part = rows[start : start + _STORED_AT_ONCE]

            def add(transaction: Transaction, part: Sequence[Row] = part) -> list[Row]:
                sql.add_outliers(transaction, part)
                return sql.nids(transaction, [row[1] for row in part])

            for event_id, nid, room_nid, kind in await self._database.write(add):
                if room_nid == room.room_nid:
                    found[event_id] = (nid, kind)
        return found


def outlier_row(room: RoomIdentity, event: Event, nid: int, key_nid: int | None, now_ms: int) -> Row:
    """The row of an event without a place."""
    return (
        nid,
        event.event_id,
        room.room_nid,
        None,
        min(event.depth, MAX_DEPTH),
        int(Kind.REJECTED if event.rejected else Kind.OUTLIER),
        event.type,
        key_nid,
        event.sender,
        now_ms,
        max(-MAX_TIME_MS, min(event.origin_server_ts, MAX_TIME_MS)),
        0,
        0,
        None,
        0,
        0,
        event.encoded.decode(),
        None,
    )


def _references(given: Mapping[str, Event], event_id: str) -> tuple[str, ...]:
    event = given.get(event_id)
    return () if event is None else tuple(event.auth_references)
