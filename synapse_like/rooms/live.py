"""The live room: what a room's owner keeps in memory, so that extending the room reads nothing.

It has an *accepted* head, to build on, which runs ahead of the database; nobody but the owner sees it. When a commit
fails the whole live room is dropped and loaded again. It costs its state that is not membership, and its local members.
"""

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock

from synapse_like.matrix.auth_rules.selection import CREATE, POWER_LEVELS, StateKey
from synapse_like.matrix.events import Event
from synapse_like.matrix.power_levels import PowerLevels
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.facts import Head
from synapse_like.rooms.transactions import RecentTransactions, TransactionKey

MEMBER = "m.room.member"


@dataclass(frozen=True, slots=True)
class RoomIdentity:
    """What never changes about a room."""

    room_id: str
    room_nid: int
    version: RoomVersion
    shard: int


@dataclass(frozen=True, slots=True)
class LiveMember:
    """A membership as the auth rules and the sections need it."""

    user_id: str
    membership: str
    event_nid: int
    event_id: str
    sender: str
    display_name: str | None
    avatar_url: str | None

    def event(self, room: RoomIdentity) -> Event:
        """The membership event as far as auth rules ask for it."""
        content: dict[str, Any] = {"membership": self.membership}
        pdu = {
            "type": MEMBER,
            "state_key": self.user_id,
            "sender": self.sender,
            "room_id": room.room_id,
            "content": content,
            "origin_server_ts": 0,
            "depth": 0,
            "prev_events": [],
            "auth_events": [],
        }
        return Event.restored(self.event_id, pdu, room.version)


@dataclass(frozen=True, slots=True)
class LiveState:
    """A state event and its number."""

    event: Event
    event_nid: int


@dataclass(eq=False, slots=True, weakref_slot=True)
class LiveRoom:
    """A room as its owner sees it."""

    identity: RoomIdentity
    head: Head
    state: dict[StateKey, LiveState]
    members: dict[str, LiveMember]
    """Local users with any membership, and those remote users whom somebody asked about lately."""
    transactions: RecentTransactions
    received_ms: int
    in_flight: "dict[TransactionKey, Deferred[str]]" = field(default_factory=dict)
    turn: DeferredLock = field(default_factory=DeferredLock)
    """Held while the room is parked: its state is being resolved, and nothing may be built on it."""
    is_dropped: bool = False
    unstored: int = 0
    """Appends that are on their way to the database."""
    settling: "list[Deferred[None]]" = field(default_factory=list)
    notices: Any = None
    """What the feature that counts unread messages keeps for this room."""
    thread_counters: dict[str, tuple[int, int]] = field(default_factory=dict)
    """(notified, highlighted) of those threads that were asked for; the head has the main timeline's."""
    references: dict[str, Any] = field(default_factory=dict)
    """What `prev_events` hold for the extremities, in room versions 1 and 2."""
    _levels: PowerLevels | None = None
    _levels_of: str | None = None

    @property
    def is_deserted(self) -> bool:
        """Whether nobody is in the room, and nobody is invited."""
        return not self.head.joined_members and not self.head.invited_members

    @property
    def create_event(self) -> Event:
        """The event that made the room."""
        return self.state[CREATE].event

    @property
    def power_levels(self) -> PowerLevels:
        """The current power levels, parsed once per event that sets them."""
        current = self.state.get(POWER_LEVELS)
        event_id = current.event.event_id if current else None
        if self._levels is None or self._levels_of != event_id:
            content = current.event.content if current else None
            self._levels = PowerLevels(self.create_event, content, self.identity.version)
            self._levels_of = event_id
        return self._levels

    def state_event(self, event_type: str, state_key: str = "") -> Event | None:
        """A current state event that is not membership."""
        current = self.state.get((event_type, state_key))
        return current.event if current else None

    def membership_of(self, user_id: str) -> str | None:
        """A local user's membership."""
        member = self.members.get(user_id)
        return member.membership if member else None

    def auth_event(self, key: StateKey) -> Event | None:
        """The state event of a key, members included."""
        if key[0] == MEMBER:
            member = self.members.get(key[1])
            return member.event(self.identity) if member else None
        current = self.state.get(key)
        return current.event if current else None

    def stored(self) -> None:
        """One append has come back from the database."""
        self.unstored -= 1
        if not self.unstored:
            waiting, self.settling = self.settling, []
            for waiter in waiting:
                waiter.callback(None)

    async def settled(self) -> None:
        """Wait until nothing of this room is on its way to the database."""
        if self.unstored:
            waiter: Deferred[None] = Deferred()
            self.settling.append(waiter)
            await waiter

    async def unparked(self) -> None:
        """Wait until nobody holds the room's turn."""
        await self.turn.acquire()
        self.turn.release()

    def received_now(self, now_ms: int) -> int:
        """The time of receipt of a next event: now, but never before the last one's."""
        self.received_ms = max(now_ms, self.received_ms + 1)
        return self.received_ms
