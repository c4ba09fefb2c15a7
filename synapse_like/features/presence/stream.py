"""The stream `presence`: how a user is seen as of now. It has no rows."""

from replication.streams import Fact, Stream
from synapse_like.rooms.families import USER


class PresenceFact(Fact):
    """A user's presence, and the rooms (ids) that the user has joined: their members are told."""

    user_id: str
    rooms: tuple[str, ...]
    presence: str
    """online, unavailable or offline"""
    status_msg: str | None = None
    is_active: bool = False
    """Whether the user is doing something these minutes (`currently_active`)."""
    last_active_ms: int | None = None
    """When the user last did something, time of day; None if that is not known."""


PRESENCE = Stream("presence", USER, PresenceFact, key="user_id", wakes=("user_id", "rooms"), is_ephemeral=True)
