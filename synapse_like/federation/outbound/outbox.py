"""EDUs that must arrive: stored with the fact that made them, sent in order, forgotten when they are acknowledged."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from replication.streams import Fact, Stream
from synapse_like.federation.outbound.families import shard_of_destination
from synapse_like.federation.outbound.sql import stored_edus as sql
from synapse_like.federation.policy import ServerPolicy
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.randomness import Randomness

_COUNTER_BITS: Final = 10
_PROCESS_BITS: Final = 10


class OutboxFact(Fact):
    """Something has been stored for these servers."""

    destinations: tuple[str, ...]


OUTBOX = Stream("outbox", USER, OutboxFact, key="destinations", is_ephemeral=True)


class Outbox:
    """Stores EDUs for other servers."""

    def __init__(self, log: UserLog, policy: ServerPolicy, clock: Clock, randomness: Randomness) -> None:
        self._log = log
        self._policy = policy
        self._clock = clock
        self._process = randomness.random_below(1 << _PROCESS_BITS)
        self._last = 0

    def rows(self, edus: Iterable[tuple[str, str, dict[str, Any]]]) -> list[tuple[Any, ...]]:
        """(destination, type, content) as rows for `store`, in this order; none for servers that nothing is sent to."""
        return [
            (destination, self._next_id(), shard_of_destination(destination), edu_type, orjson.dumps(content).decode())
            for destination, edu_type, content in edus
            if self._policy.allows(destination)
        ]

    @staticmethod
    def store(transaction: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
        """Store what `rows` gave; in the transaction of whatever made it."""
        sql.add(transaction, rows)

    @staticmethod
    def id_at(at_ms: int) -> int:
        """Ids that are smaller were given before this time."""
        return at_ms << (_COUNTER_BITS + _PROCESS_BITS)

    def wake(self, destinations: Iterable[str]) -> None:
        """After the commit: say that there is something for these servers."""
        names = tuple(dict.fromkeys(destinations))
        if names:
            self._log.tell(names[0], [(OUTBOX, OutboxFact(destinations=names))])

    def _next_id(self) -> int:
        """Growing with time, and different in every process."""
        floor = self._clock.now_ms() << _COUNTER_BITS
        self._last = max(self._last + 1, floor)
        return (self._last << _PROCESS_BITS) | self._process
