"""Follows the logs and puts what other servers are to hear of into their queues, in the order in which it happened."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, DeferredLock

from replication.bus import Frame
from replication.reader import Reader
from replication.streams import Fact
from synapse_like.federation.edus import EduSource, Piece
from synapse_like.federation.outbound.pdus import addressee, is_ours_to_send, pdu_of_fact
from synapse_like.federation.outbound.positions import Place, Positions
from synapse_like.federation.outbound.queue import News, Queue
from synapse_like.federation.outbound.queues import Queues
from synapse_like.federation.outbound.servers import RoomServers
from synapse_like.rooms.facts import EVENTS, EventFact
from synapse_like.rooms.families import ROOM, USER
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

T = TypeVar("T")

_KEPT_ITEMS: Final = 50_000
_ITEMS_PER_TURN: Final = 500
_LOAD_AHEAD: Final = 200
_PAGE: Final = 500
_PAUSE_S: Final = 1.0

Item = EventFact | tuple[EduSource, Sequence[Fact]] | Frame
Wanted = Callable[[Queue, Place], bool]
"""Whether a queue is to be told of a fact."""


class Follower:
    """Hears facts as they come and works them off in order. `position` is how far it has come.

    `kick` is told of queues that something was put into; `overfull` of those that hold too much.
    """

    def __init__(
        self,
        reader: Reader,
        servers: RoomServers,
        queues: Queues,
        clock: Clock,
        server_name: str,
        told_per_second: int,
    ) -> None:
        self.kick: Callable[[Queue], None] = _ignore
        self.turn = DeferredLock()
        """Held while facts are worked off: who holds it sees `position` stand still."""
        self.position = Positions.of(reader.positions)
        self._reader = reader
        self._servers = servers
        self._queues = queues
        self._clock = clock
        self._server_name = server_name
        self._told_per_second = told_per_second
        self._durable: dict[str, list[EduSource]] = {}
        self._inbox: deque[Item] = deque()
        self._has_missed = False
        self._is_working = False
        reader.subscribe(EVENTS, self._take_events)
        reader.on_advance(self._take_position)

    @property
    def is_idle(self) -> bool:
        """Whether all that was heard is worked off."""
        return not self._inbox and not self._is_working

    def add(self, sources: Sequence[EduSource]) -> None:
        """Follow more streams."""
        for source in sources:
            if source.missed is not None:
                self._durable.setdefault(source.stream.name, []).append(source)
            self._reader.subscribe(source.stream, self._taker(source))

    def start_here(self) -> None:
        """Take what readers know by now as the position; with the turn held."""
        self._inbox.clear()
        self._has_missed = False
        self.position = Positions.of(self._reader.positions)

    async def replay(self, start: Mapping[int, Positions]) -> None:
        """Put what happened up to `position` into the queues of these shards of destinations, each from its start.

        With the turn held; waits for the database as long as it takes.
        """
        earliest = self.position
        for position in start.values():
            earliest = earliest.common(position)

        def wanted(queue: Queue, place: Place) -> bool:
            position = start.get(queue.shard)
            return queue.is_attached and position is not None and not position.covers(place)

        for family, shard, bounds in _pages(earliest, self.position):
            await self._replay(family, shard, bounds, wanted)

    # -- intake --------------------------------------------------------------------------------------------------------

    def _take_events(self, facts: Sequence[EventFact]) -> None:
        if not self._queues.shards:
            return
        for fact in facts:
            if not fact.members and not self._inbox and not self._is_working and self._servers.is_alone(fact):
                continue
            if fact.members or is_ours_to_send(fact.event, fact.kind, fact.extras, self._server_name):
                self._inbox.append(fact)

    def _taker(self, source: EduSource) -> Callable[[Sequence[Any]], None]:
        concerns = source.concerns

        def take(facts: Sequence[Any]) -> None:
            if not self._queues.shards:
                return
            wanted = facts if concerns is None else [fact for fact in facts if concerns(fact)]
            if wanted:
                self._inbox.append((source, wanted))

        return take

    def _take_position(self, frame: Frame) -> None:
        if not self._queues.shards or (frame.first == 0 and not self._inbox):
            return
        if frame.first != 0:
            if not self._inbox and not self._is_working and not self.turn.locked:
                self._move(frame)
                return
            self._inbox.append(frame)
        if len(self._inbox) > _KEPT_ITEMS:
            self._inbox.clear()  # read again from the logs
            self._has_missed = True
        if not self._is_working:
            self._is_working = True
            Deferred.fromCoroutine(self._work()).addErrback(_log)

    # -- work ----------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        try:
            while self._inbox or self._has_missed:
                await self.turn.acquire()
                try:
                    await self._work_off()
                finally:
                    self.turn.release()
                await self._clock.sleep(0)
        finally:
            self._is_working = False

    async def _work_off(self) -> None:
        """Up to so many items."""
        if self._has_missed:
            await self._catch_up()
        for _ in range(min(len(self._inbox), _ITEMS_PER_TURN)):
            if not self._inbox:
                return
            item = self._inbox[0]
            if isinstance(item, Frame):
                self._move(item)
            elif isinstance(item, EventFact):
                await self._event(item, self._coming(), Queue.expects)
            else:
                await self._facts(*item, Queue.expects)
            if self._inbox and self._inbox[0] is item:
                self._inbox.popleft()

    def _move(self, frame: Frame) -> None:
        family = self.position.rooms if frame.family == ROOM.name else self.position.users
        if frame.family in (ROOM.name, USER.name) and frame.last > family[frame.shard]:
            self.position = self.position.moved(frame.family, frame.shard, frame.last)

    async def _event(self, fact: EventFact, ahead: Iterator[EventFact], wanted: Wanted) -> None:
        """Put an event into the queues of those who are in the room; look after `ahead` if that must be loaded."""
        if is_ours_to_send(fact.event, fact.kind, fact.extras, self._server_name):
            servers = self._servers.before(fact)
            if servers is None:
                await self._load(fact, ahead)
                servers = self._servers.before(fact) or ()
            target = addressee(fact)
            if target is not None and target not in servers and target != self._server_name:
                servers = (*servers, target)
            if servers:
                self._put(fact, servers, wanted)
        self._servers.take(fact)

    async def _load(self, fact: EventFact, ahead: Iterator[EventFact]) -> None:
        """Load who is in the room, and in the rooms of the events that follow."""
        first = {fact.room_id: fact}
        for other in ahead:
            if len(first) >= _LOAD_AHEAD:
                break
            if self._servers.before(other) is None:
                first.setdefault(other.room_id, other)
        await self._patiently(lambda: self._servers.load(list(first.values())))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the database answers."""
        while True:
            try:
                return await ask()
            except OUTAGES as error:
                logger.error("what other servers are to hear of waits for the database: %s", error)
                await self._clock.sleep(_PAUSE_S)

    def _coming(self) -> Iterator[EventFact]:
        for index, item in enumerate(self._inbox):
            if index > _KEPT_ITEMS:
                return
            if isinstance(item, EventFact) and server_of(item.event.sender) == self._server_name:
                yield item

    def _put(self, fact: EventFact, servers: Sequence[str], wanted: Wanted) -> None:
        pdu = pdu_of_fact(fact)
        sender = server_of(fact.event.sender)
        for server in servers:
            queue = self._queues.of(server)
            if queue is None or server == sender or not wanted(queue, (ROOM.name, fact.number)):
                continue
            queue.pdus.append(pdu)
            if queue.is_overfull:
                queue.give_up(self.position)
            self.kick(queue)

    async def _facts(self, source: EduSource, facts: Sequence[Fact], wanted: Wanted) -> None:
        """Put the news of a source into the queues. In an outage, those that need not arrive are lost."""

        async def ask() -> tuple[Sequence[Piece], Mapping[str, Sequence[str]]]:
            wanted = facts if source.rooms is None else await self._heard_elsewhere(source.rooms, facts)
            pieces = await source.pieces(wanted) if wanted else []
            return pieces, await self._servers.now(room_id for piece in pieces for room_id in piece.rooms)

        try:
            pieces, rooms = await (ask() if source.missed is None else self._patiently(ask))
        except OUTAGES:
            return
        except Exception:
            logger.exception("news for EDUs %s are lost", source.edu_type)
            return
        for piece in pieces:
            self._put_piece(source, piece, rooms, wanted)

    async def _heard_elsewhere(self, rooms: Callable[[Any], Sequence[str]], facts: Sequence[Fact]) -> list[Fact]:
        """Those of the facts that are about a room with other servers."""
        servers = await self._servers.now(room_id for fact in facts for room_id in rooms(fact))
        return [fact for fact in facts if any(servers.get(room_id) for room_id in rooms(fact))]

    def _put_piece(self, source: EduSource, piece: Piece, rooms: Mapping[str, Sequence[str]], wanted: Wanted) -> None:
        servers = dict.fromkeys(piece.servers)
        for room_id in piece.rooms:
            servers.update(dict.fromkeys(rooms.get(room_id, ())))
        servers.pop(self._server_name, None)
        delay_ms = len(servers) * 1000 // self._told_per_second if source.is_patient else 0
        due_ms = self._clock.now_ms() + delay_ms
        news = News(source, piece.content, piece.number)
        for server in servers:
            queue = self._queues.of(server)
            if queue is None or not wanted(queue, (source.stream.family.name, piece.number)):
                continue
            queue.add_news((source.edu_type, piece.key), news)
            queue.due_ms = due_ms if queue.due_ms is None else min(queue.due_ms, due_ms)
            self.kick(queue)

    # -- what was missed -----------------------------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        """Read from the logs what came while memory was full."""
        self._inbox.clear()
        for family, shard, bounds in _pages(self.position, Positions.of(self._reader.positions)):
            await self._replay(family, shard, bounds, Queue.expects)
            self.position = self.position.moved(family, shard, bounds[1])
        self._has_missed = bool(self._has_missed and len(self._inbox) > _KEPT_ITEMS)

    async def _replay(self, family: str, shard: int, bounds: tuple[int, int], wanted: Wanted) -> None:
        """Read a page of a log, and put what other servers are to hear of it into queues."""
        names = {EVENTS.name, *self._durable}
        facts = await self._patiently(lambda: self._reader.read_back(family, shard, bounds, names))
        for index, (name, fact) in enumerate(facts):
            if isinstance(fact, EventFact):
                following = (other for _, other in facts[index + 1 :] if isinstance(other, EventFact))
                ours = (other for other in following if server_of(other.event.sender) == self._server_name)
                await self._event(fact, ours, wanted)
            for source in self._durable.get(name, ()):
                await self._facts(source, [fact], wanted)


def _pages(start: Positions, end: Positions) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """(family, shard, (after, upto)) of pages of all logs from one position to another."""
    for family, first, last in ((ROOM.name, start.rooms, end.rooms), (USER.name, start.users, end.users)):
        for shard, (after, upto) in enumerate(zip(first, last, strict=True)):
            for begin in range(after, upto, _PAGE):
                yield family, shard, (begin, min(begin + _PAGE, upto))


def _ignore(queue: Queue) -> None:
    """Nobody listens."""


def _log(failure: Any) -> None:
    logger.error("following the logs for other servers broke off: %s", failure.getTraceback())
