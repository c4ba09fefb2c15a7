"""The bus carries frames from owners to readers. Speed only: truth is the database, and readers notice what is missing.

`MemoryBus` serves one process: it hands frames over in order, on a later turn of the reactor.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from replication.ports import Clock
from replication.streams import Fact

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frame:
    """What one commit added to one shard: its first and last counter, and the facts in order with their stream's name.

    An empty frame (`first` = `last` + 1) announces a position again. Ephemeral facts travel with `first` 0.
    """

    family: str
    shard: int
    epoch: int
    first: int
    last: int
    facts: Sequence[tuple[str, Fact]]


Listener = Callable[[Frame], None]


class Bus(Protocol):
    """Publish to everybody, in order per publisher; delivery is not guaranteed."""

    def publish(self, frame: Frame) -> None:
        """Send a frame to all listeners of all processes, this one included."""
        ...

    def listen(self, listener: Listener) -> None:
        """Hear every frame from now on."""
        ...


class MemoryBus:
    """The bus of a single process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: list[Listener] = []
        self._queue: deque[Frame] = deque()
        self._call: Any = None

    def publish(self, frame: Frame) -> None:
        """Queue a frame for the next turn of the reactor."""
        self._queue.append(frame)
        if self._call is None:
            self._call = self._clock.call_later(0, self._deliver)

    def listen(self, listener: Listener) -> None:
        """Hear every frame from now on."""
        self._listeners.append(listener)

    def _deliver(self) -> None:
        self._call = None
        while self._queue:
            frame = self._queue.popleft()
            for listener in self._listeners:
                try:
                    listener(frame)
                except Exception:
                    logger.exception("a listener failed on %s shard %d", frame.family, frame.shard)
