"""The two families of logs, and who lives in which shard: rooms in one, users in the other.

The hash only picks the shard of a room or user that is new; the row that stores it is what counts.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from zlib import crc32

from twisted.internet.defer import Deferred

from replication.committer import Extra
from replication.log import Log, Pair
from replication.numbers import counter_of
from replication.shards import NotOwned
from replication.streams import Family
from synapse_like.matrix.ids import UserID
from synapse_like.rooms.sql import users as sql
from synapse_like.toolkit.db import Database

ROOM = Family("room")
USER = Family("user")

_KNOWN_USERS = 200_000

Heard = Callable[[str, int, int], Awaitable[None]]
"""Returns when every process has heard a log (family, shard) up to a counter."""


async def _only_one_process(_family: str, _shard: int, _counter: int) -> None:
    """What this process has heard, everybody has."""


def fresh_shard(family: Family, identifier: str) -> int:
    """The shard for a room or user that has none yet."""
    return crc32(identifier.encode()) % family.shards


class UserLog:
    """Appends facts to the logs of users."""

    def __init__(self, log: Log, database: Database) -> None:
        self._log = log
        self._database = database
        self._shards: dict[str, int] = {}
        self.heard_by_all: Heard = _only_one_process

    def known_shard(self, user_id: str) -> int | None:
        """The user's shard, if it is in memory."""
        return self._shards.get(user_id)

    async def shard_of(self, user_id: str) -> int:
        """The user's shard, picked and stored at the first question."""
        shard = self._shards.get(user_id)
        if shard is None:
            fresh = fresh_shard(USER, user_id)
            shard = await self._database.write(lambda txn: sql.user_shard(txn, user_id, fresh))
            self.remember(user_id, shard)
        return shard

    def remember(self, user_id: str, shard: int) -> None:
        """Keep a user's shard in memory, which the database has told."""
        if len(self._shards) >= _KNOWN_USERS:
            self._shards.clear()
        self._shards[user_id] = shard

    def ends(self) -> Sequence[tuple[int, int]]:
        """(shard, counter): how far each log of ours goes, as this process has committed it."""
        return self._log.ends()

    async def owns(self, user_id: str) -> bool:
        """Whether the user lives in a shard of ours."""
        return self._log.owns(await self.shard_of(user_id))

    async def ours(self, user_ids: Iterable[str]) -> list[str]:
        """Those of the users who live in shards of ours."""
        return [user_id for user_id in user_ids if await self.owns(user_id)]

    async def append(
        self,
        user_id: UserID | str,
        facts: Sequence[Pair],
        *,
        extra: Extra | None = None,
        is_heard_by_all: bool = False,
    ) -> None:
        """Store facts of one user in one transaction (with `extra`'s statements); returns after the commit.

        With `is_heard_by_all`, returns when every process has heard of the facts (or lives no more).
        """
        shard = await self.shard_of(user_id)
        await self._log.append(shard, user_id, facts, extra=extra)
        if is_heard_by_all:
            await self.heard_by_all(USER.name, shard, counter_of(facts[-1][1].number))

    async def append_each(self, facts: Mapping[str, Sequence[Pair]]) -> dict[str, Exception]:
        """Store facts of many users, those of a shard in one transaction; returns after the commits.

        Who could not be served, and why: of users whose shards belong to other processes (NotOwned), or that have one
        in their shard whose facts were refused, nothing was stored.
        """
        shards: dict[int, list[str]] = {}
        for user_id in facts:
            shard = self._shards.get(user_id)
            shards.setdefault(await self.shard_of(user_id) if shard is None else shard, []).append(user_id)
        refused: dict[str, Exception] = {}
        waiting = []
        with self._log.gathering():
            for shard, users in shards.items():
                pairs = [pair for user_id in users for pair in facts[user_id]]
                try:
                    waiting.append((users, self._log.append(shard, users[0], pairs)))
                except NotOwned as error:
                    refused.update(dict.fromkeys(users, error))
        for users, waiter in reversed(waiting):  # they fire in order: after the last there is nothing to wait for
            try:
                await waiter
            except Exception as error:
                refused.update(dict.fromkeys(users, error))
        return refused

    def tell(self, user_id: str, facts: Sequence[Pair]) -> None:
        """Publish ephemeral facts of a user."""
        self._log.tell(fresh_shard(USER, user_id), facts)


class RoomLog:
    """Appends facts that are not events to the logs of rooms (receipts, settings)."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def append(
        self, shard: int, room_id: str, facts: Sequence[Pair], *, extra: Extra | None = None
    ) -> "Deferred[None]":
        """Store facts of one room in one transaction; fires after the commit."""
        return self._log.append(shard, room_id, facts, extra=extra)

    def tell(self, shard: int, facts: Sequence[Pair]) -> None:
        """Publish ephemeral facts of a room. Raises NotOwned where the room is not ours."""
        self._log.check(shard)
        self._log.tell(shard, facts)

    def say(self, shard: int, facts: Sequence[Pair]) -> None:
        """As `tell`, for a room that is just being given away."""
        self._log.tell(shard, facts)
