"""The rate limiter: bursts, steady rate, waiting times, bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.errors import LimitExceeded
from synapse_like.toolkit.ratelimit import RateLimit, RateLimiter
from tests.kit.clock import FakeClock

LIMIT = RateLimit(per_second=2, burst_count=3)


def allowed(limiter: RateLimiter, key: str = "a", limit: RateLimit = LIMIT) -> bool:
    try:
        limiter.check("message", key, limit)
    except LimitExceeded:
        return False
    return True


def test_a_burst_and_then_the_steady_rate() -> None:
    clock = FakeClock()
    limiter = RateLimiter(clock)
    assert [allowed(limiter) for _ in range(5)] == [True, True, True, False, False]
    with pytest.raises(LimitExceeded) as caught:
        limiter.check("message", "a", LIMIT)
    assert caught.value.retry_after_ms == 500
    clock.advance(0.499)
    assert not limiter.would_allow("message", "a", LIMIT)
    clock.advance(0.001)
    assert limiter.would_allow("message", "a", LIMIT)
    assert [allowed(limiter), allowed(limiter)] == [True, False]
    clock.advance(100)
    assert [allowed(limiter) for _ in range(4)] == [True, True, True, False]


def test_keys_and_names_are_counted_apart() -> None:
    limiter = RateLimiter(FakeClock())
    assert [allowed(limiter, key) for key in "aaabbb"] == [True] * 6
    assert not allowed(limiter, "a")
    limiter.check("login", "a", LIMIT)


def test_costs_and_counting_without_asking() -> None:
    limiter = RateLimiter(FakeClock())
    limiter.check("message", "a", LIMIT, cost=2)
    assert not limiter.would_allow("message", "a", LIMIT, cost=2)
    assert limiter.would_allow("message", "a", LIMIT)
    for _ in range(3):
        limiter.count("message", "a", LIMIT)
    with pytest.raises(LimitExceeded) as caught:
        limiter.check("message", "a", LIMIT)
    assert caught.value.retry_after_ms == 1500


@pytest.mark.parametrize("limit", [RateLimit(0, 10), RateLimit(1, 0)])
def test_a_limit_that_allows_nothing(limit: RateLimit) -> None:
    limiter = RateLimiter(FakeClock())
    assert not allowed(limiter, limit=limit)
    assert not limiter.would_allow("message", "a", limit)


def test_memory_is_bounded_and_the_busy_are_remembered() -> None:
    clock = FakeClock()
    limiter = RateLimiter(clock, max_keys=100)
    for number in range(1000):
        allowed(limiter, f"key{number}")
        allowed(limiter, "busy")
        assert len(limiter) <= 100
        clock.advance(0.001)
    assert not allowed(limiter, "busy")
    clock.advance(1000)
    for number in range(60):
        allowed(limiter, f"new{number}")
    assert len(limiter) <= 61


@given(st.lists(st.integers(0, 2000), max_size=60), st.sampled_from([0.1, 0.5, 1, 3, 10]), st.integers(1, 5))
def test_never_more_than_rate_and_burst_and_waiting_helps(pauses_ms: list[int], per_second: float, burst: int) -> None:
    clock, limit = FakeClock(), RateLimit(per_second, burst)
    limiter, times = RateLimiter(clock), []
    for pause_ms in pauses_ms:
        clock.advance(pause_ms / 1000)
        try:
            limiter.check("x", "a", limit)
        except LimitExceeded as error:
            assert error.retry_after_ms is not None and error.retry_after_ms > 0
            clock.advance(error.retry_after_ms / 1000)
            limiter.check("x", "a", limit)
        times.append(clock.monotonic_ms())
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + (times[last] - times[first]) * per_second / 1000 + 1e-6
