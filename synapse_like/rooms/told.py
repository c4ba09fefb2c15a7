"""What another server tells of a room at once, its state and what authorizes that, on disk until all of it has come.

A reply may be half a gigabyte. In memory is only what the order needs: the ids that events name as their auth events,
and where those stand. Most of a large room's state authorizes nothing and costs nothing here. Nothing of this is in
the database, so that a reply that breaks off leaves no trace.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from synapse_like.matrix.canonical_json import parsed
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.matrix.state_resolution import AuthGraph
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.spool import Spool

MOST_EVENTS: Final = 500_000
_BATCH_EVENTS: Final = 1000
_BATCH_BYTES: Final = 1024 * 1024
_READ_AT_ONCE: Final = 500

Entry = tuple[Event, bool]
"""An event, and whether it was told as state."""


class _Record(msgspec.Struct, array_like=True, gc=False):
    event_id: str
    is_state: bool
    json: bytes


@dataclass(slots=True)
class _Named:
    """An event that others name: where it stands, and whom it names."""

    place: int
    is_state: bool
    auth_ids: tuple[str, ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Record)


class Told:
    """The events of a reply, not judged yet; `named` are ids that others than these events name."""

    def __init__(self, room_id: str, version: RoomVersion, named: Iterable[str] = ()) -> None:
        self.room_id = room_id
        self.version = version
        self.count = 0
        self._spool = Spool()
        self._named: dict[str, str] = {}
        self._name(named)

    def add(self, event: Event, *, is_state: bool) -> None:
        """Put an event aside. Raises AuthError if there are too many of them."""
        self.count += 1
        self._name(event.auth_references)
        if max(self.count, len(self._named)) > MOST_EVENTS:
            raise AuthError("The room is too large")
        self._spool.append(_ENCODER.encode(_Record(event.event_id, is_state, event.encoded)))

    def is_named(self, event_id: str) -> bool:
        """Whether an event is an auth event of others."""
        return event_id in self._named

    def close(self) -> None:
        """Forget everything."""
        self._spool.close()

    async def batches(self, clock: Clock) -> AsyncIterator[list[Entry]]:
        """All events, each after those that it names (but for circles)."""
        where = await self._find_named(clock)
        order = AuthGraph(lambda event_id: where[event_id].auth_ids if event_id in where else ()).in_order(where)
        batch = _Batch()
        for event_id in order:
            found = where.get(event_id)
            if found is not None:
                batch.add(_DECODER.decode(self._spool.at(found.place)), found.is_state)
                if batch.is_full:
                    yield batch.taken(self.version)
        yield batch.taken(self.version)
        for _, data in self._spool:
            record = _DECODER.decode(data)
            if record.event_id not in where:
                batch.add(record, record.is_state)
                if batch.is_full:
                    yield batch.taken(self.version)
        yield batch.taken(self.version)

    def _name(self, auth_ids: Iterable[str]) -> None:
        for auth_id in auth_ids:
            self._named.setdefault(auth_id, auth_id)

    async def _find_named(self, clock: Clock) -> dict[str, _Named]:
        where: dict[str, _Named] = {}
        for number, (place, data) in enumerate(self._spool, 1):
            record = _DECODER.decode(data)
            if record.event_id in where:
                where[record.event_id].is_state |= record.is_state
            elif record.event_id in self._named:
                event = _event(record, self.version)
                auth_ids = tuple(self._named[auth_id] for auth_id in event.auth_references)
                where[self._named[event.event_id]] = _Named(place, record.is_state, auth_ids)
            if number % _READ_AT_ONCE == 0:
                await clock.sleep(0)
        return where


class _Batch:
    """A bounded number of events."""

    def __init__(self) -> None:
        self._records: list[tuple[_Record, bool]] = []
        self._bytes = 0

    def add(self, record: _Record, is_state: bool) -> None:
        """One more."""
        self._records.append((record, is_state))
        self._bytes += len(record.json)

    @property
    def is_full(self) -> bool:
        """Whether it is time to take them."""
        return len(self._records) >= _BATCH_EVENTS or self._bytes >= _BATCH_BYTES

    def taken(self, version: RoomVersion) -> list[Entry]:
        """The events; a new batch begins."""
        records, self._records, self._bytes = self._records, [], 0
        return [(_event(record, version), is_state) for record, is_state in records]


def _event(record: _Record, version: RoomVersion) -> Event:
    return Event.restored(record.event_id, parsed(record.json.decode()), version, record.json)
