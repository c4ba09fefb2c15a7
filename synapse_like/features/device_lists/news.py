"""Recent changes of lists of devices, of all users, shard by shard: what a long poll that wakes looks through."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from replication.numbers import counter_of, pack, shard_of
from replication.positions import Vector
from replication.reader import Reader
from synapse_like.features.device_lists.stream import DEVICE_LISTS, DeviceListFact

KEPT: Final = 500
"""How many facts are kept of each shard."""


class News:
    """The newest facts of each shard; a service, so that it knows from where on they are complete."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._facts: dict[int, list[DeviceListFact]] = {}
        self._horizon: Vector | None = None
        self._incarnation = 0
        reader.subscribe(DEVICE_LISTS, self._take)

    async def start(self) -> None:
        """What comes from now on is complete."""
        self._facts.clear()
        self._horizon = self._reader.positions["user"]
        self._incarnation = self._reader.incarnation

    async def stop(self) -> None:
        """Nothing to do."""

    def since(self, after: Vector) -> Iterator[DeviceListFact] | None:
        """The facts after a place; None if memory does not reach back that far."""
        horizon = self._horizon
        if horizon is None or self._incarnation != self._reader.incarnation or not after.reaches(horizon):
            return None
        return self._after(after)

    def _after(self, after: Vector) -> Iterator[DeviceListFact]:
        for shard, facts in self._facts.items():
            if facts and counter_of(facts[-1].number) > after[shard]:
                yield from facts[bisect_right(facts, pack(shard, after[shard]), key=_number) :]

    def _take(self, facts: Sequence[DeviceListFact]) -> None:
        for fact in facts:
            shard = shard_of(fact.number)
            kept = self._facts.setdefault(shard, [])
            kept.append(fact)
            if len(kept) > 2 * KEPT:
                last = kept[-KEPT - 1]
                del kept[:-KEPT]
                if self._horizon is not None:
                    self._horizon = self._horizon.moved(shard, counter_of(last.number))


def _number(fact: DeviceListFact) -> int:
    return fact.number
