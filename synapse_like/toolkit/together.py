"""Several things at once."""

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList

T = TypeVar("T")


async def together(work: "Iterable[Coroutine[Any, Any, T] | Deferred[T]]") -> list[T]:
    """Run all of it, and wait for all; the results in order. Raises the first error in order, once all have ended.

    Who is cancelled cancels all of it.
    """
    running = [each if isinstance(each, Deferred) else Deferred.fromCoroutine(each) for each in work]
    outcomes: Any = await DeferredList(running, consumeErrors=True)
    for is_good, outcome in outcomes:
        if not is_good:
            raise outcome.value
    return [outcome for _, outcome in outcomes]
