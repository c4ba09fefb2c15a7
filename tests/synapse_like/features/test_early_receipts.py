"""Receipts that have come before their events."""

from synapse_like.features.receipts.early import Early


def test_the_newest_of_a_user_and_thread_waits() -> None:
    early: Early[int] = Early()
    early.keep(("!r", "@b", ""), "$1", "one", 1)
    early.keep(("!r", "@b", ""), "$2", "one", 2)
    early.keep(("!r", "@b", "main"), "$2", "one", 3)
    assert early.take("$1") == []
    assert early.take("$2") == [("!r", "one", 2), ("!r", "one", 3)]
    assert (early.take("$2"), len(early)) == ([], 0)


def test_few_wait() -> None:
    early: Early[int] = Early(limit=3)
    for number in range(10):
        early.keep(("!r", f"@{number}", ""), "$1", "one", number)
    assert [receipt for _, _, receipt in early.take("$1")] == [7, 8, 9]
    assert not early._of_event
