"""The lists of devices of other servers' users, as far as a room is shared with them: stored once asked for, kept
current by what their servers tell.

Where a user's shard is owned, changes are applied one after the other. Source: server-server API, "Device Management".
"""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from replication.log import Pair
from replication.owned import owned
from synapse_like.features.device_lists import DeviceLists
from synapse_like.features.remote_devices import sql
from synapse_like.features.remote_devices.documents import CrossSigning, Update, UserKeys
from synapse_like.rooms.families import USER, UserLog
from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.locks import KeyedLocks

logger = logging.getLogger(__name__)

CROSS_SIGNING = ""
"""The "device" whose change means that of the user's cross-signing keys."""


class RemoteDeviceCache:
    """What is stored. `missed` hears of users of whom an update was missed."""

    def __init__(self, database: Database, log: UserLog, lists: DeviceLists) -> None:
        self.missed: Callable[[str], None] = _nobody
        self._database = database
        self._log = log
        self._lists = lists
        self._locks = KeyedLocks()

    async def known(self, user_ids: Sequence[str]) -> tuple[dict[str, UserKeys], dict[str, UserKeys], set[str]]:
        """The lists that are current, those that are stale, and who of the users shares a room with this server."""

        def read(transaction: Transaction) -> tuple[list[Any], list[Any], set[str]]:
            rows = sql.lists(transaction, user_ids)
            return rows, sql.devices(transaction, [row[0] for row in rows]), sql.sharers(transaction, user_ids)

        rows, devices, sharers = await self._database.read(read)
        keys: dict[str, dict[str, str]] = {}
        for user_id, device_id, each in devices:
            keys.setdefault(user_id, {})[device_id] = each
        current: dict[str, UserKeys] = {}
        stale: dict[str, UserKeys] = {}
        for user_id, stream_id, is_stale, master, self_signing in rows:
            found = UserKeys(stream_id, keys.get(user_id, {}), master, self_signing)
            (stale if is_stale or user_id not in sharers else current)[user_id] = found
        return current, stale, sharers

    @owned(USER, "user_id")
    async def store(self, user_id: str, keys: UserKeys) -> bool:
        """Store a whole list that the user's server has given; False if a later one has been told of meanwhile."""

        def write(transaction: Transaction) -> bool:
            rows = sql.lists(transaction, [user_id])
            if rows and rows[0][1] > keys.stream_id:
                return False
            if user_id in sql.sharers(transaction, [user_id]):
                cross_signing = (keys.master_key, keys.self_signing_key)
                sql.replace(transaction, user_id, keys.stream_id, cross_signing, sorted(keys.devices.items()))
            return True

        async with self._locks.hold(user_id):
            return await self._database.write(write)

    @owned(USER, "user_id")
    async def update(self, user_id: str, update: Update) -> None:
        """Take in a change of one device, and tell those here who share a room with the user."""
        async with self._locks.hold(user_id):
            row, is_sharer = await self._look(user_id)
            if not is_sharer:
                return
            is_known = row is not None and not row[2]
            if row is not None and is_known and update.stream_id <= row[1]:
                return
            facts = await self._lists.changed(user_id, [update.device_id])
            follows = row is not None and is_known and all(number <= row[1] for number in update.previous)

            def write(transaction: Transaction) -> None:
                if follows:
                    sql.set_device(transaction, user_id, update.device_id, update.stream_id, update.keys)
                else:
                    sql.mark_stale(transaction, user_id, update.stream_id)

            await self._append(user_id, facts, write)
        if row is not None and not follows:
            self.missed(user_id)

    @owned(USER, "user_id")
    async def sign(self, user_id: str, master_key: str | None, self_signing_key: str | None) -> None:
        """Take in changed cross-signing keys, and tell those here who share a room with the user."""
        async with self._locks.hold(user_id):
            _, is_sharer = await self._look(user_id)
            if is_sharer:
                changed = CrossSigning(master_key, self_signing_key)
                await self._append(
                    user_id,
                    await self._lists.changed(user_id, [CROSS_SIGNING]),
                    lambda txn: sql.set_cross_signing(txn, user_id, changed.master_key, changed.self_signing_key),
                )

    async def forget_strangers(self, user_ids: Collection[str]) -> None:
        """Forget those of the users with whom no room is shared any more."""
        names = sorted(user_ids)
        await self._database.write(lambda txn: sql.forget_strangers(txn, names))

    async def _look(self, user_id: str) -> tuple[Any, bool]:
        def read(transaction: Transaction) -> tuple[list[Any], set[str]]:
            return sql.lists(transaction, [user_id]), sql.sharers(transaction, [user_id])

        rows, sharers = await self._database.read(read)
        return (rows[0] if rows else None), bool(sharers)

    async def _append(self, user_id: str, facts: Sequence[Pair], write: Callable[[Transaction], None]) -> None:
        await self._log.append(user_id, facts, extra=write)


def _nobody(user_id: str) -> None:
    """Nobody listens."""
