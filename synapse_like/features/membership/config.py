"""Membership's part of homeserver.yaml."""

from dataclasses import dataclass
from typing import Any

from synapse_like.toolkit.config import option


@dataclass(frozen=True)
class PrejoinState:
    """What those who are invited see of a room before they join."""

    disable_default_event_types: bool = option(False, "Show nothing but additional_event_types.")
    additional_event_types: tuple[Any, ...] = option((), "More state: types, or lists of a type and a state key.")


@dataclass(frozen=True)
class MembershipConfig:
    """Joining, inviting and leaving."""

    block_non_admin_invites: bool = option(False, "Only administrators of the server may invite.")
    forget_rooms_on_leave: bool = option(False, "Forget rooms when their users leave them.")
    include_profile_data_on_invite: bool = option(True, "Invites carry name and avatar of the invited user.")
    allow_per_room_profiles: bool = option(True, "Users may have another name and avatar in single rooms.")
    room_prejoin_state: PrejoinState = option(PrejoinState(), "What the invited see of a room before they join.")
