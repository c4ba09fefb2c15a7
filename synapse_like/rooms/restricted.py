"""Joining restricted rooms: who is let in by belonging to another room, and who vouches for it.

Source: Client-Server API, "Restricted rooms"; Room Versions 8 and 10.
"""

from collections.abc import Iterator, Sequence

from synapse_like.matrix.errors import Forbidden, UnableToAuthoriseJoin, UnableToGrantJoin
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.live import LiveRoom

JOIN_RULES = "m.room.join_rules"


def join_rule(room: LiveRoom) -> object:
    """The join rule in force."""
    event = room.state_event(JOIN_RULES)
    return event.content.get("join_rule", "invite") if event is not None else "invite"


def is_restricted(room: LiveRoom) -> bool:
    """Whether members of other rooms are let in."""
    version, rule = room.identity.version, join_rule(room)
    return (rule == "restricted" and version.has_restricted_join) or (
        rule == "knock_restricted" and version.has_knock_restricted
    )


def allowed_rooms(room: LiveRoom) -> Iterator[str]:
    """The rooms whose members are let in."""
    event = room.state_event(JOIN_RULES)
    entries = event.content.get("allow") if event is not None else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("type") == "m.room_membership":
            room_id = entry.get("room_id")
            if isinstance(room_id, str):
                yield room_id


async def authoriser_of_join(room: LiveRoom, user_id: str, rooms: Rooms) -> str | None:
    """The local user who vouches for a join; None if nobody has to.

    Raises Forbidden if the user belongs to none of the rooms, UnableToAuthoriseJoin if this server is in none of them,
    UnableToGrantJoin if no local user may invite.
    """
    if not is_restricted(room) or room.membership_of(user_id) in ("invite", "join", "ban"):
        return None
    allowed = list(allowed_rooms(room))
    if not await _belongs_to_any(allowed, user_id, rooms):
        server_name = rooms.identity.server_name
        if allowed and not any([await rooms.hosts.has(room_id, server_name) for room_id in allowed]):
            raise UnableToAuthoriseJoin()
        raise Forbidden("You belong to none of the rooms whose members may join this one")
    levels, suffix = room.power_levels, ":" + rooms.identity.server_name
    able = [
        member.user_id
        for member in room.members.values()
        if member.membership == "join"
        and member.user_id.endswith(suffix)
        and levels.of(member.user_id) >= levels.invite
    ]
    if not able:
        raise UnableToGrantJoin()
    return max(able, key=levels.of)


async def _belongs_to_any(room_ids: Sequence[str], user_id: str, rooms: Rooms) -> bool:
    """Whether the user has joined one of the rooms; live rooms know before readers do."""
    live = [room for room_id in room_ids if (room := rooms.live.peek(room_id)) is not None and user_id in room.members]
    if any(room.membership_of(user_id) == "join" for room in live):
        return True
    known = {room.identity.room_id for room in live}
    joined = set(await rooms.memberships.joined_rooms(user_id)) - known
    return any(room_id in joined for room_id in room_ids)
