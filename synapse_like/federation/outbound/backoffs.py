"""Which servers do not answer, and since when: those are left alone for a while, longer each time.

Kept in memory in every process, stored in the database, and told to all processes when it changes. A server that is
heard from is tried again at once.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred

from replication.streams import Fact, Stream
from synapse_like.federation.outbound.config import FederationSettings
from synapse_like.federation.outbound.families import shard_of_destination
from synapse_like.federation.outbound.sql import destinations as sql
from synapse_like.matrix.errors import MatrixError
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.randomness import Randomness

logger = logging.getLogger(__name__)

WAKE_PAUSE_MS: Final = 60_000


class BackoffFact(Fact):
    """How a server stands now; `failing_since_ms` None: it is tried at any time."""

    destination: str
    failing_since_ms: int | None
    retry_last_ms: int = 0
    retry_interval_ms: int = 0


BACKOFFS = Stream("backoffs", USER, BackoffFact, key="destination", is_ephemeral=True)


@dataclass(frozen=True, slots=True)
class Backoff:
    """A server that has not answered: since when, when it was tried last, how long it is left alone from then on."""

    failing_since_ms: int
    retry_last_ms: int
    retry_interval_ms: int

    @property
    def until_ms(self) -> int:
        """When it may be tried again."""
        return self.retry_last_ms + self.retry_interval_ms


class Backoffs:
    """The servers that do not answer (`federation.ports.Destinations`). `on_change` hears the names of servers whose
    time has changed, in every process.
    """

    def __init__(
        self, database: Database, log: UserLog, clock: Clock, randomness: Randomness, settings: FederationSettings
    ) -> None:
        self.on_change: list[Callable[[str], None]] = []
        self._database = database
        self._log = log
        self._clock = clock
        self._randomness = randomness
        self._settings = settings
        self._failing: dict[str, Backoff] = {}
        self._woken_ms: dict[str, int] = {}
        self._writes: Deferred[None] | None = None
        self._unwritten: dict[str, Backoff | None] = {}

    def __len__(self) -> int:
        """How many servers do not answer."""
        return len(self._failing)

    async def start(self) -> None:
        """Read which servers do not answer."""
        for row in await self._database.read(sql.failing):
            self._failing.setdefault(row[0], Backoff(*row[1:]))

    async def stop(self) -> None:
        """Write what is not written yet."""
        while self._writes is not None:
            await self._clock.sleep(0.01)

    def of(self, destination: str) -> Backoff | None:
        """How long a server is left alone; None if it answers."""
        return self._failing.get(destination)

    def tries_at_ms(self, destination: str) -> int:
        """When a server may be tried again; 0 if it may be at any time."""
        backoff = self._failing.get(destination)
        return backoff.until_ms if backoff else 0

    async def may_try(self, destination: str) -> bool:
        """Whether to send a request to this server now."""
        return self.tries_at_ms(destination) <= self._clock.now_ms()

    def succeeded(self, destination: str) -> None:
        """The server answered."""
        if destination in self._failing:
            logger.info("%s answers again", destination)
            self._change(destination, None)
        if self._woken_ms:
            self._woken_ms.pop(destination, None)

    def failed(self, destination: str, error: MatrixError) -> None:
        """The server did not answer. Failures of requests that were under way together count once."""
        now_ms, before = self._clock.now_ms(), self._failing.get(destination)
        if before is not None and before.until_ms > now_ms:
            return
        least = self._settings.destination_min_retry_interval.ms
        interval_ms = least
        if before is not None and before.retry_interval_ms:
            interval_ms = before.retry_interval_ms * self._settings.destination_retry_multiplier
        interval_ms = int(self._randomness.jitter(interval_ms))
        interval_ms = max(least, min(interval_ms, self._settings.destination_max_retry_interval.ms))
        since_ms = before.failing_since_ms if before else now_ms
        logger.info("%s does not answer (%s); it is left alone for %d s", destination, error, interval_ms // 1000)
        self._change(destination, Backoff(since_ms, now_ms, interval_ms))

    def pause_ms(self, failures: int) -> int:
        """How long to wait after so many failures in a row that do not mean that the server is away."""
        least, most = self._settings.destination_min_retry_interval.ms, self._settings.destination_max_retry_interval.ms
        pause_ms: int = least * self._settings.destination_retry_multiplier ** min(failures - 1, 30)
        return min(pause_ms, most)

    def heard_from(self, destination: str) -> None:
        """The server has sent us something: if it was left alone, try it again. Cheap.

        A server that we hear from but that cannot hear us is tried so once in a while only.
        """
        backoff = self._failing.get(destination)
        now_ms = self._clock.now_ms()
        if backoff is None or backoff.until_ms <= now_ms:
            return
        if now_ms - self._woken_ms.get(destination, -WAKE_PAUSE_MS) >= WAKE_PAUSE_MS:
            self._woken_ms[destination] = now_ms
            self.reset(destination)

    def reset(self, destination: str) -> None:
        """Try the server again now; if it fails, it is left alone for the shortest time."""
        if destination in self._failing:
            self._change(destination, None)

    def take(self, facts: Sequence[BackoffFact]) -> None:
        """Take in how servers stand, from this process or another."""
        for fact in facts:
            if fact.failing_since_ms is None:
                self._failing.pop(fact.destination, None)
            else:
                backoff = Backoff(fact.failing_since_ms, fact.retry_last_ms, fact.retry_interval_ms)
                self._failing[fact.destination] = backoff
            for listener in self.on_change:
                listener(fact.destination)

    def _change(self, destination: str, backoff: Backoff | None) -> None:
        if backoff is None:
            fact = BackoffFact(destination=destination, failing_since_ms=None)
            del self._failing[destination]
        else:
            fact = BackoffFact(
                destination=destination,
                failing_since_ms=backoff.failing_since_ms,
                retry_last_ms=backoff.retry_last_ms,
                retry_interval_ms=backoff.retry_interval_ms,
            )
            self._failing[destination] = backoff
        self._log.tell(destination, [(BACKOFFS, fact)])
        self._unwritten[destination] = backoff
        if self._writes is None:
            self._writes = Deferred.fromCoroutine(self._write())
            self._writes.addErrback(_unwritten)

    async def _write(self) -> None:
        """Write what has changed, many servers at once, until nothing is left."""
        try:
            while self._unwritten:
                await self._clock.sleep(0)
                changed, self._unwritten = self._unwritten, {}
                rows = [
                    (name, shard_of_destination(name), backoff and backoff.failing_since_ms)
                    + ((backoff.retry_last_ms, backoff.retry_interval_ms) if backoff else (0, 0))
                    for name, backoff in changed.items()
                ]
                await self._database.write(lambda txn, rows=rows: sql.set_backoffs(txn, rows))  # type: ignore[misc]
        finally:
            self._writes = None


def _unwritten(failure: object) -> None:
    logger.error("could not store which servers do not answer: %s", failure)
