"""What the hot paths ask the database: the budgets of DESIGN.md section 5, as tests. Fence and writes count too."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from twisted.internet.defer import Deferred, gatherResults

from tests.kit.homeserver import TestServer, settings, start


def reads(queries: Sequence[str]) -> list[str]:
    return [query for query in queries if query.lstrip().upper().startswith(("SELECT", "WITH ASKED", "WITH WANTED"))]


async def counted(server: TestServer, method: str, path: str, token: str, body=None, **options) -> list[str]:
    """The queries of a request, asked once before so that caches are warm where they may be."""
    await server.quiet()
    server.queries.clear()
    await server.ok(method, path, body, token=token, **options)
    return list(server.queries)


async def test_sending_a_message_reads_nothing(server: TestServer) -> None:
    token = await server.register("alice")
    room_id = await server.create_room(token, preset="public_chat")
    for index in range(10):
        await server.join(await server.register(f"user{index}"), room_id)
    await server.send(token, room_id, "warm", "warm")
    server.queries.clear()
    await server.send(token, room_id, "counted", "counted")
    assert reads(server.queries) == []
    assert len(server.queries) <= 6, server.queries


async def test_a_woken_sync_reads_nothing(server: TestServer) -> None:
    alice, bob = await server.register("alice"), await server.register("bob")
    room_id = await server.create_room(alice, preset="public_chat")
    await server.join(bob, room_id)
    since = (await server.sync(bob))["next_batch"]
    since = (await server.sync(bob, since))["next_batch"]
    await server.send(alice, room_id, "news")
    server.queries.clear()
    response = await server.sync(bob, since, timeout=5000)
    events = response["rooms"]["join"][room_id]["timeline"]["events"]
    assert [event["content"]["body"] for event in events] == ["news"]
    assert server.queries == []


async def test_an_idle_sync_reads_nothing(server: TestServer) -> None:
    token = await server.register("alice")
    await server.create_room(token)
    since = (await server.sync(token))["next_batch"]
    since = (await server.sync(token, since))["next_batch"]
    server.queries.clear()
    await server.sync(token, since)
    assert server.queries == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_clients_that_come_back_after_a_restart_are_looked_up_together(kind: str, tmp_path: Path) -> None:
    config = settings(kind, tmp_path, {})
    server = await start(config)
    tokens = [await server.register(f"user{index}") for index in range(40)]
    room_id = await server.create_room(tokens[0], preset="public_chat")
    for token in tokens[1:]:
        await server.join(token, room_id)
    places = [(await server.sync(token))["next_batch"] for token in tokens]
    await server.homeserver.stop()
    server = await start(config)
    server.queries.clear()
    polls = [Deferred.fromCoroutine(server.sync(*each)) for each in zip(tokens, places, strict=True)]
    replies = await gatherResults(polls)
    assert not any("rooms" in reply for reply in replies)
    assert len(server.queries) < len(tokens), server.queries
    await server.homeserver.stop()


async def test_a_first_sync_asks_the_same_however_many_rooms(server: TestServer) -> None:
    counts = []
    for name, rooms in (("few", 3), ("many", 30)):
        token = await server.register(name)
        for _ in range(rooms):
            await server.create_room(token)
        await server.sync(token)
        await server.quiet()
        server.queries.clear()
        response = await server.sync(token)
        assert len(response["rooms"]["join"]) == rooms
        counts.append(len(server.queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 13


@pytest.mark.parametrize(
    "path", ["/messages?dir=b&limit=30", "/members", "/joined_members", "/state", "/state/m.room.name/"]
)
async def test_reading_a_room_takes_three_queries_at_most(server: TestServer, path: str) -> None:
    token = await server.register("alice")
    room_id = await server.create_room(token, name="a room")
    for index in range(5):
        await server.send(token, room_id, f"message {index}", f"t{index}")
    path, _, query = path.partition("?")
    options = dict(part.split("=") for part in query.split("&")) if query else {}
    await server.rooms.hosts.of(room_id)  # asked once, then followed
    queries = await counted(server, "GET", f"/rooms/{quote(room_id)}{path}", token, query=options)
    assert len(queries) <= 3, queries


async def test_creating_a_room_is_one_commit(server: TestServer) -> None:
    token = await server.register("alice")
    await server.create_room(token, name="first")
    await server.quiet()
    before = server.homeserver.spine.committer.batches
    server.queries.clear()
    await server.create_room(token, name="second")
    await server.quiet()
    assert server.homeserver.spine.committer.batches == before + 1
    assert reads(server.queries) == []
    assert len(server.queries) <= 10, server.queries


async def test_joining_asks_the_same_however_many_have_joined(server: TestServer) -> None:
    alice = await server.register("alice")
    room_id = await server.create_room(alice, preset="public_chat")
    counts = []
    for index in range(8):
        token = await server.register(f"user{index}")
        await server.quiet()
        server.queries.clear()
        await server.join(token, room_id)
        counts.append(len(server.queries))
    assert len(set(counts[1:])) == 1, counts
    assert counts[-1] <= 14
