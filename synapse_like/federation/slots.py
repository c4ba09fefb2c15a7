"""How many requests go to one server at the same time: those beyond wait, within their own time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from twisted.internet.defer import DeferredSemaphore

AT_ONCE: Final = 20


class Slots:
    """A few per server, kept only while somebody uses them."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._by_server: dict[str, DeferredSemaphore] = {}

    @asynccontextmanager
    async def take(self, server: str) -> AsyncIterator[None]:
        """Hold one; wait for it if there is none. Cancelling the wait gives up the place in the queue."""
        slots = self._by_server.setdefault(server, DeferredSemaphore(self._at_once))
        await slots.acquire()
        try:
            yield
        finally:
            slots.release()
            if slots.tokens == self._at_once and not slots.waiting:
                self._by_server.pop(server, None)

    def __len__(self) -> int:
        return len(self._by_server)
