"""A process that owns everything: the only one of its server (SQLite), or one of a test.

It takes all shards by force when it starts: whoever had them before is no more, or stops when it finds out.
"""

from collections.abc import Callable, Sequence
from typing import Any

from replication import sql
from replication.bus import Bus, MemoryBus
from replication.ports import Transaction
from replication.shards import LEASE_MS, Held, Holdings
from replication.streams import Family
from synapse_like.toolkit.feature import Kit

OWNER = "main"
RENEW_SECONDS = 5.0


class Alone:
    """The holdings of a process that shares with nobody."""

    def __init__(self, kit: Kit, families: Sequence[Family]) -> None:
        self.bus: Bus = MemoryBus(kit.clock)
        self.holdings = [Holdings(family) for family in families]
        self._database = kit.database

    async def take_all(self) -> None:
        """Take every shard."""
        for holdings in self.holdings:
            holdings.held = await self._database.write(lambda txn, h=holdings: _take(txn, h))  # type: ignore[misc]

    def jobs(self) -> list[tuple[str, float, Callable[[], Any]]]:
        """Keep the leases."""
        return [("leases", RENEW_SECONDS, self._renew)]

    async def give_all(self) -> None:
        """Give every shard back."""
        for holdings in self.holdings:
            name, shards = holdings.family.name, range(holdings.family.shards)
            await self._database.write(
                lambda txn, n=name, s=shards: sql.release_shards(txn, n, OWNER, s)  # type: ignore[misc]
            )

    async def _renew(self) -> None:
        names = [holdings.family.name for holdings in self.holdings]

        def renew(transaction: Transaction) -> None:
            for name in names:
                sql.renew_leases(transaction, name, OWNER, LEASE_MS)

        await self._database.write(renew)


def _take(transaction: Transaction, holdings: Holdings) -> dict[int, Held]:
    return holdings.take(transaction, range(holdings.family.shards), OWNER, is_forced=True)
