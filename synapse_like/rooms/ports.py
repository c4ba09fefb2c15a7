"""What the spine asks of features, as Protocols."""

from collections.abc import Mapping, Sequence
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


class Outcome(Protocol):
    """How an event counts in its room."""

    thread: str | None
    counts: int
    highlights: int
    notified: int
    highlighted: int
    deviations: tuple[Deviation, ...]


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
