"""Uploading a device's keys together with its one-time and fallback keys: one commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replication.log import Pair
from synapse_like.features.device_keys import sql
from synapse_like.features.device_keys.checks import checked_device_keys
from synapse_like.features.device_lists import DeviceLists
from synapse_like.features.one_time_keys import Key, OneTimeKeys, Stock, parsed_fallbacks, parsed_keys
from synapse_like.features.sessions import Devices
from synapse_like.matrix.errors import InvalidParam, NotFound
from synapse_like.rooms.families import UserLog
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.http.requester import Requester


@dataclass(frozen=True, slots=True)
class KeyTools:
    """What keys are changed with."""

    database: Database
    log: UserLog
    devices: Devices
    lists: DeviceLists


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client brings: a device's keys if they are there, one-time keys, fallback keys."""

    device_keys: Mapping[str, Any] | None
    one_time_keys: Mapping[str, Any]
    fallback_keys: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """What an upload meets. `rooms` are the user's, if the device's keys are new."""

    exists: bool
    had_keys: bool
    is_new: bool
    rooms: tuple[str, ...]
    keys: Sequence[Key]
    stock: Stock


class KeyUploads:
    """Stores what devices upload; a `Companion` of devices."""

    def __init__(self, tools: KeyTools, one_time_keys: OneTimeKeys) -> None:
        self._tools = tools
        self._one_time_keys = one_time_keys

    async def upload(self, requester: Requester, upload: Upload) -> dict[str, int]:
        """Store keys of the requester's device; how many one-time keys it has then, by algorithm.

        Raises InvalidParam, TooLarge, UnsafeValue.
        """
        device_id = requester.device_id
        if device_id is None:
            raise InvalidParam("Keys belong to a device, and this session has none")
        return await self.store(requester.user_id, device_id, upload)

    def check(self, user_id: str, device_id: str, upload: Upload) -> tuple[str | None, list[Key], list[Key]]:
        """The device's keys, one-time keys and fallback keys of an upload. Raises what is wrong with them."""
        keys = parsed_keys("one_time_keys", dict(upload.one_time_keys))
        fallbacks = parsed_fallbacks("fallback_keys", dict(upload.fallback_keys))
        text = None if upload.device_keys is None else checked_device_keys(upload.device_keys, user_id, device_id)
        return text, keys, fallbacks

    async def store(self, user_id: str, device_id: str, upload: Upload) -> dict[str, int]:
        """Store keys of a device; the same."""
        text, keys, fallbacks = self.check(user_id, device_id, upload)
        async with self._tools.devices.locks.hold(user_id):
            return await self._store(user_id, device_id, text, keys, fallbacks)

    async def _store(
        self, user_id: str, device_id: str, text: str | None, keys: Sequence[Key], fallbacks: Sequence[Key]
    ) -> dict[str, int]:
        found = await self._tools.database.read(lambda txn: self._look(txn, user_id, device_id, text, keys))
        if not found.exists:
            raise NotFound("There is no such device")
        stock = found.stock
        fresh = self._one_time_keys.fresh(keys, found.keys, stock)
        facts: list[Pair] = []
        if found.is_new:
            facts += self._tools.lists.changed_in(found.rooms, user_id, [device_id])
        deposit = self._one_time_keys.deposit(user_id, device_id, fresh, fallbacks) if fresh or fallbacks else None
        if deposit is not None:
            facts.append(deposit.pair)
        if not facts:
            return dict(stock.counts)

        def store(transaction: Transaction) -> None:
            if found.is_new and text is not None:
                sql.set_device(transaction, user_id, device_id, text, had_keys=found.had_keys)
            if deposit is not None:
                deposit.extra(transaction)

        await self._tools.log.append(user_id, facts, extra=store)
        return dict(stock.counts if deposit is None else deposit.fact.counts)

    def _look(
        self, transaction: Transaction, user_id: str, device_id: str, text: str | None, keys: Sequence[Key]
    ) -> _Found:
        exists, stored = sql.device(transaction, user_id, device_id)
        known, stock = self._one_time_keys.look(transaction, user_id, device_id, keys)
        is_new = text is not None and text != stored
        rooms = self._tools.lists.rooms_of(transaction, user_id) if is_new else ()
        return _Found(exists, stored is not None, is_new, rooms, known, stock)

    async def renamed(self, user_id: str, device_id: str, display_name: str | None) -> Sequence[Pair]:
        """The name of a device is shown with its keys."""
        return await self._changed(user_id, [device_id], is_deleted=False)

    async def ended(self, user_id: str, device_ids: Sequence[str]) -> Sequence[Pair]:
        """Others hear of the end of devices that had keys."""
        return await self._changed(user_id, device_ids, is_deleted=True)

    def forget(self, transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
        """Delete the keys of devices that end."""
        sql.forget_devices(transaction, user_id, device_ids)

    async def _changed(self, user_id: str, device_ids: Sequence[str], *, is_deleted: bool) -> Sequence[Pair]:
        found = await self._tools.database.read(lambda txn: sql.devices_with_keys(txn, user_id, device_ids))
        return await self._tools.lists.changed(user_id, found, is_deleted=is_deleted) if found else ()
