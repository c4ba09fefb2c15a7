"""Servers that do not answer: how long they are left alone, when they are tried again, what others hear of it."""

from itertools import pairwise
from typing import Any

import pytest

from synapse_like.federation.edus import EduSource
from synapse_like.federation.errors import RemoteError
from synapse_like.federation.outbound.backoffs import BackoffFact, Backoffs
from synapse_like.federation.outbound.config import FederationSettings
from synapse_like.federation.outbound.delivery import Delivery
from synapse_like.federation.outbound.pdus import Pdu
from synapse_like.federation.outbound.queue import KEPT_NEWS, News, Queue
from synapse_like.matrix.errors import ConnectionFailed, MatrixError
from synapse_like.rooms.facts import EVENTS
from synapse_like.toolkit.config import Duration
from synapse_like.toolkit.randomness import RepeatableRandomness
from tests.kit.clock import FakeClock

MINUTE_MS = 60_000


class World:
    """Back-off and delivery on a clock that stands still; what is written and told is kept."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.told: list[BackoffFact] = []
        self.tries: list[tuple[int, str]] = []
        self.error: MatrixError | None = None
        settings = FederationSettings(
            destination_min_retry_interval=Duration(10 * MINUTE_MS),
            destination_max_retry_interval=Duration(100 * MINUTE_MS),
        )
        database: Any = self
        log: Any = self
        client: Any = self
        self.backoffs = Backoffs(database, log, self.clock, RepeatableRandomness(1), settings)
        self.delivery = Delivery(client, self.backoffs, database, self.clock, "us", 60_000, "T")

    async def write(self, function: Any) -> None:
        """The database takes everything."""

    def tell(self, destination: str, facts: Any) -> None:
        """The log."""
        self.told += [fact for _, fact in facts]

    async def put(self, destination: str, path: str, body: bytes, *, timeout_s: float) -> Any:
        """The client."""
        self.tries.append((self.clock.now_ms(), path.rsplit("/", 1)[1]))
        if self.error is not None:
            raise self.error
        return {}

    def minutes(self, count: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(count * 6)):
            self.clock.advance(10)


@pytest.fixture
def world() -> World:
    return World()


def queue_with(*numbers: int) -> Queue:
    queue = Queue("there", 3)
    queue.pdus.extend(Pdu(number, "!r", f"${number}", b"{}") for number in numbers)
    return queue


def test_the_pauses_grow_with_jitter_between_the_bounds(world: World) -> None:
    pauses = []
    for _ in range(8):
        world.backoffs.failed("there", ConnectionFailed())
        backoff = world.backoffs.of("there")
        assert backoff is not None
        pauses.append(backoff.retry_interval_ms)
        world.clock.advance(backoff.retry_interval_ms / 1000 + 1)
    assert all(10 * MINUTE_MS <= pause <= 100 * MINUTE_MS for pause in pauses)
    assert pauses[0] <= 12 * MINUTE_MS and pauses[-1] == 100 * MINUTE_MS
    assert sorted(pauses) == pauses and len(set(pauses)) > 3
    assert {fact.failing_since_ms for fact in world.told} == {world.told[0].failing_since_ms}


async def test_failures_at_the_same_time_count_once(world: World) -> None:
    world.backoffs.failed("there", ConnectionFailed())
    first = world.backoffs.of("there")
    world.clock.advance(1)
    world.backoffs.failed("there", ConnectionFailed())
    assert world.backoffs.of("there") == first and len(world.told) == 1
    assert not await world.backoffs.may_try("there") and await world.backoffs.may_try("elsewhere")


def test_other_processes_believe_what_they_hear(world: World) -> None:
    other = World()
    heard: list[str] = []
    other.backoffs.on_change.append(heard.append)
    world.backoffs.failed("there", ConnectionFailed())
    other.backoffs.take(world.told)
    assert other.backoffs.of("there") == world.backoffs.of("there")
    world.backoffs.heard_from("there")
    other.backoffs.take(world.told[-1:])
    assert other.backoffs.of("there") is None and heard == ["there", "there"]
    other.backoffs.heard_from("there")
    assert not other.told, "who is not left alone needs no word"


def test_a_server_that_cannot_hear_us_is_not_tried_at_each_word_of_it(world: World) -> None:
    for _ in range(50):
        world.backoffs.failed("there", ConnectionFailed())
        world.backoffs.heard_from("there")
        world.clock.advance(10)
    times = [fact.retry_last_ms for fact in world.told if fact.failing_since_ms is not None]
    assert 5 <= len(times) <= 12


def test_a_failing_transaction_is_tried_when_its_time_comes_under_the_same_id(world: World) -> None:
    world.error = ConnectionFailed()
    queue = queue_with(1)
    world.delivery.kick(queue)
    for _ in range(5):
        world.delivery.kick(queue)
    assert len(world.tries) == 1
    world.minutes(9)
    assert len(world.tries) == 1
    world.minutes(4)
    assert len(world.tries) == 2
    world.error = None
    world.minutes(30)
    assert len(world.tries) == 3 and len({transaction_id for _, transaction_id in world.tries}) == 1
    assert queue.is_idle


def test_a_refusing_server_is_left_alone_longer_each_time_and_then_loses_the_transaction(world: World) -> None:
    world.error = RemoteError("there", 413, {"errcode": "M_TOO_LARGE"})
    queue = queue_with(1)
    world.delivery.kick(queue)
    world.minutes(100)
    at_ms = [at for at, _ in world.tries]
    assert len(at_ms) == 4
    pauses = [later - earlier for earlier, later in pairwise(at_ms)]
    assert sorted(pauses) == pauses and pauses[0] >= 10 * MINUTE_MS
    assert queue.is_idle


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_does_not_want_us_may_change_its_mind(world: World, status: int) -> None:
    world.error = RemoteError("there", status, {})
    queue = queue_with(1)
    world.delivery.kick(queue)
    world.minutes(1000)
    assert len(world.tries) > 5 and queue.flying is not None
    world.error = None
    world.minutes(200)
    assert queue.is_idle


async def _none(facts: Any) -> list[Any]:
    return []


def test_memory_for_one_destination_is_bounded() -> None:
    queue = queue_with(*range(501))
    assert queue.is_overfull
    source = EduSource("m.x", EVENTS, _none)
    for number in range(3 * KEPT_NEWS):
        queue.add_news(number, News(source, {}, 0))
    assert len(queue.news) == KEPT_NEWS


def test_what_must_arrive_is_not_pushed_out_of_memory() -> None:
    queue = Queue("there", 3)
    kept = EduSource("m.y", EVENTS, _none, missed=lambda *_: [])
    queue.add_news("must", News(kept, {}, 5))
    source = EduSource("m.x", EVENTS, _none)
    for number in range(2 * KEPT_NEWS):
        queue.add_news(number, News(source, {}, 0))
    assert "must" in queue.news and list(queue.places()) == [("room", 5)]
