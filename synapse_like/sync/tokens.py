"""The client's place in all logs: what `since` and `next_batch` hold.

A token is opaque and versioned. It holds the database's incarnation, a vector per family, and how far ephemeral facts
were seen by the process that made it; another process tells all ephemeral facts again.
"""

from dataclasses import dataclass
from functools import lru_cache

from replication.numbers import pack
from replication.positions import Vector, decode_integers, decode_vector, encode_integers, encode_vector

_PREFIX = "s1_"
_MAX_LENGTH = 1000
_KEPT = 256


@dataclass(frozen=True, slots=True)
class SyncToken:
    """A place: after everything up to here."""

    incarnation: int
    process: int
    """Which process counted `ephemeral`."""
    ephemeral: int
    rooms: Vector
    users: Vector

    @lru_cache(maxsize=_KEPT)  # noqa: B019 (tokens are values; readers of one room share them)
    def encode(self) -> str:
        """The text for the client."""
        head = [self.incarnation, self.process, self.ephemeral, len(self.rooms)]
        return _PREFIX + encode_integers([*head, *encode_vector(self.rooms), *encode_vector(self.users)])

    @classmethod
    @lru_cache(maxsize=_KEPT)
    def decode(cls, text: str) -> "SyncToken | None":
        """The token in a text; None if it is not one of ours."""
        if not text.startswith(_PREFIX) or len(text) > _MAX_LENGTH:
            return None
        try:
            incarnation, process, ephemeral, width, *rest = decode_integers(text[len(_PREFIX) :])
            rooms, users = rest[: width + 1], rest[width + 1 :]
            if len(rooms) != width + 1 or len(users) < 2:
                return None
            return cls(incarnation, process, ephemeral, decode_vector(rooms), decode_vector(users))
        except (ValueError, UnicodeError):
            return None

    def reaches(self, other: "SyncToken") -> bool:
        """Whether this place is at or past another one."""
        return (
            len(self.rooms) == len(other.rooms)
            and len(self.users) == len(other.users)
            and self.rooms.reaches(other.rooms)
            and self.users.reaches(other.users)
        )

    def room_floor(self, shard: int) -> int:
        """Facts of rooms in `shard` after this token have numbers above this one."""
        return pack(shard, self.rooms[shard])

    def user_floor(self, shard: int) -> int:
        """Facts of users in `shard` after this token have numbers above this one."""
        return pack(shard, self.users[shard])
