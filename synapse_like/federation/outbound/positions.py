"""How far something has come along the logs of rooms and users: what stands up to there is done with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from replication.numbers import counter_of, shard_of
from replication.positions import Vector, decode_integers, decode_vector, encode_integers, encode_vector
from synapse_like.rooms.families import ROOM, USER

Place = tuple[str, int]
"""The name of a family, and a number in one of its logs."""


@dataclass(frozen=True, slots=True)
class Positions:
    """A position in every log of both families."""

    rooms: Vector
    users: Vector

    @classmethod
    def of(cls, vectors: Mapping[str, Vector]) -> "Positions":
        """From vectors by the names of families, as readers hold them."""
        return cls(vectors[ROOM.name], vectors[USER.name])

    def covers(self, place: Place) -> bool:
        """Whether a fact lies at or before this position."""
        family, number = place
        return (self.rooms if family == ROOM.name else self.users).covers(number)

    def reaches(self, other: "Positions") -> bool:
        """Whether this is at or past the other in every log."""
        return self.rooms.reaches(other.rooms) and self.users.reaches(other.users)

    def before(self, places: Iterable[Place]) -> "Positions":
        """The furthest position up to this one that covers none of the places."""
        vectors = {ROOM.name: self.rooms, USER.name: self.users}
        for family, number in places:
            shard, counter = shard_of(number), counter_of(number)
            if vectors[family][shard] >= counter:
                vectors[family] = vectors[family].moved(shard, counter - 1)
        return Positions.of(vectors)

    def common(self, other: "Positions") -> "Positions":
        """The furthest position that both have reached."""
        return Positions(_least(self.rooms, other.rooms), _least(self.users, other.users))

    def moved(self, family: str, shard: int, counter: int) -> "Positions":
        """The position with one log moved."""
        if family == ROOM.name:
            return Positions(self.rooms.moved(shard, counter), self.users)
        return Positions(self.rooms, self.users.moved(shard, counter))

    def encode(self) -> str:
        """The text for the database."""
        return encode_integers([*encode_vector(self.rooms), *encode_vector(self.users)])

    @classmethod
    def decode(cls, text: str) -> "Positions":
        """The position in a text of `encode`."""
        values = decode_integers(text)
        cut = ROOM.shards + 1
        return cls(decode_vector(values[:cut]), decode_vector(values[cut:]))


def _least(one: Vector, other: Vector) -> Vector:
    return Vector(map(min, one, other))
