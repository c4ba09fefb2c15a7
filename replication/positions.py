"""Positions: how far each shard of a family is known, as a vector; and its compact text form."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from operator import ge

from replication.numbers import COUNTER_BITS, counter_of, pack, shard_of


class Vector(tuple[int, ...]):
    """One forward counter per shard of a family."""

    __slots__ = ()

    @classmethod
    def zero(cls, shards: int) -> "Vector":
        """Before everything."""
        return cls((0,) * shards)

    def covers(self, number: int) -> bool:
        """Whether a forward number lies at or before this position."""
        return counter_of(number) <= self[shard_of(number)]

    def floor(self, shard: int) -> int:
        """The number at this position in `shard`: facts after it have larger numbers."""
        return pack(shard, self[shard])

    def reaches(self, other: Sequence[int]) -> bool:
        """Whether every shard is at or past `other`."""
        return all(map(ge, self, other))

    def moved(self, shard: int, counter: int) -> "Vector":
        """The vector with one shard changed."""
        return Vector((*self[:shard], counter, *self[shard + 1 :]))

    def joined(self, other: Sequence[int]) -> "Vector":
        """The further of both, shard by shard."""
        if all(map(ge, self, other)):
            return self
        return Vector(max(pair) for pair in zip(self, other, strict=True))


def encode_integers(values: Iterable[int]) -> str:
    """Non-negative integers as varints in URL-safe base64 without padding."""
    out = bytearray()
    for value in values:
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return urlsafe_b64encode(bytes(out)).rstrip(b"=").decode()


def decode_integers(text: str) -> list[int]:
    """The inverse of `encode_integers`. Raises ValueError on anything else, at most 9 bytes an integer."""
    raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    values, value, shift = [], 0, 0
    for byte in raw:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            if shift >= 63:
                raise ValueError("an integer is too long")
            continue
        values.append(value)
        value, shift = 0, 0
    if shift:
        raise ValueError("the text ends within an integer")
    if encode_integers(values) != text:
        raise ValueError("this is not how integers are encoded")
    return values


def encode_vector(vector: Sequence[int]) -> list[int]:
    """A vector as its smallest counter, then each shard's distance to it: short when shards move alike."""
    base = min(vector, default=0)
    return [base, *(counter - base for counter in vector)]


def decode_vector(values: Sequence[int]) -> Vector:
    """The inverse of `encode_vector`. Raises ValueError where a counter would not fit its number."""
    base, *distances = values
    vector = Vector(base + distance for distance in distances)
    if max(vector, default=0) >> COUNTER_BITS:
        raise ValueError("a counter is too large")
    return vector
