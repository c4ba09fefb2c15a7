"""The rules for `m.room.member`, a file per membership that is asked for.

`sender` is who acts, `target` (the state key) is whose membership changes.
"""

from __future__ import annotations

from synapse_like.matrix.auth_rules.membership.invite import check_invite
from synapse_like.matrix.auth_rules.membership.join import check_join
from synapse_like.matrix.auth_rules.membership.knock import check_knock
from synapse_like.matrix.auth_rules.membership.removal import check_ban, check_leave
from synapse_like.matrix.auth_rules.room import Room
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event

_RULES = {"join": check_join, "invite": check_invite, "leave": check_leave, "ban": check_ban, "knock": check_knock}


def check_membership(event: Event, room: Room) -> None:
    """Check a membership event; raises `AuthError`."""
    if event.state_key is None:
        raise AuthError("A membership event needs a state key")
    membership = event.content.get("membership")
    rule = _RULES.get(membership) if isinstance(membership, str) else None
    if rule is None or (membership == "knock" and not event.room_version.has_knock):
        raise AuthError(f"The membership {membership!r} does not exist in this room version")
    rule(event, event.state_key, room)
