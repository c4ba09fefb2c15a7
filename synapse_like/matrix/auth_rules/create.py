"""The rules for `m.room.create`, the one event that needs no state."""

from __future__ import annotations

from synapse_like.matrix.auth_rules.room import domain_or_none
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import looks_like_user_id
from synapse_like.matrix.room_versions import ROOM_VERSIONS


def check_create(event: Event) -> None:
    """Check a create event; raises `AuthError`."""
    if event.prev_event_ids:
        raise AuthError("A create event must be the first of its room")
    version = event.room_version
    if version.domainless_room_id:
        if "room_id" in event.pdu:
            raise AuthError("The create event makes the room ID and must not carry one")
    elif domain_or_none(event.room_id) != domain_or_none(event.sender):
        raise AuthError("The room ID belongs to another server than the sender")
    named = event.content.get("room_version", "1")
    if not isinstance(named, str) or named not in ROOM_VERSIONS:
        raise AuthError(f"Room version {named!r} is unknown")
    if not version.implicit_creator and "creator" not in event.content:
        raise AuthError("The create event names no creator")
    if version.privileged_creators:
        _check_additional_creators(event)


def _check_additional_creators(event: Event) -> None:
    if "additional_creators" not in event.content:
        return
    names = event.content["additional_creators"]
    if not isinstance(names, list) or not all(isinstance(name, str) and looks_like_user_id(name) for name in names):
        raise AuthError("additional_creators must be a list of user IDs")
