"""The arithmetic of unread counts: how many events after a mark count for one member. Pure.

A room and each of its threads have two counters that only grow: how many events notified plain members, and how many
highlighted. What a member gets of a stretch of them is said by the mode in force there; events that count otherwise for
the member are differences to add, redacted events are to be taken away. DESIGN.md section 4.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from synapse_like.matrix.push_rules import Mode

Counts = tuple[int, int]
"""(notifications, highlights)"""

NOTHING: Counts = (0, 0)

ALL_THREADS = ""
MAIN = "main"


class StoredMode(IntEnum):
    """A mode as it is stored."""

    ALL = 0
    MENTIONS = 1
    OFF = 2
    CUSTOM = 3

    @classmethod
    def of(cls, mode: Mode) -> "StoredMode":
        """The stored form of a mode."""
        return cls[mode.name]

    def of_counts(self, counts: Counts) -> Counts:
        """What a member gets of what plain members get."""
        if self is StoredMode.ALL:
            return counts
        return (counts[1], counts[1]) if self is StoredMode.MENTIONS else NOTHING


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the room's log, with the counters of a timeline there."""

    number: int
    counters: Counts


@dataclass(frozen=True, slots=True)
class ModeChange:
    """From this place on (exclusively) the room counts like this; the counters are the main timeline's."""

    at: Point
    mode: StoredMode


@dataclass(frozen=True, slots=True)
class Correction:
    """A redacted event, and what it added to the counters of its thread."""

    number: int
    thread: str
    counts: Counts


@dataclass(slots=True)
class Standing:
    """What the database knows of a member's place in a room.

    `now` are the main timeline's counters, `threads` those of threads with events after the mark of all threads;
    `deviations` are sums per thread of what is unread. `probed` are counters of threads at places between.
    """

    now: Counts = NOTHING
    threads: dict[str, Counts] = field(default_factory=dict)
    marks: dict[str, Point] = field(default_factory=dict)
    modes: list[ModeChange] = field(default_factory=list)
    deviations: dict[str, Counts] = field(default_factory=dict)
    corrections: list[Correction] = field(default_factory=list)
    probed: dict[tuple[str, int], Counts] = field(default_factory=dict)

    def mark_of(self, thread: str) -> int:
        """The number of the last event of a thread that was read."""
        return max((mark.number for name, mark in self.marks.items() if name in (ALL_THREADS, thread)), default=0)

    @property
    def mode(self) -> StoredMode:
        """The mode in force now."""
        return self.modes[-1].mode if self.modes else StoredMode.ALL

    def mode_at(self, number: int) -> StoredMode:
        """The mode that was in force for the event of a number."""
        earlier = [change.mode for change in self.modes if change.at.number < number]
        return earlier[-1] if earlier else StoredMode.ALL

    def missing(self) -> Iterable[tuple[str, int]]:
        """The places at which counters of threads are needed: (thread, number)."""
        for thread in self.threads:
            after = self.mark_of(thread)
            if thread not in self.marks or self.marks[thread].number < after:
                yield thread, after
            yield from ((thread, change.at.number) for change in self.modes if change.at.number > after)

    def unread(self) -> dict[str, Counts]:
        """What is unread, per thread; threads without anything are left out. Nothing for who never joined."""
        if ALL_THREADS not in self.marks:
            return {}
        found = {MAIN: self._counted(MAIN, self.now)}
        found |= {thread: self._counted(thread, now) for thread, now in self.threads.items()}
        return {thread: counts for thread, counts in found.items() if any(counts)}

    def _counted(self, thread: str, now: Counts) -> Counts:
        after = self.mark_of(thread)
        counts = _Sum(self.deviations.get(thread, NOTHING))
        mode, counters = self.mode_at(after + 1), self._counters(thread, after)
        for change in self.modes:
            if change.at.number > after:
                at = change.at.counters if thread == MAIN else self._counters(thread, change.at.number)
                counts.add(mode.of_counts(_difference(at, counters)))
                mode, counters = change.mode, at
        counts.add(mode.of_counts(_difference(now, counters)))
        for correction in self.corrections:
            if correction.thread == thread and correction.number > after:
                counts.add(_difference(NOTHING, self.mode_at(correction.number).of_counts(correction.counts)))
        return counts.value

    def _counters(self, thread: str, number: int) -> Counts:
        names = (MAIN, ALL_THREADS) if thread == MAIN else (thread,)
        for name in names:
            mark = self.marks.get(name)
            if mark is not None and mark.number == number:
                return mark.counters
        return self.probed.get((thread, number), NOTHING)


class _Sum:
    __slots__ = ("value",)

    def __init__(self, value: Counts) -> None:
        self.value = value

    def add(self, counts: Counts) -> None:
        self.value = (self.value[0] + counts[0], self.value[1] + counts[1])


def _difference(one: Counts, other: Counts) -> Counts:
    return one[0] - other[0], one[1] - other[1]


def total(unread: Mapping[str, Counts]) -> Counts:
    """What is unread in a room, threads and all."""
    return sum(counts[0] for counts in unread.values()), sum(counts[1] for counts in unread.values())
