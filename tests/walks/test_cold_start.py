"""A server with 10,000 rooms starts at once, and a room is brought into memory by a few queries, whatever its size.

What a start costs is counted in its own CPU time, which is nearly the same on a busy machine.
The rooms are copies of one that was made by the server, stored behind its back: ``many_rooms``.
"""

import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from twisted.internet.defer import Deferred, gatherResults

from synapse_like.rooms.front import Draft, Rooms
from synapse_like.toolkit.db import Database
from tests.bench.cpu import cpu_seconds, descendants
from tests.kit import spine
from tests.kit.databases import database
from tests.kit.server import Server, server
from tests.walks.many_rooms import copy_room

__all__ = ["database", "server"]

ROOMS = 10_000
READY_CPU_SECONDS = 3.0
LOADING_QUERIES = 4
SMALL, LARGE = 2, 150


@pytest.mark.timeout(120)
def test_a_server_of_many_rooms_is_ready_within_three_seconds(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = server.register("alice")
    room_id = alice.create_room(name="Kitchen", preset="public_chat", room_version="11")
    alice.send(room_id, "the soup is ready", "1")
    server.stop()
    copies = copy_room(_database_of(server), room_id, ROOMS)
    assert _cpu_seconds_until_ready(server, tmp_path, monkeypatch) < READY_CPU_SECONDS
    assert len(alice.call("GET", "/_matrix/client/v3/joined_rooms")["joined_rooms"]) == ROOMS + 1
    for copy in (copies[0], copies[-1]):
        event_id = alice.send(copy, "and so is the bread", "2")
        newest = [event["content"].get("body") for event in alice.messages(copy, limit=2)["chunk"]]
        assert newest == ["and so is the bread", "the soup is ready"]
        assert alice.send(copy, "and so is the bread", "2") == event_id


async def test_a_live_room_loads_in_four_queries_whatever_its_size(database: Database) -> None:
    house = await spine.started(database)
    counts = []
    for size in (SMALL, LARGE):
        room_id = await spine.found_room(house.rooms)
        await _fill(house.rooms, room_id, size)
        house.rooms.live.drop_all()
        queries: list[str] = []
        database.observers.append(queries.append)
        room = await house.rooms.live.get(room_id)
        database.observers.remove(queries.append)
        assert len([key for key in room.state if key[0] == "test.state"]) == size
        counts.append(len(queries))
    await house.stop()
    assert counts[0] == counts[1] <= LOADING_QUERIES


async def _fill(rooms: Rooms, room_id: str, size: int) -> None:
    """So many of everything that a live room holds: state, local members, messages with transaction ids."""
    drafts = [spine.state(spine.ALICE, "test.state", {"number": number}, str(number)) for number in range(size)]
    users = [f"@user{number}:here" for number in range(size)]
    drafts += [spine.state(user, "m.room.member", {"membership": "join"}, user) for user in users]
    await rooms.creation.send_all(room_id, drafts)
    said = [Draft(type="m.room.message", sender=user, content={"body": "hello"}) for user in users]
    sending = [rooms.creation.send(room_id, each, transaction=(each.sender, "DEVICE", "1")) for each in said]
    await gatherResults([Deferred.fromCoroutine(each) for each in sending], consumeErrors=True)


def _cpu_seconds_until_ready(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Start the server; what it has spent when it tells systemd that it is ready."""
    address = folder / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(60)
        server.start()
        heard = systemd.recv(100)
    assert heard == b"READY=1"
    return cpu_seconds(descendants(server.pid))


def _database_of(server: Server) -> Any:
    return yaml.safe_load((server.folder / "homeserver.yaml").read_text())["database"]
