"""The floor: what the HTTP stack costs when there is nothing to do, and sends and idle syncs as multiples of it.

The floor is an endpoint of the server itself, ``/health``: nobody is asked who they are, and the answer is always the
same bytes. It goes through the same connection, parser, router, ``Request``, ``Reply``, access log and metrics as all.
"""

import asyncio
from functools import partial

from tests.bench import load
from tests.bench.load import V3, Connection
from tests.bench.measuring import Bench, Row, timed

PLACE = "/health"


async def floor(bench: Bench) -> None:
    """The floor with many connections and with one, then idle syncs and sends in the same two ways, and whoami."""
    users = await bench.users(20)
    rooms = [await load.create_room(user) for user in users]
    since = [(await load.sync(user))["next_batch"] for user in users]
    each = bench.size(500, 50)
    many = await _ask(bench, "hello world, 20 connections", users, [PLACE] * 20, each)
    one = await _ask(bench, "hello world, one after the other", users[:1], [PLACE], each * 4)
    idle = [f"{V3}/sync?timeout=0&since={place}" for place in since]
    idle_many = await _ask(bench, "idle sync, 20 users", users, idle, each)
    idle_one = await _ask(bench, "idle sync, one after the other", users[:1], idle[:1], each * 4)
    await _ask(bench, "whoami, 20 users", users, [f"{V3}/account/whoami"] * 20, each)
    sends = await _send(bench, "send, 20 users in 20 rooms", users, rooms, bench.size(200, 20))
    send_one = await _send(bench, "send, one after the other", users[:1], rooms[:1], bench.size(1000, 100))
    for row, base in ((sends, many), (idle_many, many), (send_one, one), (idle_one, one)):
        if row.is_measurable and base.is_measurable:
            alone, both = row.server_cpu_ms / base.server_cpu_ms, row.cpu_ms / base.server_cpu_ms
            print(f"{row.name:<44} {alone:>7.1f} x the floor, {both:.1f} x with the database")


async def _ask(bench: Bench, name: str, users: list[Connection], paths: list[str], each: int) -> Row:
    latencies: list[float] = []

    async def ask(user: Connection, path: str) -> None:
        for _ in range(each):
            await timed(latencies, partial(_succeed, user, path))()

    for user, path in zip(users, paths, strict=True):
        await _succeed(user, path)
    async with bench.measured(name, len(users) * each, latencies):
        await asyncio.gather(*(ask(user, path) for user, path in zip(users, paths, strict=True)))
    return bench.rows[-1]


async def _succeed(user: Connection, path: str) -> None:
    status, raw = await user.request("GET", path)
    if status != 200:
        raise RuntimeError(f"{path}: {status} {raw[:300]!r}")


async def _send(bench: Bench, name: str, users: list[Connection], rooms: list[str], each: int) -> Row:
    latencies: list[float] = []

    async def talk(user: Connection, room: str) -> None:
        for index in range(each):
            await timed(latencies, partial(load.send, user, room, f"{len(users)}-{index}"))()

    for user, room in zip(users, rooms, strict=True):
        await load.send(user, room, f"warm{len(users)}")
    async with bench.measured(name, len(users) * each, latencies):
        await asyncio.gather(*(talk(user, room) for user, room in zip(users, rooms, strict=True)))
    return bench.rows[-1]
