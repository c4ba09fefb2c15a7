"""Waiting until every process has heard of something: the end of a session must not be answered before.

A process that cannot be reached is struck out of the registry, and has then either noticed, or may not answer anything
from memory any more.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from twisted.internet.defer import Deferred

from replication.calls import CallFailed, CallTimedOut, Overloaded, Peers, Unreachable
from replication.freshness import Freshness
from replication.ownership import Ownership
from replication.ports import Clock, Transactions
from replication.registry import Believer, believers, strike

logger = logging.getLogger(__name__)

METHOD: Final = "heard"
ANSWER_SECONDS: Final = 2.0
TRIES: Final = 2

Heard = Callable[[str, int, int], Awaitable[None]]
"""Returns when every process has heard a log (family, shard) up to a counter."""


class Barrier:
    """Asks every other process whether it has heard.

    Who is there says the registry, after what is to be heard was committed: who registers later begins later.
    """

    def __init__(
        self, database: Transactions, clock: Clock, ownership: Ownership, peers: Peers, freshness: Freshness
    ) -> None:
        self._database = database
        self._clock = clock
        self._ownership = ownership
        self._peers = peers
        self._freshness = freshness

    async def heard(self, family: str, shard: int, counter: int) -> None:
        """Return when every live process has heard this log up to `counter`, or lives no more."""
        body = msgspec.msgpack.encode((family, shard, counter))
        others = [each for each in await self._database.read(believers) if each.worker.name != self._ownership.me.name]
        asked = [Deferred.fromCoroutine(self._ask(each, body)) for each in others]
        await self._freshness.reach_position(family, shard, counter)
        for result in asked:
            await result

    async def answer(self, body: bytes) -> bytes:
        """Another process asks us."""
        family, shard, counter = msgspec.msgpack.decode(body, type=tuple[str, int, int])
        await self._freshness.reach_position(family, shard, counter)
        return b""

    async def _ask(self, other: Believer, body: bytes) -> None:
        """Ask one; if it does not answer, it must not answer anybody else either."""
        if other.is_struck:
            await self._pause(other.left_ms)
            return
        worker = other.worker
        for _ in range(TRIES):
            try:
                await self._peers.call(worker, METHOD, body, ANSWER_SECONDS)
                return
            except CallTimedOut:
                break
            except (Unreachable, CallFailed, Overloaded) as error:
                logger.info("%s has not heard yet: %s", worker.name, error)
        logger.error("%s cannot be reached; it is struck out of the registry", worker.name)
        left_ms = await self._database.write(lambda txn: strike(txn, worker))
        await self._pause(left_ms)
        self._ownership.look_soon()

    async def _pause(self, milliseconds: int) -> None:
        waiter: Deferred[None] = Deferred()
        self._clock.call_later(milliseconds / 1000, lambda: waiter.callback(None))
        await waiter
