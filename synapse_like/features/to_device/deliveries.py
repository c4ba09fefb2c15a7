"""Which requests of a device have brought their messages to whom, remembered where the sender is owned.

What is remembered of a device is read from the database when it sends for the first time, as it may have sent before a
restart, or by another process.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from replication.streams import Family
from synapse_like.features.to_device import sql
from synapse_like.features.to_device.facts import Transaction
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database

KEEP_MS: Final = 24 * 60 * 60 * 1000
_DEVICES: Final = 20_000
_TRANSACTIONS: Final = 1000

Known = OrderedDict[str, set[str]]
"""Transaction id → users."""


class Deliveries:
    """The newest requests of the devices that sent lately; a tenant, as others may send for them when shards go."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()

    async def of(self, transaction: Transaction) -> set[str]:
        """To whom a request has brought its messages; add to it what it brings now."""
        key = transaction.sender, transaction.device_id
        known = self._known.get(key)
        if known is None:
            known = self._known.setdefault(key, await self._load(*key))
            if len(self._known) > _DEVICES:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        users = known.setdefault(transaction.transaction_id, set())
        known.move_to_end(transaction.transaction_id)
        if len(known) > _TRANSACTIONS:
            known.popitem(last=False)
        return users

    async def purge(self) -> None:
        """Forget requests that nobody repeats any more."""
        before_ms = self._clock.now_ms() - KEEP_MS
        await self._database.write(lambda txn: sql.purge(txn, before_ms))

    async def took(self, family: Family, shards: Sequence[int]) -> None:
        """Others have sent from these shards: forget all."""
        self._known.clear()

    async def gave(self, family: Family, shards: Sequence[int]) -> None:
        """Others will send from these shards."""
        self._known.clear()

    async def _load(self, sender: str, device_id: str) -> Known:
        after_ms = self._clock.now_ms() - KEEP_MS
        rows = await self._database.read(
            lambda txn: sql.newest_requests(txn, sender, device_id, after_ms, _TRANSACTIONS)
        )
        known: Known = OrderedDict()
        for transaction_id, users in reversed(rows):
            known.setdefault(transaction_id, set()).update(users)
        return known
