"""The stream `typing`: who is typing in a room as of now. It has no rows."""

from replication.streams import Fact, Stream
from synapse_like.rooms.families import ROOM


class TypingFact(Fact):
    """Everybody who is typing in a room."""

    room_id: str
    user_ids: tuple[str, ...]


TYPING = Stream("typing", ROOM, TypingFact, key="room_id", is_ephemeral=True)
