"""Long polls, and what ends them: any fact whose stream says that it wakes an id that the poll listens to."""

from collections.abc import Collection, Iterable

from twisted.internet.defer import Deferred

from replication.bus import Frame
from replication.reader import Reader
from synapse_like.toolkit.clock import Clock


class Ticket:
    """A place in the queue of those who wait. Made before the answer is computed, so that nothing falls in between."""

    __slots__ = ("_waiter", "is_rung", "keys")

    def __init__(self, keys: Collection[str]) -> None:
        self.keys = keys
        self.is_rung = False
        self._waiter: Deferred[bool] | None = None

    def ring(self) -> None:
        """Something happened to one of the keys."""
        self.is_rung = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.called:
            waiter.callback(True)

    async def wait(self, clock: Clock, seconds: float) -> bool:
        """Wait for the ring at most so long; whether it rang. Cancelling the Deferred stops waiting."""
        if self.is_rung or seconds <= 0:
            return self.is_rung
        waiter: Deferred[bool] = Deferred()
        self._waiter = waiter
        timeout = clock.call_later(seconds, lambda: waiter.callback(False) if not waiter.called else None)
        try:
            return await waiter
        finally:
            timeout.cancel()
            self._waiter = None


class Notifier:
    """Who waits for what."""

    def __init__(self, reader: Reader) -> None:
        self.is_closed = False
        """Nobody waits any more: the process stops."""
        self.tickets = 0
        """How many listen."""
        self._reader = reader
        self._waiting: dict[str, set[Ticket]] = {}
        reader.on_advance(self._hear)

    def ticket(self, keys: Iterable[str]) -> Ticket:
        """Listen to some ids: the user's, and the rooms'. Give it back with `drop`."""
        ticket = Ticket(tuple(keys))
        self.tickets += 1
        for key in ticket.keys:
            self._waiting.setdefault(key, set()).add(ticket)
        return ticket

    def drop(self, ticket: Ticket) -> None:
        """Listen no more."""
        self.tickets -= 1
        for key in ticket.keys:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.discard(ticket)
                if not waiting:
                    del self._waiting[key]

    def close(self) -> None:
        """End all long polls, for good."""
        self.is_closed = True
        for ticket in {ticket for waiting in self._waiting.values() for ticket in waiting}:
            ticket.ring()

    def waiting(self) -> int:
        """How many long polls wait."""
        return len({id(ticket) for waiting in self._waiting.values() for ticket in waiting})

    def _hear(self, frame: Frame) -> None:
        if not self._waiting:
            return
        rung: set[Ticket] = set()
        for name, fact in frame.facts:
            for key in self._reader.stream(name).woken_by(fact):
                rung.update(self._waiting.get(key, ()))
        for ticket in rung:
            ticket.ring()
