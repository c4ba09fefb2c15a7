"""The shards of rooms and users by their ids: rows of the database, remembered."""

from collections import OrderedDict

from synapse_like.rooms.families import ROOM, USER, UserLog, fresh_shard
from synapse_like.rooms.sql import rooms as rooms_sql
from synapse_like.toolkit.db import Database

_KNOWN_ROOMS = 200_000


class Shards:
    """Which shard somebody lives in."""

    def __init__(self, database: Database, users: UserLog) -> None:
        self._database = database
        self._users = users
        self._rooms: OrderedDict[str, int] = OrderedDict()

    def known(self, family: str, key: str) -> int | None:
        """The shard of a room or user id, if it is in memory."""
        return self._rooms.get(key) if family == ROOM.name else self._users.known_shard(key)

    async def of(self, family: str, key: str) -> int:
        """The shard of a room or user id. A room that is not here (yet) has the one in which it would arrive."""
        if family == USER.name:
            return await self._users.shard_of(key)
        if family == ROOM.name:
            return await self._of_room(key)
        raise ValueError(f"nobody lives in {family}")

    async def _of_room(self, room_id: str) -> int:
        shard = self._rooms.get(room_id)
        if shard is None:
            shard = await self._database.read(lambda txn: rooms_sql.shard(txn, room_id))
            if shard is None:
                return fresh_shard(ROOM, room_id)
            self._rooms[room_id] = shard
            if len(self._rooms) > _KNOWN_ROOMS:
                self._rooms.popitem(last=False)
        return shard
