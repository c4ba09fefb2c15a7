"""How much is unread: the front door of unread counts, for receipts, /sync and push."""

from collections.abc import Sequence
from dataclasses import dataclass

from replication import sql as replication_sql
from replication.numbers import pack
from synapse_like.features.unread.counting import ALL_THREADS, MAIN, Counts
from synapse_like.features.unread.sql import reading
from synapse_like.features.unread.sql import writing as sql
from synapse_like.rooms.facts import Kind
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import StoredEvent
from synapse_like.toolkit.db import Database, Transaction


@dataclass(frozen=True, slots=True)
class RoomCounts:
    """What is unread in a room: `main` in the main timeline, `threads` by root, without those where nothing is."""

    main: Counts
    threads: dict[str, Counts]

    @classmethod
    def of(cls, unread: dict[str, Counts]) -> "RoomCounts":
        """From counts by thread, the main timeline's among them."""
        threads = {thread: counts for thread, counts in unread.items() if thread != MAIN and any(counts)}
        return cls(unread.get(MAIN, (0, 0)), threads)


class Unread:
    """Unread counts, as the database knows them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mark_read(self, transaction: Transaction, event: StoredEvent, user_id: str, thread: str | None) -> None:
        """In a receipt's transaction: all up to `event` is read in a thread ("main", a root; None: in all).

        An event before the last mark changes nothing.
        """
        if event.number is None or event.number <= 0:
            return
        nid, number = event.room_nid, event.number
        root = None if thread in (None, MAIN) else thread
        counters = event.notified, event.highlighted
        if event.thread != root or event.kind is not Kind.LIVE:
            counters = sql.counters_before(transaction, nid, root, number + 1)
        changed = pack(event.shard, replication_sql.positions(transaction, ROOM.name)[event.shard])
        sql.set_marks(transaction, [(user_id, nid, thread or ALL_THREADS, number, *counters, changed)])
        if thread is None:
            sql.forget_read(transaction, user_id, nid, number)
        else:
            sql.forget_read_of_thread(transaction, user_id, nid, thread, number)

    def counts_of(self, transaction: Transaction, user_id: str, room_nids: Sequence[int]) -> dict[int, RoomCounts]:
        """What a user has not read, by the rooms' numbers; at most eight queries for any number of rooms."""
        found = reading.standings(transaction, user_id, room_nids)
        return {nid: RoomCounts.of(standing.unread()) for nid, standing in found.items()}

    async def of(self, user_id: str, room_nids: Sequence[int]) -> dict[int, RoomCounts]:
        """As `counts_of`, in a snapshot of its own."""
        return await self._database.read(lambda txn: self.counts_of(txn, user_id, room_nids))
