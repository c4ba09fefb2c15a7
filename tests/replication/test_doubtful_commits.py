"""When COMMIT is not answered, or the database is away: nothing is lost, stored twice, or taken for stored."""

import pytest

from replication import sql
from replication.batch import Append
from replication.bus import Frame
from replication.committer import Dropped
from replication.numbers import pack, pack_backward
from replication.ports import OutcomeUnknown, Unavailable
from replication.shards import NotOwned
from synapse_like.toolkit.db import Database
from tests.replication.notes import FAMILY, NOTES, Note, Site


async def _move(site: Site, shard: int, *, epochs: int, forward: int) -> None:
    """Somebody else changes a log behind our back."""
    await site.database.write(
        lambda txn: txn.run(
            "UPDATE shards SET epoch = epoch + :epochs, forward = forward + :forward"
            " WHERE family = 'page' AND shard = :shard",
            epochs=epochs,
            forward=forward,
            shard=shard,
        )
    )


async def test_a_doubtful_commit_that_happened_is_answered_as_such(site: Site) -> None:
    site.commits.faults.extend(["kept"])
    await site.append(1, "p", "a", "b")
    await site.append(1, "p", "c")
    await site.delivered()
    assert await site.stored() == [(pack(1, 1), "a"), (pack(1, 2), "b"), (pack(1, 3), "c")]
    assert site.reader.positions["page"] == (0, 3, 0, 0)
    assert site.commits.commits == 3


async def test_a_doubtful_commit_of_several_shards_is_one_answer(site: Site) -> None:
    blocking = site.append(3, "p", "blocking")
    site.commits.faults.extend(["kept"])
    for waiter in [site.append(shard, "p", f"{shard}") for shard in range(3)]:
        await waiter
    await blocking
    assert len(await site.stored()) == 4
    assert site.commits.commits == 3


async def test_a_doubtful_commit_that_did_not_happen_is_tried_again_in_parts(site: Site) -> None:
    blocking = site.append(3, "p", "blocking")
    site.commits.faults.extend(["lost"])
    for waiter in [site.append(shard, "p", f"{shard}") for shard in range(3)]:
        await waiter
    await blocking
    assert [text for _, text in await site.stored()] == ["0", "1", "2", "blocking"]


async def test_the_last_part_of_a_doubtful_batch_fails(site: Site) -> None:
    site.commits.faults.extend(["lost"])
    with pytest.raises(OutcomeUnknown):
        await site.append(0, "p", "a")
    assert await site.stored() == []
    await site.append(0, "p", "b")
    assert await site.stored() == [(pack(0, 1), "b")]


async def test_a_taker_who_stored_as_many_facts_is_not_mistaken_for_us(site: Site) -> None:
    """The log's counter stands exactly where our commit would have put it, but under another epoch."""
    lost: list[object] = []
    site.committer.on_fence_broken = lost.append
    site.commits.faults.extend(["lost"])
    waiter = site.append(1, "p", "a")
    await _move(site, 1, epochs=1, forward=1)
    with pytest.raises(OutcomeUnknown):
        await waiter
    with pytest.raises(NotOwned):
        await site.append(1, "p", "b")
    assert lost == [("page", 1)]
    assert await site.stored() == []


async def test_backward_facts_alone_leave_a_trace_too(site: Site) -> None:
    ran: list[int] = []
    old = [(NOTES, Note(page="p", text="old"))]
    site.commits.faults.extend(["kept"])
    await site.log.submit(Append("page", 0, "p", [], backward=old, extra=lambda _: ran.append(1)))
    assert ran == [1]
    assert (await site.counters(0))[1:] == (0, 1)
    assert await site.stored() == [(pack_backward(0, 1), "old")]


async def test_without_facts_nobody_can_tell_so_it_is_not_done_twice(site: Site) -> None:
    ran: list[int] = []
    site.commits.faults.extend(["kept"])
    with pytest.raises(OutcomeUnknown):
        await site.append(0, "p", extra=lambda _: ran.append(1))
    assert ran == [1]


@pytest.mark.parametrize("happened", [True, False])
async def test_an_outage_after_a_doubtful_commit_is_settled_before_the_next(site: Site, happened: bool) -> None:
    """The waiter has failed; what it stored all the same is found, memory is dropped, readers learn of it."""
    worthless: list[object] = []
    site.committer.on_fence_broken = worthless.append
    site.commits.faults.extend(["kept" if happened else "lost", "away"])
    with pytest.raises(OutcomeUnknown):
        await site.append(2, "p", "doubtful")
    built_on_old_memory = site.append(2, "p", "late", is_current=lambda: not worthless)
    independent = site.append(2, "p", "independent")
    await independent
    if happened:
        with pytest.raises(Dropped):
            await built_on_old_memory
        assert [text for _, text in await site.stored()] == ["doubtful", "independent"]
        assert worthless == [("page", 2)]
    else:
        await built_on_old_memory
        assert [text for _, text in await site.stored()] == ["late", "independent"]
        assert worthless == []
    await site.until(lambda: site.reader.positions["page"] == (0, 0, 2, 0))


async def test_a_shard_lost_during_an_outage_is_found_lost(site: Site) -> None:
    lost: list[object] = []
    site.committer.on_fence_broken = lost.append
    site.commits.faults.extend(["lost", "away"])
    with pytest.raises(OutcomeUnknown):
        await site.append(2, "p", "doubtful")
    await _move(site, 2, epochs=1, forward=0)
    with pytest.raises(NotOwned):
        await site.append(2, "p", "late")
    assert lost == [("page", 2)]
    await site.append(1, "p", "elsewhere")


async def test_while_the_database_is_away_all_fail_at_once_and_without_splitting(site: Site) -> None:
    blocking = site.append(0, "p", "blocking")
    site.commits.faults.extend(["away"])
    waiters = [site.append(index % 4, f"p{index}", f"{index}") for index in range(50)]
    await blocking
    for waiter in waiters:
        with pytest.raises(Unavailable):
            await waiter
    assert site.commits.commits == 2
    await site.append(0, "p", "again")
    assert [text for _, text in await site.stored()] == ["blocking", "again"]


async def test_an_outage_while_settling_is_survived(site: Site) -> None:
    site.commits.faults.extend(["kept", "away", "away", "away"])
    with pytest.raises(OutcomeUnknown):
        await site.append(2, "p", "doubtful")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await site.append(1, "p", "meanwhile")
    await site.append(2, "p", "after")
    assert await site.stored() == [(pack(2, 1), "doubtful"), (pack(2, 2), "after")]


async def test_an_old_owner_can_store_nothing(site: Site) -> None:
    lost: list[object] = []
    site.committer.on_fence_broken = lost.append
    await site.append(2, "p", "mine")
    new = await Site(site.database, "other").start(is_first=False)
    waiters = [site.append(2, f"p{index}", f"late {index}") for index in range(3)]
    for waiter in waiters:
        with pytest.raises(NotOwned):
            await waiter
    with pytest.raises(NotOwned):
        site.append(2, "p", "later")
    await new.append(2, "p", "theirs")
    assert [text for _, text in await site.stored()] == ["mine", "theirs"]
    assert lost == [("page", 2)]


async def test_one_lost_shard_does_not_hold_back_the_others(site: Site) -> None:
    await _move(site, 1, epochs=1, forward=0)
    blocking = site.append(0, "p", "blocking")
    waiters = [site.append(shard, "p", f"{shard}") for shard in range(4)]
    await blocking
    with pytest.raises(NotOwned):
        await waiters[1]
    for shard in (0, 2, 3):
        await waiters[shard]
    assert len(await site.stored()) == 4


async def test_many_keys_of_a_lost_shard_fail(site: Site) -> None:
    """Far more parts than Python lets functions call each other."""
    await _move(site, 1, epochs=1, forward=0)
    blocking = site.append(0, "p", "blocking")
    waiters = [site.append(1, f"p{index}", f"{index}") for index in range(1200)]
    await blocking
    for waiter in waiters:
        with pytest.raises(NotOwned):
            await waiter
    assert len(await site.stored()) == 1


async def test_leases_are_taken_when_lapsed_or_forced_and_epochs_rise(database: Database) -> None:
    first = await Site(database, "first").start()
    second = Site(database, "second")

    async def take(site: Site, *, is_forced: bool) -> dict[int, int]:
        held = await database.write(
            lambda txn: site.holdings.take(txn, range(FAMILY.shards), site.name, is_forced=is_forced)
        )
        return {shard: one.epoch for shard, one in held.items()}

    assert await take(second, is_forced=False) == {}
    assert await take(first, is_forced=False) == dict.fromkeys(range(4), 2)
    await database.write(lambda txn: txn.run("UPDATE shards SET lease_until_ms = 1 WHERE shard < 2"))
    assert await take(second, is_forced=False) == {0: 3, 1: 3}
    await database.write(lambda txn: sql.release_shards(txn, "page", "first", range(4)))
    assert await take(second, is_forced=False) == {0: 4, 1: 4, 2: 3, 3: 3}
    assert await database.write(lambda txn: sql.renew_leases(txn, "page", "second", 1000)) == 4


async def test_a_commit_renews_the_lease(site: Site) -> None:
    await site.database.write(lambda txn: txn.run("UPDATE shards SET lease_until_ms = 1"))
    await site.append(3, "p", "a")
    rows = await site.database.read(lambda txn: txn.all("SELECT shard FROM shards WHERE lease_until_ms > 1"))
    assert rows == [(3,)]


async def test_owners_announce_their_positions(site: Site) -> None:
    await site.append(2, "p", "a", "b")
    other = Site(site.database, "reader")
    await other.reader.start(17)
    await site.append(2, "p", "c")
    await site.delivered()
    frames: list[Frame] = []
    site.bus.listen(frames.append)
    site.committer.announce()
    await site.delivered()
    assert [(frame.shard, frame.first, frame.last) for frame in frames] == [(0, 1, 0), (1, 1, 0), (2, 4, 3), (3, 1, 0)]
    for frame in frames:
        other.bus.publish(frame)
    await site.until(lambda: other.reader.positions["page"] == (0, 0, 3, 0))
    assert site.reader.gaps == 0
    assert other.reader.gaps == 1
