"""Work that many want at once and that is done once."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedWork(Generic[K, V]):
    """At most one run per key at a time. Nothing is kept once a run has ended."""

    def __init__(self) -> None:
        self._waiting: dict[K, list[Deferred[V]]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """Return what `work` returns, or raise what it raises; if it is running already for this key, that run's.

        A waiter that is cancelled leaves the others alone: the run goes on without it.
        """
        waiter: Deferred[V] = Deferred()
        if key in self._waiting:
            self._waiting[key].append(waiter)
            return await waiter
        self._waiting[key] = [waiter]
        running: Deferred[V] = Deferred.fromCoroutine(_awaited(work))
        running.addCallbacks(lambda value: self._succeed(key, value), lambda failure: self._fail(key, failure))
        return await waiter

    async def join(self, key: K) -> None:
        """Wait for the end of the run of this key, if there is one; its failure is not raised here."""
        if key in self._waiting:
            waiter: Deferred[V] = Deferred()
            waiter.addErrback(lambda _: None)
            self._waiting[key].append(waiter)
            await waiter

    def __len__(self) -> int:
        return len(self._waiting)

    def _succeed(self, key: K, value: V) -> None:
        for waiter in self._waiting.pop(key):
            if not waiter.called:
                waiter.callback(value)

    def _fail(self, key: K, failure: Any) -> None:
        for waiter in self._waiting.pop(key):
            if not waiter.called:
                waiter.errback(failure)


async def _awaited(work: Callable[[], Awaitable[V]]) -> V:
    return await work()
