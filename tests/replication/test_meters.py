"""What the log tells whoever counts: batches, waits, failures, lost shards, frames."""

from typing import Any

import pytest

from replication import ports
from replication.bus import MemoryBus
from replication.committer import Committer
from replication.metered_bus import MeteredBus
from replication.ports import Unmetered
from replication.shards import NotOwned
from synapse_like.toolkit.db import Database
from tests.replication.notes import STORAGE, Site


class Told(Unmetered):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.time = 100.0

    def seconds(self) -> float:
        self.time += 1
        return self.time

    def stored(self, waits_s: Any, facts: int, seconds: float) -> None:
        self.said.append(("stored", len(waits_s), facts))
        assert seconds > 0
        assert all(wait_s >= seconds for wait_s in waits_s)

    def not_stored(self, outcome: str) -> None:
        self.said.append((outcome,))

    def lost(self, family: str) -> None:
        self.said.append(("lost", family))

    def published(self, family: str, kind: str, streams: Any) -> None:
        self.said.append(("published", kind, *streams))

    def heard(self, family: str, kind: str, facts: int) -> None:
        self.said.append(("heard", kind, facts))


async def _site(database: Database) -> tuple[Site, Told]:
    site, told = Site(database), Told()
    await site.start()
    site.committer = Committer(site.commits, site.bus, [site.holdings], told)
    site.committer.register(STORAGE)
    site.log._committer = site.committer
    return site, told


async def test_a_batch_tells_how_many_it_stored(database: Database) -> None:
    site, told = await _site(database)
    first = site.append(0, "a", "1")
    second, third = site.append(0, "b", "2", "3"), site.append(1, "c", "4")
    assert site.committer.waiting() == 2
    assert site.committer.oldest_s() > 0
    for append in (first, second, third):
        await append
    assert told.said == [("stored", 1, 1), ("stored", 2, 3)]
    assert site.committer.oldest_s() == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("away", [("unavailable",)]),
        ("lost", [("unknown",), ("refused",)]),
        ("kept", [("unknown",), ("stored", 1, 1)]),
    ],
)
async def test_failures_have_names(database: Database, fault: str, said: list[tuple[Any, ...]]) -> None:
    site, told = await _site(database)
    site.commits.faults.append(fault)
    append = site.append(0, "a", "1")
    if fault == "kept":
        await append
    else:
        with pytest.raises((ports.Unavailable, ports.OutcomeUnknown)):
            await append
    assert told.said == said


async def test_a_lost_shard_is_told(database: Database) -> None:
    site, told = await _site(database)
    site.holdings.held[0].epoch -= 1
    with pytest.raises(NotOwned):
        await site.append(0, "a", "1")
    assert told.said == [("refused",), ("lost", "page")]


async def test_frames_in_and_out(database: Database) -> None:
    site = Site(database)
    told = Told()
    bus = MeteredBus(MemoryBus(site.clock), told)
    site.committer = Committer(site.commits, bus, [site.holdings])
    site.committer.register(STORAGE)
    site.log._committer = site.committer
    site.log._bus = bus
    await site.start()
    await site.append(0, "a", "1", "2")
    site.log.tell(0, [])
    site.committer.announce()
    assert told.said[:2] == [("published", "facts", "notes", "notes"), ("published", "ephemeral")]
    assert told.said[2:] == [("published", "position")] * 4
    told.said.clear()
    await site.delivered()
    assert told.said == [("heard", "facts", 2), ("heard", "ephemeral", 0), *[("heard", "position", 0)] * 4]
