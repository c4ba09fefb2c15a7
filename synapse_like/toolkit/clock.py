"""The clock: what time it is, and waiting, over a Twisted reactor.

Everything above the toolkit is handed a :class:`Clock` and reads no other one. Randomness is in ``randomness``.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred


class ReactorTime(Protocol):
    """What the clock asks of a reactor (Twisted's ``IReactorTime``, in a form that mypy understands)."""

    def callLater(self, delay: float, callable: Callable[..., object], /) -> Any:  # noqa: N802
        """Call later; the answer is Twisted's ``IDelayedCall``."""


class Wait(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Forget the call; harmless if it has happened."""


class Clock:
    """Time of a reactor. Times are whole milliseconds; delays are seconds, as the reactor takes them."""

    def __init__(self, reactor: ReactorTime) -> None:
        self._reactor = reactor

    def now_ms(self) -> int:
        """Return the time of day in milliseconds since 1970; it may jump when the machine's clock is set."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return milliseconds that only ever grow, for measuring; their zero means nothing."""
        return time.monotonic_ns() // 1_000_000

    def call_later(self, seconds: float, call: Callable[[], object]) -> Wait:
        """Call ``call`` on the reactor after so many seconds (at once if negative)."""
        return _Once(self._reactor.callLater(max(0.0, seconds), call))

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling the waiting Deferred cancels the timer with it."""
        awake: Deferred[None] = Deferred(lambda _: waiting.cancel())
        waiting = self.call_later(seconds, lambda: awake.callback(None))
        await awake


class _Once:
    """A delayed call whose cancelling may come too late."""

    __slots__ = ("_call",)

    def __init__(self, call: Any) -> None:
        self._call = call

    def cancel(self) -> None:
        if self._call.active():
            self._call.cancel()
