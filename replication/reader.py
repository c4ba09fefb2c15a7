"""A process's view of the logs: how far each shard is known, what came last, and what was missed.

Publish after commit, advance after processing: a frame's facts go to the subscribers first, then the position moves,
then those who wait hear of it. A frame that does not follow on is a gap and is refilled from the database: position
first, then the facts up to it.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from replication import sql
from replication.bus import Bus, Frame
from replication.numbers import pack
from replication.ports import Meters, Transaction, Transactions, Unmetered
from replication.positions import Vector
from replication.recent import RecentFacts
from replication.streams import Fact, Family, Storage, Stream

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Fact)
Subscriber = Callable[[Sequence[Any]], None]
Advanced = Callable[[Frame], None]


class Reader:
    """Follows all shards of the given families."""

    def __init__(
        self, database: Transactions, bus: Bus, families: Sequence[Family], meters: Meters | None = None
    ) -> None:
        self._database = database
        self._meters = meters if meters is not None else Unmetered()
        self.positions = {family.name: Vector.zero(family.shards) for family in families}
        self.ephemeral = 0
        self.incarnation = 0
        self._streams: dict[str, Stream[Any]] = {}
        self._storages: dict[str, list[Storage[Any]]] = {family.name: [] for family in families}
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._recent: dict[str, RecentFacts[Any]] = {}
        self._arrived: list[Advanced] = []
        self._advanced: list[Advanced] = []
        self._refilling: dict[tuple[str, int], list[Frame]] = {}
        self._is_starting = False
        self._has_started = False
        self._early: list[Frame] = []
        self._polled: Mapping[str, Sequence[int]] = {}
        self.gaps = 0
        self.on_put_back: Callable[[], object] = lambda: None
        bus.listen(self._hear)

    def register(self, storage: Storage[Any], *, recent: RecentFacts[Any] | None = None) -> None:
        """Say how a durable stream is read back, and keep its recent facts."""
        stream = storage.stream
        self._streams[stream.name] = stream
        self._storages[stream.family.name].append(storage)
        self._recent[stream.name] = recent if recent is not None else RecentFacts.of(storage)
        self._recent[stream.name].start(self.positions[stream.family.name])

    def register_ephemeral(self, stream: Stream[Any]) -> None:
        """Say that a stream without rows exists."""
        self._streams[stream.name] = stream

    def recent(self, stream: Stream[F]) -> RecentFacts[F]:
        """The recent facts of a durable stream."""
        return self._recent[stream.name]

    def streams(self) -> Sequence[Stream[Any]]:
        """All streams that were registered."""
        return list(self._streams.values())

    def stream(self, name: str) -> Stream[Any]:
        """The stream of that name."""
        return self._streams[name]

    def subscribe(self, stream: Stream[F], subscriber: Callable[[Sequence[F]], None]) -> None:
        """Hear a stream's facts, batch by batch, before the position moves past them. Must not raise or wait."""
        self._subscribers.setdefault(stream.name, []).append(subscriber)

    def on_facts(self, listener: Advanced) -> None:
        """Hear of every frame of a log before the position moves past it. Must not wait."""
        self._arrived.append(listener)

    def on_advance(self, listener: Advanced) -> None:
        """Hear of every frame after the position has moved."""
        self._advanced.append(listener)

    async def start(self, fresh_incarnation: int) -> None:
        """Begin at the committed positions. What is published from now on is heard, once."""
        self._is_starting = True
        self.incarnation = await self._database.write(
            lambda transaction: sql.incarnation(transaction, fresh_incarnation)
        )
        committed = await self._database.read(sql.all_positions)
        for family in self.positions:
            self.positions[family] = Vector(committed[family])
        for recent in self._recent.values():
            recent.start(self.positions[recent.stream.family.name])
        self._has_started = True
        early, self._early = self._early, []
        for frame in early:
            self._hear(frame)

    async def read_back(
        self, family: str, shard: int, bounds: tuple[int, int], names: Collection[str]
    ) -> list[tuple[str, Fact]]:
        """Facts of some durable streams in one log, with counters above the first bound up to the second, in order."""
        storages = [storage for storage in self._storages[family] if storage.stream.name in names]
        after, upto = (pack(shard, counter) for counter in bounds)

        def read(transaction: Transaction) -> list[tuple[str, Fact]]:
            found: list[tuple[str, Fact]] = []
            for storage in storages:
                found.extend((storage.stream.name, fact) for fact in storage.load(transaction, after, upto))
            return sorted(found, key=_number)

        return await self._database.read(read) if storages else []

    async def poll(self) -> Mapping[str, Sequence[int]]:
        """How far the logs go, as the database says; what is in them may still be on its way here (`refill_to`).

        A database that is behind what was heard of has been put back: it gets a new incarnation, and whoever remembers
        anything must not believe it (`on_put_back`).
        """
        ends = await self._database.read(sql.all_positions)
        known = {name: vector for name, vector in ends.items() if name in self.positions}
        if any(_is_behind(vector, self._polled.get(name)) for name, vector in known.items()):
            self.on_put_back()
        self._polled = known
        return known

    def refill_to(self, ends: Mapping[str, Sequence[int]]) -> None:
        """Fetch from the database what is missing up to these positions."""
        for name, vector in ends.items():
            for shard, (end, known) in enumerate(zip(vector, self.positions.get(name, ()), strict=False)):
                if end > known and (name, shard) not in self._refilling:
                    self._refill(Frame(name, shard, 0, end + 1, end, ()))

    def _hear(self, frame: Frame) -> None:
        if frame.first == 0:
            self._take_ephemeral(frame)
            return
        if frame.family not in self.positions:
            return
        if not self._has_started:
            if self._is_starting:
                self._early.append(frame)
            return
        waiting = self._refilling.get((frame.family, frame.shard))
        if waiting is not None:
            waiting.append(frame)
            return
        known = self.positions[frame.family][frame.shard]
        if frame.last <= known:
            return
        if frame.first != known + 1:
            self._refill(frame)
            return
        self._take(frame)

    def _take_ephemeral(self, frame: Frame) -> None:
        self.ephemeral += 1
        self._distribute(frame.facts)
        _tell(self._advanced, frame)

    def _take(self, frame: Frame) -> None:
        self._distribute(frame.facts)
        _tell(self._arrived, frame)
        self.positions[frame.family] = self.positions[frame.family].moved(frame.shard, frame.last)
        _tell(self._advanced, frame)

    def _distribute(self, facts: Sequence[tuple[str, Fact]]) -> None:
        by_stream: dict[str, list[Fact]] = {}
        for name, fact in facts:
            by_stream.setdefault(name, []).append(fact)
        for name, batch in by_stream.items():
            if (recent := self._recent.get(name)) is not None:
                recent.take(batch)
            for subscriber in self._subscribers.get(name, ()):
                try:
                    subscriber(batch)
                except Exception:
                    logger.exception("a subscriber of %s failed", name)

    def _refill(self, frame: Frame) -> None:
        """Fetch what was missed up to the committed position; frames that come meanwhile wait."""
        self.gaps += 1
        self._meters.missed(frame.family)
        began_s = self._meters.seconds()
        key = (frame.family, frame.shard)
        self._refilling[key] = [frame]
        known = self.positions[frame.family][frame.shard]

        def failed(failure: Any) -> None:
            self._meters.refilled(frame.family, self._meters.seconds() - began_s, has_failed=True)
            logger.error("could not refill %s shard %d: %s", *key, failure.getErrorMessage())
            del self._refilling[key]

        def fetched(found: Frame) -> None:
            self._meters.refilled(frame.family, self._meters.seconds() - began_s, has_failed=False)
            first, *later = self._refilling.pop(key)
            self._take(found)
            if first.last > found.last:
                logger.error("%s shard %d: %d was published but the database ends at %d", *key, first.last, found.last)
            for waiting in later:
                self._hear(waiting)

        fetch = Deferred.fromCoroutine(self._fetch(frame.family, frame.shard, known))
        _ = fetch.addCallbacks(fetched, failed)

    async def _fetch(self, family: str, shard: int, known: int) -> Frame:
        def read(transaction: Transaction) -> Frame:
            upto = sql.positions(transaction, family)[shard]
            facts: list[tuple[str, Fact]] = []
            for storage in self._storages[family]:
                loaded = storage.load(transaction, pack(shard, known), pack(shard, upto))
                facts.extend((storage.stream.name, fact) for fact in loaded)
            facts.sort(key=_number)
            return Frame(family, shard, 0, known + 1, upto, facts)

        return await self._database.read(read)


def _tell(listeners: Sequence[Advanced], frame: Frame) -> None:
    for listener in listeners:
        try:
            listener(frame)
        except Exception:
            logger.exception("a listener of %s shard %d failed", frame.family, frame.shard)


def _is_behind(now: Sequence[int], before: Sequence[int] | None) -> bool:
    """Whether a log has become shorter since the last poll."""
    return before is not None and any(after < earlier for after, earlier in zip(now, before, strict=True))


def _number(item: tuple[str, Fact]) -> int:
    return item[1].number
