"""Recent facts of a stream, by key, in memory: what a caught-up reader answers from without the database.

Bounded by weight over all keys; what is pushed out raises the horizon of its shard, before which a question is
answered by None: "ask the database".
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from itertools import takewhile
from typing import Generic, TypeVar

from replication.numbers import counter_of, shard_of
from replication.streams import Fact, Storage, Stream

F = TypeVar("F", bound=Fact)


class RecentFacts(Generic[F]):
    """The newest facts of one stream. `weigh` gives a fact's weight; `limit` bounds the sum."""

    def __init__(self, stream: Stream[F], limit: int, weigh: Callable[[F], int]) -> None:
        self.stream = stream
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._order: deque[F] = deque()
        self._by_key: dict[Hashable, list[F]] = {}
        """Lists: most keys have few facts, and an empty deque takes as much as eighty entries of a list."""
        self._horizon: dict[int, int] = {}

    @classmethod
    def of(cls, storage: Storage[F]) -> "RecentFacts[F]":
        """As much as the storage says."""
        return cls(storage.stream, storage.recent_weight, storage.weigh)

    def start(self, positions: Sequence[int]) -> None:
        """Forget all; facts after `positions` will be complete."""
        self._order.clear()
        self._by_key.clear()
        self._weight = 0
        self._horizon = dict(enumerate(positions))

    def take(self, facts: Sequence[F]) -> None:
        """Take in new facts, in order of their shard."""
        for fact in facts:
            self._order.append(fact)
            self._weight += self._weigh(fact)
            self._by_key.setdefault(self.stream.key_of(fact), []).append(fact)
        while self._weight > self._limit and self._order:
            self._push_out()

    def since(self, key: Hashable, after: int) -> Sequence[F] | None:
        """The facts of `key` with numbers above `after`, in order; None if memory does not reach back that far."""
        if counter_of(after) < self._horizon.get(shard_of(after), 0):
            return None
        facts = self._by_key.get(key)
        if not facts or facts[-1].number <= after:
            return ()
        if facts[0].number > after:
            return tuple(facts)
        found = list(takewhile(lambda fact: fact.number > after, reversed(facts)))
        found.reverse()
        return found

    def last(self, key: Hashable) -> F | None:
        """The newest remembered fact of `key`."""
        facts = self._by_key.get(key)
        return facts[-1] if facts else None

    def _push_out(self) -> None:
        oldest = self._order.popleft()
        self._weight -= self._weigh(oldest)
        key = self.stream.key_of(oldest)
        facts = self._by_key[key]
        del facts[0]
        if not facts:
            del self._by_key[key]
        self._horizon[shard_of(oldest.number)] = counter_of(oldest.number)
