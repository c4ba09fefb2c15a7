"""What devices have got: noted when they sync on from there, deleted from the inboxes in batches."""

from collections.abc import Sequence
from typing import Final

from synapse_like.features.to_device import sql
from synapse_like.features.to_device.facts import EVERY_DEVICE, ToDeviceFact
from synapse_like.toolkit.db import Database

WRITE_SECONDS: Final = 2.0

_KNOWN: Final = 100_000

Device = tuple[str, str]


class Arrivals:
    """A service that writes its rest at the end.

    What is forgotten here is found again when the device asks the database next. Sections call from several threads;
    single operations on dictionaries are all that is needed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sent: dict[Device, int] = {}
        self._settled: dict[Device, int] = {}
        self._arrived: dict[Device, int] = {}
        self._deleted: dict[Device, int] = {}

    def sent(self, user_id: str, device_id: str, number: int) -> None:
        """A response holds what waited up to this number."""
        if len(self._sent) > _KNOWN:
            self._sent.clear()
        self._sent[user_id, device_id] = number
        self._settled.pop((user_id, device_id), None)

    def heard(self, facts: Sequence[ToDeviceFact]) -> None:
        """Messages wait; another process may send them, and hear of it here that they were got."""
        for fact in facts:
            self.sent(fact.user_id, fact.device_id, fact.number)

    def got(self, user_id: str, device_id: str, upto: int) -> None:
        """The device asks for what comes after a number: it has what came before."""
        device = (user_id, device_id)
        sent = max(self._sent.get(device, 0), self._sent.get((user_id, EVERY_DEVICE), 0))
        if sent <= self._settled.get(device, 0):
            return
        self._arrived[device] = upto
        if sent <= upto:
            self._sent.pop(device, None)
            if len(self._settled) > _KNOWN:
                self._settled.clear()
            self._settled[device] = sent

    def upto(self, user_id: str, device_id: str) -> int:
        """Up to which number a device has what waited, as far as a snapshot may still hold it."""
        device = (user_id, device_id)
        return self._arrived.get(device) or self._deleted.get(device, 0)

    async def write(self) -> None:
        """Delete what has arrived, in one statement."""
        rows = [(*device, upto) for device, upto in sorted(self._arrived.items())]
        if rows:
            await self._database.write(lambda txn: sql.remove(txn, rows))
        self._deleted = {}
        for user_id, device_id, upto in rows:
            self._deleted[user_id, device_id] = upto
            if self._arrived.get((user_id, device_id)) == upto:
                del self._arrived[user_id, device_id]

    async def start(self) -> None:
        """Nothing is known yet."""

    async def stop(self) -> None:
        """Write the rest."""
        await self.write()
