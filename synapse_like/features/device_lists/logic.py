"""What is appended when a user's keys change, and who was affected between two places."""

from collections.abc import Sequence
from typing import Final

from replication.log import Pair
from replication.owned import owned
from replication.positions import Vector
from replication.sql import all_positions
from synapse_like.features.device_lists import sql
from synapse_like.features.device_lists.changes import Changes, changes
from synapse_like.features.device_lists.stream import DEVICE_LISTS, SIGNED_USERS, DeviceListFact, SignedUsersFact
from synapse_like.matrix.errors import InvalidParam
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.memberships import rooms_in
from synapse_like.sync.tokens import SyncToken
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, Transaction

KEEP_ENDED_MS: Final = 30 * 24 * 60 * 60 * 1000
CROSS_SIGNING: Final = ""


class DeviceLists:
    """Changes of what others see of users' keys."""

    def __init__(self, database: Database, rooms: Rooms, clock: Clock) -> None:
        self._database = database
        self._rooms = rooms
        self._clock = clock

    async def changed(self, user_id: str, device_ids: Sequence[str], *, is_deleted: bool = False) -> list[Pair]:
        """What has to be appended to the user's log with a change of devices' keys (`CROSS_SIGNING`: the user's)."""
        rooms = await self._database.read(lambda txn: self.rooms_of(txn, user_id))
        return self.changed_in(rooms, user_id, device_ids, is_deleted=is_deleted)

    def changed_in(
        self, rooms: tuple[str, ...], user_id: str, device_ids: Sequence[str], *, is_deleted: bool = False
    ) -> list[Pair]:
        """The same for who has just looked which rooms the user has joined (`rooms_of`)."""
        return [
            (
                DEVICE_LISTS,
                DeviceListFact(
                    user_id=user_id,
                    device_id=device_id,
                    rooms=rooms,
                    is_deleted=is_deleted,
                    changed_ms=self._clock.now_ms(),
                ),
            )
            for device_id in device_ids
        ]

    def signed(self, user_id: str, signed: Sequence[str]) -> Pair:
        """What has to be appended when a user has signed the master keys of others."""
        return SIGNED_USERS, SignedUsersFact(user_id=user_id, signed=tuple(signed))

    @owned(USER, "user_id")
    async def remote_changed(self, user_id: str, device_ids: list[str]) -> None:
        """Another server says that a user of its own has changed keys: tell those here who share a room.

        Call it after the cache of that user's keys was brought up to date or dropped.
        """
        await self._rooms.user_log.append(user_id, await self.changed(user_id, device_ids))

    @owned(USER, "user_id")
    async def tell_again(self, user_id: str, device_id: str, is_deleted: bool, rooms: list[str]) -> None:
        """Tell more rooms of a change that was told to others already."""
        fact = DeviceListFact(
            user_id=user_id,
            device_id=device_id,
            rooms=tuple(rooms),
            is_deleted=is_deleted,
            changed_ms=self._clock.now_ms(),
        )
        await self._rooms.user_log.append(user_id, [(DEVICE_LISTS, fact)])

    def rooms_of(self, transaction: Transaction, user_id: str) -> tuple[str, ...]:
        """The rooms that a user has joined, as committed."""
        return tuple(sql.joined_rooms(transaction, [user_id]).get(user_id, ()))

    async def rooms_of_all(self, user_ids: Sequence[str]) -> dict[str, list[str]]:
        """The same of several users; who has joined none is left out."""
        return await self._database.read(lambda txn: sql.joined_rooms(txn, user_ids))

    async def changes(self, user_id: str, since_text: str) -> Changes:
        """Whose keys have changed, and who shares no room any more, since a token of /sync. Raises InvalidParam."""
        since = SyncToken.decode(since_text)
        if since is None:
            raise InvalidParam("from is not a token of this server")
        incarnation, shard = self._rooms.reader.incarnation, await self._rooms.user_log.shard_of(user_id)

        def read(transaction: Transaction) -> Changes:
            positions = all_positions(transaction)
            rooms, users = Vector(positions["room"]), Vector(positions["user"])
            now = SyncToken(incarnation, since.process, since.ephemeral, rooms, users)
            is_known = since.incarnation == incarnation and now.reaches(since)
            if not is_known:
                return Changes(changed=sql.all_sharers(transaction, user_id), left=set())
            return changes(transaction, user_id, shard, rooms_in(transaction, user_id), since, now)

        return await self._database.read(read)

    async def purge(self) -> None:
        """Forget devices that ended long ago."""
        before_ms = self._clock.now_ms() - KEEP_ENDED_MS
        await self._database.write(lambda txn: sql.purge(txn, before_ms))
