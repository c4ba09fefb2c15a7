"""The rules for knocking: asking to be let in (version 7 and later)."""

from __future__ import annotations

from synapse_like.matrix.auth_rules.room import Room
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event


def check_knock(event: Event, target: str, room: Room) -> None:
    """Check a knock; raises `AuthError`."""
    rule = room.join_rule
    if rule != "knock" and not (rule == "knock_restricted" and event.room_version.has_knock_restricted):
        raise AuthError("This room does not take knocks")
    if event.sender != target:
        raise AuthError("Nobody can knock for somebody else")
    membership = room.membership(target)
    if membership in ("ban", "invite", "join"):
        raise AuthError(f"{target} cannot knock: their membership is {membership}")
