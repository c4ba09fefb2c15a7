"""Guests: who of a room's local members is one, by the mark that this server leaves in their joins."""

from synapse_like.rooms.front import Rooms
from synapse_like.rooms.live import LiveRoom

GUEST = {"kind": "guest"}


def are_welcome(room: LiveRoom) -> bool:
    """Whether guests may be in a room."""
    access = room.state_event("m.room.guest_access")
    return access is not None and access.content.get("guest_access") == "can_join"


async def mark_of(event_id: str, rooms: Rooms) -> dict[str, str]:
    """What the join of a guest holds besides; nothing for others."""
    event = await rooms.events.get_one(event_id)
    return GUEST if event is not None and event.event.content.get("kind") == GUEST["kind"] else {}


async def guests_in(room: LiveRoom, rooms: Rooms) -> list[str]:
    """The guests of this server who have joined a room; at most one query."""
    joined = {member.event_id: member.user_id for member in room.members.values() if member.membership == "join"}
    found = await rooms.events.get(joined)
    return [joined[event_id] for event_id, event in found.items() if event.event.content.get("kind") == GUEST["kind"]]
