"""One attempt at a group commit: appends, the numbers that they would get, and the transaction that stores them.

Which appends go together, and what happens after a failure, is decided in `committer`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred

from replication import sql
from replication.bus import Frame
from replication.numbers import pack, pack_backward
from replication.ports import Transaction
from replication.shards import FenceBroken, Held, Holdings
from replication.streams import Fact, Storage, Stream

Extra = Callable[[Transaction], None]
ShardKey = tuple[str, int]


class Dropped(Exception):
    """What this append was built on has been thrown away; build it again."""


@dataclass(eq=False, slots=True)
class Append:
    """Facts of one shard that are stored together or not at all.

    `key` is what they are about (a room, a user). `is_current` says whether what the facts were built on still stands.
    `extra` runs more statements in the same transaction, more than once if the transaction is repeated. Facts in
    `backward` get backward numbers and reach no reader.
    """

    family: str
    shard: int
    key: Hashable
    facts: Sequence[tuple[Stream[Any], Fact]]
    backward: Sequence[tuple[Stream[Any], Fact]] = ()
    extra: Extra | None = None
    is_current: Callable[[], bool] | None = None
    on_committed: Callable[[], None] | None = None
    on_ended: Callable[[], None] | None = None
    """Called when it is stored or has failed, also if whoever waited for it was cancelled."""
    waiter: "Deferred[None]" = field(default_factory=Deferred)
    submitted_s: float = 0.0
    """When it was submitted, in the seconds of the meters."""


@dataclass(slots=True)
class Move:
    """How far a batch moves one log."""

    held: Held
    forward: int
    backward: int
    lease_ms: int


class Batch:
    """Appends with numbers. Raises NotOwned if a shard is not ours."""

    def __init__(
        self, appends: Sequence[Append], holdings: Mapping[str, Holdings], storages: Mapping[str, Storage[Any]]
    ) -> None:
        self.appends = appends
        self.moves: dict[ShardKey, Move] = {}
        self._storages = storages
        self.began_s = 0.0
        for append in appends:
            owned = holdings[append.family]
            held = owned[append.shard]
            self.moves.setdefault(
                (append.family, append.shard), Move(held, held.forward, held.backward, owned.lease_ms)
            )
        for append in appends:
            _number(append, self.moves[append.family, append.shard])

    def store(self, transaction: Transaction) -> None:
        """In the log's lane: fence, extras, then each stream's facts of the whole batch at once."""
        fenced = [_fence_row(*key, self.moves[key]) for key in sorted(self.moves)]
        if sql.fence(transaction, fenced) != len(fenced):
            raise FenceBroken()
        by_stream: dict[str, list[Fact]] = {}
        for append in self.appends:
            if append.extra is not None:
                append.extra(transaction)
            for stream, fact in (*append.facts, *append.backward):
                by_stream.setdefault(stream.name, []).append(fact)
        for name in sorted(by_stream):
            self._storages[name].store(transaction, by_stream[name])

    def leaves_a_trace(self) -> bool:
        """Whether the logs tell if it was stored: not so if no append had facts."""
        return any(
            (move.forward, move.backward) != (move.held.forward, move.held.backward) for move in self.moves.values()
        )

    def is_stored(self, logs: Mapping[ShardKey, sql.Log]) -> bool:
        """Whether the logs stand where this batch, and nobody else, would have moved them."""
        return all(logs.get(key) == (move.held.epoch, move.forward, move.backward) for key, move in self.moves.items())

    def frames(self) -> list[Frame]:
        """After the commit: what readers hear, a frame per shard; our counters move with it."""
        facts: dict[ShardKey, list[tuple[str, Fact]]] = {key: [] for key in self.moves}
        for append in self.appends:
            facts[append.family, append.shard].extend((stream.name, fact) for stream, fact in append.facts)
        frames = []
        for (family, shard), move in self.moves.items():
            held, first = move.held, move.held.forward + 1
            held.forward, held.backward = move.forward, move.backward
            frames.append(Frame(family, shard, held.epoch, first, move.forward, tuple(facts[family, shard])))
        return frames


def parts(appends: Sequence[Append]) -> list[list[Append]]:
    """By shard if there are several, else by key, else one by one: what is built on the guilty one is then dropped."""
    by_shard: dict[Hashable, list[Append]] = {}
    by_key: dict[Hashable, list[Append]] = {}
    for append in appends:
        by_shard.setdefault((append.family, append.shard), []).append(append)
        by_key.setdefault(append.key, []).append(append)
    if len(by_shard) > 1:
        return list(by_shard.values())
    return list(by_key.values()) if len(by_key) > 1 else [[append] for append in appends]


def _number(append: Append, move: Move) -> None:
    """Give every fact the number it will have if the fence lets us pass."""
    for _, fact in append.facts:
        move.forward += 1
        fact.number = pack(append.shard, move.forward)
    for _, fact in append.backward:
        move.backward += 1
        fact.number = pack_backward(append.shard, move.backward)


def _fence_row(family: str, shard: int, move: Move) -> tuple[str, int, int, int, int, int, int, int]:
    held = move.held
    return family, shard, held.epoch, held.forward, held.backward, move.forward, move.backward, move.lease_ms
