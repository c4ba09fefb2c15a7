"""A fact's number: shard and counter packed into one signed 64-bit integer.

Forward numbers are positive and grow in commit order within their shard; backward numbers (history fetched later) are
negative. Numbers of different shards are never compared.
"""

COUNTER_BITS = 44
_COUNTER_MASK = (1 << COUNTER_BITS) - 1


def pack(shard: int, counter: int) -> int:
    """The number of the forward `counter` (at least 0; 0 is "before everything") in `shard`."""
    return (shard << COUNTER_BITS) | counter


def pack_backward(shard: int, counter: int) -> int:
    """The number of the backward `counter` (at least 1) in `shard`."""
    return -((shard << COUNTER_BITS) | counter)


def shard_of(number: int) -> int:
    """The shard that a number belongs to."""
    return abs(number) >> COUNTER_BITS


def counter_of(number: int) -> int:
    """The counter in a number: positive forward, negative backward."""
    counter = abs(number) & _COUNTER_MASK
    return counter if number >= 0 else -counter
