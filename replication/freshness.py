"""Reading what others have just written: the position that is committed is asked for, and waited for.

Questions that come together share one query; one that comes while a query is under way waits for the next, for what it
wants to see may have been committed after that query's snapshot.
"""

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred

from replication import sql
from replication.ports import Clock, Transactions
from replication.reader import Reader

PATIENCE_SECONDS = 0.1
"""How long the bus may take; after that the database is read instead."""


class Freshness:
    """Lets a process answer from memory as if it had just read the database."""

    def __init__(self, database: Transactions, reader: Reader, clock: Clock) -> None:
        self._database = database
        self._reader = reader
        self._clock = clock
        self._next: list[Deferred[None]] = []
        self._is_asking = False
        self._waiting: list[tuple[Mapping[str, Sequence[int]], Deferred[None]]] = []
        reader.on_advance(lambda _: self._check())

    async def reach(self) -> None:
        """Return when memory holds all that was committed before the call. Raises what the database raises."""
        waiter: Deferred[None] = Deferred()
        self._next.append(waiter)
        if not self._is_asking:
            _ = Deferred.fromCoroutine(self._ask())
        await waiter

    async def reach_position(self, family: str, shard: int, counter: int) -> None:
        """Return when memory holds one log up to `counter`."""
        ends = list(self._reader.positions[family])
        ends[shard] = counter
        if self._reader.positions[family][shard] < counter:
            await self._reached({family: ends})

    async def _ask(self) -> None:
        self._is_asking = True
        try:
            while self._next:
                waiters, self._next = self._next, []
                try:
                    ends = await self._database.read(sql.all_positions)
                except Exception as error:
                    for waiter in waiters:
                        waiter.errback(error)
                    continue
                if self._has(ends):
                    for waiter in waiters:
                        waiter.callback(None)
                else:
                    _ = Deferred.fromCoroutine(self._wait(ends, waiters))
        finally:
            self._is_asking = False

    async def _wait(self, ends: Mapping[str, Sequence[int]], waiters: Sequence["Deferred[None]"]) -> None:
        await self._reached(ends)
        for waiter in waiters:
            waiter.callback(None)

    async def _reached(self, ends: Mapping[str, Sequence[int]]) -> None:
        done: Deferred[None] = Deferred()
        self._waiting.append((ends, done))
        timer = self._clock.call_later(PATIENCE_SECONDS, lambda: self._reader.refill_to(ends))
        await done
        timer.cancel()

    def _check(self) -> None:
        if not self._waiting:
            return
        reached = [each for each in self._waiting if self._has(each[0])]
        self._waiting = [each for each in self._waiting if each not in reached]
        for _, done in reached:
            done.callback(None)

    def _has(self, ends: Mapping[str, Sequence[int]]) -> bool:
        positions = self._reader.positions
        return all(positions[name].reaches(vector) for name, vector in ends.items() if name in positions)
