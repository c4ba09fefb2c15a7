"""Which events authorize an event, and whether one that lists them has chosen well.

Source: Server-Server API, "Auth events selection"; "Room Versions", the rules on an event's `auth_events`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import RoomVersion

StateKey = tuple[str, str]

CREATE: StateKey = ("m.room.create", "")
POWER_LEVELS: StateKey = ("m.room.power_levels", "")
JOIN_RULES: StateKey = ("m.room.join_rules", "")


def auth_keys_for(
    event_type: str, sender: str, state_key: str | None, content: Mapping[str, Any], room_version: RoomVersion
) -> set[StateKey]:
    """The (type, state key) pairs of the state that authorizes such an event; those that the room has must be listed.

    Empty for the create event. In version 12 the create event is not among them: the room id names it.
    """
    if event_type == "m.room.create":
        return set()
    keys = {POWER_LEVELS, ("m.room.member", sender)}
    if not room_version.domainless_room_id:
        keys.add(CREATE)
    if event_type == "m.room.member" and state_key is not None:
        keys.update(_keys_for_membership(state_key, content, room_version))
    return keys


def auth_keys_of(event: Event) -> set[StateKey]:
    """`auth_keys_for` of an event that exists already."""
    return auth_keys_for(event.type, event.sender, event.state_key, event.content, event.room_version)


def _keys_for_membership(target: str, content: Mapping[str, Any], room_version: RoomVersion) -> Iterable[StateKey]:
    membership = content.get("membership")
    yield ("m.room.member", target)
    if membership in ("join", "invite", "knock"):
        yield JOIN_RULES
    if membership == "invite":
        token = third_party_token(content)
        if token is not None:
            yield ("m.room.third_party_invite", token)
    if membership == "join" and room_version.has_restricted_join:
        authoriser = content.get("join_authorised_via_users_server")
        if isinstance(authoriser, str):
            yield ("m.room.member", authoriser)


def third_party_token(content: Mapping[str, Any]) -> str | None:
    """The token of the third-party invite that an invite answers, if it answers one."""
    third_party = content.get("third_party_invite")
    signed = third_party.get("signed") if isinstance(third_party, dict) else None
    token = signed.get("token") if isinstance(signed, dict) else None
    return token if isinstance(token, str) else None


def check_auth_event_choice(event: Event, auth_events: Iterable[Event]) -> None:
    """Check the events that `event` lists as its `auth_events`; raises `AuthError` if it chose wrongly.

    `auth_events` are all of those, loaded; one that could not be found is the caller's to judge. Refused are
    duplicates, events that do not authorize this one, state of another room (MSC4307), rejected events, and (up to
    version 11) a list without the create event. The create event itself passes: its own rules do not look at the list.
    """
    if event.type == "m.room.create":
        return
    allowed = auth_keys_of(event)
    seen: set[StateKey] = set()
    for auth_event in auth_events:
        key = _state_key_of(auth_event)
        if key in seen:
            raise AuthError(f"The event lists two auth events for {key}")
        if key not in allowed:
            raise AuthError(f"The event lists {key}, which does not authorize it")
        if auth_event.room_id != event.room_id:
            raise AuthError(f"The auth event {auth_event.event_id} belongs to another room")
        if auth_event.rejected:
            raise AuthError(f"The auth event {auth_event.event_id} was rejected")
        seen.add(key)
    if CREATE in allowed and CREATE not in seen:
        raise AuthError("The event does not list the create event of its room")


def _state_key_of(auth_event: Event) -> StateKey:
    if auth_event.state_key is None:
        raise AuthError(f"The auth event {auth_event.event_id} is not a state event")
    return auth_event.type, auth_event.state_key
