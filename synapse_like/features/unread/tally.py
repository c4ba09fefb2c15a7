"""Unread counts in memory: what the database said once, moved on by what the rooms' logs said since.

Nothing is done when an event is sent: a tally is brought up to date when its user asks, from recent facts. What recent
facts cannot tell (a change of mode, a membership, a receipt far back) drops it, and the database is asked again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from replication.numbers import pack
from replication.reader import Reader
from synapse_like.features.receipts import RECEIPTS
from synapse_like.features.unread.counting import ALL_THREADS, MAIN, NOTHING, Counts, Standing, StoredMode
from synapse_like.features.unread.stream import MODES
from synapse_like.features.unread.threads import marks_read
from synapse_like.rooms.facts import EVENTS, EventFact, Kind
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.memberships import UserRoom

_KEPT = 200_000

F = TypeVar("F")


class Unknown(Exception):
    """Memory does not tell; ask the database."""


@dataclass(slots=True)
class Tally:
    """One member's unread counts in one room, as of `number` in the room's log.

    `marks` are numbers up to where was read, by thread; `mode` is in force since `mode_after`.
    """

    number: int
    mode: StoredMode
    mode_after: int
    marks: dict[str, int]
    counts: dict[str, Counts]

    @classmethod
    def of(cls, standing: Standing, number: int) -> "Tally":
        """From what a snapshot at `number` holds."""
        changes = standing.modes
        marks = {thread: mark.number for thread, mark in standing.marks.items()}
        return cls(number, standing.mode, changes[-1].at.number if changes else 0, marks, standing.unread())

    def mark_of(self, thread: str) -> int:
        """The number of the last event of a thread that was read."""
        return max(self.marks.get(ALL_THREADS, 0), self.marks.get(thread, 0))

    def add(self, thread: str, counts: Counts) -> None:
        """Count more events of a thread."""
        if any(counts):
            old = self.counts.get(thread, NOTHING)
            self.counts[thread] = old[0] + counts[0], old[1] + counts[1]


class Tallies:
    """The tallies of the users who sync here."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[tuple[str, str], Tally] = {}
        reader.subscribe(EVENTS, self._forget)

    def keep(self, user_id: str, room_id: str, tally: Tally) -> None:
        """Remember what a snapshot said. May be called in any thread."""
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[user_id, room_id] = tally

    def now(self, user_id: str, room: UserRoom) -> dict[str, Counts] | None:
        """What a user has not read in a room, by thread; None if memory does not tell."""
        tally = self._known.get((user_id, room.room_id))
        if tally is None:
            return None
        try:
            self._advance(tally, user_id, room)
        except Unknown:
            self._known.pop((user_id, room.room_id), None)
            return None
        return tally.counts

    def may_have_changed(self, user_id: str, room: UserRoom, after: int) -> bool:
        """Whether events after a number changed what a user has not read, though the user may see none of them."""
        facts = self._reader.recent(EVENTS).since(room.room_id, after)
        if not facts:
            return facts is None
        tally = self._known.get((user_id, room.room_id))
        if tally is None:
            return True
        return any(fact.redacts is not None or any(_counts_for(tally.mode, user_id, fact)) for fact in facts)

    def _forget(self, facts: Sequence[EventFact]) -> None:
        """A membership has changed: what was counted for that user is of no use, and may never be asked for again."""
        for fact in facts:
            for user_id in fact.members:
                self._known.pop((user_id, fact.room_id), None)

    def _advance(self, tally: Tally, user_id: str, room: UserRoom) -> None:
        for change in _all(self._reader.recent(MODES).since(room.room_id, tally.number)):
            if change.user_id == user_id:
                raise Unknown
        stale: set[str] = set()
        for fact in self._events(room, tally.number):
            _take(tally, user_id, fact, stale)
        for receipt in _all(self._reader.recent(RECEIPTS).since(room.room_id, tally.number)):
            if receipt.user_id == user_id and receipt.event_number > tally.marks.get(receipt.thread, 0):
                tally.marks[receipt.thread] = receipt.event_number
                stale.update(tally.counts if receipt.thread == ALL_THREADS else [receipt.thread])
        for thread in stale & tally.counts.keys():
            self._recount(tally, user_id, room, thread)
        tally.number = pack(room.shard, self._reader.positions[ROOM.name][room.shard])

    def _recount(self, tally: Tally, user_id: str, room: UserRoom, thread: str) -> None:
        """Count a thread anew from its mark on, without what was redacted."""
        after = tally.mark_of(thread)
        if after < tally.mode_after:
            raise Unknown
        facts = self._events(room, after)
        redacted = {fact.redacts for fact in facts}
        del tally.counts[thread]
        for fact in facts:
            if _is_in(fact, thread) and fact.event.event_id not in redacted:
                tally.add(thread, _counts_for(tally.mode, user_id, fact))

    def _events(self, room: UserRoom, after: int) -> Sequence[EventFact]:
        facts = self._reader.recent(EVENTS).since(room.room_id, after)
        if facts is None or any(not fact.head.extremities for fact in facts):
            raise Unknown
        return facts


def _all(facts: Sequence[F] | None) -> Iterable[F]:
    if facts is None:
        raise Unknown
    return facts


def _take(tally: Tally, user_id: str, fact: EventFact, stale: set[str]) -> None:
    if user_id in fact.members:
        raise Unknown
    if fact.kind is not Kind.LIVE:
        return
    if fact.redacts is not None:
        stale.update(tally.counts)
    thread = fact.thread or MAIN
    if fact.event.sender == user_id and marks_read(fact.event):
        tally.marks[thread] = fact.number
        tally.counts.pop(thread, None)
    else:
        tally.add(thread, _counts_for(tally.mode, user_id, fact))


def _is_in(fact: EventFact, thread: str) -> bool:
    return fact.kind is Kind.LIVE and (fact.thread or MAIN) == thread


def _counts_for(mode: StoredMode, user_id: str, fact: EventFact) -> Counts:
    notify, highlight = mode.of_counts(fact.outcome)
    for deviation in fact.deviations:
        if deviation.user_id == user_id:
            return notify + deviation.notify, highlight + deviation.highlight
    return notify, highlight
