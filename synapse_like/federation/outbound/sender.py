"""Sends to the destinations whose shards this process owns: takes shards over where their last owner was, and stores
how far they have come.

What is to be sent stands in the logs; stored is only up to where that is done. After a kill at any moment the next
owner sends again what had not been noted as done: receivers know events, messages and device lists by their ids.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from replication.streams import Family
from synapse_like.federation.edus import EduSource
from synapse_like.federation.outbound.backoffs import Backoffs
from synapse_like.federation.outbound.catch_up import CatchUp
from synapse_like.federation.outbound.delivery import Delivery
from synapse_like.federation.outbound.families import shard_of_destination
from synapse_like.federation.outbound.follower import Follower
from synapse_like.federation.outbound.outbox import OutboxFact
from synapse_like.federation.outbound.positions import Positions
from synapse_like.federation.outbound.queue import Queue
from synapse_like.federation.outbound.queues import Queues
from synapse_like.federation.outbound.sql import destinations as sql
from synapse_like.federation.outbound.sql import stored_edus
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

SAVE_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 60.0
_IDLE_SAVE_MS: Final = 30_000
_LAGS_AFTER_MS: Final = 600_000
"""How long a server may be away until nothing is kept for it but its position."""


class Sender:
    """The tenant of the family of destinations, and the front door for whoever asks about them."""

    def __init__(
        self,
        queues: Queues,
        follower: Follower,
        delivery: Delivery,
        catch_up: CatchUp,
        backoffs: Backoffs,
        database: Database,
        clock: Clock,
    ) -> None:
        self.queues = queues
        self.delivery = delivery
        self._follower = follower
        self._catch_up = catch_up
        self._backoffs = backoffs
        self._database = database
        self._clock = clock
        self._stored: dict[int, Positions] = {}
        self._stored_ms = 0
        self._sent = 0
        self._is_saving = False
        follower.kick = delivery.kick
        delivery.fill = catch_up.fill
        backoffs.on_change.append(self._backoff_changed)

    @property
    def position(self) -> Positions:
        """How far the logs have been followed."""
        return self._follower.position

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way: all is sent, or waits for its time."""
        return self._follower.is_idle and not any(queue.is_running for queue in self.queues)

    def add(self, sources: Sequence[EduSource]) -> None:
        """Tell other servers of more."""
        self._follower.add(sources)
        self._catch_up.add(sources)

    async def took(self, family: Family, shards: Sequence[int]) -> None:
        """Go on where the last owner of these shards was."""

        def read(transaction: Transaction) -> tuple[dict[int, str], list[tuple[str, str]], list[str]]:
            lagging = [(name, lag) for name, lag in sql.lagging(transaction, shards)]
            return sql.cursors(transaction, shards), lagging, stored_edus.waiting(transaction, shards)

        await self._follower.turn.acquire()
        try:
            cursors, lagging, waiting = await self._database.read(read)
            if not self._queues_are_owned():
                self._follower.start_here()
            self.queues.took(shards)
            for name, lag in lagging:
                self.queues.lagging(name, Positions.decode(lag))
            here = self._follower.position
            start = {shard: Positions.decode(cursors[shard]) if shard in cursors else here for shard in shards}
            await self._follower.replay(start)
        finally:
            self._follower.turn.release()
        self._mark_stored(waiting)
        for queue in self.queues:
            self.delivery.kick(queue)
        await self.save(is_forced=True)

    async def gave(self, family: Family, shards: Sequence[int]) -> None:
        """Stop sending to the destinations of these shards."""
        try:
            await self.save(is_forced=True)
        except OUTAGES as error:
            logger.warning("how far other servers have come is not stored; some will hear things again: %s", error)
        gone = self.queues.gave(shards)
        await self.delivery.stop(gone)
        for queue in gone:
            self._catch_up.forget(queue)
        for shard in shards:
            self._stored.pop(shard, None)

    async def save(self, *, is_forced: bool = False) -> None:
        """Store how far the shards and those that lag have come, if that has changed by anything that was sent."""
        if self._is_saving or not self._queues_are_owned():
            return
        self._is_saving = True
        try:
            self._let_lag()
            await self._save(is_forced)
        finally:
            self._is_saving = False

    def is_owner(self, destination: str) -> bool:
        """Whether it is this process that sends to a server."""
        return shard_of_destination(destination) in self.queues.shards

    def reset(self, destination: str) -> None:
        """Try a server again now, however long it was to be left alone."""
        self._backoffs.reset(destination)

    async def look_for_stored(self) -> None:
        """Find stored EDUs whose announcement was lost, and forget queues that are not used."""
        self.queues.forget_idle()
        shards = sorted(self.queues.shards)
        if shards:
            self._mark_stored(await self._database.read(lambda txn: stored_edus.waiting(txn, shards)))

    def take_outbox(self, facts: Sequence[OutboxFact]) -> None:
        """Something has been stored for some servers."""
        for fact in facts:
            self._mark_stored(fact.destinations)

    def _queues_are_owned(self) -> bool:
        return bool(self.queues.shards)

    def _mark_stored(self, destinations: Iterable[str]) -> None:
        for name in destinations:
            queue = self.queues.of(name)
            if queue is not None:
                queue.has_stored = True
                self.delivery.kick(queue)

    def _backoff_changed(self, destination: str) -> None:
        queue = self.queues.peek(destination)
        if queue is not None and not queue.is_idle and self._backoffs.of(destination) is None:
            queue.refused_until_ms = 0
            self.delivery.kick(queue)

    def _let_lag(self) -> None:
        """Keep nothing for servers that have been away for long."""
        now_ms = self._clock.now_ms()
        for queue in self.queues:
            if queue.is_attached and not queue.is_idle:
                backoff = self._backoffs.of(queue.destination)
                if backoff is not None and now_ms - backoff.failing_since_ms > _LAGS_AFTER_MS:
                    queue.give_up(self._follower.position)

    async def _save(self, is_forced: bool) -> None:
        now = self._follower.position
        cursors = dict.fromkeys(self.queues.shards, now)
        behind: list[Queue] = []
        for queue in self.queues:
            if queue.lag is not None or queue.stored_lag is not None:
                behind.append(queue)
            elif not queue.is_idle:
                cursors[queue.shard] = cursors[queue.shard].common(queue.acknowledged(now))
        lags = {queue: _lag(queue, now, cursors[queue.shard]) for queue in behind}
        changed = {queue: lag for queue, lag in lags.items() if lag != queue.stored_lag}
        now_ms = self._clock.now_ms()
        is_due = is_forced or self.delivery.sent != self._sent or now_ms - self._stored_ms > _IDLE_SAVE_MS
        if not changed and not is_due:
            return
        await self._store(cursors, changed)
        self._stored_ms = now_ms

    async def _store(self, cursors: dict[int, Positions], lags: dict[Queue, Positions | None]) -> None:
        self._sent = self.delivery.sent
        succeeded, self.delivery.succeeded_ms = self.delivery.succeeded_ms, {}
        moved = {shard: position for shard, position in cursors.items() if self._stored.get(shard) != position}
        cursor_rows = [(shard, position.encode()) for shard, position in moved.items()]
        lag_rows = [(queue.destination, queue.shard, lag.encode() if lag else None) for queue, lag in lags.items()]
        success_rows = [(name, shard_of_destination(name), at_ms) for name, at_ms in succeeded.items()]
        await self._database.write(lambda txn: sql.save(txn, cursor_rows, lag_rows, success_rows))
        self._stored |= moved
        for queue, lag in lags.items():
            queue.stored_lag = lag
            if queue.is_attached and not queue.is_filling:
                queue.lag = lag


def _lag(queue: Queue, now: Positions, cursor: Positions) -> Positions | None:
    """The position that a server needs of its own; None once it has come as far as the cursor of its shard."""
    if queue.is_filling or not queue.is_attached:
        return queue.lag
    reached = queue.acknowledged(now)
    return None if reached.reaches(cursor) else reached
