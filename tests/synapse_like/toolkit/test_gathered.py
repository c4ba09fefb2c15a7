"""What is asked for while a load is under way is loaded together, and nobody gets what is older than the question."""

from collections.abc import Sequence

import pytest
from twisted.internet.defer import CancelledError, Deferred

from synapse_like.toolkit.gathered import Gathered


class Store:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.loads: list[tuple[list[str], Deferred[dict[str, int]]]] = []
        self.gathered: Gathered[str, int] = Gathered(self._load, most=3)

    def ask(self, key: str) -> "Deferred[int | None]":
        """A question on its way."""
        return Deferred.fromCoroutine(self.gathered.get(key))

    def answer(self, **values: int) -> None:
        """End the load that is under way."""
        self.loads[-1][1].callback(values)

    async def _load(self, keys: Sequence[str]) -> dict[str, int]:
        self.loads.append((list(keys), Deferred()))
        return await self.loads[-1][1]


def _now(deferred: "Deferred[int | None]") -> int | None:
    assert deferred.called
    found: list[int | None] = []
    deferred.addCallback(found.append)
    return found[0]


def test_what_comes_meanwhile_is_loaded_together() -> None:
    store = Store()
    first = store.ask("a")
    others = [store.ask(key) for key in "abcbd"]
    assert [keys for keys, _ in store.loads] == [["a"]]
    store.answer(a=1)
    assert _now(first) == 1
    assert not any(each.called for each in others), "they asked later than that load began"
    assert store.loads[1][0] == ["a", "b", "c"], "no more than fit"
    store.answer(a=2, b=3)
    assert [_now(each) for each in others[:4]] == [2, 3, None, 3]
    assert store.loads[2][0] == ["d"]
    store.answer(d=4)
    assert _now(others[4]) == 4
    again = store.ask("a")
    store.answer(a=5)
    assert _now(again) == 5


async def test_an_error_reaches_all_who_wait_for_that_load_alone() -> None:
    store = Store()
    asked = [store.ask(key) for key in "abc"]
    store.answer(a=1)
    store.loads[-1][1].errback(ZeroDivisionError())
    assert _now(asked[0]) == 1
    for each in asked[1:]:
        with pytest.raises(ZeroDivisionError):
            await each
    last = store.ask("d")
    store.answer(d=4)
    assert _now(last) == 4


async def test_a_request_that_is_cancelled_does_not_disturb_the_others() -> None:
    store = Store()
    asked = [store.ask("a"), store.ask("b"), store.ask("b")]
    asked[1].cancel()
    store.answer(a=1)
    store.answer(b=2)
    with pytest.raises(CancelledError):
        await asked[1]
    assert (_now(asked[0]), _now(asked[2])) == (1, 2)
