"""Events that wait for what leads to them: in the database, and in a queue per room that one worker empties.

Within a room the origins take turns; so many rooms are worked on at once. A process that takes a shard over goes on
with what its predecessor left.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from twisted.internet.defer import Deferred, DeferredSemaphore

from replication.streams import Family
from synapse_like.federation.inbound import sql
from synapse_like.matrix.errors import MatrixError
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

MOST_OF_A_ROOM = 1000
MOST_TRIES = 3
ROOMS_AT_ONCE = 20
PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Staged:
    """An event that waits."""

    room_id: str
    event_id: str
    origin: str
    shard: int
    received_ms: int
    tries: int
    json: str


Settle = Callable[[Staged], Awaitable[bool]]
"""Takes an event in; False if what leads to it could not be fetched now."""


@dataclass(slots=True)
class _Queue:
    """What waits in one room, by origin, the origin whose turn it is first."""

    shard: int
    origins: "OrderedDict[str, deque[Staged]]" = field(default_factory=OrderedDict)
    ids: set[str] = field(default_factory=set)
    is_stopped: bool = False

    def put(self, staged: Staged) -> None:
        if staged.event_id not in self.ids:
            self.ids.add(staged.event_id)
            self.origins.setdefault(staged.origin, deque()).append(staged)

    def take(self) -> Staged:
        origin, waiting = self.origins.popitem(last=False)
        staged = waiting.popleft()
        if waiting:
            self.origins[origin] = waiting
        return staged


class Staging:
    """The queues of the rooms that are owned here; a tenant of their shards."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.settle: Settle = _never
        self._database = database
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._turns = DeferredSemaphore(ROOMS_AT_ONCE)

    def is_waiting(self, room_id: str) -> bool:
        """Whether something of the room waits, so that what follows has to wait behind it."""
        return room_id in self._queues

    async def stage(self, events: Sequence[Staged]) -> list[str]:
        """Keep events of one room until they can be taken in; the ids of those for which there is no room left."""
        room_id = events[0].room_id
        queue = self._queues.get(room_id)
        free = MOST_OF_A_ROOM - (len(queue.ids) if queue is not None else 0)
        kept, refused = events[: max(0, free)], events[max(0, free) :]
        if kept:
            rows = [(s.room_id, s.event_id, s.origin, s.shard, s.received_ms, s.tries, s.json) for s in kept]
            await self._database.write(lambda txn: sql.stage(txn, rows))
            self._put(kept)
        return [staged.event_id for staged in refused]

    async def took(self, family: Family, shards: Sequence[int]) -> None:
        """Go on with what waits in the rooms of these shards."""
        rows = await self._database.read(lambda txn: sql.staged(txn, list(shards)))
        self._put([Staged(*row) for row in rows])

    async def gave(self, family: Family, shards: Sequence[int]) -> None:
        """Stop working on the rooms of these shards; what waits stays in the database."""
        given = set(shards)
        for room_id, queue in list(self._queues.items()):
            if queue.shard in given:
                queue.is_stopped = True
                del self._queues[room_id]

    async def idle(self) -> None:
        """Wait until nothing waits (for tests)."""
        while self._queues:
            await self._clock.sleep(0.01)

    def _put(self, events: Sequence[Staged]) -> None:
        for staged in events:
            queue = self._queues.get(staged.room_id)
            if queue is None:
                queue = self._queues[staged.room_id] = _Queue(staged.shard)
                queue.put(staged)
                _ = Deferred.fromCoroutine(self._work(staged.room_id, queue)).addErrback(_log)
            else:
                queue.put(staged)

    async def _work(self, room_id: str, queue: _Queue) -> None:
        while queue.origins and not queue.is_stopped:
            await self._turns.acquire()
            try:
                staged = queue.take()
                is_settled = await self._settled(staged)
            finally:
                self._turns.release()
            if queue.is_stopped:
                return
            if not is_settled and staged.tries + 1 < MOST_TRIES:
                await self._again(queue, staged)
                continue
            if not is_settled:
                logger.warning("event %s of %s is given up", staged.event_id, staged.origin)
            await self._forget(queue, staged)
        if self._queues.get(room_id) is queue:
            del self._queues[room_id]

    async def _settled(self, staged: Staged) -> bool:
        try:
            return await self.settle(staged)
        except OUTAGES as error:
            logger.warning("event %s waits on: %s", staged.event_id, error)
            return False
        except MatrixError as error:
            logger.info("event %s of %s is refused: %s", staged.event_id, staged.origin, error)
        except Exception:
            logger.exception("event %s of %s is dropped", staged.event_id, staged.origin)
        return True

    async def _again(self, queue: _Queue, staged: Staged) -> None:
        """Another try, after those that wait behind it and a pause."""
        waits_alone = not queue.origins
        queue.ids.discard(staged.event_id)
        queue.put(replace(staged, tries=staged.tries + 1))
        try:
            await self._database.write(lambda txn: sql.tried(txn, staged.room_id, [staged.event_id]))
        except OUTAGES as error:
            logger.warning("could not count a try: %s", error)
        if waits_alone:
            await self._clock.sleep(PAUSE_S)

    async def _forget(self, queue: _Queue, staged: Staged) -> None:
        queue.ids.discard(staged.event_id)
        try:
            await self._database.write(lambda txn: sql.unstage(txn, staged.room_id, [staged.event_id]))
        except OUTAGES as error:
            logger.warning("event %s stays staged for now: %s", staged.event_id, error)


async def _never(staged: Staged) -> bool:
    return False


def _log(failure: object) -> None:
    logger.error("a queue of staged events has stopped: %s", failure)
