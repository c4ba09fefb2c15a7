"""Followed values: loaded once, moved by facts, and never back."""

from collections.abc import Sequence

import pytest
from twisted.internet.defer import CancelledError, Deferred

from synapse_like.toolkit.followed import Followed


class Shelf:
    """A database whose reads end when the test says so."""

    def __init__(self) -> None:
        self.reads: list[Deferred[dict[str, tuple[int, str]]]] = []

    async def load(self, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
        self.reads.append(Deferred())
        return await self.reads[-1]


async def test_a_value_is_loaded_once_and_follows_the_facts() -> None:
    shelf = Shelf()
    followed = Followed(shelf.load, "none")
    asked = Deferred.fromCoroutine(followed.get("k"))
    shelf.reads[0].callback({"k": (3, "stored")})
    assert await asked == "stored"
    followed.take("k", 4, "newer")
    followed.take("k", 2, "older")
    assert await followed.get("k") == "newer"
    assert len(shelf.reads) == 1


async def test_a_fact_that_comes_during_a_slow_read_is_not_lost() -> None:
    shelf = Shelf()
    followed = Followed(shelf.load, "none")
    first = Deferred.fromCoroutine(followed.get("k"))
    second = Deferred.fromCoroutine(followed.get("k"))
    followed.take("k", 5, "new")
    shelf.reads[0].callback({"k": (1, "old")})
    assert await first == "new"
    followed.take("k", 6, "newest")
    shelf.reads[1].callback({"k": (1, "old")})
    assert await second == "newest"
    assert await followed.get("k") == "newest"


@pytest.mark.parametrize("given_up", [0, 1])
async def test_a_fact_reaches_who_waits_beside_one_that_is_cancelled(given_up: int) -> None:
    shelf = Shelf()
    followed = Followed(shelf.load, "none")
    first = Deferred.fromCoroutine(followed.get("j"))
    waiters = [Deferred.fromCoroutine(followed.get("k")) for _ in range(2)]
    shelf.reads[0].callback({})
    assert await first == "none"
    waiters[given_up].cancel()
    with pytest.raises(CancelledError):
        await waiters[given_up]
    followed.take("k", 5, "new")
    shelf.reads[1].callback({"k": (1, "old")})
    assert await waiters[1 - given_up] == "new"
    assert await followed.get("k") == "new"
    assert len(shelf.reads) == 2


async def test_a_read_that_fails_leaves_nothing_behind() -> None:
    shelf = Shelf()
    followed = Followed(shelf.load, "none")
    first = Deferred.fromCoroutine(followed.get("k"))
    followed.take("k", 5, "new")
    shelf.reads[0].errback(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await first
    second = Deferred.fromCoroutine(followed.get("k"))
    shelf.reads[1].callback({"k": (5, "stored")})
    assert await second == "stored"


async def test_what_was_not_used_for_longest_is_forgotten() -> None:
    shelf = Shelf()
    followed = Followed(shelf.load, "none", limit=2)
    for number, key in enumerate("aba"):
        asked = Deferred.fromCoroutine(followed.get(key))
        if number < 2:
            shelf.reads[number].callback({key: (0, key)})
        assert await asked == key
    third = Deferred.fromCoroutine(followed.get("c"))
    shelf.reads[2].callback({"c": (0, "c")})
    await third
    assert await followed.get("a") == "a"
    again = Deferred.fromCoroutine(followed.get("b"))
    assert len(shelf.reads) == 4
    shelf.reads[3].callback({})
    assert await again == "none"
