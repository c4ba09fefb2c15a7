"""The rules for joining: by creating the room, invited, by the join rule, or vouched for (restricted rooms)."""

from __future__ import annotations

from synapse_like.matrix.auth_rules.room import Room
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.power_levels import room_creator
from synapse_like.matrix.room_versions import RoomVersion


def check_join(event: Event, target: str, room: Room) -> None:
    """Check a join; raises `AuthError`."""
    if event.prev_event_ids == (room.create.event_id,) and target == room_creator(room.create):
        return
    if event.sender != target:
        raise AuthError("Nobody can join for somebody else")
    membership = room.membership(target)
    if membership == "ban":
        raise AuthError(f"{target} is banned from this room")
    rule = room.join_rule
    if rule == "public":
        return
    if not _may_enter_when_invited(rule, event.room_version):
        raise AuthError(f"Nobody can join while the join rule is {rule!r}")
    if membership in ("invite", "join"):
        return
    if not _is_restricted(rule, event.room_version):
        raise AuthError(f"{target} is not invited to this room")
    _check_authoriser(event.content.get("join_authorised_via_users_server"), room)


def _may_enter_when_invited(rule: object, version: RoomVersion) -> bool:
    return rule == "invite" or (rule == "knock" and version.has_knock) or _is_restricted(rule, version)


def _is_restricted(rule: object, version: RoomVersion) -> bool:
    return (rule == "restricted" and version.has_restricted_join) or (
        rule == "knock_restricted" and version.has_knock_restricted
    )


def _check_authoriser(authoriser: object, room: Room) -> None:
    """Somebody in the room who could have invited must vouch that the conditions are met."""
    if not isinstance(authoriser, str):
        raise AuthError("Joining this room needs an invite or a member who vouches for it")
    room.require_joined(authoriser)
    if room.power_levels.of(authoriser) < room.power_levels.invite:
        raise AuthError(f"{authoriser} may not let anybody in")
