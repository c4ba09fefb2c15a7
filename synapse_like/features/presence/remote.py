"""Presence of users of other servers, as those servers tell it; who is not heard of for long counts as offline."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from synapse_like.features.presence.person import OFFLINE
from synapse_like.features.presence.stream import PRESENCE, PresenceFact
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.clock import Clock

REPEAT_MS: Final = 25 * 60_000
"""How often other servers are told that a user is still there."""
FORGET_MS: Final = 35 * 60_000
MAX_USERS: Final = 50_000
LOOK_SECONDS: Final = 60.0


class RemotePresence:
    """Tells readers what other servers say of their users, as far as a room is shared with them."""

    def __init__(self, rooms: Rooms, clock: Clock, excluded_rooms: frozenset[str]) -> None:
        self._rooms = rooms
        self._clock = clock
        self._excluded_rooms = excluded_rooms
        self._heard: OrderedDict[str, tuple[int, PresenceFact]] = OrderedDict()

    async def hear(self, facts: Sequence[PresenceFact]) -> None:
        """Another server says how users of its own are seen."""
        for fact in facts:
            joined = await self._rooms.memberships.joined_rooms(fact.user_id)
            shared = tuple(room_id for room_id in joined if room_id not in self._excluded_rooms)
            if shared:
                self._tell(msgspec.structs.replace(fact, rooms=shared))

    async def look_at_the_time(self) -> None:
        """Those who were not heard of for long are offline."""
        before_ms = self._clock.monotonic_ms() - FORGET_MS
        while self._heard:
            user_id, (at_ms, fact) = next(iter(self._heard.items()))
            if at_ms > before_ms and len(self._heard) <= MAX_USERS:
                return
            del self._heard[user_id]
            self._tell(PresenceFact(user_id=user_id, rooms=fact.rooms, presence=OFFLINE))

    def _tell(self, fact: PresenceFact) -> None:
        self._heard.pop(fact.user_id, None)
        if fact.presence != OFFLINE:
            self._heard[fact.user_id] = self._clock.monotonic_ms(), fact
        self._rooms.user_log.tell(fact.user_id, [(PRESENCE, fact)])
