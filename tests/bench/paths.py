"""What the hot paths cost: CPU milliseconds per operation of the server process and of its database, and latency.

The server is a real process; PostgreSQL is durable (fsync on); rate limits are checked but high. A first argument names
scenarios; without one all run.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bench import encryption, floor, load
from tests.bench.load import V3, Connection
from tests.bench.measuring import HEAD, Bench, timed
from tests.kit import postgres, run_folder
from tests.kit.server import Server

PUBLIC = {"preset": "public_chat", "visibility": "public"}


async def send_many_rooms(bench: Bench) -> None:
    """20 users, each in a room of their own, 100 messages each."""
    each = bench.size(100, 10)
    users = await bench.users(20)
    rooms = [await load.create_room(user) for user in users]
    await _send(bench, "send, 20 users in 20 rooms", list(zip(users, rooms, strict=True)), each)


async def send_one_room(bench: Bench) -> None:
    """50 users in one room, 40 messages each."""
    users = await bench.users(50)
    room = await load.create_room(users[0], **PUBLIC)
    await load.at_once([partial(load.join, u, room) for u in users[1:]], 8)
    await _send(bench, "send, 50 users in one room", [(user, room) for user in users], bench.size(40, 5))


async def send_serially(bench: Bench) -> None:
    """One user, one message after the other."""
    (user,) = await bench.users(1)
    room = await load.create_room(user)
    await _send(bench, "send, one after the other", [(user, room)], bench.size(300, 50))


async def _send(bench: Bench, name: str, senders: Sequence[tuple[Connection, str]], each: int) -> None:
    latencies: list[float] = []

    async def talk(user: Connection, room: str) -> None:
        for index in range(each):
            await timed(latencies, partial(load.send, user, room, f"m{index}"))()

    for user, room in senders:
        await load.send(user, room, "warm")
    async with bench.measured(name, len(senders) * each, latencies):
        await asyncio.gather(*(talk(user, room) for user, room in senders))


async def create_rooms(bench: Bench) -> None:
    """100 rooms by 10 users."""
    each = bench.size(10, 3)
    users = await bench.users(10)
    latencies: list[float] = []

    async def make(user: Connection) -> None:
        for _ in range(each):
            await timed(latencies, partial(load.create_room, user, name="a room"))()

    async with bench.measured("createRoom", 10 * each, latencies):
        await asyncio.gather(*(make(user) for user in users))


async def join_public_room(bench: Bench) -> None:
    """1,000 users join one public room; then members and messages of it."""
    count = bench.size(1000, 50)
    users = await bench.users(count)
    room = await load.create_room(users[0], **PUBLIC)
    latencies: list[float] = []
    async with bench.measured("join of a public room", count - 1, latencies):
        await load.at_once([timed(latencies, partial(load.join, u, room)) for u in users[1:]], 20)
    await _repeat(bench, f"members of {count:,}", users[0], f"{V3}/rooms/{quote(room)}/members", bench.size(50, 10))
    for index in range(bench.size(200, 60)):
        await load.send(users[0], room, f"h{index}")
    page = f"{V3}/rooms/{quote(room)}/messages?dir=b&limit=50"
    await _repeat(bench, "messages, a page of 50", users[0], page, bench.size(200, 40))
    await _repeat(bench, f"state of {count:,} members", users[0], f"{V3}/rooms/{quote(room)}/state", bench.size(20, 10))
    await _send(bench, f"send, {count:,} members", [(user, room) for user in users[:20]], bench.size(40, 10))


async def _repeat(bench: Bench, name: str, user: Connection, path: str, times: int) -> None:
    latencies: list[float] = []
    await user.request("GET", path)
    async with bench.measured(name, times, latencies):
        for _ in range(times):
            await timed(latencies, partial(user.json, "GET", path))()


async def first_syncs(bench: Bench) -> None:
    """First syncs of 60 and of 300 rooms; idle syncs; whoami."""
    for count, times in ((bench.size(60, 20), bench.size(20, 6)), (bench.size(300, 60), 8)):
        user = (await bench.users(1))[0]
        await load.at_once([partial(load.create_room, user, name=f"r{i}") for i in range(count)], 1)
        await _repeat(bench, f"first sync of {count} rooms", user, f"{V3}/sync?timeout=0", times)
        since = (await load.sync(user))["next_batch"]
        await _repeat(
            bench, f"idle sync, {count} rooms", user, f"{V3}/sync?timeout=0&since={since}", bench.size(300, 100)
        )
        await _repeat(bench, f"whoami ({count} rooms)", user, f"{V3}/account/whoami", bench.size(500, 200))


async def fan_out(bench: Bench) -> None:
    """50 and 500 long-polling readers of one room, 10 messages a second."""
    for readers in (bench.size(50, 20), bench.size(500, 60)):
        users = await bench.users(readers + 1)
        room = await load.create_room(users[0], **PUBLIC)
        await load.at_once([partial(load.join, u, room) for u in users[1:]], 8)
        places = await load.at_once([partial(load.sync, u) for u in users[1:]], 8)
        await _deliver(bench, users, room, [place["next_batch"] for place in places], bench.size(30, 15))


async def _deliver(bench: Bench, users: Sequence[Connection], room: str, places: list[str], messages: int) -> None:
    """Readers poll for ever; each delivery's latency is from the send to the reader's reply."""
    latencies: list[float] = []
    sent: dict[str, float] = {}
    seen = 0
    want = messages * (len(users) - 1)
    done = asyncio.Event()

    async def read(user: Connection, since: str) -> None:
        nonlocal seen
        while not done.is_set():
            reply = await load.sync(user, since, 20_000)
            since = reply["next_batch"]
            part = reply.get("rooms", {}).get("join", {}).get(room)
            for event in part["timeline"]["events"] if part else ():
                if (key := event["content"].get("key")) in sent:
                    latencies.append((time.monotonic() - sent[key]) * 1000)
                    seen += 1
            if seen >= want:
                done.set()

    tasks = [asyncio.create_task(read(user, place)) for user, place in zip(users[1:], places, strict=True)]
    await asyncio.sleep(0.5)
    async with bench.measured(f"delivery to {len(users) - 1} readers", want, latencies):
        for index in range(messages):
            key = f"k{index}"
            sent[key] = time.monotonic()
            body = {"msgtype": "m.text", "body": "to all readers", "key": key}
            await users[0].json("PUT", f"{V3}/rooms/{quote(room)}/send/m.room.message/{key}", body)
            await asyncio.sleep(0.1)
        await asyncio.wait_for(done.wait(), 120)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def comeback(bench: Bench) -> None:
    """1,000 clients come back at once to a restarted server."""
    count = bench.size(1000, 50)
    users = await bench.users(count)
    room = await load.create_room(users[0], **PUBLIC)
    await load.at_once([partial(load.join, u, room) for u in users[1:]], 20)
    places = [r["next_batch"] for r in await load.at_once([partial(load.sync, u) for u in users], 20)]
    tokens = [user.token for user in users]
    for user in users:
        user.close()
    bench.server.restart()
    again = [Connection(bench.port, token) for token in tokens]
    latencies: list[float] = []
    pairs = list(zip(again, places, strict=True))
    calls = [timed(latencies, partial(load.sync, u, s)) for u, s in pairs]
    async with bench.measured(f"{count:,} clients come back", count, latencies):
        await load.at_once(calls, count)


SCENARIOS: dict[str, Callable[[Bench], Coroutine[Any, Any, None]]] = {
    "floor": floor.floor,
    "send-rooms": send_many_rooms,
    "send-room": send_one_room,
    "send-serial": send_serially,
    "create": create_rooms,
    "join": join_public_room,
    "sync": first_syncs,
    "fan-out": fan_out,
    "comeback": comeback,
    "encryption": encryption.fifties,
}


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios on one database; the table goes to standard output."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench paths", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help="which (all if none is named)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--scale", type=float, default=1.0, help="how large scenarios are; 0.1 is a tenth")
    chosen = parser.parse_args(arguments)
    run_folder.create()
    try:
        with tempfile.TemporaryDirectory() as folder, _server(chosen.database, Path(folder)) as server:
            pid = postgres.process_id(durable=True) if chosen.database == "postgresql" else None
            bench = Bench(server, pid, scale=chosen.scale)
            print(f"{chosen.database}, {os.cpu_count()} cores; CPU ms per operation")
            print(HEAD)
            for name in chosen.scenarios or SCENARIOS:
                asyncio.run(SCENARIOS[name](bench))
            print(f"resident memory at the end: {bench.memory_bytes() / 2**20:.0f} MiB")
    finally:
        run_folder.remove()
    return 0


def _server(kind: str, folder: Path) -> Server:
    if kind == "sqlite":
        return Server(folder, {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}})
    return Server(folder, {"name": "psycopg2", "args": {**postgres.create_database(durable=True), "cp_max": 8}})
