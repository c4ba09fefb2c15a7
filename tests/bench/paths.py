"""What the hot paths cost: CPU milliseconds per operation of the server process and of its database, and latency.

The server is a real process; PostgreSQL is durable (fsync on); rate limits are checked but high. A first argument names
scenarios; without one all run.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bench import load
from tests.bench.cpu import cpu_seconds, descendants, resident_bytes
from tests.bench.load import V3, Connection
from tests.kit import postgres, run_folder
from tests.kit.server import Server

PUBLIC = {"preset": "public_chat", "visibility": "public"}


@dataclass
class Bench:
    """A running server, and what has been measured."""

    server: Server
    database_pid: int | None
    rows: list[tuple[str, int, float, float, float, float, float]] = field(default_factory=list)
    names: int = 0

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.server.port

    async def users(self, count: int) -> list[Connection]:
        """New users."""
        self.names += 1
        return await load.registered(self.port, f"u{self.names}x", count)

    @asynccontextmanager
    async def measured(self, name: str, operations: int, latencies_ms: list[float]) -> AsyncIterator[None]:
        """Measure what happens inside, which is so many operations."""
        before = self._cpu()
        start = time.monotonic()
        yield
        wall_s = time.monotonic() - start
        ours, database = (after - then for after, then in zip(self._cpu(), before, strict=True))
        latencies_ms.sort()
        p50 = latencies_ms[len(latencies_ms) // 2] if latencies_ms else 0.0
        p99 = latencies_ms[int(len(latencies_ms) * 0.99)] if latencies_ms else 0.0
        per = 1000 / operations
        self.rows.append((name, operations, ours * per, database * per, operations / wall_s, p50, p99))
        print("{:<44} {:>7} {:>10.3f} {:>10.3f} {:>10.0f} {:>9.1f} {:>9.1f}".format(*self.rows[-1]), flush=True)

    def _cpu(self) -> tuple[float, float]:
        database = cpu_seconds(descendants(self.database_pid)) if self.database_pid else 0.0
        return cpu_seconds(self._server_pids()), database

    def _server_pids(self) -> list[int]:
        return descendants(self.server.pid)

    def memory_bytes(self) -> int:
        """The server's resident memory."""
        return resident_bytes(self._server_pids())


def timed(latencies_ms: list[float], call: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
    """A call that notes how long it took."""

    async def run() -> Any:
        start = time.monotonic()
        result = await call()
        latencies_ms.append((time.monotonic() - start) * 1000)
        return result

    return run


async def send_many_rooms(bench: Bench) -> None:
    """20 users, each in a room of their own, 100 messages each."""
    users = await bench.users(20)
    rooms = [await load.create_room(user) for user in users]
    await _send(bench, "send, 20 users in 20 rooms", list(zip(users, rooms, strict=True)), 100)


async def send_one_room(bench: Bench) -> None:
    """50 users in one room, 40 messages each."""
    users = await bench.users(50)
    room = await load.create_room(users[0], **PUBLIC)
    await load.at_once([partial(load.join, u, room) for u in users[1:]], 8)
    await _send(bench, "send, 50 users in one room", [(user, room) for user in users], 40)


async def send_serially(bench: Bench) -> None:
    """One user, one message after the other."""
    (user,) = await bench.users(1)
    room = await load.create_room(user)
    await _send(bench, "send, one after the other", [(user, room)], 300)


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
    users = await bench.users(10)
    latencies: list[float] = []

    async def make(user: Connection) -> None:
        for _ in range(10):
            await timed(latencies, partial(load.create_room, user, name="a room"))()

    async with bench.measured("createRoom", 100, latencies):
        await asyncio.gather(*(make(user) for user in users))


async def join_public_room(bench: Bench) -> None:
    """1,000 users join one public room; then members and messages of it."""
    users = await bench.users(1000)
    room = await load.create_room(users[0], **PUBLIC)
    latencies: list[float] = []
    async with bench.measured("join of a public room", 999, latencies):
        await load.at_once([timed(latencies, partial(load.join, u, room)) for u in users[1:]], 20)
    await _repeat(bench, "members of 1,000", users[0], f"{V3}/rooms/{quote(room)}/members", 50)
    for index in range(200):
        await load.send(users[0], room, f"h{index}")
    await _repeat(bench, "messages, 50 of 1,200", users[0], f"{V3}/rooms/{quote(room)}/messages?dir=b&limit=50", 200)
    await _repeat(bench, "state of 1,000 members", users[0], f"{V3}/rooms/{quote(room)}/state", 20)
    await _send(bench, "send, 1,000 members", [(user, room) for user in users[:20]], 40)


async def _repeat(bench: Bench, name: str, user: Connection, path: str, times: int) -> None:
    latencies: list[float] = []
    await user.request("GET", path)
    async with bench.measured(name, times, latencies):
        for _ in range(times):
            await timed(latencies, partial(user.json, "GET", path))()


async def first_syncs(bench: Bench) -> None:
    """First syncs of 60 and of 300 rooms; idle syncs; whoami."""
    for count, times in ((60, 20), (300, 8)):
        user = (await bench.users(1))[0]
        await load.at_once([partial(load.create_room, user, name=f"r{i}") for i in range(count)], 1)
        await _repeat(bench, f"first sync of {count} rooms", user, f"{V3}/sync?timeout=0", times)
        since = (await load.sync(user))["next_batch"]
        await _repeat(bench, f"idle sync, {count} rooms", user, f"{V3}/sync?timeout=0&since={since}", 300)
        await _repeat(bench, f"whoami ({count} rooms)", user, f"{V3}/account/whoami", 500)


async def fan_out(bench: Bench) -> None:
    """50 and 500 long-polling readers of one room, 10 messages a second."""
    for readers in (50, 500):
        users = await bench.users(readers + 1)
        room = await load.create_room(users[0], **PUBLIC)
        await load.at_once([partial(load.join, u, room) for u in users[1:]], 8)
        places = await load.at_once([partial(load.sync, u) for u in users[1:]], 8)
        await _deliver(bench, users, room, [place["next_batch"] for place in places], 30)


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
    users = await bench.users(1000)
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
    async with bench.measured("1,000 clients come back", 1000, latencies):
        await load.at_once(calls, 1000)


SCENARIOS: dict[str, Callable[[Bench], Coroutine[Any, Any, None]]] = {
    "send-rooms": send_many_rooms,
    "send-room": send_one_room,
    "send-serial": send_serially,
    "create": create_rooms,
    "join": join_public_room,
    "sync": first_syncs,
    "fan-out": fan_out,
    "comeback": comeback,
}


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios on one database; the table goes to standard output."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench paths", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help="which (all if none is named)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    chosen = parser.parse_args(arguments)
    run_folder.create()
    try:
        with tempfile.TemporaryDirectory() as folder, _server(chosen.database, Path(folder)) as server:
            bench = Bench(server, postgres.process_id(durable=True) if chosen.database == "postgresql" else None)
            print(f"{chosen.database}, {os.cpu_count()} cores; CPU ms per operation")
            print(f"{'':<44} {'number':>7} {'server':>10} {'database':>10} {'per s':>10} {'p50 ms':>9} {'p99 ms':>9}")
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
