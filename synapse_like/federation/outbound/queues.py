"""The queues of the destinations whose shards this process owns."""

from collections.abc import Iterator, Sequence
from typing import Final

from synapse_like.federation.outbound.families import shard_of_destination
from synapse_like.federation.outbound.positions import Positions
from synapse_like.federation.outbound.queue import Queue
from synapse_like.federation.policy import ServerPolicy

_KNOWN_STRANGERS: Final = 100_000


class Queues:
    """Queues by server, made when something is first to be sent."""

    def __init__(self, policy: ServerPolicy) -> None:
        self._policy = policy
        self._queues: dict[str, Queue] = {}
        self._strangers: set[str] = set()
        self.shards: set[int] = set()

    def __iter__(self) -> Iterator[Queue]:
        return iter(tuple(self._queues.values()))

    def __len__(self) -> int:
        return len(self._queues)

    def peek(self, server: str) -> Queue | None:
        """The queue of a server, if there is one."""
        return self._queues.get(server)

    def of(self, server: str) -> Queue | None:
        """The queue of a server; None if another process sends to it, or nobody does."""
        queue = self._queues.get(server)
        if queue is not None or server in self._strangers:
            return queue
        shard = shard_of_destination(server)
        if shard not in self.shards or not self._policy.allows(server):
            if len(self._strangers) >= _KNOWN_STRANGERS:
                self._strangers.clear()
            self._strangers.add(server)
            return None
        queue = self._queues[server] = Queue(server, shard)
        return queue

    def lagging(self, server: str, lag: Positions) -> Queue:
        """The queue of a server that is known to lag behind."""
        queue = Queue(server, shard_of_destination(server), lag=lag, stored_lag=lag, is_attached=False)
        self._queues[server] = queue
        return queue

    def took(self, shards: Sequence[int]) -> None:
        """Own some more shards."""
        self.shards.update(shards)
        self._strangers.clear()

    def gave(self, shards: Sequence[int]) -> list[Queue]:
        """Own some shards no more; the queues that are gone."""
        self.shards.difference_update(shards)
        gone = [queue for queue in self if queue.shard not in self.shards]
        for queue in gone:
            del self._queues[queue.destination]
        return gone

    def forget_idle(self) -> None:
        """Forget queues with nothing in them; they are made again when something comes."""
        for queue in self:
            if queue.is_idle and not queue.is_running and queue.timer is None:
                del self._queues[queue.destination]
