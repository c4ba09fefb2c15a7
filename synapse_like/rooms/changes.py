"""How an event changes the live room: head, state, members, and the trunk changes that the log carries."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import TRUNK, Extremity, Head, Member, TrunkChange
from synapse_like.rooms.live import MEMBER, LiveMember, LiveRoom, LiveState

IsLocal = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """An event that is to become part of the room, with its numbers (`key_nid` for state)."""

    event: Event
    event_nid: int
    key_nid: int | None


def extend(room: LiveRoom, change: Change, *, is_local: IsLocal) -> tuple[TrunkChange, ...]:
    """Make the event the room's only extremity; its state comes into force, if it is state. Gives the trunk changes."""
    event = change.event
    trunk: tuple[TrunkChange, ...] = ()
    version = room.head.trunk_version
    if change.key_nid is not None:
        version += 1
        trunk = (put(room, change, is_local=is_local),)
    extremity = Extremity(event.event_id, change.event_nid, TRUNK, version, event.depth)
    room.head = msgspec.structs.replace(
        room.head, depth=max(room.head.depth, event.depth), trunk_version=version, extremities=(extremity,)
    )
    remember_reference(room, event)
    return trunk


def remember_reference(room: LiveRoom, event: Event) -> None:
    """Keep what `prev_events` will hold for a new extremity: in versions 1 and 2 that is more than its id.

    It cannot be looked up when it is needed: the event may still be on its way to the database.
    """
    if room.identity.version.has_chosen_event_ids:
        ids = {extremity.event_id for extremity in room.head.extremities}
        kept = {event_id: reference for event_id, reference in room.references.items() if event_id in ids}
        room.references = {**kept, event.event_id: event.reference}


def put(room: LiveRoom, change: Change, *, is_local: IsLocal) -> TrunkChange:
    """Bring a state event into force in the live room."""
    event = change.event
    kind, state_key = event.key
    if kind != MEMBER:
        room.state[event.key] = LiveState(event, change.event_nid)
        return TrunkChange(kind, state_key, change.key_nid or 0, event.event_id, change.event_nid)
    old = room.members.get(state_key)
    new = member_of(event, change.event_nid)
    room.members[state_key] = new
    room.head = counted(room.head, old.membership if old else None, new.membership)
    member = Member(
        user_id=state_key,
        membership=new.membership,
        sender=new.sender,
        display_name=new.display_name,
        avatar_url=new.avatar_url,
        is_local=is_local(state_key),
        before=old.membership if old else None,
    )
    return TrunkChange(kind, state_key, change.key_nid or 0, event.event_id, change.event_nid, member)


def member_change(event: Event, event_nid: int, *, is_local: bool, before: str | None = None) -> TrunkChange:
    """A membership that holds without any state of the room: of a user who is invited to, or knocks at, or refuses a
    room in which this server is not.
    """
    return membership_change(member_of(event, event_nid), is_local=is_local, before=before)


def membership_change(new: LiveMember, *, is_local: bool, before: str | None = None) -> TrunkChange:
    """The change that brings a membership into force; its key has no number yet."""
    member = Member(
        user_id=new.user_id,
        membership=new.membership,
        sender=new.sender,
        display_name=new.display_name,
        avatar_url=new.avatar_url,
        is_local=is_local,
        before=before,
    )
    return TrunkChange(MEMBER, new.user_id, 0, new.event_id, new.event_nid, member)


def remove(room: LiveRoom, kind: str, state_key: str, key_nid: int, *, is_local: IsLocal) -> TrunkChange:
    """Take a key out of the room's state (only a resolution does that). A member who is taken out has left."""
    if kind != MEMBER:
        room.state.pop((kind, state_key), None)
        return TrunkChange(kind, state_key, key_nid, None, None)
    old = room.members.pop(state_key, None)
    before = old.membership if old else None
    room.head = counted(room.head, before, None)
    gone = Member(
        user_id=state_key,
        membership="leave",
        sender=state_key,
        display_name=None,
        avatar_url=None,
        is_local=is_local(state_key),
        before=before,
    )
    return TrunkChange(kind, state_key, key_nid, None, None, gone)


def member_of(event: Event, event_nid: int) -> LiveMember:
    """What the live room keeps of a membership event."""
    return LiveMember(
        user_id=event.key[1],
        membership=event.membership or "leave",
        event_nid=event_nid,
        event_id=event.event_id,
        sender=event.sender,
        display_name=_text(event.content.get("displayname")),
        avatar_url=_text(event.content.get("avatar_url")),
    )


def counted(head: Head, old: str | None, new: str | None) -> Head:
    """The head with its numbers of joined and invited members after one membership changed."""
    if old == new:
        return head
    return msgspec.structs.replace(
        head,
        joined_members=head.joined_members + (new == "join") - (old == "join"),
        invited_members=head.invited_members + (new == "invite") - (old == "invite"),
    )


class Restore:
    """Remembers a live room's head, state and members, to put them back if a batch of drafts is refused half-way."""

    __slots__ = ("_head", "_members", "_received_ms", "_references", "_state", "_thread_counters")

    def __init__(self, room: LiveRoom) -> None:
        self._head = room.head
        self._state = dict(room.state)
        self._members = dict(room.members)
        self._thread_counters = dict(room.thread_counters)
        self._received_ms = room.received_ms
        self._references = room.references

    def restore(self, room: LiveRoom) -> None:
        """Put everything back."""
        room.head, room.state, room.members = self._head, self._state, self._members
        room.thread_counters = self._thread_counters
        room.received_ms = self._received_ms
        room.references = self._references


def _text(value: object) -> str | None:
    """A text that the database can hold."""
    return value.replace("\0", "") if isinstance(value, str) else None
