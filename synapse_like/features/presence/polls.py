"""Clients that poll here, for users who live in another process: their owner is told, and told again while they poll.

Nobody is told that a poll has ended: who is not spoken of any more counts as gone after a while.
"""

from collections.abc import Awaitable, Callable

from synapse_like.toolkit.clock import Clock

Key = tuple[str, str | None]
Seen = Callable[[str, str | None, str], Awaitable[None]]
"""Tells the owner of a user (user id, device id, presence) that a client is there."""


class Polls:
    """What this process has told, and who polls here now."""

    def __init__(self, clock: Clock, seen: Seen, repeat_ms: int) -> None:
        self._clock = clock
        self._seen = seen
        self._repeat_ms = repeat_ms
        self._polling: dict[Key, int] = {}
        self._told: dict[Key, tuple[str, int]] = {}

    async def began(self, user_id: str, device_id: str | None, presence: str) -> None:
        """A poll has begun; the owner is told if that is news."""
        key = (user_id, device_id)
        self._polling[key] = self._polling.get(key, 0) + 1
        before, at_ms = self._told.get(key, ("", 0))
        if before != presence or self._clock.monotonic_ms() - at_ms > self._repeat_ms:
            await self._tell(key, presence)

    def ended(self, user_id: str, device_id: str | None) -> None:
        """A poll was answered."""
        key = (user_id, device_id)
        left = self._polling.get(key, 1) - 1
        if left > 0:
            self._polling[key] = left
        else:
            self._polling.pop(key, None)

    async def repeat(self) -> None:
        """Tell of those who still poll; forget what was told of those who do not."""
        now_ms = self._clock.monotonic_ms()
        for key, (presence, at_ms) in list(self._told.items()):
            if now_ms - at_ms <= self._repeat_ms:
                continue
            if key in self._polling:
                await self._tell(key, presence)
            else:
                del self._told[key]

    async def _tell(self, key: Key, presence: str) -> None:
        self._told[key] = presence, self._clock.monotonic_ms()
        await self._seen(*key, presence)
