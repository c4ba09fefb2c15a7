"""The events of a room that replaces another one, and of the room that is replaced."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synapse_like.features.upgrade.power_levels import carried_over, while_moving_in
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.front import Draft
from synapse_like.rooms.live import MEMBER, LiveRoom

CANONICAL_ALIAS = "m.room.canonical_alias"
POWER_LEVELS = "m.room.power_levels"
_COPIED = (
    "m.room.join_rules",
    "m.room.name",
    "m.room.topic",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.avatar",
    "m.room.encryption",
    "m.room.server_acl",
)
_OF_SPACES = "m.space.child"
_KEPT_OF_CREATE = ("type", "m.federate")


@dataclass(frozen=True, slots=True)
class Replacement:
    """A room that is to be replaced: by whom, as which version, with which creators; `banned` are banned there too."""

    room: LiveRoom
    version: RoomVersion
    user_id: str
    creators: Sequence[str]
    banned: Sequence[str]


def create_draft(plan: Replacement) -> Draft:
    """The event that makes the new room and names the old one."""
    room, version, user_id = plan.room, plan.version, plan.user_id
    additional_creators = [creator for creator in plan.creators if creator != user_id]
    old = room.create_event.content
    content: dict[str, Any] = {key: old[key] for key in _KEPT_OF_CREATE if key in old}
    content["room_version"] = version.identifier
    content["predecessor"] = {"room_id": room.identity.room_id}
    if not version.privileged_creators and room.head.extremities:
        content["predecessor"]["event_id"] = room.head.extremities[-1].event_id
    if not version.implicit_creator:
        content["creator"] = user_id
    if version.privileged_creators and additional_creators:
        content["additional_creators"] = additional_creators
    return Draft(type="m.room.create", sender=user_id, state_key="", content=content)


def state_drafts(plan: Replacement, member: Mapping[str, Any]) -> Iterator[Draft]:
    """Join (`member` is its content), power levels, bans, copied state, and the power levels that stay."""
    room, version, user_id = plan.room, plan.version, plan.user_id

    def state(kind: str, content: Mapping[str, Any], key: str = "") -> Draft:
        return Draft(type=kind, sender=user_id, state_key=key, content=content)

    levels = carried_over(room, version, plan.creators, plan.banned)
    first = while_moving_in(levels, version, user_id)
    yield state(MEMBER, member, user_id)
    yield state(POWER_LEVELS, first)
    for target in plan.banned:
        yield state(MEMBER, {"membership": "ban"}, target)
    for kind in _COPIED:
        event = room.state_event(kind)
        if event is not None:
            yield state(kind, _fitting(kind, event.content, version))
    if room.create_event.content.get("type") == "m.space":
        for (kind, key), live in room.state.items():
            if kind == _OF_SPACES and live.event.content.get("via"):
                yield state(kind, live.event.content, key)
    alias = room.state_event(CANONICAL_ALIAS)
    if alias is not None and alias.content:
        yield state(CANONICAL_ALIAS, alias.content)
    if first != levels:
        yield state(POWER_LEVELS, levels)


def tombstone_draft(user_id: str, new_room_id: str) -> Draft:
    """The event that sends the members of the old room to the new one."""
    content = {"body": "This room has been replaced", "replacement_room": new_room_id}
    return Draft(type="m.room.tombstone", sender=user_id, state_key="", content=content)


def _fitting(kind: str, content: Mapping[str, Any], version: RoomVersion) -> Mapping[str, Any]:
    """Join rules that the new version does not know become `invite`; everything else stays as it is."""
    if kind != "m.room.join_rules":
        return content
    known = {
        "restricted": version.has_restricted_join,
        "knock": version.has_knock,
        "knock_restricted": version.has_knock_restricted,
    }
    return content if known.get(str(content.get("join_rule")), True) else {"join_rule": "invite"}
