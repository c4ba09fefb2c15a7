"""The clock over a real reactor, the fake one, and randomness."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.randomness import LETTERS_AND_DIGITS, Randomness, RepeatableRandomness
from tests.kit.clock import FakeClock


async def test_a_sleep_on_the_real_reactor_takes_its_time():
    clock = Clock(reactor)
    before_ms = clock.monotonic_ms()
    await clock.sleep(0.02)
    assert clock.monotonic_ms() - before_ms >= 19


def test_the_time_of_day_is_that_of_the_machine():
    assert abs(Clock(reactor).now_ms() - time.time() * 1000) < 5_000


def test_calls_come_in_the_order_of_their_time():
    clock, calls = FakeClock(), []
    clock.call_later(2, lambda: calls.append("second"))
    clock.call_later(1, lambda: calls.append("first"))
    clock.advance(1.5)
    assert calls == ["first"]
    clock.advance(1)
    assert calls == ["first", "second"]


def test_a_cancelled_call_does_not_come_and_cancelling_late_is_harmless():
    clock, calls = FakeClock(), []
    wait = clock.call_later(1, lambda: calls.append(1))
    wait.cancel()
    wait.cancel()
    clock.advance(2)
    assert calls == []


def test_a_negative_delay_means_at_once():
    clock, calls = FakeClock(), []
    clock.call_later(-5, lambda: calls.append(1))
    clock.advance(0)
    assert calls == [1]


def test_cancelling_a_sleeper_leaves_no_timer_behind():
    clock = FakeClock()
    sleeping = Deferred.fromCoroutine(clock.sleep(10))
    failures = []
    sleeping.addErrback(failures.append)
    sleeping.cancel()
    assert failures[0].check(CancelledError)
    assert clock.reactor.getDelayedCalls() == []


def test_the_fake_clock_moves_both_times():
    clock = FakeClock(start_ms=5_000)
    clock.advance(1.25)
    assert (clock.now_ms(), clock.monotonic_ms()) == (6_250, 1_250)


@given(st.integers(0, 200))
def test_random_strings_have_their_length_and_alphabet(length):
    text = Randomness().random_string(length)
    assert len(text) == length
    assert set(text) <= set(LETTERS_AND_DIGITS)


def test_random_strings_differ():
    assert len({Randomness().random_string(22) for _ in range(1000)}) == 1000


@given(st.floats(0.1, 1000))
def test_jitter_stays_near(seconds):
    assert 0.8 * seconds <= Randomness().jitter(seconds) <= 1.2 * seconds


@pytest.mark.parametrize("draw", ["random_string", "random_bytes"])
def test_repeatable_randomness_repeats(draw):
    first, second = RepeatableRandomness(7), RepeatableRandomness(7)
    assert getattr(first, draw)(30) == getattr(second, draw)(30)
