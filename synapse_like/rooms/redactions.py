"""Whether a redaction takes effect: from room version 3 on that is not a matter of the auth rules.

Source: "Room Versions", version 3, "Handling redactions".
"""

from synapse_like.matrix.errors import InvalidParam
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import domain_of
from synapse_like.matrix.power_levels import PowerLevels


def takes_effect(redaction: Event, target: Event, levels: PowerLevels) -> bool:
    """Whether `redaction` removes the content of `target`: same room, and the power to redact or the same server."""
    if redaction.room_id != target.room_id or target.is_create:
        return False
    if levels.of(redaction.sender) >= levels.redact:
        return True
    try:
        return domain_of(redaction.sender) == domain_of(target.sender)
    except InvalidParam:
        return False
