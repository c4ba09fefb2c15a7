"""What runs at once is waited for as a whole, whatever becomes of its parts."""

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from synapse_like.toolkit.together import together


async def _ten_times(number: "Deferred[int]") -> int:
    return 10 * await number


async def test_results_come_in_order() -> None:
    parts: list[Deferred[int]] = [Deferred() for _ in range(3)]
    work: list[Coroutine[Any, Any, int] | Deferred[int]] = [_ten_times(parts[0]), parts[1], _ten_times(parts[2])]
    whole = Deferred.fromCoroutine(together(work))
    for number in (2, 0, 1):
        parts[number].callback(number)
    assert await whole == [0, 1, 20]
    assert await together([]) == []


async def test_the_first_error_is_raised_when_all_have_ended() -> None:
    parts: list[Deferred[int]] = [Deferred() for _ in range(3)]
    whole = Deferred.fromCoroutine(together(_ten_times(part) for part in parts))
    parts[2].errback(KeyError())
    parts[0].errback(ZeroDivisionError())
    assert not whole.called
    parts[1].callback(1)
    with pytest.raises(ZeroDivisionError):
        await whole


async def test_who_is_cancelled_cancels_all() -> None:
    parts: list[Deferred[int]] = [Deferred() for _ in range(3)]
    whole = Deferred.fromCoroutine(together(_ten_times(part) for part in parts))
    parts[1].callback(1)
    whole.cancel()
    with pytest.raises(CancelledError):
        await whole
    assert all(part.called for part in parts)
