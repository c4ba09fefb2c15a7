"""Several coroutines at once."""

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all of them, and wait for all; their results in order. Raises the first error, once all have ended."""
    running = [Deferred.fromCoroutine(coroutine) for coroutine in coroutines]
    results: list[T] = []
    error: BaseException | None = None
    for each in running:
        try:
            results.append(await each)
        except BaseException as raised:
            error = error or raised
    if error is not None:
        raise error
    return results
