"""Running plain functions in threads, beside the reactor: arithmetic that gives up Python's lock, as signatures do."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.threads import deferToThreadPool

from synapse_like.toolkit.together import together

A = TypeVar("A")
R = TypeVar("R")


class Threads:
    """The reactor's threads."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def run_all(self, function: Callable[..., R], batches: Sequence[A], *arguments: Any) -> list[R]:
        """Return the results of `function(batch, *arguments)` for each batch, in their order.

        Raises what one of them raises; the others have run as well.
        """
        pool = self._reactor.getThreadPool()
        work = [deferToThreadPool(self._reactor, pool, function, batch, *arguments) for batch in batches]
        return await together(work)
