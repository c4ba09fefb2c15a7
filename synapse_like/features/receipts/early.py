"""Receipts that have come before their events: kept for a while, in memory, and given back when the events are there.

A receipt overtakes its event whenever what leads to the event has to be fetched first. One waits for each user and
thread in a room, so that a server can fill the memory only with users of its own who have joined.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

MOST_WAITING = 2_000

R = TypeVar("R")
Key = tuple[str, str, str]
"""Room, user, thread."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[R]):
    event_id: str
    origin: str
    receipt: R


class Early(Generic[R]):
    """The receipts that wait; of too many the oldest is forgotten."""

    def __init__(self, limit: int = MOST_WAITING) -> None:
        self._limit = limit
        self._waiting: OrderedDict[Key, _Waiting[R]] = OrderedDict()
        self._of_event: dict[str, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, key: Key, event_id: str, origin: str, receipt: R) -> None:
        """Let a receipt wait for its event; an older one of the same user and thread waits no more."""
        self._forget(key)
        self._waiting[key] = _Waiting(event_id, origin, receipt)
        self._of_event.setdefault(event_id, set()).add(key)
        if len(self._waiting) > self._limit:
            self._forget(next(iter(self._waiting)))

    def take(self, event_id: str) -> Sequence[tuple[str, str, R]]:
        """The receipts for an event that is there now: room, origin, receipt. They wait no more."""
        found = []
        for key in sorted(self._of_event.get(event_id, ())):
            waiting = self._waiting[key]
            found.append((key[0], waiting.origin, waiting.receipt))
            self._forget(key)
        return found

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._of_event.clear()

    def _forget(self, key: Key) -> None:
        old = self._waiting.pop(key, None)
        if old is not None:
            keys = self._of_event[old.event_id]
            keys.discard(key)
            if not keys:
                del self._of_event[old.event_id]
