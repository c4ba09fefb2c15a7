"""Rooms without unread counts: what stands in for the feature that counts, in tests of the spine."""

from collections.abc import Sequence

from synapse_like.matrix.events import Event
from synapse_like.rooms.facts import TrunkChange
from synapse_like.rooms.live import LiveRoom
from synapse_like.rooms.ports import Outcome, Prospect

_NOTHING = Outcome()


class Uncounted:
    """Counts nothing."""

    async def load(self, room: LiveRoom) -> None:
        """Nothing to prepare."""

    async def prepare(self, room: LiveRoom, events: Sequence[Prospect]) -> None:
        """Nothing to load."""

    def count(self, room: LiveRoom, event: Event, trunk: Sequence[TrunkChange]) -> Outcome:
        """Nobody is notified."""
        return _NOTHING
