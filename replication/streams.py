"""Streams: one declaration each, from which channels, codecs, ids, wake-ups and metrics derive.

A durable stream's facts are stored in the transaction that numbers them, by a `store` function, and can be read back
by a `load` function when a reader has a gap. Ephemeral streams (typing, presence) have neither rows nor numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from replication.ports import Transaction


class Fact(msgspec.Struct, kw_only=True, gc=False):
    """The common part of all facts. `number` is 0 until the log has placed the fact; then nothing changes any more."""

    number: int = 0


F = TypeVar("F", bound=Fact)

SHORT_BYTES = 640
"""About how much memory a fact takes that has some short texts and numbers."""


def short(_: Fact) -> int:
    """The weight of a fact without long texts."""
    return SHORT_BYTES


Store = Callable[[Transaction, Sequence[F]], None]
Load = Callable[[Transaction, int, int], Sequence[F]]


@dataclass(frozen=True, slots=True)
class Family:
    """A set of logs, or only of leases (`is_log` False). `shards` is how many a new database is made with."""

    name: str
    shards: int = 32
    is_log: bool = True


@dataclass(frozen=True, slots=True)
class WireForm:
    """How facts of a stream cross processes, where a struct alone does not say: msgspec's hooks for other types."""

    enc_hook: Callable[[Any], Any]
    dec_hook: Callable[[type, Any], Any]


@dataclass(frozen=True, slots=True)
class Stream(Generic[F]):
    """A type of fact.

    `key` names the field by which facts are sharded, cached and fail together. `wakes` names the fields that hold the
    ids whose long polls a fact ends (an id, or several).
    """

    name: str
    family: Family
    fact: type[F]
    key: str
    wakes: tuple[str, ...] = ()
    is_ephemeral: bool = False
    wire: WireForm | None = None

    def woken_by(self, fact: Fact) -> Iterator[Any]:
        """The ids whose long polls this fact ends; by default its key."""
        for name in self.wakes or (self.key,):
            value = getattr(fact, name)
            if isinstance(value, tuple):
                yield from value
            elif value is not None:
                yield value

    def key_of(self, fact: Fact) -> Any:
        """The value of the fact's key field."""
        return getattr(fact, self.key)


@dataclass(frozen=True, slots=True)
class Storage(Generic[F]):
    """How a stream's facts are stored (many, in one transaction) and read back.

    `load(transaction, after, upto)` gives the facts with numbers above `after` up to `upto`, both of one shard, in
    order. A stream that keeps only the newest fact of a key leaves out those that were replaced.

    Readers remember facts of together `recent_weight` bytes; `weigh` says about how many one takes.
    """

    stream: Stream[F]
    store: Store[F]
    load: Load[F]
    weigh: Callable[[F], int] = short
    recent_weight: int = 4 * 1024 * 1024
