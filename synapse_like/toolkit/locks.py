"""Locks by key: one user's (or room's) read-modify-write at a time, within this process."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredLock


class KeyedLocks:
    """A lock per key, kept only while somebody holds it or waits for it.

        async with locks.held(user_id):
            ...
    """

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[DeferredLock, int]] = {}

    @asynccontextmanager
    async def held(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for the key's turn; the next in line has it when the block is left."""
        lock, users = self._locks.get(key, (DeferredLock(), 0))
        self._locks[key] = lock, users + 1
        try:
            await lock.acquire()
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = lock, users - 1

    def __len__(self) -> int:
        return len(self._locks)
