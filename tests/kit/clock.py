"""A clock that stands still until a test moves it."""

from twisted.internet.task import Clock as TaskClock

from synapse_like.toolkit.clock import Clock

START_MS = 1_700_000_000_000


class FakeClock(Clock):
    """``advance(seconds)`` moves the time of day, the monotonic time and every waiting call together."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self.reactor = TaskClock()
        self._start_ms = start_ms
        super().__init__(self.reactor)

    def now_ms(self) -> int:
        return self._start_ms + self.monotonic_ms()

    def monotonic_ms(self) -> int:
        return round(self.reactor.seconds() * 1000)

    def advance(self, seconds: float) -> None:
        """Let time pass; calls due in between happen, in order."""
        self.reactor.advance(seconds)
