"""Stored events by id, with what the server knows beside the PDU, and their client JSON, made once per process.

Facts of the log feed the cache; a redaction that takes effect puts its target out of it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from replication.numbers import shard_of
from synapse_like.matrix.canonical_json import parsed
from synapse_like.matrix.client_format import ClientJSON
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.rooms.facts import EventFact, Kind, StateRef
from synapse_like.rooms.sql import events as sql
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.transaction import Row
from synapse_like.toolkit.weighed import WeighedCache

MAX_DEPTH = 2**53 - 1
"""The greatest depth that is kept; old room versions allow more."""

CACHED_BYTES = 16 * 1024 * 1024
_KEPT_REDACTIONS = 5000
_NO_EXTRAS: Mapping[str, Any] = MappingProxyType({})
_WEIGHT_OF_ANY, _WEIGHT_PER_BYTE = 1500, 2.5


def weight_of(json_bytes: int) -> int:
    """About how many bytes of memory an event takes whose JSON is so long.

    There is the JSON, its content parsed, what clients get; the event itself and its place are the same for all.
    """
    return int(_WEIGHT_OF_ANY + _WEIGHT_PER_BYTE * json_bytes)


@dataclass(eq=False, slots=True)
class StoredEvent:
    """An event and its place. `event` is redacted if a redaction took effect; `redaction` is that one."""

    event: Event
    event_nid: int
    room_nid: int
    shard: int
    number: int | None
    kind: Kind
    received_ms: int
    before: StateRef
    thread: str | None
    notified: int
    highlighted: int
    extras: Mapping[str, Any]
    json_bytes: int
    redaction: "StoredEvent | None" = None
    transaction: tuple[str, str, str] | None = None
    _client: ClientJSON | None = None

    @property
    def event_id(self) -> str:
        """The event's id."""
        return self.event.event_id

    @property
    def place(self) -> tuple[int, int]:
        """(depth, number): where the event stands in its room."""
        return min(self.event.depth, MAX_DEPTH), self.number or 0

    @property
    def client(self) -> ClientJSON:
        """The client JSON with its splice points, made at the first question."""
        if self._client is None:
            self._client = ClientJSON(
                self.event,
                prev_content=self.extras.get("prev_content"),
                replaces_state=self.extras.get("replaces_state"),
            )
        return self._client

    def render(
        self,
        now_ms: int,
        *,
        has_room_id: bool = False,
        transaction_id: str | None = None,
        membership: str | None = None,
        relations: bytes | None = None,
    ) -> bytes:
        """The event as one reader gets it."""
        because = None if self.redaction is None else self.redaction.render(now_ms, has_room_id=True)
        return self.client.splice(
            now_ms,
            has_room_id=has_room_id,
            transaction_id=transaction_id,
            membership=membership,
            relations=relations,
            redacted_because=because,
        )


def from_fact(fact: EventFact) -> StoredEvent:
    """A stored event out of the log."""
    return StoredEvent(
        event=fact.event.put_aside(),
        event_nid=fact.event_nid,
        room_nid=fact.room_nid,
        shard=shard_of(fact.number),
        number=fact.number,
        kind=fact.kind,
        received_ms=fact.received_ms,
        before=fact.before,
        thread=fact.thread,
        notified=fact.notified,
        highlighted=fact.highlighted,
        extras=fact.extras or _NO_EXTRAS,
        json_bytes=len(fact.event.encoded),
        transaction=fact.transaction,
    )


def stored(row: Row) -> StoredEvent:
    """A stored event out of a row with the columns `sql.events.COLUMNS`."""
    (event_id, event_nid, room_nid, number, _, kind, received_ms, branch, version, thread, notified, highlighted) = row[
        :12
    ]
    text, extras, _, version_name, shard, redaction_nid = row[12:18]
    rules = room_version(version_name)
    if redaction_nid is None:
        event = Event.recalled(event_id, text, rules)
    else:
        event = Event.restored(event_id, parsed(text), rules).redacted()
    event.rejected = kind == Kind.REJECTED
    return StoredEvent(
        event=event,
        event_nid=event_nid,
        room_nid=room_nid,
        shard=shard,
        number=number,
        kind=Kind(kind),
        received_ms=received_ms,
        before=StateRef(branch, version),
        thread=thread,
        notified=notified,
        highlighted=highlighted,
        extras=orjson.loads(extras) if extras else _NO_EXTRAS,
        json_bytes=len(text),
    )


Peek = Callable[[str], StoredEvent | None]
"""Events that are in memory (`EventStore.peek`): their rows need not be parsed, and their JSON is there already."""


def no_memory(_: str) -> StoredEvent | None:
    """Nothing is in memory."""
    return None


def stored_all(transaction: Transaction, rows: Sequence[Row], peek: Peek = no_memory) -> list[StoredEvent]:
    """Stored events out of rows, with their redactions (one more query if there are any); those that are in memory from
    there.
    """
    kept = [_in_memory(peek, row[0], row[3], row[17]) for row in rows]
    redactions = {row[17] for row, event in zip(rows, kept, strict=True) if event is None and row[17] is not None}
    by_nid: dict[int, StoredEvent] = {}
    if redactions:
        by_nid = {row[1]: stored(row) for row in sql.by_nids(transaction, sorted(redactions))}
    found = []
    for row, event in zip(rows, kept, strict=True):
        if event is None:
            event = stored(row)
            event.redaction = by_nid.get(row[17])
        found.append(event)
    return found


def known_or_read(transaction: Transaction, rows: Sequence[Row], peek: Peek) -> list[StoredEvent]:
    """Events out of rows with the columns `sql.events.KNOWN`, in no order: from memory if they are not older there,
    and all others by one more query.
    """
    found, missing = [], []
    for event_id, number, redaction_nid in rows:
        kept = _in_memory(peek, event_id, number, redaction_nid)
        if kept is not None:
            found.append(kept)
        else:
            missing.append(event_id)
    return found + stored_all(transaction, sql.by_ids(transaction, missing)) if missing else found


def _in_memory(peek: Peek, event_id: str, number: int | None, redaction_nid: int | None) -> StoredEvent | None:
    """An event that is in memory, if it is not older there than in a snapshot that says this of it."""
    kept = peek(event_id)
    if kept is None or kept.number != number or (redaction_nid is not None and kept.redaction is None):
        return None
    return kept


class EventStore:
    """Events by id, from memory or the database. In memory are as many as together weigh no more than `limit_bytes`."""

    def __init__(self, database: Database, limit_bytes: int = CACHED_BYTES) -> None:
        self._database = database
        self.cache: WeighedCache[str, StoredEvent] = WeighedCache(limit_bytes, weight_of(0))
        self._redactions: OrderedDict[str, StoredEvent] = OrderedDict()

    def take(self, facts: Sequence[EventFact]) -> None:
        """Take in events of the log."""
        for fact in facts:
            kept = self.cache.peek(fact.event.event_id)
            if kept is not None and kept.number is None and fact.number:
                self.forget(fact.event.event_id)  # it has got its place
            stored = self.cache.peek(fact.event.event_id) or self.remember(self.of_fact(fact))
            if fact.redacts is not None:
                self.forget(fact.redacts)
                self._redactions[fact.redacts] = stored
                if len(self._redactions) > _KEPT_REDACTIONS:
                    self._redactions.popitem(last=False)

    def of_fact(self, fact: EventFact) -> StoredEvent:
        """The event of a fact as it is by now: redacted, if a redaction came after it."""
        kept = self.cache.peek(fact.event.event_id)
        if kept is not None and kept.number is not None:
            return kept
        event = from_fact(fact)
        redaction = self._redactions.get(event.event_id)
        if redaction is not None:
            event.event = event.event.redacted()
            event.redaction = redaction
        return event

    def remember(self, event: StoredEvent) -> StoredEvent:
        """Keep an event; if it is kept already, the one that is kept."""
        kept = self.cache.peek(event.event_id)
        if kept is not None:
            return kept
        redaction = self._redactions.get(event.event_id)
        if redaction is not None and event.redaction is None:
            event.event, event.redaction = event.event.redacted(), redaction
        self.cache.keep(event.event_id, event, weight_of(event.json_bytes))
        return event

    def remember_all(self, events: Iterable[StoredEvent]) -> None:
        """Keep events that were read."""
        for event in events:
            if self.cache.peek(event.event_id) is None:
                self.remember(event)

    def forget(self, event_id: str) -> None:
        """Read an event again at the next question."""
        self.cache.forget(event_id)

    def peek(self, event_id: str) -> StoredEvent | None:
        """An event if it is in memory."""
        return self.cache.peek(event_id)

    async def get(self, event_ids: Iterable[str]) -> dict[str, StoredEvent]:
        """Those of the events that are stored, in one query for all that are not in memory."""
        found, missing = self.cache.get_all(event_ids)
        if missing:
            for event in await self._database.read(lambda txn: stored_all(txn, sql.by_ids(txn, missing))):
                found[event.event_id] = self.remember(event)
        return found

    async def get_one(self, event_id: str) -> StoredEvent | None:
        """One event, if it is stored."""
        return (await self.get([event_id])).get(event_id)

    def read(self, transaction: Transaction, event_ids: Iterable[str]) -> dict[str, StoredEvent]:
        """As `get`, within a snapshot that is open (in a database thread; does not fill the cache)."""
        wanted = list(dict.fromkeys(event_ids))
        found = {event_id: kept for event_id in wanted if (kept := self.cache.peek(event_id)) is not None}
        missing = [event_id for event_id in wanted if event_id not in found]
        if missing:
            found |= {event.event_id: event for event in stored_all(transaction, sql.by_ids(transaction, missing))}
        return found
