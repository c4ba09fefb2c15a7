"""Power levels carried over to another room version."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from synapse_like.features.room_creation import TOMBSTONE_LEVEL_AMONG_CREATORS
from synapse_like.matrix.power_levels import DEFAULT_LEVELS, parse_level, privileged_creators
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.live import LiveRoom

_CREATOR_LEVEL = 100
_GROUPS = ("users", "events", "notifications")
_TOMBSTONE = "m.room.tombstone"


def carried_over(
    room: LiveRoom, version: RoomVersion, creators: Iterable[str], banned: Collection[str]
) -> dict[str, Any]:
    """The old room's power levels as the new version has them; `creators` are those of the new room.

    Who is banned loses all power, so that the bans can be repeated.
    """
    current = room.state_event("m.room.power_levels")
    content = _integers(current.content if current is not None else {}, room.identity.version)
    users: dict[str, int] = content.setdefault("users", {})
    for user_id in banned:
        users.pop(user_id, None)
    if version.privileged_creators:
        for creator in creators:
            users.pop(creator, None)
        events: dict[str, int] = content.setdefault("events", {})
        floor = max(TOMBSTONE_LEVEL_AMONG_CREATORS, content.get("state_default", 50) + 1)
        events[_TOMBSTONE] = max(events.get(_TOMBSTONE, 0), floor)
    else:
        for creator in privileged_creators(room.create_event) if current is not None else creators:
            users.setdefault(creator, _CREATOR_LEVEL)
    return content


def while_moving_in(content: Mapping[str, Any], version: RoomVersion, user_id: str) -> dict[str, Any]:
    """Power levels under which a user can set all state of a new room; `content` follows when that is done."""
    if version.privileged_creators:
        return dict(content)
    levels = [*content["users"].values(), *content.get("events", {}).values(), content.get("state_default", 50)]
    needed = max([_CREATOR_LEVEL, *levels, content.get("ban", 50)])
    return {**content, "users": {**content["users"], user_id: needed}}


def closed_down(room: LiveRoom) -> dict[str, Any] | None:
    """Power levels that keep ordinary members from talking in a room that was replaced; None if they already do."""
    current = room.state_event("m.room.power_levels")
    if current is None:
        return None
    content = dict(current.content)
    version = room.identity.version
    users_default = parse_level(content.get("users_default", 0), version) or 0
    level = max(users_default + 1, 50)
    for name in ("events_default", "invite"):
        if (parse_level(content.get(name), version) or DEFAULT_LEVELS[name]) < level:
            content[name] = level
    return content if content != current.content else None


def _integers(content: Mapping[str, Any], version: RoomVersion) -> dict[str, Any]:
    """The content with every level an integer, as new versions want them; what is no level is left out."""
    found: dict[str, Any] = {}
    for name in DEFAULT_LEVELS:
        level = parse_level(content.get(name), version)
        if level is not None:
            found[name] = level
    for group in _GROUPS:
        entries = content.get(group)
        if isinstance(entries, dict):
            parsed = {key: parse_level(value, version) for key, value in entries.items()}
            found[group] = {key: level for key, level in parsed.items() if level is not None}
    return found
