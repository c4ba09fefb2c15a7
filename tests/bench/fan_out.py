"""What it costs to tell many other servers of an event: CPU of our process per event and destination.

A whole server in this process, with a room that users of many servers have joined; the servers are ports of another
process that speak TLS and take everything. The cost of the send itself, measured in a room without other servers, is
taken off. One transaction for each event (the servers keep up); and events as fast as one user can send them, several
to a transaction.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from synapse_like.federation.outbound import Sender
from tests.kit import certificates, ports
from tests.kit.homeserver import TestServer, settings, start
from tests.kit.remote_servers import member


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench fan-out", description=__doc__)
    parser.add_argument("--destinations", type=int, default=200)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    chosen = parser.parse_args(arguments)
    react(lambda _: Deferred.fromCoroutine(_measure(chosen)))
    return 0


async def _measure(chosen: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chain, key = certificates.issue(folder, "127.0.0.1")
        numbers = [ports.claim() for _ in range(chosen.destinations)]
        command = [sys.executable, "-m", "tests.bench.sink", str(chain), str(key), *map(str, numbers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as sink:
            assert sink.stdout is not None
            sink.stdout.readline()
            try:
                await _with_sink(chosen, folder, numbers)
            finally:
                sink.kill()


async def _with_sink(chosen: argparse.Namespace, folder: Path, numbers: list[int]) -> None:
    extra = {
        "federation_custom_ca_list": [str(certificates.authority_file())],
        "ip_range_whitelist": ["127.0.0.0/8"],
        "presence": {"enabled": False},
    }
    server = await start(settings(chosen.database, folder, extra))
    alice = await server.register("alice")
    alone = await server.create_room(alice, preset="public_chat")
    crowded = await server.create_room(alice, preset="public_chat")
    for number in numbers:
        await member(server, crowded, f"@user:127.0.0.1:{number}")
    for room_id in (alone, crowded):
        for index in range(5):
            await server.send(alice, room_id, f"warm {index}")
            await _quiet(server)
    for name, is_paced in (("an event in each transaction", True), ("as fast as one user can send", False)):
        bare = await _cost(server, alice, alone, chosen.messages, is_paced=is_paced)
        before = server.homeserver.front(Sender).delivery.sent
        full = await _cost(server, alice, crowded, chosen.messages, is_paced=is_paced)
        transactions = (server.homeserver.front(Sender).delivery.sent - before) / len(numbers)
        each = (full - bare) / chosen.messages / len(numbers)
        sent = f"{chosen.messages} events to {len(numbers)} servers in {transactions:.1f} transactions each"
        cost = f"{each:.3f} ms CPU per event and server (the send itself: {bare / chosen.messages:.2f} ms)"
        print(f"{name:<30} {sent}: {cost}")
    await server.homeserver.stop()


async def _cost(server: TestServer, token: str, room_id: str, messages: int, *, is_paced: bool) -> float:
    """CPU milliseconds of this process until everybody has been told."""
    await _quiet(server)
    started = time.process_time()
    for index in range(messages):
        await server.send(token, room_id, f"m{index}", f"t{time.monotonic_ns()}")
        if is_paced:
            await _quiet(server)
    await _quiet(server)
    return (time.process_time() - started) * 1000


async def _quiet(server: TestServer) -> None:
    await server.caught_up()
    sender: Any = server.homeserver.front(Sender)
    while not sender.is_quiet:
        await server.homeserver.kit.clock.sleep(0.002)
