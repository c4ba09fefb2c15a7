"""Waiting until every process has heard of something: the end of a session must not be answered before.

A process that cannot be reached is struck out of the registry, and has then either noticed, or may not answer anything
from memory any more.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from twisted.internet.defer import Deferred, gatherResults

from replication.calls import CallFailed, CallTimedOut, Overloaded, Peers, Unreachable
from replication.freshness import Freshness
from replication.ownership import Ownership
from replication.registry import Worker

logger = logging.getLogger(__name__)

METHOD: Final = "heard"
ANSWER_SECONDS: Final = 2.0
TRIES: Final = 2

Heard = Callable[[str, int, int], Awaitable[None]]
"""Returns when every process has heard a log (family, shard) up to a counter."""


class Barrier:
    """Asks every other process whether it has heard."""

    def __init__(self, ownership: Ownership, peers: Peers, freshness: Freshness) -> None:
        self._ownership = ownership
        self._peers = peers
        self._freshness = freshness

    async def heard(self, family: str, shard: int, counter: int) -> None:
        """Return when every live process has heard this log up to `counter`, or lives no more."""
        body = msgspec.msgpack.encode((family, shard, counter))
        others = [w for w in self._ownership.sight.workers.values() if w.name != self._ownership.me.name and w.address]
        asked = [Deferred.fromCoroutine(self._ask(worker, body)) for worker in others]
        await self._freshness.reach_position(family, shard, counter)
        await gatherResults(asked, consumeErrors=True)

    async def answer(self, body: bytes) -> bytes:
        """Another process asks us."""
        family, shard, counter = msgspec.msgpack.decode(body, type=tuple[str, int, int])
        await self._freshness.reach_position(family, shard, counter)
        return b""

    async def _ask(self, worker: Worker, body: bytes) -> None:
        for _ in range(TRIES):
            try:
                await self._peers.call(worker, METHOD, body, ANSWER_SECONDS)
                return
            except (Unreachable, CallTimedOut, CallFailed, Overloaded) as error:
                logger.info("%s has not heard yet: %s", worker.name, error)
                if isinstance(error, Unreachable) and error.is_refused:
                    break
        await self._ownership.strike(worker)
