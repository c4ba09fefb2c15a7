"""Ownership: which shards this process holds, with which epoch, and how far each log goes.

The values here are what the fence compares with the database. They move only after a commit, or are thrown away. Who
takes and gives shards, and when, is in `ownership`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from replication import sql
from replication.ports import Transaction
from replication.streams import Family

LEASE_MS = 15_000
"""How long a process that owns everything keeps its leases; processes that share use `ownership.Pace`."""


class NotOwned(Exception):
    """The shard belongs to another process, or to nobody yet: the caller is told "moved"."""

    def __init__(self, family: str, shard: int) -> None:
        super().__init__(f"{family} shard {shard} is not owned by this process")
        self.family = family
        self.shard = shard


class FenceBroken(Exception):
    """The database did not let a commit pass: somebody else owns the shard by now. Drop what is in memory."""

    def __init__(self) -> None:
        super().__init__("another process owns the shard by now")


@dataclass(slots=True)
class Held:
    """One shard of ours: its epoch and the counters as of our last commit."""

    epoch: int
    forward: int
    backward: int


@dataclass(slots=True)
class Holdings:
    """The shards of a family that this process owns, by shard.

    `closing` are those that are being given away: what is queued is still stored, but nothing new is taken in. While
    `is_suspended` nothing is: the leases could not be renewed, and may be somebody else's.
    """

    family: Family
    lease_ms: int = LEASE_MS
    held: dict[int, Held] = field(default_factory=dict)
    closing: set[int] = field(default_factory=set)
    is_suspended: bool = False

    def __getitem__(self, shard: int) -> Held:
        held = self.held.get(shard)
        if held is None:
            raise NotOwned(self.family.name, shard)
        return held

    def owns(self, shard: int) -> bool:
        """Whether new work for this shard belongs here."""
        return shard in self.held and shard not in self.closing and not self.is_suspended

    def check(self, shard: int) -> None:
        """Raise NotOwned unless new work for this shard belongs here."""
        if not self.owns(shard):
            raise NotOwned(self.family.name, shard)

    def ours(self) -> Iterable[int]:
        """The shards that take work in now."""
        return [shard for shard in self.held if self.owns(shard)]

    def take(
        self,
        transaction: Transaction,
        shards: Sequence[int],
        owner: str,
        *,
        dead: Sequence[str] = (),
        is_forced: bool = False,
    ) -> dict[int, Held]:
        """In a transaction: take leases, and give what is then ours; the caller adds it to `held` after the commit."""
        rows = sql.take_shards(
            transaction, self.family.name, shards, owner, self.lease_ms, dead=dead, is_forced=is_forced
        )
        return {shard: Held(epoch, forward, backward) for shard, epoch, forward, backward in rows}
