"""Stripped state: what those who are invited, or who knock, see of a room that they have not joined.

Source: Client-Server API, "Stripped state".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from synapse_like.features.membership.config import PrejoinState
from synapse_like.rooms.live import MEMBER, LiveRoom

DEFAULT_TYPES = (
    "m.room.create",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.avatar",
    "m.room.encryption",
    "m.room.name",
    "m.room.topic",
)

Stripped = dict[str, Any]


class StrippedState:
    """Picks what is shown of a room, as the configuration says."""

    def __init__(self, config: PrejoinState) -> None:
        types = () if config.disable_default_event_types else DEFAULT_TYPES
        self._keys = {(kind, "") for kind in types} | {_key(entry) for entry in config.additional_event_types}

    def of_room(self, room: LiveRoom, inviter: str | None = None) -> list[Stripped]:
        """The stripped state of a live room, with the inviter's membership."""
        state: list[tuple[str, str, str, Mapping[str, Any]]] = [
            (kind, key, live.event.sender, live.event.content) for (kind, key), live in room.state.items()
        ]
        member = room.members.get(inviter) if inviter is not None else None
        if member is not None:
            content = {
                "membership": member.membership,
                "displayname": member.display_name,
                "avatar_url": member.avatar_url,
            }
            known = {key: value for key, value in content.items() if value is not None}
            state.append((MEMBER, member.user_id, member.sender, known))
        return self.of_state(state, inviter)

    def of_state(
        self, state: Iterable[tuple[str, str, str, Mapping[str, Any]]], inviter: str | None = None
    ) -> list[Stripped]:
        """The stripped ones among (type, state key, sender, content)."""
        return [
            {"type": kind, "state_key": key, "sender": sender, "content": dict(content)}
            for kind, key, sender, content in state
            if self._shows(kind, key, inviter)
        ]

    def _shows(self, kind: str, key: str, inviter: str | None) -> bool:
        if kind == MEMBER and key == inviter:
            return True
        return (kind, key) in self._keys or (kind, None) in self._keys


def _key(entry: object) -> tuple[str, str | None]:
    """`type` has the empty state key, `[type, key]` that one, `[type]` every one."""
    if isinstance(entry, list | tuple) and entry:
        return str(entry[0]), (str(entry[1]) if len(entry) > 1 and entry[1] is not None else None)
    return str(entry), ""
