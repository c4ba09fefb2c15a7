"""Loads of single things that are made together: while one load is under way, what is asked for gathers for the next.

A busy server asks for twenty users' profiles with as many transactions or with one. Nobody is given what a load has
brought that began before the question.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from twisted.internet.defer import Deferred

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST: Final = 500
"""So many things one load brings at most."""


class Gathered(Generic[K, V]):
    """Asks `load_all` for many keys at once; it leaves out those that it does not find."""

    def __init__(self, load_all: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], most: int = MOST) -> None:
        self._load_all = load_all
        self._most = most
        self._waiting: dict[K, list[Deferred[V | None]]] = {}
        self._is_loading = False

    async def get(self, key: K) -> V | None:
        """What was found for a key, or None. Raises what the load raises."""
        waiter: Deferred[V | None] = Deferred()
        self._waiting.setdefault(key, []).append(waiter)
        if not self._is_loading:
            _ = Deferred.fromCoroutine(self._work())
        return await waiter

    async def _work(self) -> None:
        """Load until nobody waits. Whoever waits hears of errors."""
        self._is_loading = True
        while self._waiting:
            keys = list(self._waiting)[: self._most]
            waiters = [(key, self._waiting.pop(key)) for key in keys]
            found: Mapping[K, V] = {}
            failure: Exception | None = None
            try:
                found = await self._load_all(keys)
            except Exception as error:
                failure = error
            for key, several in waiters:
                for waiter in several:
                    if waiter.called:  # its request was cancelled
                        continue
                    if failure is not None:
                        waiter.errback(failure)
                    else:
                        waiter.callback(found.get(key))
        self._is_loading = False
