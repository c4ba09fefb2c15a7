"""A room remembers requests in little memory, and asks the database only for those that may have been made before."""

import tracemalloc

from synapse_like.rooms.transactions import HORIZON_MS, KEPT, RecentTransactions, TransactionKey

NOW_MS = 1_700_000_000_000


def _key(number: int) -> TransactionKey:
    return "@alice:test", "PHONE", f"m{number}"


def _filled(count: int) -> RecentTransactions:
    recent = RecentTransactions()
    for number in range(count):
        recent.note(_key(number), f"${number}", NOW_MS + number)
    return recent


def test_the_newest_are_known_and_older_ones_are_asked_for():
    recent = _filled(KEPT + 100)
    assert len(recent) == KEPT
    assert recent.get(_key(KEPT + 99)) == f"${KEPT + 99}"
    assert [recent.get(_key(number)) for number in range(100)] == [None] * 100
    assert all(recent.may_be_stored(_key(number), NOW_MS + 1000) for number in range(100))


def test_nearly_all_new_ones_are_known_to_be_new_in_bounded_memory():
    tracemalloc.start()
    try:
        recent = _filled(20_000)
        assert tracemalloc.get_traced_memory()[0] < 200_000
    finally:
        tracemalloc.stop()
    asked = sum(recent.may_be_stored(_key(number), NOW_MS) for number in range(100_000, 110_000))
    assert asked < 300


def test_a_room_that_is_not_full_asks_for_nothing():
    assert not _filled(KEPT).may_be_stored(_key(-1), NOW_MS)


def test_one_that_has_gone_is_asked_for_as_long_as_the_horizon_at_the_least():
    recent = _filled(KEPT + 1)
    later_ms = NOW_MS + HORIZON_MS
    for number in range(KEPT + 1, 2 * KEPT + 2):
        recent.note(_key(number), f"${number}", later_ms + 1000)
    assert recent.may_be_stored(_key(0), later_ms)
    for number in range(2 * KEPT + 2, 3 * KEPT + 4):
        recent.note(_key(number), f"${number}", later_ms + HORIZON_MS + 2000)
    assert not recent.may_be_stored(_key(0), later_ms + HORIZON_MS + 2000), "two horizons later it is forgotten"


def test_a_room_of_which_not_all_was_read_asks_until_it_has_seen_a_horizon_of_it():
    recent = RecentTransactions.loaded([(_key(2), "$2"), (_key(1), "$1")], NOW_MS)
    assert recent.get(_key(1)) == "$1" and recent.get(_key(2)) == "$2"
    assert recent.may_be_stored(_key(0), NOW_MS + HORIZON_MS - 1)
    assert not recent.may_be_stored(_key(0), NOW_MS + HORIZON_MS)
