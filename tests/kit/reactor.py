"""Runs ``async def`` tests and fixtures on one Twisted reactor per process.

The reactor is asyncio's, on a private loop that runs only while a test or fixture waits. Tests use it through
``tests/conftest.py``; nothing else should need this module.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache, wraps
from typing import Any

from twisted.internet import asyncioreactor, defer


@cache
def private_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process's reactor, installing and starting the reactor at the first call."""
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    _reactor().startRunning(False)
    return loop


def run(work: Awaitable[Any], timeout_seconds: float) -> Any:
    """Run a coroutine or Deferred to its end on the reactor; TimeoutError cancels it."""
    loop = private_loop()

    async def limited() -> Any:
        deferred = defer.ensureDeferred(_as_coroutine(work))
        return await asyncio.wait_for(deferred.asFuture(loop), timeout_seconds)

    return loop.run_until_complete(limited())


def synchronous(function: Callable[..., Any], timeout_seconds: float) -> Callable[..., Any]:
    """Wrap an async function or async generator function so that pytest can call it as a plain one."""
    if inspect.isasyncgenfunction(function):
        return _synchronous_generator(function, timeout_seconds)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return run(function(*args, **kwargs), timeout_seconds)

    return call


def shut_down() -> None:
    """Stop the reactor's threads and close the loop, if it was ever started."""
    if private_loop.cache_info().currsize == 0:
        return
    loop = private_loop()
    _reactor().fireSystemEvent("shutdown")
    loop.close()


def _synchronous_generator(function: Callable[..., AsyncIterator[Any]], timeout_seconds: float) -> Callable[..., Any]:
    @wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Any:
        steps = function(*args, **kwargs)
        yield run(anext(steps), timeout_seconds)
        try:
            run(anext(steps), timeout_seconds)
        except StopAsyncIteration:
            return
        raise RuntimeError(f"the fixture {function.__name__} yields more than once")

    return generate


async def _as_coroutine(work: Awaitable[Any]) -> Any:
    return await work


def _reactor() -> Any:
    # The reactor must not be imported before it is installed.
    from twisted.internet import reactor  # noqa: PLC0415

    return reactor
