"""The `events` stream: what the log carries for each event.

A fact holds the event itself and all that a consumer which has caught up needs, so that nobody has to ask the database
about something that just happened.
"""

from enum import IntEnum
from typing import Any

import msgspec

from replication.streams import Fact, Stream, WireForm
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.families import ROOM

TRUNK = 0
"""The branch number of the trunk."""


class Kind(IntEnum):
    """What became of an event."""

    LIVE = 0
    BACKFILLED = 1
    SOFT_FAILED = 2
    REJECTED = 3
    OUTLIER = 4
    OUT_OF_BAND = 5


class StateRef(msgspec.Struct, frozen=True, gc=False):
    """A state: a version of a branch (0 is the trunk)."""

    branch: int
    version: int


class Member(msgspec.Struct, frozen=True, gc=False):
    """What a membership event says about its user. `joined_before`: the membership that it replaces in the trunk."""

    user_id: str
    membership: str
    sender: str
    display_name: str | None
    avatar_url: str | None
    is_local: bool
    before: str | None


class TrunkChange(msgspec.Struct, frozen=True, gc=False):
    """One key of the room's current state that got another value, or none."""

    type: str
    state_key: str
    key_nid: int
    event_id: str | None
    event_nid: int | None
    member: Member | None = None
    version: int | None = None
    """Where it stands in the trunk; None: at the version that the event's head has."""


class Extremity(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A forward extremity, and the state after it."""

    event_id: str
    event_nid: int
    branch: int
    version: int
    depth: int


class Head(msgspec.Struct, frozen=True, gc=False):
    """The room after an event."""

    depth: int
    trunk_version: int
    extremities: tuple[Extremity, ...]
    notified: int
    highlighted: int
    joined_members: int
    invited_members: int


class BranchRows(msgspec.Struct, frozen=True, gc=False):
    """Rows that a batch adds to a branch; `base_version` is set if the branch is new."""

    branch: int
    base_version: int | None
    rows: tuple[tuple[int, int, int | None], ...]
    """(key number, version, event number or None for removed)"""


class Deviation(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A local member for whom an event counts otherwise than the member's mode says."""

    user_id: str
    notify: int
    highlight: int


class EventFact(Fact, kw_only=True, gc=False):
    """An event that the room's owner has placed."""

    room_id: str
    room_nid: int
    event: Event
    event_nid: int
    key_nid: int | None
    kind: Kind
    received_ms: int
    extras: dict[str, Any] | None
    """What clients get in `unsigned` besides: replaces_state, prev_content, invite_room_state, ..."""
    before: StateRef
    head: Head
    trunk: tuple[TrunkChange, ...] = ()
    branch_rows: tuple[BranchRows, ...] = ()
    transaction: tuple[str, str, str] | None = None
    """(user id, device id, transaction id) of the request that made it."""
    redacts: str | None = None
    """The event that this one redacts, if it takes effect."""
    thread: str | None = None
    notified: int = 0
    highlighted: int = 0
    outcome: tuple[int, int] = (0, 0)
    """(counts for everyone who counts all, highlights everyone)"""
    deviations: tuple[Deviation, ...] = ()
    sender_member: str | None = None
    """The sender's membership event when it was sent: readers that load members lazily need it."""
    members: tuple[str, ...] = ()
    """The users whose membership changed: their long polls end."""

    @property
    def begins_room(self) -> bool:
        """Whether the room begins with this event, here. A create event may also come late, to a room of others."""
        return self.event.is_create and self.kind is Kind.LIVE and self.head.trunk_version == 1


class _EventOnTheWire(msgspec.Struct, array_like=True):
    """An event as it crosses processes: its stored JSON, once, and what is not in there."""

    event_id: str
    room_version: str
    is_rejected: bool
    json: str


def _encode(value: object) -> _EventOnTheWire:
    if not isinstance(value, Event):
        raise TypeError(f"{type(value).__name__} is no part of a fact")
    return _EventOnTheWire(value.event_id, value.room_version.identifier, value.rejected, value.encoded.decode())


def _decode(kind: type, value: Any) -> Event:
    wire = msgspec.convert(value, _EventOnTheWire)
    event = Event.recalled(wire.event_id, wire.json, room_version(wire.room_version))
    event.rejected = wire.is_rejected
    return event


EVENTS: Stream[EventFact] = Stream(
    "events",
    ROOM,
    EventFact,
    key="room_id",
    wakes=("room_id", "members"),
    wire=WireForm(_encode, _decode),
)
