"""How far a reader is behind what is committed, in facts and in seconds, whatever the bus does.

Committed positions are noted every now and then, with the time; the reader lags since the oldest note that it has not
reached yet.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from replication.ports import Clock
from replication.positions import Vector
from replication.reader import Reader

_NOTES = 1000


class Lag:
    """The lag of one reader, by family."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._notes: dict[str, deque[tuple[int, Vector]]] = {
            family: deque(maxlen=_NOTES) for family in reader.positions
        }

    def note(self, committed: Mapping[str, Sequence[int]]) -> None:
        """Note the committed positions, as the database has just told them."""
        now_ms = self._clock.now_ms()
        for family, positions in committed.items():
            notes = self._notes.get(family)
            if notes is None:
                continue
            self._settle(family)
            if not self._reader.positions[family].reaches(positions):
                notes.append((now_ms, Vector(positions)))

    def rows(self, family: str) -> int:
        """How many numbers the reader has still to hear of, as of the last note."""
        self._settle(family)
        if not (notes := self._notes[family]):
            return 0
        pairs = zip(notes[-1][1], self._reader.positions[family], strict=True)
        return sum(max(0, committed - known) for committed, known in pairs)

    def seconds(self, family: str) -> float:
        """For how long the reader has not been where the database was."""
        self._settle(family)
        notes = self._notes[family]
        return max(0, self._clock.now_ms() - notes[0][0]) / 1000 if notes else 0.0

    def worst_seconds(self) -> float:
        """The greatest lag of any family."""
        return max(self.seconds(family) for family in self._notes)

    def _settle(self, family: str) -> None:
        """Forget the notes that have been reached."""
        notes = self._notes[family]
        while notes and self._reader.positions[family].reaches(notes[0][1]):
            notes.popleft()
