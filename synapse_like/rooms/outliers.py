"""Events without a place in their room: auth chains and states that other servers tell of.

The bulk lane: they are content-addressed and no reader sees them, so they are stored in small transactions of their
own, outside of the log. Each is judged by the auth events that it names before it is stored.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
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
from synapse_like.rooms.sql.numbers import Key
from synapse_like.rooms.told import Told
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row

_STORED_AT_ONCE = 500
_JUDGED_AT_ONCE = 50
_MOST_AUTH_BYTES = 8 * 1024 * 1024
"""As canonical JSON; in memory an event takes about five times as much."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An outlier as it is in the database."""

    event: Event
    event_nid: int
    is_rejected: bool


Verify = Callable[[Sequence[Event]], Awaitable[Sequence[Event]]]
"""Gives those of the events whose signatures are good, redacted where their content hash is wrong."""

Note = Callable[[Stored, int], object]
"""Hears of a state event, and of the number of its key."""


def _note_nothing(stored: Stored, key_nid: int) -> None:
    """Nobody listens."""


class Outliers:
    """Judges and stores events without a place."""

    def __init__(self, database: Database, events: EventStore, numbers: Numbers, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._numbers = numbers
        self._clock = clock

    async def store(
        self,
        room: RoomIdentity,
        events: Sequence[Event],
        *,
        auth: "AuthEvents | None" = None,
        keys: Mapping[Key, int] | None = None,
    ) -> dict[str, Stored]:
        """Store verified events of a room (known ones are passed over); what became of each, by id.

        Those that belong to another room, or whose auth events are neither stored nor among them, are left out.
        Whoever stores a whole room in parts brings what authorizes them, and the numbers of their state keys.
        """
        auth = self.auth_events() if auth is None else auth
        judged = await self._judged(room, events, auth)
        known = await self._nids(room, list(judged))
        fresh = [event for event in judged.values() if event.event_id not in known]
        if fresh:
            if keys is None:
                keys = await self._numbers.keys.of_all(event.key for event in fresh if event.is_state)
            known |= await self._add(room, fresh, keys)
        result = {}
        for event_id, event in judged.items():
            if event_id in known:
                nid, kind = known[event_id]
                event.rejected |= kind == Kind.REJECTED
                result[event_id] = Stored(event, nid, event.rejected)
                auth.keep(event)
        return result

    async def store_told(self, room: RoomIdentity, told: Told, verify: Verify, note: Note = _note_nothing) -> None:
        """Verify, judge and store what was told of a room, part by part; `note` hears of what is good state."""
        auth = self.auth_events(told.is_named)
        async for part in told.batches(self._clock):
            events = await verify([event for event, _ in part])
            wanted = [event.key for event in events if event.is_state]
            keys = await self._numbers.keys.of_all(wanted, remembers=False)
            stored = await self.store(room, events, auth=auth, keys=keys)
            for event, is_state in part:
                found = stored.get(event.event_id)
                if is_state and found is not None and found.event.is_state and not found.is_rejected:
                    note(found, keys[found.event.key])

    def auth_events(self, is_named: Callable[[str], bool] = lambda _: False) -> "AuthEvents":
        """What authorizes others, for a room that is stored in parts; `is_named` says which events do."""
        return AuthEvents(self._database, self._events, is_named)

    async def _judged(self, room: RoomIdentity, events: Sequence[Event], auth: "AuthEvents") -> dict[str, Event]:
        """The events that can be judged, each after its auth events; `rejected` is set on those that are refused."""
        given: dict[str, Event] = {event.event_id: event for event in events if event.room_id == room.room_id}
        named = {str(auth_id) for event in given.values() for auth_id in event.auth_references} - given.keys()
        known = await auth.of(named)
        order = AuthGraph(lambda event_id: _references(given, event_id)).in_order(given)
        judged: dict[str, Event] = {}
        for index, event_id in enumerate(order, 1):
            event = given.get(event_id)
            if event is None:
                continue
            found = [known[auth_id] for auth_id in event.auth_references if auth_id in known]
            if len(found) < len(event.auth_references):
                continue
            event.rejected = not passes_by_auth_events(event, found)
            judged[event_id] = known[event_id] = event
            if index % _JUDGED_AT_ONCE == 0:
                await self._clock.sleep(0)
        return judged

    async def _nids(self, room: RoomIdentity, event_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Number and kind of those that are stored in this room."""
        rows = await self._database.read(lambda txn: sql.nids(txn, event_ids))
        return {event_id: (nid, kind) for event_id, nid, room_nid, kind in rows if room_nid == room.room_nid}

    async def _add(
        self, room: RoomIdentity, events: Sequence[Event], keys: Mapping[Key, int]
    ) -> dict[str, tuple[int, int]]:
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


class AuthEvents:
    """Auth events that have been judged: the ones asked for last in memory, up to some bytes, all in the database."""

    def __init__(self, database: Database, events: EventStore, is_named: Callable[[str], bool]) -> None:
        self._database = database
        self._events = events
        self._is_named = is_named
        self._kept: OrderedDict[str, Event] = OrderedDict()
        self._bytes = 0

    async def of(self, event_ids: Iterable[str]) -> dict[str, Event]:
        """Those of the events that are stored."""
        found: dict[str, Event] = {}
        missing = []
        for event_id in event_ids:
            event = self._kept.get(event_id)
            if event is None:
                missing.append(event_id)
            else:
                found[event_id] = event
                self._kept.move_to_end(event_id)
        if missing:
            for event_id, stored in (await self._database.read(lambda txn: self._events.read(txn, missing))).items():
                found[event_id] = stored.event
                self.keep(stored.event)
        return found

    def keep(self, event: Event) -> None:
        """Keep an event that is stored, if others name it."""
        if self._is_named(event.event_id) and event.event_id not in self._kept:
            self._kept[event.event_id] = event
            self._bytes += len(event.encoded)
            while self._bytes > _MOST_AUTH_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1].encoded)


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
