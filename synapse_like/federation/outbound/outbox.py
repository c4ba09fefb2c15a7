"""EDUs that must arrive: stored with the fact that made them, sent in order, forgotten when they are acknowledged."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from replication.streams import Fact, Stream
from synapse_like.federation.outbound.families import shard_of_destination
from synapse_like.federation.outbound.sql import stored_edus as sql
from synapse_like.federation.policy import ServerPolicy
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.randomness import Randomness

logger = logging.getLogger(__name__)

KEPT_MS: Final = 90 * 24 * 60 * 60 * 1000
PURGE_SECONDS: Final = 6 * 60 * 60.0
_COUNTER_BITS: Final = 10
_PROCESS_BITS: Final = 10


class OutboxFact(Fact):
    """Something has been stored for these servers."""

    destinations: tuple[str, ...]


OUTBOX = Stream("outbox", USER, OutboxFact, key="destinations", is_ephemeral=True)


class Outbox:
    """Stores EDUs for other servers."""

    def __init__(
        self, database: Database, log: UserLog, policy: ServerPolicy, clock: Clock, randomness: Randomness
    ) -> None:
        self._database = database
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

    async def purge(self) -> None:
        """Forget what no server has taken for `KEPT_MS`: those servers are gone."""
        before_id = (self._clock.now_ms() - KEPT_MS) << (_COUNTER_BITS + _PROCESS_BITS)
        count = await self._database.write(lambda txn: sql.purge(txn, before_id))
        if count:
            logger.info("%d EDUs for servers that were away for too long are forgotten", count)

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
