"""What the spine asks of features, as Protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import Deviation, EventFact
from synapse_like.rooms.live import LiveRoom
from synapse_like.toolkit.db import Transaction


class PersistEffect(Protocol):
    """Writes more rows for a batch of events, in its transaction; only rows whose key contains the room."""

    def __call__(self, transaction: Transaction, facts: Sequence[EventFact], /) -> None:
        """Write for all events of the batch at once."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an event counts in its room. `notified` and `highlighted` are the counters of its thread after it."""

    thread: str | None = None
    counts: int = 0
    highlights: int = 0
    notified: int = 0
    highlighted: int = 0
    deviations: tuple[Deviation, ...] = ()


class Notices(Protocol):
    """Counts unread messages: called by the owner for each live event, before it is queued."""

    async def load(self, room: LiveRoom) -> None:
        """Prepare `room.notices` when a room becomes live."""
        ...

    async def prepare(self, room: LiveRoom, event: Event) -> None:
        """Load what `count` will need for this event and is not in memory (rarely anything)."""
        ...

    def count(self, room: LiveRoom, event: Event) -> Outcome:
        """The counters after the event, and who deviates; moves the room's counters."""
        ...


class EventGate(Protocol):
    """Asked before a local event is built; raises a MatrixError to refuse it (modules, suspended users, limits)."""

    async def __call__(self, room: LiveRoom, event_type: str, content: Mapping[str, Any], sender: str, /) -> None:
        """Raise to refuse."""
        ...
