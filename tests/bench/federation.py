"""What other servers cost: events that come in, fifty to a transaction, and messages that go out to many servers."""

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bench import load
from tests.bench.load import V3, Connection
from tests.bench.measuring import Bench, timed
from tests.bench.remotes import VERSION, Member, Remotes
from tests.kit.peers import Peer

PUBLIC = {"preset": "public_chat", "room_version": VERSION}
TRANSACTION = 50


async def inbound(bench: Bench) -> None:
    """Transactions of 50 events of one room, then of ten rooms."""
    (user,) = await bench.users(1)
    with tempfile.TemporaryDirectory() as folder:
        async with Remotes(_peer(bench), Path(folder), 1) as remotes:
            for count, words in ((1, "one room"), (10, "ten rooms")):
                rooms = [await load.create_room(user, **PUBLIC) for _ in range(count)]
                sender = f"@remote{count}:{remotes.names[0]}"
                members = [await remotes.join(remotes.names[0], sender, room) for room in rooms]
                await _take_in(bench, remotes, user, list(zip(rooms, members, strict=True)), f"inbound PDU, {words}")


async def _take_in(
    bench: Bench, remotes: Remotes, user: Connection, rooms: list[tuple[str, Member]], name: str
) -> None:
    """Send transactions, each when the last event of the one before can be read: a server may answer long before.

    Sent without waiting, they make Synapse throw away what it has queued and ask for it again.
    """
    transactions: list[list[dict[str, Any]]] = []
    lasts: list[str] = []
    for number in range(bench.size(40, 8)):
        senders = [rooms[index % len(rooms)][1] for index in range(TRANSACTION)]
        transactions.append([sender.message(f"message {number} {index}") for index, sender in enumerate(senders)])
        lasts.append(senders[-1].last)
    latencies: list[float] = []
    async with bench.measured(name, len(transactions) * TRANSACTION, latencies):
        for number, pdus in enumerate(transactions):
            transaction_id = f"{number}-{time.time_ns()}"
            await timed(latencies, partial(remotes.send, remotes.names[0], transaction_id, pdus))()
            await _until_readable(user, rooms[(TRANSACTION - 1) % len(rooms)][0], lasts[number])
        for room, sender in rooms:
            await _until_readable(user, room, sender.last)


async def _until_readable(user: Connection, room: str, event_id: str) -> None:
    path = f"{V3}/rooms/{quote(room)}/event/{quote(event_id)}"
    async with asyncio.timeout(300):
        while (await user.request("GET", path))[0] != 200:
            await asyncio.sleep(0.1)


async def outbound(bench: Bench) -> None:
    """Messages of a room in which 200 other servers are; an operation is one message at one server."""
    (user,) = await bench.users(1)
    count, messages = bench.size(200, 20), bench.size(30, 10)
    with tempfile.TemporaryDirectory() as folder:
        async with Remotes(_peer(bench), Path(folder), count) as remotes:
            room = await load.create_room(user, **PUBLIC)
            for name in remotes.names:
                await remotes.join(name, f"@one:{name}", room)
            await _until_quiet(remotes)
            latencies: list[float] = []
            start, transactions = remotes.received, remotes.transactions
            async with bench.measured(f"outbound, to each of {count} servers", messages * count, latencies):
                for number in range(messages):
                    await timed(latencies, partial(load.send, user, room, f"out{number}"))()
                await remotes.until_received(start + messages * count, 300)
            print(f"   {(remotes.transactions - transactions) / count:.1f} transactions to each", flush=True)


async def _until_quiet(remotes: Remotes) -> None:
    """Wait until nothing of the joins comes any more."""
    before = -1
    while remotes.received != before:
        before = remotes.received
        await asyncio.sleep(2)


def _peer(bench: Bench) -> Peer:
    assert isinstance(bench.server, Peer)
    return bench.server
