"""Who is typing, as the room's owner knows it: each for as long as the client said, and no longer than two minutes."""

from synapse_like.features.typing.stream import TYPING, TypingFact
from synapse_like.matrix.errors import Forbidden, NotFound
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.clock import Clock, Wait

MAX_TIMEOUT_MS = 120_000


class Typing:
    """Starts and stops typing."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock
        self._typing: dict[str, dict[str, Wait]] = {}

    async def start(self, user_id: str, room_id: str, timeout_ms: int) -> None:
        """A user is typing. Raises Forbidden for one who has not joined."""
        shard = await self._shard(user_id, room_id)
        users = self._typing.setdefault(room_id, {})
        seconds = max(1, min(timeout_ms, MAX_TIMEOUT_MS)) / 1000
        is_new = user_id not in users
        if not is_new:
            users[user_id].cancel()
        users[user_id] = self._clock.call_later(seconds, lambda: self._end(shard, user_id, room_id))
        if is_new:
            self._tell(shard, room_id)

    async def stop(self, user_id: str, room_id: str) -> None:
        """A user is typing no more. Raises Forbidden for one who has not joined."""
        self._end(await self._shard(user_id, room_id), user_id, room_id)

    def _end(self, shard: int, user_id: str, room_id: str) -> None:
        users = self._typing.get(room_id, {})
        wait = users.pop(user_id, None)
        if wait is None:
            return
        wait.cancel()
        if not users:
            del self._typing[room_id]
        self._tell(shard, room_id)

    def _tell(self, shard: int, room_id: str) -> None:
        users = tuple(self._typing.get(room_id, ()))
        self._rooms.room_log.tell(shard, [(TYPING, TypingFact(room_id=room_id, user_ids=users))])

    async def _shard(self, user_id: str, room_id: str) -> int:
        try:
            room = await self._rooms.live.get(room_id)
        except NotFound as error:
            raise Forbidden("You have not joined this room") from error
        if room.membership_of(user_id) != "join":
            raise Forbidden("You have not joined this room")
        return room.identity.shard
