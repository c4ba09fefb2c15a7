"""Group commit on both databases: order, batches, what fails with what, and what is told to whom."""

from collections.abc import Sequence

import pytest
from twisted.python.failure import Failure

from replication.batch import Append
from replication.bus import Frame
from replication.committer import BATCH_FACTS, Dropped
from replication.numbers import counter_of, pack, pack_backward, shard_of
from replication.ports import Transaction
from replication.streams import Stream
from synapse_like.toolkit.db import DatabaseError, IntegrityViolated
from tests.replication.notes import FAMILY, NOTES, Note, Site


async def _failures(waiters: Sequence[object]) -> list[type | None]:
    found: list[type | None] = []
    for waiter in waiters:
        try:
            await waiter  # type: ignore[misc]
        except Exception as error:
            found.append(type(error))
        else:
            found.append(None)
    return found


async def test_numbers_follow_on_within_a_shard(site: Site) -> None:
    waiters = [site.append(1, "p", str(index)) for index in range(20)]
    for waiter in waiters:
        await waiter
    await site.delivered()
    facts = site.reader.recent(NOTES).since("p", pack(1, 0))
    assert facts is not None
    assert [counter_of(fact.number) for fact in facts] == list(range(1, 21))
    assert [fact.text for fact in facts] == [str(index) for index in range(20)]
    assert site.reader.positions["page"] == (0, 20, 0, 0)


async def test_what_queues_up_goes_in_one_transaction(site: Site) -> None:
    waiters = [site.append(index % 4, f"p{index}", str(index)) for index in range(40)]
    for waiter in waiters:
        await waiter
    assert (site.committer.batches, site.committer.appends) == (2, 40)
    by_shard = {shard: [n for n, _ in await site.stored() if shard_of(n) == shard] for shard in range(4)}
    assert by_shard == {shard: [pack(shard, counter) for counter in range(1, 11)] for shard in range(4)}


async def test_a_batch_has_a_limit_and_a_large_append_is_not_cut(site: Site) -> None:
    first = site.append(0, "first", "first")
    large = site.append(0, "large", *(f"large {index}" for index in range(BATCH_FACTS + 10)))
    rest = [site.append(0, "p", str(index)) for index in range(BATCH_FACTS + 1)]
    assert site.committer.waiting() == BATCH_FACTS + 2
    await first
    await large
    for waiter in rest:
        await waiter
    assert site.committer.batches == 4
    assert len(await site.stored()) == 2 * BATCH_FACTS + 12


async def test_appends_without_facts_are_limited_too(site: Site) -> None:
    ran: list[int] = []
    waiters = [site.append(0, "p", extra=lambda _, index=index: ran.append(index)) for index in range(BATCH_FACTS + 2)]
    for waiter in waiters:
        await waiter
    assert ran == list(range(BATCH_FACTS + 2))
    assert site.committer.batches == 3


async def test_a_batch_fails_apart(site: Site) -> None:
    await site.append(0, "first", "same")
    blocking = site.append(3, "blocking", "blocking")
    waiters = [site.append(0, "bad", "same"), *(site.append(shard, f"p{shard}", f"{shard}") for shard in range(4))]
    await blocking
    assert await _failures(waiters) == [IntegrityViolated, None, None, None, None]
    numbers = [number for number, _ in await site.stored()]
    assert numbers == [pack(0, 1), pack(0, 2), pack(1, 1), pack(2, 1), pack(3, 1), pack(3, 2)]


async def test_only_the_guilty_fails_and_the_others_keep_their_order(site: Site) -> None:
    await site.append(2, "p", "taken")
    blocking = site.append(2, "p", "blocking")
    plan = [("a", "a1"), ("bad", "b1"), ("c", "c1"), ("a", "a2"), ("bad", "taken"), ("c", "c2"), ("a", "a3")]
    waiters = [site.append(2, page, text) for page, text in plan]
    await blocking
    failed = await _failures(waiters)
    assert [text for (_, text), error in zip(plan, failed, strict=True) if error] == ["taken"]
    texts = [text for _, text in await site.stored()][2:]
    assert [text for text in texts if text[0] == "a"] == ["a1", "a2", "a3"]
    assert [text for text in texts if text[0] == "c"] == ["c1", "c2"]
    assert [text for text in texts if text[:2] == "b1"] == ["b1"]
    assert [counter_of(number) for number, _ in await site.stored()] == list(range(1, 9))
    await site.delivered()
    assert site.reader.positions["page"] == (0, 0, 8, 0)


async def test_an_extra_belongs_to_its_append(site: Site) -> None:
    def refuse(_: Transaction) -> None:
        raise ValueError("no")

    def count(transaction: Transaction) -> None:
        transaction.run("INSERT INTO notes (number, page, text) VALUES (:number, '', 'extra')", number=-(2**60))

    blocking = site.append(1, "p", "blocking")
    waiters = [site.append(0, "bad", "one", extra=refuse), site.append(0, "good", "two", extra=count)]
    await blocking
    assert await _failures(waiters) == [ValueError, None]
    assert sorted(text for _, text in await site.stored()) == ["blocking", "extra", "two"]


async def test_an_extra_that_swallows_a_failure_is_not_stored(site: Site) -> None:
    """The databases differ in what they do then; the house says: nothing of it is kept."""
    await site.append(0, "p", "same")

    def swallow(transaction: Transaction) -> None:
        with pytest.raises(IntegrityViolated):
            transaction.run("INSERT INTO notes (number, page, text) VALUES (1, '', 'same')")

    with pytest.raises(DatabaseError):
        await site.append(0, "p", "with it", extra=swallow)
    assert [text for _, text in await site.stored()] == ["same"]


async def test_backward_numbers_reach_no_reader(site: Site) -> None:
    frames: list[Frame] = []
    site.bus.listen(frames.append)
    old = [(NOTES, Note(page="p", text=f"old {index}")) for index in range(3)]
    await site.log.submit(Append("page", 2, "p", [(NOTES, Note(page="p", text="new"))], backward=old))
    await site.log.submit(Append("page", 2, "p", [], backward=[(NOTES, Note(page="p", text="older"))]))
    await site.delivered()
    assert [note.number for _, note in old] == [pack_backward(2, counter) for counter in (1, 2, 3)]
    assert (await site.counters(2))[1:] == (1, 4)
    assert [(frame.first, frame.last, len(frame.facts)) for frame in frames] == [(1, 1, 1), (2, 1, 0)]
    assert site.reader.positions["page"] == (0, 0, 1, 0)
    assert site.reader.gaps == 0


async def test_what_was_built_on_something_dropped_is_not_stored(site: Site) -> None:
    heads = ["kept"]
    first = site.append(0, "p", "a")
    second = site.append(0, "p", "b", is_current=lambda: bool(heads))
    heads.clear()
    await first
    with pytest.raises(Dropped):
        await second
    assert await site.stored() == [(pack(0, 1), "a")]


async def test_what_stands_is_asked_again_for_each_part_of_a_split_batch(site: Site) -> None:
    await site.append(0, "p", "same")
    heads = ["kept"]
    blocking = site.append(1, "p", "blocking")
    bad = site.append(0, "bad", "same")

    def drop(failure: Failure) -> Failure:
        heads.clear()
        return failure

    bad.addErrback(drop)
    built_on = site.append(0, "other", "built on it", is_current=lambda: bool(heads))
    await blocking
    assert await _failures([bad, built_on]) == [IntegrityViolated, Dropped]


async def test_code_of_others_that_raises_stops_nothing(site: Site) -> None:
    def fail() -> bool:
        raise RuntimeError("broken")

    def broken_callback() -> None:
        fail()

    noted = Append("page", 0, "p", [(NOTES, Note(page="p", text="a"))], on_committed=broken_callback)
    asked = site.log.submit(noted)
    unknown = site.append(0, "p", "b", is_current=fail)
    assert await _failures([asked, unknown]) == [None, RuntimeError]
    await site.append(0, "p", "c")
    assert [text for _, text in await site.stored()] == ["a", "c"]


async def test_a_stream_that_nobody_registered_fails_alone(site: Site) -> None:
    stranger: Stream[Note] = Stream("strangers", FAMILY, Note, key="page")
    blocking = site.append(0, "p", "a")
    waiters = [site.log.append(1, "x", [(stranger, Note(page="x", text="x"))]), site.append(1, "p", "b")]
    await blocking
    assert await _failures(waiters) == [KeyError, None]


async def test_nobody_is_told_before_the_commit(site: Site) -> None:
    told: list[str] = []
    site.bus.listen(lambda frame: told.append("readers"))
    append = Append("page", 0, "p", [(NOTES, Note(page="p", text="a"))], on_committed=lambda: told.append("owner"))
    append.extra = lambda _: told.append("in the transaction")
    await site.log.submit(append)
    told.append("caller")
    await site.delivered()
    assert told == ["in the transaction", "owner", "caller", "readers"]


async def test_idle_is_when_all_is_through(site: Site) -> None:
    assert site.committer.idle().called
    await site.append(0, "p", "same")
    waiters = [site.append(0, "p", "same"), site.append(1, "q", "fine")]
    idle = site.committer.idle()
    assert not idle.called
    await idle
    assert all(waiter.called for waiter in waiters)
    assert await _failures(waiters) == [IntegrityViolated, None]
    assert site.committer.idle().called


async def test_an_append_from_a_callback_is_stored(site: Site) -> None:
    followed = site.append(0, "p", "a").addCallback(lambda _: site.append(0, "p", "b"))
    await followed
    assert [text for _, text in await site.stored()] == ["a", "b"]
