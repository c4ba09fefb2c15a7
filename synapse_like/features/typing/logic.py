"""Who is typing, as the room's owner knows it: each for as long as the client said, and no longer than two minutes."""

from collections.abc import Sequence

from replication.owned import owned
from replication.streams import Family
from synapse_like.features.typing.stream import TYPING, TypingFact
from synapse_like.matrix.errors import Forbidden, NotFound
from synapse_like.matrix.server_acl import SERVER_ACL, lets_in
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Rooms
from synapse_like.rooms.hosts import server_of
from synapse_like.rooms.live import LiveRoom
from synapse_like.toolkit.clock import Clock, Wait

MAX_TIMEOUT_MS = 120_000
REMOTE_TIMEOUT_MS = 60_000
MAX_REMOTE_USERS = 200
"""How many users of other servers count as typing in a room at once."""
REPEAT_MS = 25_000
"""How often it is said again that a user goes on typing: other servers forget it if they hear nothing for a while."""


class Typing:
    """Starts and stops typing."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock
        self._typing: dict[str, dict[str, Wait]] = {}
        self._told_ms: dict[tuple[str, str], int] = {}
        self._shards: dict[str, int] = {}

    async def start(self, user_id: str, room_id: str, timeout_ms: int) -> None:
        """A user is typing. Raises Forbidden for one who has not joined."""
        shard = await self._shard(user_id, room_id)
        seconds = max(1, min(timeout_ms, MAX_TIMEOUT_MS)) / 1000
        self._begin(shard, user_id, room_id, seconds, repeat_ms=REPEAT_MS)

    async def stop(self, user_id: str, room_id: str) -> None:
        """A user is typing no more. Raises Forbidden for one who has not joined."""
        self._end(await self._shard(user_id, room_id), user_id, room_id)

    async def took(self, _family: Family, _shards: Sequence[int]) -> None:
        """Nobody types in these rooms, as far as we know."""

    async def gave(self, _family: Family, shards: Sequence[int]) -> None:
        """Others hear of typing in these rooms from now on: say that nobody types, and begin there anew."""
        for room_id in [room_id for room_id, shard in self._shards.items() if shard in shards]:
            for user_id, wait in self._typing.pop(room_id, {}).items():
                wait.cancel()
                self._told_ms.pop((room_id, user_id), None)
            shard = self._shards.pop(room_id)
            self._rooms.room_log.say(shard, [(TYPING, TypingFact(room_id=room_id, user_ids=()))])

    @owned(ROOM, "room_id")
    async def hear(self, room_id: str, user_id: str, is_typing: bool) -> None:
        """A user of another server is typing, or is not any more. Raises Forbidden for one who has not joined."""
        room = await self._room(room_id)
        if not lets_in(room.state_event(*SERVER_ACL), server_of(user_id)):
            raise Forbidden("The room does not let that server in")
        await self._rooms.live.add_members(room, [user_id])
        if room.membership_of(user_id) != "join":
            raise Forbidden("The user has not joined this room")
        shard = room.identity.shard
        if not is_typing:
            self._end(shard, user_id, room_id)
        elif len(self._typing.get(room_id, ())) < MAX_REMOTE_USERS:
            self._begin(shard, user_id, room_id, REMOTE_TIMEOUT_MS / 1000)

    def _begin(
        self, shard: int, user_id: str, room_id: str, seconds: float, repeat_ms: int = REMOTE_TIMEOUT_MS
    ) -> None:
        users = self._typing.setdefault(room_id, {})
        self._shards[room_id] = shard
        if (wait := users.get(user_id)) is not None:
            wait.cancel()
        now_ms = self._clock.monotonic_ms()
        users[user_id] = self._clock.call_later(seconds, lambda: self._end(shard, user_id, room_id))
        if wait is None or now_ms - self._told_ms.get((room_id, user_id), 0) >= repeat_ms:
            self._told_ms[room_id, user_id] = now_ms
            self._tell(shard, room_id)

    def _end(self, shard: int, user_id: str, room_id: str) -> None:
        users = self._typing.get(room_id, {})
        wait = users.pop(user_id, None)
        if wait is None:
            return
        wait.cancel()
        self._told_ms.pop((room_id, user_id), None)
        if not users:
            del self._typing[room_id]
            self._shards.pop(room_id, None)
        self._tell(shard, room_id)

    def _tell(self, shard: int, room_id: str) -> None:
        users = tuple(self._typing.get(room_id, ()))
        self._rooms.room_log.tell(shard, [(TYPING, TypingFact(room_id=room_id, user_ids=users))])

    async def _shard(self, user_id: str, room_id: str) -> int:
        room = await self._room(room_id)
        if room.membership_of(user_id) != "join":
            raise Forbidden("You have not joined this room")
        return room.identity.shard

    async def _room(self, room_id: str) -> LiveRoom:
        try:
            return await self._rooms.live.get(room_id)
        except NotFound as error:
            raise Forbidden("You have not joined this room") from error
