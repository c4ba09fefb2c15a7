"""What people do all day, over and over, so that the server's task stays the same size.

It is the mixed day of the benchmark (``tests.bench.growth``), made to last: rooms that are opened are left and
forgotten again, and guests come and go. Only the history of rooms grows.
"""

import asyncio
import random
from collections import deque
from typing import Any
from urllib.parse import quote

from tests.bench import load
from tests.bench.growth import PUBLIC, Day
from tests.bench.load import V3, Connection
from tests.soak.counts import Counts

OWN_ROOMS = 40
"""Rooms of their own that all people together have at a time; the oldest is left when a new one is opened."""
GUESTS = 10
PASSWORD = "a long enough password"
POLL_MS = 10_000


class Counted(Connection):
    """A connection whose requests are counted; an answer other than 200 is an error."""

    def __init__(self, port: int, token: str, counts: Counts) -> None:
        super().__init__(port, token)
        self._counts = counts

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded body of a request that must succeed."""
        self._counts.requests += 1
        try:
            return await super().json(method, path, body)
        except (RuntimeError, OSError, EOFError) as error:
            self.close()
            self._counts.errors[f"{type(error).__name__}: {str(error)[:160]}"] += 1
            raise


class Life(Day):
    """People, their rooms, and guests. ``act`` is one step of one of them."""

    def __init__(self, port: int, people: int, rooms: int) -> None:
        super().__init__([], [])
        self.counts = Counts()
        self._port = port
        self._people = people
        self._rooms = rooms
        self._own: deque[tuple[Connection, str]] = deque()
        self._guests: deque[str] = deque()
        self._reading: list[asyncio.Task[None]] = []
        self.actions[self._visit] = 1

    async def begin(self) -> None:
        """Register everybody, join all rooms, and begin to follow them."""
        for number in range(self._people):
            self.users.append(self._counted(await load.register(self._port, f"person{number}")))
        for number in range(GUESTS):
            (await load.register(self._port, f"guest{number}")).close()
            self._guests.append(f"guest{number}")
        for _ in range(self._rooms):
            room = await load.create_room(self.users[0], **PUBLIC)
            for user in self.users[1:]:
                await load.join(user, room)
            self.rooms.append(room)
            self.last[room] = ""
        self._reading = [asyncio.create_task(self._follow(user)) for user in self.users]

    async def end(self) -> None:
        """Stop following."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    def _counted(self, connection: Connection) -> Counted:
        return Counted(self._port, connection.token, self.counts)

    async def _follow(self, user: Connection) -> None:
        """Poll for ever; after an error begin afresh, a second later."""
        reader = self._counted(user)
        while True:
            try:
                since = (await load.sync(reader))["next_batch"]
                while True:
                    since = (await load.sync(reader, since, POLL_MS))["next_batch"]
            except (RuntimeError, OSError, EOFError):
                await asyncio.sleep(1)

    async def _open_room(self, chance: random.Random, user: Connection, room: str) -> None:
        """Open a room, and leave and forget the oldest of those that were opened."""
        self._own.append((user, await load.create_room(user, name="for a while")))
        if len(self._own) > OWN_ROOMS:
            owner, old = self._own.popleft()
            leaver = Connection(self._port, owner.token) if owner is not user else user
            for what in ("leave", "forget"):
                await leaver.json("POST", f"{V3}/rooms/{quote(old)}/{what}", {})
            if leaver is not user:
                leaver.close()

    async def _visit(self, chance: random.Random, user: Connection, room: str) -> None:
        """A guest logs in, looks around, joins, says something, leaves and logs out."""
        if not self._guests:
            return
        name = self._guests.popleft()
        guest = Counted(self._port, "", self.counts)
        try:
            identifier = {"type": "m.id.user", "user": name}
            body = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD}
            guest.token = (await guest.json("POST", f"{V3}/login", body))["access_token"]
            await load.join(guest, room)
            since = (await load.sync(guest))["next_batch"]
            self.count += 1
            await load.send(guest, room, f"v{self.count}")
            await load.sync(guest, since)
            for what in ("leave", "forget"):
                await guest.json("POST", f"{V3}/rooms/{quote(room)}/{what}", {})
            await guest.json("POST", f"{V3}/logout", {})
        finally:
            guest.close()
            self._guests.append(name)
