"""One user with matrix-nio, syncing in the background as a bot does, and what came in on the way.

matrix-nio needs an asyncio loop that runs; the tests give it one in a thread of its own (``run_apart``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from nio import AsyncClient, AsyncClientConfig, ErrorResponse, Event, MatrixRoom, RoomMessageText

PASSWORD = "a long enough password"
PATIENCE_SECONDS = 30.0
LONG_POLL_MS = 20_000
_IMPATIENT = AsyncClientConfig(max_limit_exceeded=0, max_timeouts=0)
T = TypeVar("T")


def run_apart(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop in a new thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, scenario).result()


def good(response: Any) -> Any:
    """Return a response that is not an error."""
    assert not isinstance(response, ErrorResponse), response
    return response


async def eventually(ask: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask again and again until the answer is yes."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await ask():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited in vain: {what}") from None


class Person:
    """A user's client; ``events`` holds per room what arrived in sync, in order, ``left`` the rooms that ended."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.client = AsyncClient(url, name, config=_IMPATIENT)
        self.events: dict[str, list[Event]] = {}
        self.left: set[str] = set()
        self._changed = asyncio.Condition()
        self._loop: asyncio.Task[None] | None = None
        self._listen()

    @property
    def user_id(self) -> str:
        """The full user id, known once there is a session."""
        return str(self.client.user_id)

    async def register(self) -> None:
        """Make the account."""
        good(await self.client.register(self.name, PASSWORD, "the first device"))

    async def login(self) -> None:
        """Open a new session."""
        good(await self.client.login(PASSWORD, "another device"))

    def start_syncing(self, **options: Any) -> None:
        """Sync in the background until ``stop``."""
        self._loop = asyncio.create_task(self._sync_on(options))

    async def stop(self) -> None:
        """End the background sync and the connections."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        await self.client.close()

    async def until(self, is_so: Callable[[], Any], what: str) -> None:
        """Wait until something is so, which is looked at after every sync."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
                while not is_so():
                    self._check_syncing()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} waited in vain: {what}") from None

    async def until_last(self, room_id: str, text: str) -> None:
        """Wait until the newest message of a room is this one."""
        await self.until(lambda: self.texts(room_id)[-1:] == [text], f"the message {text!r}")

    async def say(self, room_id: str, text: str) -> str:
        """Send a message and return its event id."""
        content = {"msgtype": "m.text", "body": text}
        return str(good(await self.client.room_send(room_id, "m.room.message", content)).event_id)

    def room(self, room_id: str) -> MatrixRoom:
        """What the client knows of a joined room."""
        return self.client.rooms[room_id]

    def texts(self, room_id: str) -> list[str]:
        """The bodies of all messages that arrived in a room, in order."""
        return [event.body for event in self.events.get(room_id, []) if isinstance(event, RoomMessageText)]

    def _listen(self) -> None:
        self.client.add_event_callback(self._take_in, Event)

    async def _upkeep(self) -> None:
        """What is to be done after every sync."""

    def _take_in(self, room: MatrixRoom, event: Event) -> None:
        self.events.setdefault(room.room_id, []).append(event)

    async def _sync_on(self, options: dict[str, Any]) -> None:
        options = {"timeout": 0, "full_state": True, **options}
        try:
            while True:
                self.left.update(good(await self.client.sync(**options)).rooms.leave)
                options = {"timeout": LONG_POLL_MS}
                await self._upkeep()
                await self._tell()
        finally:
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _check_syncing(self) -> None:
        if self._loop is not None and self._loop.done():
            self._loop.result()
            raise AssertionError(f"{self.name} does not sync")
