"""Who may redact what: one's own events, or with the power to redact everybody's.

The rules of the room versions let any user of a server redact the events of its users; that server has to be stricter.
"""

from synapse_like.matrix.errors import Forbidden, NotFound
from synapse_like.rooms.front import StoredEvent
from synapse_like.rooms.live import LiveRoom


def check_redaction(room: LiveRoom, user_id: str, target: StoredEvent | None) -> None:
    """Check that a member of a room may redact an event. Raises NotFound, Forbidden."""
    if target is None or target.event.room_id != room.identity.room_id:
        raise NotFound("There is no such event in this room")
    if target.event.is_create:
        raise Forbidden("The event that made the room cannot be redacted")
    if target.event.sender != user_id and room.power_levels.of(user_id) < room.power_levels.redact:
        raise Forbidden("You may only redact your own events in this room")
