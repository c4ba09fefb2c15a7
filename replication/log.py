"""What features use to append facts: one log of one family, on the owner's side."""

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from twisted.internet.defer import Deferred

from replication.batch import Append, Extra
from replication.bus import Bus, Frame
from replication.committer import Committer
from replication.shards import NotOwned
from replication.streams import Fact, Family, Stream

Pair = tuple[Stream[Any], Fact]


class Log:
    """Appends to the shards of one family that this process owns."""

    def __init__(self, family: Family, committer: Committer, bus: Bus) -> None:
        self.family = family
        self._committer = committer
        self._bus = bus

    def append(
        self,
        shard: int,
        key: Hashable,
        facts: Sequence[Pair],
        *,
        extra: Extra | None = None,
        is_current: Callable[[], bool] | None = None,
    ) -> "Deferred[None]":
        """Store `facts` in one transaction with what `extra` runs; fires after the commit.

        Raises NotOwned, Dropped, FenceBroken, or the database's error.
        """
        return self._committer.submit(Append(self.family.name, shard, key, facts, extra=extra, is_current=is_current))

    def gathering(self) -> AbstractContextManager[None]:
        """What is appended within is stored together, as far as it fits: for a request with many appends."""
        return self._committer.gathering()

    def submit(self, append: Append) -> "Deferred[None]":
        """Store an append that was put together elsewhere."""
        return self._committer.submit(append)

    def check(self, shard: int) -> None:
        """Raise NotOwned if the shard is not ours."""
        self._committer.check(self.family.name, shard)

    def owns(self, shard: int) -> bool:
        """Whether the shard takes work in here."""
        return self._committer.owns(self.family.name, shard)

    def ours(self) -> Sequence[int]:
        """The shards that take work in here."""
        return self._committer.ours(self.family.name)

    def ends(self) -> Sequence[tuple[int, int]]:
        """(shard, counter): how far each log of ours goes, as this process has committed it."""
        return self._committer.ends(self.family.name)

    def choose(self, preferred: int) -> int:
        """A shard for something new: the preferred one if it is ours, else one of ours. Raises NotOwned if none is."""
        ours = self.ours()
        if preferred in ours:
            return preferred
        if not ours:
            raise NotOwned(self.family.name, preferred)
        return ours[preferred % len(ours)]

    def tell(self, shard: int, facts: Sequence[Pair]) -> None:
        """Publish ephemeral facts: no rows, no numbers, lost with their owner."""
        self._bus.publish(Frame(self.family.name, shard, 0, 0, 0, tuple((stream.name, fact) for stream, fact in facts)))
