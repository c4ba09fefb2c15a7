"""The rules for inviting, and for turning a third-party invite (to an email address, say) into one of a user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from synapse_like.matrix.auth_rules.membership.signed_token import is_signed_by_any
from synapse_like.matrix.auth_rules.room import Room
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event


def check_invite(event: Event, target: str, room: Room) -> None:
    """Check an invite; raises `AuthError`."""
    if "third_party_invite" in event.content:
        _check_third_party(event, target, room)
        return
    room.require_joined(event.sender)
    membership = room.membership(target)
    if membership in ("join", "ban"):
        raise AuthError(f"{target} cannot be invited: their membership is {membership}")
    if room.power_levels.of(event.sender) < room.power_levels.invite:
        raise AuthError(f"{event.sender} may not invite")


def _check_third_party(event: Event, target: str, room: Room) -> None:
    """The identity server's signature stands in for membership and power of the sender, who had both before."""
    if room.membership(target) == "ban":
        raise AuthError(f"{target} is banned from this room")
    third_party = event.content["third_party_invite"]
    signed = third_party.get("signed") if isinstance(third_party, dict) else None
    if not isinstance(signed, dict) or not isinstance(signed.get("token"), str):
        raise AuthError("The third-party invite is not signed")
    if signed.get("mxid") != target:
        raise AuthError("The third-party invite is for another user")
    invite = room.state.get(("m.room.third_party_invite", signed["token"]))
    if invite is None:
        raise AuthError("The room knows no third-party invite with this token")
    if invite.sender != event.sender:
        raise AuthError("The third-party invite was made by another user")
    if not is_signed_by_any(signed, list(_public_keys(invite.content))):
        raise AuthError("No key of the third-party invite has signed it")


def _public_keys(content: Mapping[str, Any]) -> Iterator[str]:
    """The unpadded base64 of every key in the content, the old single one and the list."""
    listed = content.get("public_keys")
    entries = listed if isinstance(listed, list) else []
    for entry in [content, *entries]:
        key = entry.get("public_key") if isinstance(entry, dict) else None
        if isinstance(key, str):
            yield key
