"""Dehydrated devices: one a user, with keys and an inbox but no session, kept until a client brings it back to life.

Source: MSC3814.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from replication.log import Pair
from replication.numbers import counter_of, pack
from synapse_like.features.dehydrated_devices import sql
from synapse_like.features.device_keys import KeyUploads, Upload
from synapse_like.features.sessions import MAX_NAME_LENGTH, Devices
from synapse_like.features.to_device import ToDevice
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import Forbidden, InvalidParam, NotFound, TooLarge
from synapse_like.rooms.families import UserLog
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.texts import checked_text
from synapse_like.toolkit.locks import KeyedLocks

MAX_DATA_BYTES: Final = 262_144
EVENTS: Final = 100
_MAX_DEVICE_ID: Final = 512


class DehydratedDevices:
    """The dehydrated devices of local users; a `Companion` of devices."""

    def __init__(
        self, database: Database, log: UserLog, devices: Devices, uploads: KeyUploads, to_device: ToDevice
    ) -> None:
        self._database = database
        self._log = log
        self._devices = devices
        self._uploads = uploads
        self._to_device = to_device
        self._locks = KeyedLocks()

    async def put(
        self, user_id: str, device_id: str, data: Mapping[str, Any], name: str | None, upload: Upload
    ) -> None:
        """Replace the user's dehydrated device. Raises InvalidParam for an id in use, and what is wrong with keys."""
        device_id = checked_text("device_id", device_id, _MAX_DEVICE_ID)
        name = None if name is None else checked_text("initial_device_display_name", name, MAX_NAME_LENGTH)
        text = canonical_json(data).decode()
        if not device_id:
            raise InvalidParam("device_id is empty")
        if len(text) > MAX_DATA_BYTES:
            raise TooLarge("device_data is too large")
        self._uploads.check(user_id, device_id, upload)
        async with self._locks.hold(user_id):
            before = await self._find(user_id)
            if before is None or before[0] != device_id:
                await self._check_free(user_id, device_id)
            if before is not None:
                await self._devices.delete(user_id, [before[0]])
            await self._devices.add(user_id, device_id, name, lambda txn: sql.put(txn, user_id, device_id, text))
            await self._uploads.store(user_id, device_id, upload)

    async def get(self, user_id: str) -> tuple[str, str]:
        """(device, data as JSON). Raises NotFound."""
        found = await self._find(user_id)
        if found is None:
            raise NotFound("There is no dehydrated device")
        return found

    async def delete(self, user_id: str) -> str:
        """End the device; its id. Raises NotFound."""
        async with self._locks.hold(user_id):
            device_id, _ = await self.get(user_id)
            await self._devices.delete(user_id, [device_id])
        return device_id

    async def events(self, user_id: str, device_id: str, since: str | None) -> tuple[list[str], str | None]:
        """What waits for the device after a place, as JSON, and the place after that; what came before is deleted.

        There is no place after nothing: some clients stop at an empty page, others where none is named.
        Raises Forbidden for another device, InvalidParam for a place that is none.
        """
        found = await self._find(user_id)
        if found is None or found[0] != device_id:
            raise Forbidden("This is not your dehydrated device")
        after = pack(await self._log.shard_of(user_id), _counter(since))
        if since is not None:
            await self._to_device.remove(user_id, device_id, after)
        waiting = await self._to_device.waiting(user_id, device_id, after, EVENTS)
        return [text for _, text in waiting], f"d{counter_of(waiting[-1][0])}" if waiting else None

    async def ids_of(self, user_id: str) -> set[str]:
        """The id of the user's dehydrated device, if there is one."""
        found = await self._find(user_id)
        return set() if found is None else {found[0]}

    async def renamed(self, user_id: str, device_id: str, display_name: str | None) -> Sequence[Pair]:
        """Nothing to append."""
        return ()

    async def ended(self, user_id: str, device_ids: Sequence[str]) -> Sequence[Pair]:
        """Nothing to append."""
        return ()

    def forget(self, transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
        """Forget a device that ends."""
        sql.forget(transaction, user_id, device_ids)

    async def _find(self, user_id: str) -> tuple[str, str] | None:
        return await self._database.read(lambda txn: sql.get(txn, user_id))

    async def _check_free(self, user_id: str, device_id: str) -> None:
        if await self._devices.find(user_id, device_id) is not None:
            raise InvalidParam("There is a device of that ID already")


def _counter(since: str | None) -> int:
    if since is None:
        return 0
    digits = since[1:]
    if not since.startswith("d") or len(digits) > 13 or not digits.isascii() or not digits.isdigit():
        raise InvalidParam("next_batch is not a place of this device")
    return int(digits)
