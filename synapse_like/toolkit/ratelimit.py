"""Rate limits: how many a second, how many at once, counted in memory.

The generic cell rate algorithm: for each key one number is kept, the time at which its bucket will be empty again.
What is limited, and by which limit of the configuration, is the features' business.
"""

from collections import OrderedDict
from math import ceil
from typing import Final, Protocol

from synapse_like.matrix.errors import LimitExceeded
from synapse_like.toolkit.config.rate_limits import RateLimit

__all__ = ["RateLimit", "RateLimiter"]

MAX_KEYS: Final = 100_000
NEVER_MS: Final = 24 * 60 * 60 * 1000
"""What a client is told to wait where a limit allows nothing."""


class SteadyClock(Protocol):
    """The part of the clock that is used here."""

    def monotonic_ms(self) -> int:
        """Return milliseconds that never go back."""


class RateLimiter:
    """Counts actions by (name of the limit, key), where a key is a user, an address or a room.

    At most ``max_keys`` are remembered; the one that has not acted for longest is forgotten first.
    """

    def __init__(self, clock: SteadyClock, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._empty_at_ms: OrderedDict[tuple[str, str], float] = OrderedDict()

    def check(self, name: str, key: str, limit: RateLimit, cost: float = 1) -> None:
        """Count an action, or raise LimitExceeded with the milliseconds to wait; what is refused is not counted."""
        now_ms = self._clock.monotonic_ms()
        wait_ms, empty_at_ms = self._weigh((name, key), limit, cost, now_ms)
        if wait_ms > 0:
            raise LimitExceeded(retry_after_ms=ceil(wait_ms))
        self._remember((name, key), empty_at_ms, now_ms)

    def would_allow(self, name: str, key: str, limit: RateLimit, cost: float = 1) -> bool:
        """Return whether an action would be allowed now, without counting it."""
        return self._weigh((name, key), limit, cost, self._clock.monotonic_ms())[0] <= 0

    def count(self, name: str, key: str, limit: RateLimit, cost: float = 1) -> None:
        """Count an action that has happened, allowed or not (a failed login)."""
        now_ms = self._clock.monotonic_ms()
        _, empty_at_ms = self._weigh((name, key), limit, cost, now_ms)
        self._remember((name, key), empty_at_ms, now_ms)

    def __len__(self) -> int:
        return len(self._empty_at_ms)

    def _weigh(self, key: tuple[str, str], limit: RateLimit, cost: float, now_ms: int) -> tuple[float, float]:
        """Return (milliseconds to wait, when the bucket would be empty after the action)."""
        if limit.per_second <= 0 or cost > limit.burst_count:
            return float(NEVER_MS), float(now_ms)
        interval_ms = 1000 / limit.per_second
        empty_at_ms = max(self._empty_at_ms.get(key, now_ms), now_ms) + cost * interval_ms
        wait_ms = empty_at_ms - limit.burst_count * interval_ms - now_ms
        return round(wait_ms, 3), empty_at_ms  # rounded, so that who waits as long as told is let in

    def _remember(self, key: tuple[str, str], empty_at_ms: float, now_ms: int) -> None:
        known = self._empty_at_ms
        known[key] = empty_at_ms
        known.move_to_end(key)
        for _ in range(2):  # each action makes room for itself and a little more
            oldest = next(iter(known))
            if oldest != key and (known[oldest] <= now_ms or len(known) > self._max_keys):
                del known[oldest]
