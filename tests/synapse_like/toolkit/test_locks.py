"""Locks by key: in turn, apart, and forgotten afterwards."""

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.locks import KeyedLocks


async def test_one_key_is_held_by_one_at_a_time_and_keys_do_not_disturb_each_other() -> None:
    clock, locks, story = Clock(reactor), KeyedLocks(), []

    async def work(key: str, name: str) -> None:
        async with locks.hold(key):
            story.append(f"{name} in")
            await clock.sleep(0)
            story.append(f"{name} out")

    works = [Deferred.fromCoroutine(work(key, key + name)) for key, name in (("a", "1"), ("a", "2"), ("b", "1"))]
    for each in works:
        await each
    assert [line for line in story if line.startswith("a")] == ["a1 in", "a1 out", "a2 in", "a2 out"]
    assert story.index("b1 in") < story.index("a1 out")
    assert len(locks) == 0


async def test_a_lock_is_given_back_after_an_error() -> None:
    locks = KeyedLocks()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with locks.hold("a"):
                raise ZeroDivisionError
    assert len(locks) == 0
