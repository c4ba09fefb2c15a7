"""What a client orders with POST /createRoom, and what the presets stand for.

Source: Client-Server API, "POST /createRoom".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Preset = Literal["private_chat", "public_chat", "trusted_private_chat"]


class StateOrder(msgspec.Struct):
    """An entry of `initial_state`."""

    type: str
    content: dict[str, Any]
    state_key: str = ""


class RoomOrder(msgspec.Struct):
    """The body of POST /createRoom."""

    visibility: Literal["public", "private"] | None = None
    preset: Preset | None = None
    room_version: str | None = None
    room_alias_name: str | None = None
    name: str | None = None
    topic: str | None = None
    invite: list[str] | None = None
    invite_3pid: list[dict[str, Any]] | None = None
    creation_content: dict[str, Any] | None = None
    initial_state: list[StateOrder] | None = None
    is_direct: bool | None = None
    power_level_content_override: dict[str, Any] | None = None

    @property
    def chosen_preset(self) -> Preset:
        """The preset, by visibility if none is named."""
        return self.preset or ("public_chat" if self.visibility == "public" else "private_chat")

    @property
    def invited(self) -> list[str]:
        """The users to invite, each once."""
        return list(dict.fromkeys(self.invite or ()))


@dataclass(frozen=True, slots=True)
class PresetRules:
    """What a preset says about a new room. `invite`: the power that inviting needs."""

    join_rule: str
    guest_access: str
    invite: int
    makes_invited_equal: bool = False

    @property
    def state(self) -> Mapping[str, dict[str, Any]]:
        """The preset's state events: type to content, in their order."""
        return {
            "m.room.join_rules": {"join_rule": self.join_rule},
            "m.room.history_visibility": {"history_visibility": "shared"},
            "m.room.guest_access": {"guest_access": self.guest_access},
        }


PRESETS: Mapping[Preset, PresetRules] = {
    "private_chat": PresetRules("invite", "can_join", 0),
    "trusted_private_chat": PresetRules("invite", "can_join", 0, makes_invited_equal=True),
    "public_chat": PresetRules("public", "forbidden", 50),
}
