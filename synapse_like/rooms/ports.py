"""What the spine asks of features, as Protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import Deviation, EventFact, TrunkChange
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


class Prospect(Protocol):
    """An event that is about to be placed, or the draft of one."""

    @property
    def type(self) -> str:
        """The event's type."""
        ...

    @property
    def state_key(self) -> str | None:
        """The state key, None for a message."""
        ...

    @property
    def content(self) -> Mapping[str, Any]:
        """The content."""
        ...


class Notices(Protocol):
    """Counts unread messages: called by the owner for each live event, before it is queued."""

    async def load(self, room: LiveRoom) -> None:
        """Prepare `room.notices` when a room becomes live."""
        ...

    async def prepare(self, room: LiveRoom, events: Sequence[Prospect]) -> None:
        """Load what `count` will need for these events and is not in memory (rarely anything)."""
        ...

    def count(self, room: LiveRoom, event: Event, trunk: Sequence[TrunkChange]) -> Outcome:
        """The counters after the event, and who deviates; moves the room's counters.

        `room` has taken the event in; `trunk` is what changed in its state.
        """
        ...


class PolicyServers(Protocol):
    """Asks the policy server of a room that names one. Source: server-server API, "Policy Servers"."""

    async def recommended(self, room: LiveRoom, event: Event) -> Event:
        """An event of ours with the signature of the room's policy server, if it has to have one.

        Raises Forbidden if that server does not want it, BadGateway if it gives no answer that can be used.
        """
        ...

    async def reviewed(self, room: LiveRoom, events: Sequence[Event]) -> tuple[list[Event], frozenset[str]]:
        """Events of others with that signature, in the same order; and the ids of those that do not get it."""
        ...


class NoPolicyServers:
    """Nobody to ask, as where there is no federation."""

    async def recommended(self, room: LiveRoom, event: Event) -> Event:
        """The event as it is."""
        return event

    async def reviewed(self, room: LiveRoom, events: Sequence[Event]) -> tuple[list[Event], frozenset[str]]:
        """The events as they are."""
        return list(events), frozenset()
