"""The reader: positions, gaps, refills; whatever the bus does, each fact is heard once and in order."""

import logging
import random
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from replication.bus import Frame, Listener, MemoryBus
from replication.numbers import pack
from replication.positions import Vector
from replication.reader import Reader
from replication.streams import Fact, Stream
from synapse_like.toolkit.db import Database
from tests.kit.clock import FakeClock
from tests.replication.notes import FAMILY, NOTES, STORAGE, Note, Site


class SlowReads:
    """A database whose reads wait until the test lets them go, or fail."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.waiting: list[Deferred[None]] = []
        self.is_slow = False

    async def read(self, function: Callable[[Any], Any]) -> Any:
        found = await self._database.read(function)
        if self.is_slow:
            self.waiting.append(Deferred())
            await self.waiting[-1]
        return found

    def write(self, function: Callable[[Any], Any]) -> Any:
        return self._database.write(function)

    def commit(self, *_: Any) -> None:
        raise AssertionError("a reader commits nothing")


class PromptBus:
    """Hands frames over at once, to whoever listens here only."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def publish(self, frame: Frame) -> None:
        for listener in self._listeners:
            listener(frame)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)


class Listening:
    """A second process's reader, hearing only the frames that the test hands on."""

    def __init__(self, site: Site) -> None:
        self.reads = SlowReads(site.database)
        self.bus = PromptBus()
        self.reader = Reader(self.reads, self.bus, [FAMILY])
        self.reader.register(STORAGE)
        self.heard: list[str] = []
        self.reader.subscribe(NOTES, self._hear)
        self.frames: list[Frame] = []
        site.bus.listen(self.frames.append)
        self.site = site

    def _hear(self, notes: Any) -> None:
        for note in notes:
            assert not self.reader.positions["page"].covers(note.number), "the position moved before the facts"
            self.heard.append(note.text)

    async def write(self, shard: int, *texts: str) -> Frame:
        """One commit, and its frame, which this reader has not heard."""
        await self.site.append(shard, "p", *texts)
        await self.site.delivered()
        return self.frames[-1]

    def hear(self, *frames: Frame) -> None:
        """Hand frames over at once."""
        for frame in frames:
            self.bus.publish(frame)

    async def reaches(self, *counters: int) -> None:
        await self.site.until(lambda: self.reader.positions["page"] == counters)


@pytest.fixture
async def other(site: Site) -> Listening:
    listening = Listening(site)
    await listening.reader.start(99)
    return listening


async def test_frames_that_follow_on_need_no_database(other: Listening) -> None:
    first, second = await other.write(1, "a", "b"), await other.write(1, "c")
    other.reads.is_slow = True
    other.hear(first, second)
    assert other.heard == ["a", "b", "c"]
    assert other.reader.positions["page"] == (0, 3, 0, 0)
    assert other.reader.gaps == 0


async def test_a_lost_frame_is_refilled(other: Listening) -> None:
    await other.write(3, "a")
    await other.write(3, "b")
    other.hear(await other.write(3, "c"))
    await other.reaches(0, 0, 0, 3)
    assert other.heard == ["a", "b", "c"]
    assert other.reader.gaps == 1


async def test_a_frame_that_comes_twice_or_late_is_heard_once(other: Listening) -> None:
    first, second = await other.write(0, "a"), await other.write(0, "b")
    other.hear(first, first, second, first, second)
    assert other.heard == ["a", "b"]


async def test_frames_in_the_wrong_order_are_put_right(other: Listening) -> None:
    first, second = await other.write(0, "a"), await other.write(0, "b")
    other.hear(second, first)
    await other.reaches(2, 0, 0, 0)
    assert other.heard == ["a", "b"]


async def test_frames_that_come_during_a_refill_wait_for_it(other: Listening) -> None:
    await other.write(0, "a")
    second = await other.write(0, "b")
    other.reads.is_slow = True
    other.hear(second)
    third, elsewhere = await other.write(0, "c"), await other.write(1, "x")
    await other.site.until(lambda: bool(other.reads.waiting))
    other.hear(third, elsewhere)
    assert other.heard == ["x"]
    other.reads.waiting[0].callback(None)
    await other.reaches(3, 1, 0, 0)
    assert other.heard == ["x", "a", "b", "c"]
    assert other.reader.gaps == 1


async def test_a_gap_behind_a_gap_is_refilled_too(other: Listening) -> None:
    await other.write(0, "a")
    second = await other.write(0, "b")
    other.reads.is_slow = True
    other.hear(second)
    await other.site.until(lambda: bool(other.reads.waiting))
    await other.write(0, "c")
    fourth = await other.write(0, "d")
    other.hear(fourth)
    other.reads.is_slow = False
    other.reads.waiting[0].callback(None)
    await other.reaches(4, 0, 0, 0)
    assert other.heard == ["a", "b", "c", "d"]
    assert other.reader.gaps == 2


async def test_a_refill_that_fails_is_repeated_at_the_next_frame(other: Listening) -> None:
    await other.write(0, "a")
    second = await other.write(0, "b")
    other.reads.is_slow = True
    other.hear(second)
    await other.site.until(lambda: bool(other.reads.waiting))
    other.reads.is_slow = False
    other.reads.waiting[0].errback(OSError("the database went away"))
    assert (other.heard, other.reader.positions["page"]) == ([], (0, 0, 0, 0))
    other.hear(Frame("page", 0, 1, 3, 2, ()))
    await other.reaches(2, 0, 0, 0)
    assert other.heard == ["a", "b"]


async def test_a_frame_beyond_the_database_is_not_asked_for_for_ever(
    other: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that was put back to an old copy must not make its readers spin."""
    await other.write(0, "a")
    with caplog.at_level(logging.ERROR):
        other.hear(Frame("page", 0, 1, 900, 900, (("notes", Note(page="p", text="?", number=pack(0, 900))),)))
        await other.reaches(1, 0, 0, 0)
        await other.site.delivered()
    assert other.heard == ["a"]
    assert other.reader.gaps == 1
    assert "the database ends at 1" in caplog.text


async def test_an_empty_frame_only_tells_the_position(other: Listening) -> None:
    other.hear(Frame("page", 0, 1, 1, 0, ()))
    assert other.reader.gaps == 0
    await other.write(0, "a")
    other.hear(Frame("page", 0, 1, 2, 1, ()))
    await other.reaches(1, 0, 0, 0)
    assert other.heard == ["a"]


async def test_a_subscriber_or_listener_that_raises_holds_nobody_back(site: Site) -> None:
    listening = Listening(site)
    reader, heard, advanced = listening.reader, list[str](), list[int]()

    def fail(_: object) -> None:
        raise RuntimeError("broken")

    for subscriber in (fail, lambda notes: heard.extend(note.text for note in notes)):
        reader.subscribe(NOTES, subscriber)
    for listener in (fail, lambda frame: advanced.append(frame.last)):
        reader.on_advance(listener)
    await reader.start(99)
    listening.hear(await listening.write(0, "a"), await listening.write(0, "b"))
    assert heard == ["a", "b"]
    assert advanced == [1, 2]
    assert reader.positions["page"] == (2, 0, 0, 0)


async def test_listeners_hear_when_the_position_has_moved(other: Listening) -> None:
    seen: list[Vector] = []
    other.reader.on_advance(lambda frame: seen.append(other.reader.positions["page"]))
    other.hear(await other.write(2, "a"))
    assert seen == [(0, 0, 1, 0)]


async def test_a_reader_starts_at_what_is_committed(site: Site) -> None:
    await site.append(1, "p", "before")
    late = Listening(site)
    await late.reader.start(99)
    assert late.reader.positions["page"] == (0, 1, 0, 0)
    assert late.reader.incarnation == site.reader.incarnation == 17
    recent = late.reader.recent(NOTES)
    assert recent.since("p", pack(1, 0)) is None
    assert recent.since("p", pack(1, 1)) == ()


async def test_what_is_published_while_a_reader_starts_is_not_missed(site: Site) -> None:
    late = Listening(site)
    unborn = await late.write(1, "before it starts")
    late.hear(unborn)
    late.reads.is_slow = True
    starting = Deferred.fromCoroutine(late.reader.start(99))
    await site.until(lambda: bool(late.reads.waiting))
    frame = await late.write(1, "while it starts")
    late.hear(unborn, frame)
    late.reads.is_slow = False
    late.reads.waiting[0].callback(None)
    await starting
    assert late.heard == ["while it starts"]
    assert late.reader.positions["page"] == (0, 2, 0, 0)
    assert late.reader.gaps == 0


async def test_a_stream_that_is_registered_late_knows_nothing_of_before(other: Listening) -> None:
    other.hear(await other.write(0, "a"))
    other.reader.register(STORAGE)
    assert other.reader.recent(NOTES).since("p", pack(0, 0)) is None
    assert other.reader.recent(NOTES).since("p", pack(0, 1)) == ()


async def test_ephemeral_facts_are_heard_and_move_nothing(site: Site) -> None:
    typing: Stream[Fact] = Stream("typing", FAMILY, Note, key="page", is_ephemeral=True)
    heard: list[str] = []
    site.reader.register_ephemeral(typing)
    site.reader.subscribe(typing, lambda notes: heard.extend(note.text for note in notes))  # type: ignore[attr-defined]
    site.log.tell(2, [(typing, Note(page="p", text="alice"))])
    await site.delivered()
    assert heard == ["alice"]
    assert site.reader.ephemeral == 1
    assert site.reader.positions["page"] == (0, 0, 0, 0)
    assert site.reader.stream("typing") is typing


@pytest.mark.parametrize("seed", range(5))
async def test_any_loss_duplication_and_disorder_ends_in_the_same(site: Site, other: Listening, seed: int) -> None:
    dice = random.Random(seed)
    expected: dict[int, list[str]] = {shard: [] for shard in range(4)}
    frames = []
    for index in range(40):
        shard = dice.randrange(4)
        texts = [f"{shard}:{index}:{part}" for part in range(dice.randint(1, 3))]
        expected[shard] += texts
        frames.append(await other.write(shard, *texts))
    mangled = [frame for frame in frames for _ in range(dice.choice((0, 1, 1, 2)))]
    mangled = sorted(mangled, key=lambda frame: frames.index(frame) + dice.uniform(0, 6))
    for frame in mangled:
        other.hear(frame)
        if dice.random() < 0.3:
            await site.delivered()
    site.committer.announce()
    await site.delivered()
    other.hear(*other.frames[-4:])
    await other.reaches(*(len(expected[shard]) for shard in range(4)))
    assert {shard: [text for text in other.heard if text[0] == f"{shard}"] for shard in range(4)} == expected


def test_the_memory_bus_keeps_order_and_delivers_later() -> None:
    clock = FakeClock()
    bus = MemoryBus(clock)
    heard: list[int] = []

    def fail(_: Frame) -> None:
        raise RuntimeError("broken")

    def answer(frame: Frame) -> None:
        heard.append(frame.last)
        if frame.last == 1:
            bus.publish(Frame("page", 0, 1, 3, 3, ()))

    bus.listen(fail)
    bus.listen(answer)
    bus.publish(Frame("page", 0, 1, 1, 1, ()))
    bus.publish(Frame("page", 0, 1, 2, 2, ()))
    assert heard == []
    clock.advance(0)
    assert heard == [1, 2, 3]
    bus.publish(Frame("page", 0, 1, 4, 4, ()))
    clock.advance(0)
    assert heard == [1, 2, 3, 4]
