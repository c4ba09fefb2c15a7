"""The rules in their order: which family an event goes to, and those that every event must pass."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_like.matrix.auth_rules.create import check_create
from synapse_like.matrix.auth_rules.membership import check_membership
from synapse_like.matrix.auth_rules.power_levels import check_power_levels
from synapse_like.matrix.auth_rules.redaction import check_redaction
from synapse_like.matrix.auth_rules.room import Room, domain_or_none
from synapse_like.matrix.auth_rules.selection import StateKey
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.power_levels import PowerLevels


def check_auth(event: Event, state: Mapping[StateKey, Event], *, power_levels: PowerLevels | None = None) -> None:
    """Check an event against the state of its room; raises `AuthError` with the reason if it is not allowed.

    `state` holds at least what `auth_keys_of(event)` names and the room has, and the create event (in version 12
    too, although events do not list it there); more does no harm. `power_levels` saves reading them from `state`
    again if the caller has them. Left to the callers is the signature of the server of
    `join_authorised_via_users_server`, see `signatures.servers_that_must_sign`.
    """
    if event.type == "m.room.create":
        check_create(event)
        return
    room = Room(state, power_levels)
    _check_room(event, room)
    if event.type == "m.room.aliases" and event.room_version.special_aliases_rule:
        _check_aliases(event)
    elif event.type == "m.room.member":
        check_membership(event, room)
    else:
        _check_sending(event, room)


def _check_room(event: Event, room: Room) -> None:
    """The event belongs to this room, and the room lets its server in."""
    create = room.create
    if event.room_id != create.room_id:
        raise AuthError("The event and the create event belong to different rooms")
    if event.room_version.domainless_room_id and (create.rejected or event.room_id[1:] != create.event_id[1:]):
        raise AuthError("The room ID does not name an accepted create event")
    may_federate = create.content.get("m.federate", True) is not False
    if not may_federate and domain_or_none(event.sender) != domain_or_none(create.sender):
        raise AuthError("This room does not federate")


def _check_aliases(event: Event) -> None:
    """Versions 1-5: a server lists its own aliases, whether or not the sender is in the room."""
    if event.state_key is None or event.state_key != domain_or_none(event.sender):
        raise AuthError("A server may only list its own aliases")


def _check_sending(event: Event, room: Room) -> None:
    """Everything but creation and membership: being in the room, and having the power."""
    room.require_joined(event.sender)
    power = room.power_levels.of(event.sender)
    if event.type == "m.room.third_party_invite":
        if power < room.power_levels.invite:
            raise AuthError(f"{event.sender} may not invite")
        return
    needed = room.power_levels.to_send(event.type, event.is_state)
    if power < needed:
        raise AuthError(f"Sending {event.type} needs power level {needed}; {event.sender} has {power}")
    if event.state_key is not None and event.state_key.startswith("@") and event.state_key != event.sender:
        raise AuthError(f"{event.sender} may not set the state of {event.state_key}")
    if event.type == "m.room.power_levels":
        check_power_levels(event, room)
    elif event.type == "m.room.redaction" and event.room_version.redaction_in_auth_rules:
        check_redaction(event, room)
