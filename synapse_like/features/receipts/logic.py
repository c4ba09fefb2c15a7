"""How far users have read. A receipt never goes back: one for an earlier place than the last changes nothing."""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from replication.owned import owned
from replication.streams import Family
from synapse_like.features.account_data import UserData
from synapse_like.features.receipts import sql
from synapse_like.features.receipts.early import Early
from synapse_like.features.receipts.stream import RECEIPTS, ReceiptFact
from synapse_like.matrix.errors import Forbidden, InvalidParam, NotFound
from synapse_like.matrix.server_acl import SERVER_ACL, lets_in
from synapse_like.rooms.facts import EVENTS, EventFact, Kind
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Rooms, StoredEvent
from synapse_like.rooms.live import LiveRoom
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.locks import KeyedLocks

logger = logging.getLogger(__name__)

READ, READ_PRIVATE, FULLY_READ = "m.read", "m.read.private", "m.fully_read"
TYPES = (READ, READ_PRIVATE, FULLY_READ)
UNTHREADED = ""

_KNOWN = 100_000


class Heard(msgspec.Struct, frozen=True):
    """A public receipt that another server tells of. `thread` is empty, "main" or the id of a root."""

    user_id: str
    event_id: str
    thread: str
    at_ms: int


Place = tuple[int, int]
Key = tuple[int, str]
Places = dict[tuple[str, str], Place]


class ReadMarks(Protocol):
    """Counts unread messages anew from a receipt on."""

    def mark_read(self, transaction: Transaction, event: StoredEvent, user_id: str, thread: str | None) -> None:
        """In the receipt's transaction: what stands up to `event` is read (`thread` None: in all threads)."""
        ...


class Receipts:
    """Marks events as read. `read_marks` is told in the same transaction."""

    def __init__(self, database: Database, rooms: Rooms, data: UserData, clock: Clock) -> None:
        self.read_marks: ReadMarks | None = None
        self._database = database
        self._rooms = rooms
        self._data = data
        self._clock = clock
        self._locks = KeyedLocks()
        self._places: OrderedDict[Key, Places] = OrderedDict()
        self._early: Early[Heard] = Early()
        rooms.reader.subscribe(EVENTS, self._take_events)

    @owned(ROOM, "room_id")
    async def mark_read(self, user_id: str, room_id: str, event_id: str, kind: str, thread: str = UNTHREADED) -> None:
        """Note that a user has read a room up to an event.

        `thread` is empty, "main", or the id of a thread's root. Raises Forbidden for one who has not joined, NotFound
        for an event that the room does not have, InvalidParam for a thread that the event is not in.
        """
        room = await self._joined_room(user_id, room_id)
        event = await self._event(room_id, event_id)
        if kind == FULLY_READ:
            await self._mark_fully_read(user_id, event)
            return
        _check_thread(event, thread)
        async with self._locks.hold((room_id, user_id)):
            places = await self._places_of(room.identity.room_nid, user_id)
            if event.place > places.get((kind, thread), (-1, 0)):
                await self._append(room, user_id, event, kind, thread)
                places[kind, thread] = event.place

    @owned(ROOM, "room_id")
    async def hear(self, room_id: str, origin: str, heard: list[Heard]) -> None:
        """Note what users of another server have read, in one commit; what makes no sense is passed over.

        What is said of an event that is not here yet waits for it. Raises Forbidden for a room that is unknown here,
        or does not let that server in.
        """
        room = await self._known_room(room_id)
        if not lets_in(room.state_event(*SERVER_ACL), origin):
            raise Forbidden("The room does not let that server in")
        await self._rooms.live.add_members(room, [each.user_id for each in heard])
        joined = [each for each in heard if room.membership_of(each.user_id) == "join"]
        events = await self._rooms.events.get({each.event_id for each in joined})
        nid = room.identity.room_nid
        for each in joined:
            event = self._rooms.events.peek(each.event_id) or events.get(each.event_id)  # it may have come just now
            if event is None or event.number is None:
                self._early.keep((room_id, each.user_id, each.thread), each.event_id, origin, each)
            else:
                events[each.event_id] = event
        async with self._locks.hold((room_id, origin)):
            await self._remember(nid, {each.user_id for each in joined})
            facts: list[tuple[Any, ReceiptFact]] = []
            for each in joined:
                event = events.get(each.event_id)
                if event is None or event.room_nid != nid or event.number is None or event.kind is not Kind.LIVE:
                    continue
                places = await self._places_of(nid, each.user_id)
                if event.place > places.get((READ, each.thread), (-1, 0)):
                    places[READ, each.thread] = event.place
                    facts.append((RECEIPTS, _fact(room, each.user_id, event, READ, each.thread, each.at_ms)))
            if facts:
                await self._store(room, facts, {each.user_id for each in joined})

    def _take_events(self, facts: Sequence[EventFact]) -> None:
        """Note the receipts that have waited for these events."""
        if not len(self._early):
            return
        for fact in facts:
            for room_id, origin, heard in self._early.take(fact.event.event_id):
                if room_id == fact.room_id and fact.kind is Kind.LIVE:
                    Deferred.fromCoroutine(self.hear(room_id, origin, [heard])).addErrback(_log)

    async def _store(self, room: LiveRoom, facts: Sequence[tuple[Any, ReceiptFact]], user_ids: Iterable[str]) -> None:
        """Append; if that fails, what is remembered of these users may be wrong."""
        identity = room.identity
        try:
            await self._rooms.room_log.append(identity.shard, identity.room_id, facts)
        except BaseException:
            for user_id in user_ids:
                self._places.pop((identity.room_nid, user_id), None)
            raise

    async def _remember(self, room_nid: int, user_ids: Iterable[str]) -> None:
        """Bring the places of these users into memory, with one query."""
        missing = [user_id for user_id in user_ids if (room_nid, user_id) not in self._places]
        if not missing:
            return
        rows = await self._database.read(lambda txn: sql.of_users(txn, room_nid, missing))
        for user_id in missing:
            self._places[room_nid, user_id] = {(row[2], row[3]): (row[6], row[7]) for row in rows if row[1] == user_id}
        while len(self._places) > _KNOWN:
            self._places.popitem(last=False)

    async def took(self, _family: Family, _shards: Sequence[int]) -> None:
        """Rooms are ours from now on: nothing is remembered of them yet."""

    async def gave(self, _family: Family, _shards: Sequence[int]) -> None:
        """Others move these receipts on: forget where they stand."""
        self._places.clear()
        self._early.clear()

    async def _append(self, room: LiveRoom, user_id: str, event: StoredEvent, kind: str, thread: str) -> None:
        fact = _fact(room, user_id, event, kind, thread, self._clock.now_ms())
        marks = self.read_marks

        def mark(transaction: Any) -> None:
            if marks is not None:
                marks.mark_read(transaction, event, user_id, thread or None)

        await self._rooms.room_log.append(room.identity.shard, room.identity.room_id, [(RECEIPTS, fact)], extra=mark)

    async def _mark_fully_read(self, user_id: str, event: StoredEvent) -> None:
        room_id = event.event.room_id
        async with self._locks.hold((room_id, user_id)):
            old = await self._data.get(user_id, room_id, FULLY_READ)
            before = await self._rooms.events.get_one(_event_of(old)) if old else None
            if before is None or event.place > before.place:
                await self._data.put(user_id, room_id, FULLY_READ, {"event_id": event.event_id})

    async def _joined_room(self, user_id: str, room_id: str) -> LiveRoom:
        room = await self._known_room(room_id)
        if room.membership_of(user_id) != "join":
            raise Forbidden("You have not joined this room")
        return room

    async def _known_room(self, room_id: str) -> LiveRoom:
        try:
            return await self._rooms.live.get(room_id)
        except NotFound as error:
            raise Forbidden("You have not joined this room") from error

    async def _event(self, room_id: str, event_id: str) -> StoredEvent:
        event = await self._rooms.events.get_one(event_id)
        if event is None or event.event.room_id != room_id or event.number is None:
            raise NotFound("There is no such event in this room")
        return event

    async def _places_of(self, room_nid: int, user_id: str) -> Places:
        """Where the user's receipts in a room stand, by type and thread."""
        places = self._places.get((room_nid, user_id))
        if places is None:
            rows = await self._database.read(lambda txn: sql.of_user(txn, room_nid, user_id))
            places = {(row[2], row[3]): (row[6], row[7]) for row in rows}
            self._places[room_nid, user_id] = places
            if len(self._places) > _KNOWN:
                self._places.popitem(last=False)
        self._places.move_to_end((room_nid, user_id))
        return places


def _log(failure: Failure) -> None:
    logger.info("a receipt that has waited is lost: %s", failure.getErrorMessage())


def _fact(room: LiveRoom, user_id: str, event: StoredEvent, kind: str, thread: str, at_ms: int) -> ReceiptFact:
    return ReceiptFact(
        room_id=room.identity.room_id,
        room_nid=room.identity.room_nid,
        user_id=user_id,
        type=kind,
        thread=thread,
        event_id=event.event_id,
        depth=event.place[0],
        event_number=event.place[1],
        at_ms=at_ms,
    )


def _event_of(content: Mapping[str, Any]) -> str:
    event_id = content.get("event_id")
    return event_id if isinstance(event_id, str) else ""


def _check_thread(event: StoredEvent, thread: str) -> None:
    """Source: client-server API, "Threaded read receipts"."""
    if thread in (UNTHREADED, "main"):
        return
    relation = event.event.content.get("m.relates_to")
    root = relation.get("event_id") if isinstance(relation, dict) and relation.get("rel_type") == "m.thread" else None
    if thread not in (root, event.event_id, event.thread):
        raise InvalidParam("The event is not in that thread")
