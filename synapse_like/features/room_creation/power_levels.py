"""The first power levels of a room."""

from collections.abc import Iterable, Mapping
from typing import Any

from synapse_like.features.room_creation.order import PresetRules
from synapse_like.matrix.room_versions import RoomVersion

CREATOR_LEVEL = 100
TOMBSTONE_LEVEL_AMONG_CREATORS = 150
"""Where creators have infinite power (version 12), only they replace the room, not its administrators."""


def initial_power_levels(
    version: RoomVersion,
    creator: str,
    equals: Iterable[str],
    rules: PresetRules,
    overrides: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """The content of a new room's m.room.power_levels. `equals`: who shall have the creator's power.

    From version 12 on creators are not listed. `overrides` replace keys, in their order.
    """
    users = {} if version.privileged_creators else dict.fromkeys([creator, *equals], CREATOR_LEVEL)
    content: dict[str, Any] = {
        "users": users,
        "users_default": 0,
        "events": initial_event_levels(version),
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": rules.invite,
    }
    for override in overrides:
        content.update(override)
    return content


def initial_event_levels(version: RoomVersion) -> dict[str, int]:
    """The power that state events with consequences need."""
    tombstone = TOMBSTONE_LEVEL_AMONG_CREATORS if version.privileged_creators else CREATOR_LEVEL
    return {
        "m.room.name": 50,
        "m.room.avatar": 50,
        "m.room.canonical_alias": 50,
        "m.room.power_levels": CREATOR_LEVEL,
        "m.room.history_visibility": CREATOR_LEVEL,
        "m.room.encryption": CREATOR_LEVEL,
        "m.room.server_acl": CREATOR_LEVEL,
        "m.room.tombstone": tombstone,
    }
