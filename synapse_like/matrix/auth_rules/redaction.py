"""The rule for `m.room.redaction` in room versions 1 and 2.

From version 3 on any member may send one, and whether it takes effect is decided when it is applied.
"""

from __future__ import annotations

from synapse_like.matrix.auth_rules.room import Room, domain_or_none
from synapse_like.matrix.errors import AuthError
from synapse_like.matrix.events import Event


def check_redaction(event: Event, room: Room) -> None:
    """Check that the sender has the power to redact, or that their server sent the target; raises `AuthError`."""
    if room.power_levels.of(event.sender) >= room.power_levels.redact:
        return
    server = domain_or_none(event.event_id)
    target = event.redacts
    if server is None or target is None or domain_or_none(target) != server:
        raise AuthError(f"{event.sender} may not redact events of other servers")
