"""Ownership: which shards this process holds, with which epoch, and how far each log goes.

The values here are what the fence compares with the database. They move only after a commit, or are thrown away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from replication import sql
from replication.ports import Transaction
from replication.streams import Family

LEASE_MS = 15_000


class NotOwned(Exception):
    """The shard belongs to another process, or to nobody yet: the caller is told "moved"."""

    def __init__(self, family: str, shard: int) -> None:
        super().__init__(f"{family} shard {shard} is not owned by this process")
        self.family = family
        self.shard = shard


class FenceBroken(Exception):
    """The database did not let a commit pass: somebody else owns the shard by now. Drop what is in memory."""


@dataclass(slots=True)
class Held:
    """One shard of ours: its epoch and the counters as of our last commit."""

    epoch: int
    forward: int
    backward: int


@dataclass(slots=True)
class Holdings:
    """The shards of a family that this process owns, by shard."""

    family: Family
    held: dict[int, Held] = field(default_factory=dict)

    def __getitem__(self, shard: int) -> Held:
        held = self.held.get(shard)
        if held is None:
            raise NotOwned(self.family.name, shard)
        return held

    def take(self, transaction: Transaction, shards: Sequence[int], owner: str, *, is_forced: bool) -> dict[int, Held]:
        """In a transaction: take leases, and give what is then ours; the caller sets `held` to it after the commit."""
        rows = sql.take_shards(transaction, self.family.name, shards, owner, LEASE_MS, is_forced=is_forced)
        return {shard: Held(epoch, forward, backward) for shard, epoch, forward, backward in rows}
