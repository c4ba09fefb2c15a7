"""What the rules read of the room: its create event, members, join rule and power levels."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_like.matrix.auth_rules.selection import CREATE, JOIN_RULES, POWER_LEVELS, StateKey
from synapse_like.matrix.errors import AuthError, InvalidParam
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import domain_of
from synapse_like.matrix.power_levels import PowerLevels

DEFAULT_JOIN_RULE = "invite"
"""What holds in a room that has no join rule."""


class Room:
    """The state of a room as the authorization rules see it; the create event must be in it."""

    __slots__ = ("create", "power_levels", "state")

    def __init__(self, state: Mapping[StateKey, Event], power_levels: PowerLevels | None = None) -> None:
        create = state.get(CREATE)
        if create is None:
            raise AuthError("The room has no create event")
        self.create = create
        self.state = state
        self.power_levels = self._read_power_levels() if power_levels is None else power_levels

    def _read_power_levels(self) -> PowerLevels:
        event = self.state.get(POWER_LEVELS)
        return PowerLevels(self.create, None if event is None else event.content, self.create.room_version)

    @property
    def join_rule(self) -> object:
        """The join rule, as written in the content."""
        event = self.state.get(JOIN_RULES)
        return DEFAULT_JOIN_RULE if event is None else event.content.get("join_rule", DEFAULT_JOIN_RULE)

    def membership(self, user_id: str) -> str | None:
        """The membership of a user, None if they never had one."""
        event = self.state.get(("m.room.member", user_id))
        return None if event is None else event.membership

    def require_joined(self, user_id: str) -> None:
        """Raise `AuthError` unless the user is in the room."""
        if self.membership(user_id) != "join":
            raise AuthError(f"{user_id} is not in the room")


def domain_or_none(identifier: str) -> str | None:
    """The domain of an identifier, None if it has none."""
    try:
        return domain_of(identifier)
    except InvalidParam:
        return None
