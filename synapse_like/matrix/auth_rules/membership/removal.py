"""The rules for leaving, and for being made to leave: kicks, bans, unbans."""

from __future__ import annotations

from synapse_like.matrix.auth_rules.room import Room
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event


def check_leave(event: Event, target: str, room: Room) -> None:
    """Check a departure, a kick or an unban; raises `AuthError`."""
    membership = room.membership(target)
    if event.sender == target:
        is_knocking = membership == "knock" and event.room_version.has_knock
        if membership not in ("invite", "join") and not is_knocking:
            raise AuthError(f"{target} has nothing to leave")
        return
    room.require_joined(event.sender)
    if membership == "ban" and room.power_levels.of(event.sender) < room.power_levels.ban:
        raise AuthError(f"{event.sender} may not lift a ban")
    _check_power_over(event.sender, target, room.power_levels.kick, room)


def check_ban(event: Event, target: str, room: Room) -> None:
    """Check a ban; raises `AuthError`."""
    room.require_joined(event.sender)
    _check_power_over(event.sender, target, room.power_levels.ban, room)


def _check_power_over(sender: str, target: str, needed: int, room: Room) -> None:
    power = room.power_levels.of(sender)
    if power < needed:
        raise AuthError(f"Removing {target} needs power level {needed}; {sender} has {power}")
    if room.power_levels.of(target) >= power:
        raise AuthError(f"{target} has as much power as {sender}")
