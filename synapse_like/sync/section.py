"""What a feature implements to have a part in /sync.

A section is asked for what happened between two places, first from memory; if any section's memory does not reach back
that far (an initial sync, an old token, a room just joined), all are asked again with one database snapshot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from synapse_like.matrix.filters import Filter
from synapse_like.rooms.memberships import UserRoom
from synapse_like.sync.response import SyncResponse
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.http.requester import Requester


@dataclass(slots=True)
class SyncContext:
    """Who asks, from where to where, and for which rooms."""

    requester: Requester
    user_shard: int
    since: SyncToken | None
    """None: an initial sync."""
    now: SyncToken
    filter: Filter
    rooms: Mapping[str, UserRoom]
    """All rooms in which the user has or had a membership, as of `now`."""
    touched: Sequence[str] | None = None
    """The ids of the rooms in whose logs something came after `since`; None if that is not known."""
    is_full_state: bool = False
    uses_state_after: bool = False
    now_ms: int = 0
    is_same_process: bool = True
    """Whether `since.ephemeral` was counted by this process."""
    fresh_rooms: set[str] = field(default_factory=set)
    """Rooms that the user has joined after `since`: sections give all that they have for them."""
    ignored_users: frozenset[str] = frozenset()

    @property
    def user_id(self) -> str:
        """The user who asks."""
        return self.requester.user_id

    def joined(self) -> list[UserRoom]:
        """The rooms that the user has joined and that the filter lets through."""
        return self._joined(self.rooms.values())

    def touched_rooms(self) -> Iterable[UserRoom]:
        """Those of `rooms` in whose logs something may have come after `since`."""
        if self.touched is None:
            return self.rooms.values()
        return [self.rooms[room_id] for room_id in self.touched if room_id in self.rooms]

    def touched_joined(self) -> list[UserRoom]:
        """Those of `joined` in whose logs something may have come after `since`."""
        return self._joined(self.touched_rooms())

    def has_joined(self, room_id: str) -> bool:
        """Whether the response may say something about this room's ephemeral and account data."""
        room = self.rooms.get(room_id)
        return room is not None and room.membership == "join" and self.filter.room.allows_room(room_id)

    def room_after(self, room: UserRoom) -> int | None:
        """The number in the room's log after which things are new to the client; None: everything is."""
        if self.since is None or room.room_id in self.fresh_rooms:
            return None
        return self.since.room_floor(room.shard)

    def user_after(self) -> int | None:
        """The number in the user's log after which things are new to the client; None: everything is."""
        return None if self.since is None else self.since.user_floor(self.user_shard)

    def ephemeral_after(self) -> int:
        """The count of ephemeral facts after which things are new to the client; 0: everything is."""
        return self.since.ephemeral if self.since is not None and self.is_same_process else 0

    def _joined(self, rooms: Iterable[UserRoom]) -> list[UserRoom]:
        allows = self.filter.room.allows_room
        return [room for room in rooms if room.membership == "join" and allows(room.room_id)]


@runtime_checkable
class Standing(Protocol):
    """A section that is called even where nothing at all has happened since the client last asked."""

    def nothing_new(self, requester: Requester, since: SyncToken) -> Mapping[str, bytes] | None:
        """Top-level keys that every response holds, as JSON; None if the database has to be asked."""
        ...


@runtime_checkable
class Learning(Protocol):
    """A section that can tell nothing from memory before it knows something of the device."""

    def knows(self, requester: Requester) -> bool:
        """Whether it does."""
        ...

    async def learn(self, requester: Requester) -> None:
        """See to it that it does."""
        ...


class Section(Protocol):
    """A part of the response. `is_ephemeral` sections live in memory alone: only `from_memory` is called, always."""

    name: str
    is_ephemeral: bool

    def from_memory(self, context: SyncContext, response: SyncResponse) -> bool:
        """Fill in what is new, on the reactor's thread; False if memory does not reach back that far.

        Never called for an initial sync or with fresh rooms, unless `is_ephemeral`.
        """
        ...

    def from_database(self, transaction: Transaction, context: SyncContext, response: SyncResponse) -> None:
        """Fill in what is new, within a snapshot, in a database thread; a fixed number of queries."""
        ...
