"""What polls are told of the rooms that their users are in, and what stays of a poll that nobody comes back for."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred

from replication.bus import Frame, Listener
from replication.numbers import pack
from replication.reader import Reader
from replication.streams import Fact, Storage, Stream
from synapse_like.rooms.families import ROOM
from synapse_like.sync.notifier import KEPT_MS, Notifier, Watch
from tests.kit.clock import FakeClock

ANN = ("@ann:test", "PHONE")


class Talk(Fact, kw_only=True):
    """Somebody says something, to a room and to some users."""

    room_id: str
    users: tuple[str, ...] = ()


TALK = Stream("talk", ROOM, Talk, key="room_id", wakes=("room_id", "users"))


class Bus:
    """Hands frames over at once."""

    def listen(self, listener: Listener) -> None:
        self.publish = listener


class Empty:
    """A database in which nothing is."""

    async def read(self, function: Any) -> Any:
        return {ROOM.name: (0,) * ROOM.shards}

    async def write(self, function: Any) -> int:
        return 1


class Scene:
    """A reader that hears what the test says, and who listens to it."""

    def __init__(self, woken_first: Callable[[Frame], None] | None = None) -> None:
        self.bus = Bus()
        self.clock = FakeClock()
        self.reader = Reader(cast(Any, Empty()), cast(Any, self.bus), [ROOM])
        self.reader.register(Storage(TALK, lambda *_: None, lambda *_: []))
        if woken_first is not None:
            self.reader.on_advance(woken_first)
        self.notifier = Notifier(self.reader, self.clock)

    def say(self, room_id: str, *users: str, shard: int = 0) -> None:
        last = self.reader.positions[ROOM.name][shard] + 1
        fact = Talk(number=pack(shard, last), room_id=room_id, users=users)
        self.bus.publish(Frame(ROOM.name, shard, 0, last, last, [(TALK.name, fact)]))

    @property
    def here(self) -> Any:
        return self.reader.positions[ROOM.name]

    def follow(self, rooms: Sequence[str]) -> Watch:
        return self.notifier.follow(ANN, ANN[0], rooms)

    def leave(self, watch: Watch) -> None:
        self.notifier.leave(ANN, watch)


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.reader.start(1)
    return scene


async def test_between_two_polls_is_remembered_where_something_happened(scene: Scene) -> None:
    rooms = tuple(f"!{number}" for number in range(100))
    watch, first = scene.follow(rooms), scene.here
    assert watch.touched(first) == []
    scene.say("!5")
    scene.say("!7", shard=3)
    scene.say("!elsewhere")
    assert watch.touched(first) == ["!5", "!7"]
    second = scene.here
    scene.leave(watch)
    scene.say("!7", shard=3)
    again = scene.follow(rooms)
    assert again is watch
    assert again.touched(second) == ["!7"]
    assert again.touched(scene.here) == []


async def test_what_happened_before_it_listened_is_not_known(scene: Scene) -> None:
    before = scene.here
    scene.say("!5")
    watch = scene.follow(("!5",))
    assert watch.touched(before) is None
    here = scene.here
    scene.say("!5")
    assert watch.touched(scene.here) == []
    assert watch.touched(here) is None, "that has been forgotten"


async def test_other_rooms_are_another_watch(scene: Scene) -> None:
    watch, first = scene.follow(("!5",)), scene.here
    scene.say("!6", ANN[0])
    assert watch.touched(first) == ["!6"], "a fact about the user counts wherever it is"
    scene.say("!6")
    other = scene.follow(("!5", "!6"))
    assert other.touched(first) is None
    here = scene.here
    scene.say("!6")
    assert other.touched(here) == ["!6"]
    assert watch.rings == 1
    scene.say("!5")
    assert watch.rings == 2, "a poll that still waits goes on listening"
    for each in (watch, other):
        scene.leave(each)
    scene.say("!5")
    assert watch.rings == 2


async def test_who_does_not_come_back_is_not_listened_for(scene: Scene) -> None:
    rooms = ("!5",)
    watch = scene.follow(rooms)
    scene.leave(watch)
    for step_ms, is_kept in ((KEPT_MS - 1, True), (KEPT_MS - 1, True), (KEPT_MS, False)):
        scene.clock.advance(step_ms / 1000)
        other = scene.notifier.follow("somebody", "@else:test", ())
        scene.notifier.leave("somebody", other)
        rings = watch.rings
        scene.say("!5")
        assert (watch.rings > rings) is is_kept
        if is_kept:
            assert scene.follow(rooms) is watch
            scene.leave(watch)
    assert scene.follow(rooms) is not watch


async def test_a_ring_before_the_wait_counts(scene: Scene) -> None:
    watch = scene.follow(("!5",))
    rings = watch.rings
    scene.say("!5")
    assert await watch.wait(scene.clock, 10, rings)
    assert not await watch.wait(scene.clock, 0, watch.rings)


async def test_all_who_wait_are_rung(scene: Scene) -> None:
    watch = scene.follow(("!5",))
    waits = [Deferred.fromCoroutine(watch.wait(scene.clock, 10)) for _ in range(3)]
    waits[1].addErrback(lambda _: None)
    waits[1].cancel()
    scene.say("!5")
    assert [await waits[0], await waits[2]] == [True, True]
    late = Deferred.fromCoroutine(watch.wait(scene.clock, 10, watch.rings))
    scene.clock.advance(11)
    assert await late is False


async def test_whoever_is_woken_first_knows_already_where_something_happened() -> None:
    """Nobody may be answered up to a position before what lies before it has been noted."""
    found: list[Any] = []

    def woken(_: Frame) -> None:
        found.append(watch.touched(first))

    scene = Scene(woken)
    await scene.reader.start(1)
    watch, first = scene.follow(("!5",)), scene.here
    scene.say("!5")
    assert found == [["!5"]]
