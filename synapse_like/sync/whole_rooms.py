"""Rooms of which a client knows nothing: their newest events and their whole state, kept while nothing happens in them.

What is kept of a room is the same for all readers (who may see what is decided later), and good for a snapshot in which
the room's log has the same last number: whatever changes what a room shows, a redaction too, is a fact of its log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from replication.numbers import pack
from synapse_like.rooms.event_store import Peek, StoredEvent, stored_all, weight_of
from synapse_like.rooms.memberships import UserRoom
from synapse_like.rooms.sql import events as events_sql
from synapse_like.sync import sql
from synapse_like.sync.window import StateKey, Window, window
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.weighed import WeighedCache

KEPT_BYTES: Final = 12 * 1024 * 1024
LARGEST: Final = 200
"""A room with more events than that is read anew for each client."""
_WINDOWS: Final = 4
"""Clients ask for few different numbers of events."""


@dataclass(frozen=True, slots=True)
class WholeRoom:
    """A room as of a number of its log; whoever asks for fewer events than it was read with gets a part of it."""

    number: int
    bound: int
    """How many events were asked for."""
    timeline: Sequence[StoredEvent]
    """The newest live events, oldest first; as many as were asked for, if there are."""
    state: Mapping[StateKey, StoredEvent]
    senders: Mapping[StateKey, StoredEvent]
    """The membership of the timeline's senders, where `state` holds no membership."""
    _windows: dict[int, Window] = field(default_factory=dict)

    def holds(self, bound: int) -> bool:
        """Whether it has so many of the room's newest events, or all that there are."""
        return bound <= self.bound or len(self.timeline) < self.bound

    def newest(self, bound: int) -> Sequence[StoredEvent]:
        """So many of the newest events, if there are."""
        return self.timeline[max(0, len(self.timeline) - bound) :]

    def shown(self, limit: int) -> Window:
        """What a client is shown that may see everything."""
        found = self._windows.get(limit)
        if found is None:
            if len(self._windows) >= _WINDOWS:
                self._windows.clear()
            is_limited = len(self.timeline) > limit
            found = self._windows[limit] = window(self.newest(limit), self.state, is_limited=is_limited)
        return found

    def __len__(self) -> int:
        """How many events it holds."""
        return len(self.timeline) + len(self.state) + len(self.senders)

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        events = {event.event_nid: event for event in (*self.timeline, *self.state.values(), *self.senders.values())}
        return sum(weight_of(event.json_bytes) for event in events.values())


_Key = tuple[int, bool]
"""(room, whether state holds membership)"""


class WholeRooms:
    """Reads whole rooms within snapshots. Used by all database threads."""

    def __init__(self, peek: Peek) -> None:
        self._peek = peek
        self.cache: WeighedCache[_Key, WholeRoom] = WeighedCache(KEPT_BYTES, weight_of(0))
        """Counts events."""
        self._lock = Lock()

    def read(
        self,
        transaction: Transaction,
        rooms: Sequence[UserRoom],
        numbers: Mapping[int, int],
        bound: int,
        *,
        has_members: bool,
    ) -> dict[int, WholeRoom]:
        """These rooms by `room_nid`, in three questions for all that are not kept; `numbers` are the last ones of their
        logs in the snapshot. State is with or without membership.
        """
        keys = {room.room_nid: (room.room_nid, has_members) for room in rooms}
        with self._lock:
            kept = {nid: self.cache.get(key) for nid, key in keys.items()}
        found = {
            nid: whole
            for nid, whole in kept.items()
            if whole is not None and whole.number == numbers[nid] and whole.holds(bound)
        }
        missing = [room for room in rooms if room.room_nid not in found]
        new = _read(transaction, missing, numbers, bound, has_members, self._peek)
        with self._lock:
            self.cache.hits += len(found)
            self.cache.misses += len(missing)
            for nid, whole in new.items():
                self._keep(keys[nid], whole)
        return found | new

    def _keep(self, key: _Key, room: WholeRoom) -> None:
        if len(room) > LARGEST:
            self.cache.forget(key)
        else:
            self.cache.keep(key, room, room.weight, len(room))


def _read(
    transaction: Transaction,
    rooms: Sequence[UserRoom],
    numbers: Mapping[int, int],
    bound: int,
    has_members: bool,
    peek: Peek,
) -> dict[int, WholeRoom]:
    if not rooms:
        return {}
    asked = [(room.room_nid, pack(room.shard, 0), numbers[room.room_nid]) for room in rooms]
    rows = events_sql.newest_of_rooms(transaction, asked, bound)
    nids = [room.room_nid for room in rooms]
    state_rows = sql.current_state(transaction, nids, has_members=has_members)
    by_nid = {row[1]: row for row in (*rows, *state_rows)}
    events = {event.event_nid: event for event in stored_all(transaction, list(by_nid.values()), peek)}
    timelines: dict[int, list[StoredEvent]] = {nid: [] for nid in nids}
    states: dict[int, dict[StateKey, StoredEvent]] = {nid: {} for nid in nids}
    for row in rows:
        timelines[row[2]].append(events[row[1]])
    for row in state_rows:
        event = events[row[1]]
        states[row[2]][event.event.key] = event
    senders = {} if has_members else _senders(transaction, timelines, peek)
    return {nid: WholeRoom(numbers[nid], bound, timelines[nid], states[nid], senders.get(nid, {})) for nid in nids}


def _senders(
    transaction: Transaction, timelines: Mapping[int, Sequence[StoredEvent]], peek: Peek
) -> dict[int, dict[StateKey, StoredEvent]]:
    asked = {(nid, event.event.sender) for nid, timeline in timelines.items() for event in timeline}
    found: dict[int, dict[StateKey, StoredEvent]] = {}
    for event in stored_all(transaction, sql.members(transaction, sorted(asked)), peek):
        found.setdefault(event.room_nid, {})[event.event.key] = event
    return found
