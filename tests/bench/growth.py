"""How costs grow: sends with members, first syncs with rooms, bytes with events and state changes; and a mixed day."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from tests.bench import load
from tests.bench.load import V3, Connection
from tests.bench.measuring import Bench, timed

PUBLIC = {"preset": "public_chat"}
MEMBERS = (10, 100, 1000, 5000)
ROOMS = (10, 60, 300, 1000)


async def send_by_members(bench: Bench) -> None:
    """Ten users send in rooms that grow."""
    steps = [count for count in MEMBERS if count <= 10 or count <= bench.size(MEMBERS[-1])]
    users = await bench.users(steps[-1])
    room = await load.create_room(users[0], **PUBLIC)
    joined = 1
    for count in steps:
        await load.at_once([partial(load.join, user, room) for user in users[joined:count]], 16)
        joined = count
        latencies: list[float] = []
        each = bench.size(30, 10)

        async def talk(user: Connection, latencies: list[float] = latencies, count: int = count) -> None:
            for index in range(bench.size(30, 10)):
                await timed(latencies, partial(load.send, user, room, f"g{count}-{index}"))()

        for user in users[:10]:
            await load.send(user, room, f"warm{count}")
        async with bench.measured(f"growth: send, {count:,} members", 10 * each, latencies):
            await asyncio.gather(*(talk(user) for user in users[:10]))


async def sync_by_rooms(bench: Bench) -> None:
    """First syncs of a user with more and more rooms, and messages to this user's long poll in one of them."""
    user, writer = await bench.users(2)
    shared = await load.create_room(writer, **PUBLIC)
    await load.join(user, shared)
    made = 1
    for count in (each for each in ROOMS if each <= bench.size(ROOMS[-1], 60)):
        await load.at_once([partial(load.create_room, user, name=f"r{i}") for i in range(made, count)], 1)
        made = count
        latencies: list[float] = []
        times = max(3, min(10, 1000 // count))
        async with bench.measured(f"growth: first sync, {count:,} rooms", times, latencies):
            for index in range(times):
                # The filter differs each time, so that no server can answer with what it said before.
                limits = quote(f'{{"room":{{"timeline":{{"limit":{10 + index}}}}}}}')
                await timed(latencies, partial(user.json, "GET", f"{V3}/sync?timeout=0&filter={limits}"))()
        await _correspond(bench, user, writer, shared, count)


async def _correspond(bench: Bench, reader: Connection, writer: Connection, room: str, count: int) -> None:
    """One writes what the other, who is in so many rooms, waits for; again and again."""
    since = (await load.sync(reader))["next_batch"]
    latencies: list[float] = []
    times = bench.size(100, 30)

    async def write_and_read(number: int) -> None:
        nonlocal since
        waiting = asyncio.create_task(load.sync(reader, since, 20_000))
        await load.send(writer, room, f"c{count}-{number}")
        since = (await waiting)["next_batch"]

    async with bench.measured(f"growth: send and deliver, {count:,} rooms", times, latencies):
        for number in range(times):
            await timed(latencies, partial(write_and_read, number))()


async def bytes_stored(bench: Bench) -> None:
    """What a message and a state change add to the database."""
    users = await bench.users(bench.size(1000, 100))
    small, large = [await load.create_room(users[0], **PUBLIC) for _ in range(2)]
    await load.at_once([partial(load.join, user, small) for user in users[1:10]], 8)
    await load.at_once([partial(load.join, user, large) for user in users[1:]], 16)
    count = bench.size(3000, 600)
    before = bench.database_bytes()
    await asyncio.gather(*(_say(user, small, count // 10) for user in users[:10]))
    bench.note_bytes("database bytes of a message, 10 members", (bench.database_bytes() - before) / (count // 10 * 10))
    count = bench.size(1000, 300)
    before = bench.database_bytes()
    for index in range(count):
        path = f"{V3}/rooms/{quote(large)}/state/m.room.topic/"
        await users[0].json("PUT", path, {"topic": f"topic {index}"})
    name = f"database bytes of a state change, {len(users):,} members"
    bench.note_bytes(name, (bench.database_bytes() - before) / count)


async def _say(user: Connection, room: str, count: int) -> None:
    for index in range(count):
        await load.send(user, room, f"b{index}")


class Day:
    """People who sync all the time and do now this, now that; the same choices on every server."""

    def __init__(self, users: list[Connection], rooms: list[str]) -> None:
        self.users = users
        self.rooms = rooms
        self.last = dict.fromkeys(rooms, "")
        self.count = 0
        self.actions: dict[Callable[[random.Random, Connection, str], Awaitable[Any]], int] = {
            self._send: 35,
            self._type: 20,
            self._read: 20,
            self._page: 8,
            self._look_at_state: 5,
            self._look_up: 3,
            self._rename: 1,
            self._open_room: 1,
            self._open_client: 2,
            self._who: 5,
        }

    async def act(self, chance: random.Random, user: Connection) -> None:
        """Do one thing."""
        (action,) = chance.choices(list(self.actions), list(self.actions.values()))
        await action(chance, user, chance.choice(self.rooms))

    async def _send(self, chance: random.Random, user: Connection, room: str) -> None:
        self.count += 1
        path = f"{V3}/rooms/{quote(room)}/send/m.room.message/d{self.count}"
        body = {"msgtype": "m.text", "body": "word " * chance.randrange(2, 40)}
        self.last[room] = (await user.json("PUT", path, body))["event_id"]

    async def _type(self, chance: random.Random, user: Connection, room: str) -> None:
        name = (await user.json("GET", f"{V3}/account/whoami"))["user_id"]
        body = {"typing": chance.random() < 0.7, "timeout": 5000}
        await user.json("PUT", f"{V3}/rooms/{quote(room)}/typing/{quote(name)}", body)

    async def _read(self, chance: random.Random, user: Connection, room: str) -> None:
        if self.last[room]:
            await user.json("POST", f"{V3}/rooms/{quote(room)}/receipt/m.read/{quote(self.last[room])}", {})

    async def _page(self, chance: random.Random, user: Connection, room: str) -> None:
        await user.json("GET", f"{V3}/rooms/{quote(room)}/messages?dir=b&limit=30")

    async def _look_at_state(self, chance: random.Random, user: Connection, room: str) -> None:
        await user.json("GET", f"{V3}/rooms/{quote(room)}/state/m.room.power_levels/")

    async def _look_up(self, chance: random.Random, user: Connection, room: str) -> None:
        await user.json("GET", f"{V3}/rooms/{quote(room)}/joined_members")

    async def _rename(self, chance: random.Random, user: Connection, room: str) -> None:
        name = (await user.json("GET", f"{V3}/account/whoami"))["user_id"]
        self.count += 1
        body = {"displayname": f"Name {self.count}"}
        await user.json("PUT", f"{V3}/profile/{quote(name)}/displayname", body)

    async def _open_room(self, chance: random.Random, user: Connection, room: str) -> None:
        await load.create_room(user, name="for a while")

    async def _open_client(self, chance: random.Random, user: Connection, room: str) -> None:
        await load.sync(user)

    async def _who(self, chance: random.Random, user: Connection, room: str) -> None:
        await user.json("GET", f"{V3}/account/whoami")


async def mixed_day(bench: Bench) -> None:
    """30 people in 12 rooms, all syncing, eight of them at a time doing things."""
    count, operations = bench.size(30, 12), bench.size(3000, 300)
    users = await bench.users(count)
    rooms = [await load.create_room(users[0], **PUBLIC) for _ in range(12)]
    await load.at_once([partial(load.join, user, room) for user in users[1:] for room in rooms], 1)
    day = Day(users, rooms)
    readers = [Connection(bench.port, user.token) for user in users]
    tasks = [asyncio.create_task(_follow(reader)) for reader in readers]
    latencies: list[float] = []

    async def live(first: int) -> None:
        own = users[first::8]
        for number in range(first, operations, 8):
            chance = random.Random(number)
            await timed(latencies, partial(day.act, chance, chance.choice(own)))()

    async with bench.measured(f"a mixed day of {count} people", operations, latencies):
        await asyncio.gather(*(live(first) for first in range(8)))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(reader: Connection) -> None:
    since = (await load.sync(reader))["next_batch"]
    while True:
        since = (await load.sync(reader, since, 10_000))["next_batch"]
