"""First syncs of rooms in which nothing has happened since the last one read no events."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from synapse_like.sync.logic import Sync
from synapse_like.sync.whole_rooms import LARGEST, WholeRooms
from tests.kit.homeserver import TestServer, server

__all__ = ["server"]

LAZY = '{"room":{"state":{"lazy_load_members":true}}}'


def whole_rooms(server: TestServer) -> WholeRooms:
    sync: Sync = server.homeserver.front(Sync)
    return sync.whole_rooms


def reads_events(server: TestServer) -> list[str]:
    """Statements that read events' JSON, but for those that look up who may see what."""
    return [query for query in server.queries if "e.json, e.extras" in query]


def room_of(response: Any, room_id: str) -> Any:
    """A room without what changes by itself."""
    room = response["rooms"]["join"][room_id]
    for event in (*room["timeline"]["events"], *room["state"]["events"]):
        event["unsigned"].pop("age")
    return room


async def shared_room(server: TestServer, people: int = 3) -> tuple[str, list[str]]:
    tokens = [await server.register(f"person{number}") for number in range(people)]
    room_id = await server.create_room(tokens[0], preset="public_chat", name="Kitchen")
    for token in tokens[1:]:
        await server.join(token, room_id)
    for number, token in enumerate(tokens):
        await server.send(token, room_id, f"message {number}")
    await server.caught_up()
    return room_id, tokens


@pytest.mark.parametrize("filters", [{}, {"filter": LAZY}])
async def test_the_second_first_sync_reads_no_events(server: TestServer, filters: dict[str, str]) -> None:
    room_id, (alice, bob, _) = await shared_room(server)
    before = room_of(await server.sync(bob, **filters), room_id)
    await server.sync(alice, **filters)
    server.queries.clear()
    again = room_of(await server.sync(bob, **filters), room_id)
    assert reads_events(server) == []
    assert again == before
    assert whole_rooms(server).cache.hits == 2


@pytest.mark.parametrize("is_lazy", [False, True])
async def test_fewer_events_are_a_part_of_more(server: TestServer, is_lazy: bool) -> None:
    """What is kept for one client serves others that ask for fewer events, and says what the database would say."""
    room_id, (alice, bob, _) = await shared_room(server)
    for number in range(20):
        await server.send(alice, room_id, f"more {number}", f"m{number}")
    await server.caught_up()
    rooms = whole_rooms(server)
    steps = {10: True, 3: False, 12: True, 0: False, 1: False, 60: True, 90: False, 11: False}
    for limit, reads in steps.items():
        state = {"state": {"lazy_load_members": True}} if is_lazy else {}
        chosen = json.dumps({"room": {"timeline": {"limit": limit}, **state}})
        misses = rooms.cache.misses
        told = room_of(await server.sync(bob, filter=chosen), room_id)
        assert (rooms.cache.misses > misses) is reads, limit
        kept, rooms.cache = rooms.cache, WholeRooms(lambda _: None).cache
        assert told == room_of(await server.sync(bob, filter=chosen), room_id), limit
        rooms.cache = kept
        assert len(told["timeline"]["events"]) <= limit


async def test_what_happens_in_a_room_is_seen_at_once(server: TestServer) -> None:
    room_id, (alice, bob, _) = await shared_room(server)
    path = f"/rooms/{quote(room_id)}"
    first = room_of(await server.sync(bob), room_id)
    spoken = next(event for event in first["timeline"]["events"] if event["type"] == "m.room.message")
    await server.ok("PUT", f"{path}/redact/{quote(spoken['event_id'])}/1", {}, token=alice)
    await server.ok("PUT", f"{path}/state/m.room.name/", {"name": "Cellar"}, token=alice)
    await server.caught_up()
    then = room_of(await server.sync(bob), room_id)
    redacted = next(each for each in then["timeline"]["events"] if each["event_id"] == spoken["event_id"])
    assert (redacted["content"], redacted["unsigned"]["redacted_because"]["type"]) == ({}, "m.room.redaction")
    shown = [*then["state"]["events"], *then["timeline"]["events"]]
    assert [each["content"]["name"] for each in shown if each["type"] == "m.room.name"][-1] == "Cellar"


async def test_each_reader_sees_what_is_allowed(server: TestServer) -> None:
    """What is kept is the same for all, what is shown is not."""
    room_id, (alice, _, _) = await shared_room(server)
    path = f"/rooms/{quote(room_id)}/state/m.room.history_visibility/"
    await server.ok("PUT", path, {"history_visibility": "joined"}, token=alice)
    await server.send(alice, room_id, "before Carol")
    carol = await server.register("carol")
    await server.join(carol, room_id)
    await server.send(alice, room_id, "after Carol", "t2")
    await server.caught_up()
    texts = {}
    for name, token in (("alice", alice), ("carol", carol)):
        events = room_of(await server.sync(token), room_id)["timeline"]["events"]
        texts[name] = [each["content"]["body"] for each in events if each["type"] == "m.room.message"]
    assert texts["alice"] == ["message 0", "message 1", "message 2", "before Carol", "after Carol"]
    assert texts["carol"] == ["message 0", "message 1", "message 2", "after Carol"]


async def test_what_is_kept_is_bounded(server: TestServer) -> None:
    rooms = whole_rooms(server).cache
    rooms.limit_bytes = 60_000
    alice = await server.register("alice")
    ids = [await server.create_room(alice) for _ in range(5)]
    large = await server.create_room(alice)
    drafts = [("test.state", str(number)) for number in range(LARGEST)]
    for kind, key in drafts:
        await server.ok("PUT", f"/rooms/{quote(large)}/state/{kind}/{key}", {}, token=alice)
    await server.caught_up()
    for _ in range(2):
        response = await server.sync(alice)
        assert set(response["rooms"]["join"]) == {*ids, large}
        assert 0 < len(rooms) <= 40
        assert len(rooms) <= rooms.limit
