"""Inboxes end with their devices."""

from collections.abc import Sequence

from replication.log import Pair
from replication.ports import Transaction
from synapse_like.features.to_device import sql


class Inboxes:
    """A `Companion` of devices."""

    async def renamed(self, user_id: str, device_id: str, display_name: str | None) -> Sequence[Pair]:
        """Nothing to append."""
        return ()

    async def ended(self, user_id: str, device_ids: Sequence[str]) -> Sequence[Pair]:
        """Nothing to append."""
        return ()

    def forget(self, transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
        """Delete what waits for devices that end."""
        sql.forget(transaction, user_id, device_ids)
