"""The creation of rooms in homeserver.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from synapse_like.matrix.room_versions import DEFAULT_ROOM_VERSION, ROOM_VERSIONS
from synapse_like.toolkit.config import option


@dataclass(frozen=True)
class RoomCreationConfig:
    """Creating rooms."""

    default_room_version: str = option(DEFAULT_ROOM_VERSION, "The version of new rooms.")
    default_power_level_content_override: dict[str, Any] = option(
        {}, "For each preset, keys of the power levels of new rooms that replace the usual ones."
    )

    encryption_enabled_by_default_for_room_type: Literal["off", "invite", "all", False] = option(
        "off", "Which new rooms are encrypted unless their creator says how: all, those by invitation, or none (off)."
    )

    def is_encrypted(self, preset: str) -> bool:
        """Whether a new room is encrypted from its beginning."""
        chosen = self.encryption_enabled_by_default_for_room_type
        return chosen == "all" or (chosen == "invite" and preset != "public_chat")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the values."""
        if self.default_room_version not in ROOM_VERSIONS:
            yield "default_room_version", f"must be one of {', '.join(ROOM_VERSIONS)}"
        for preset, levels in self.default_power_level_content_override.items():
            if preset not in ("private_chat", "public_chat", "trusted_private_chat"):
                yield "default_power_level_content_override", f"{preset} is not a preset"
            elif levels is not None and not isinstance(levels, dict):
                yield "default_power_level_content_override", f"{preset} must be a mapping"
