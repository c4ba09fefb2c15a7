"""Messages to devices: to whom, in which order, once, and until when they are kept."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from synapse_like.features.to_device import ToDevice, Transaction
from synapse_like.matrix.errors import InvalidParam
from synapse_like.rooms.families import USER, fresh_shard
from synapse_like.toolkit.together import together
from tests.kit.encryption import KeyDevice
from tests.kit.homeserver import TestServer, server, settings, start
from workers.build import Homeserver, build_kit

__all__ = ["server"]


def contents(response: Any) -> list[Any]:
    return [event["content"] for event in response.get("to_device", {}).get("events", [])]


async def inbox(server: TestServer) -> int:
    """How many messages are stored."""
    rows = await server.homeserver.kit.database.read(lambda txn: txn.all("SELECT number FROM to_device_inbox"))
    return len(rows)


async def pair(server: TestServer) -> tuple[KeyDevice, KeyDevice]:
    return await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")


async def test_a_message_arrives_at_the_device_alone(server: TestServer) -> None:
    alice, bob = await pair(server)
    laptop = await bob.login("LAPTOP")
    await alice.send("1", {bob.user_id: {"PHONE": {"a": 1}}})
    response = await bob.sync()
    assert response["to_device"]["events"] == [{"type": "m.test", "sender": alice.user_id, "content": {"a": 1}}]
    assert contents(await laptop.sync()) == []
    assert contents(await alice.sync()) == []


async def test_a_star_is_for_every_device(server: TestServer) -> None:
    alice, bob = await pair(server)
    laptop = await bob.login("LAPTOP")
    places = [(await each.sync())["next_batch"] for each in (bob, laptop)]
    await alice.send("1", {bob.user_id: {"*": {"a": 1}}, alice.user_id: {"*": {"b": 1}}})
    assert [contents(await each.sync(place)) for each, place in zip((bob, laptop), places, strict=True)] == [
        [{"a": 1}]
    ] * 2
    assert contents(await alice.sync()) == [{"b": 1}]
    later = await bob.login("LATER")
    assert contents(await later.sync()) == []


async def test_messages_wait_until_the_client_says_it_has_them(server: TestServer) -> None:
    alice, bob = await pair(server)
    first = await bob.sync()
    for index in range(3):
        await alice.send(f"{index}", {bob.user_id: {"PHONE": {"n": index}}})
    assert len(contents(await bob.sync(first["next_batch"]))) == 3
    second = await bob.sync(first["next_batch"])
    assert contents(second) == [{"n": 0}, {"n": 1}, {"n": 2}]
    await alice.send("3", {bob.user_id: {"PHONE": {"n": 3}}})
    third = await bob.sync(second["next_batch"])
    assert contents(third) == [{"n": 3}]
    assert contents(await bob.sync(third["next_batch"])) == []
    assert contents(await bob.sync()) == [], "a first sync tells nothing again"


async def test_what_has_arrived_is_deleted(server: TestServer) -> None:
    alice, bob = await pair(server)
    await alice.send("1", {bob.user_id: {"PHONE": {"a": 1}}})
    first = await bob.sync()
    assert await inbox(server) == 1
    await bob.sync(first["next_batch"])
    for built in server.homeserver.built:
        for name, _, tick in built.ticks:
            if name == "arrivals":
                await tick()
    assert await inbox(server) == 0


async def test_a_hundred_at_a_time(server: TestServer) -> None:
    alice, bob = await pair(server)
    since = (await bob.sync())["next_batch"]
    await together([alice.send(f"{index}", {bob.user_id: {"PHONE": {"n": index}}}) for index in range(230)])
    await alice.ok("PUT", f"/user/{alice.user_id}/account_data/m.x", {})
    seen: list[Any] = []
    sizes = []
    for _ in range(4):
        response = await bob.sync(since)
        since = response["next_batch"]
        sizes.append(len(contents(response)))
        seen += [content["n"] for content in contents(response)]
    assert sizes == [100, 100, 30, 0]
    assert sorted(seen) == list(range(230))


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_hundred_at_a_time_from_the_database(server: TestServer, is_first: bool) -> None:
    alice, bob = await pair(server)
    since = None if is_first else (await bob.sync())["next_batch"]
    for index in range(150):
        await alice.send(f"{index}", {bob.user_id: {"PHONE": {"n": index}}})
    room_id = await server.create_room(bob.token)  # memory does not hold a room that is new
    seen = []
    for _ in range(3):
        response = await bob.sync(since)
        since = response["next_batch"]
        seen += [content["n"] for content in contents(response)]
    assert seen == list(range(150))
    assert room_id


async def test_a_message_ends_a_long_poll_with_no_read(server: TestServer) -> None:
    alice, bob = await pair(server)
    since = (await bob.sync())["next_batch"]
    since = (await bob.sync(since))["next_batch"]
    await alice.send("warm", {bob.user_id: {"PHONE": {}}})
    since = (await bob.sync(since))["next_batch"]
    waiting = bob.sync(since, timeout=10000)

    async def send() -> None:
        await alice.send("1", {bob.user_id: {"PHONE": {"a": 1}}})

    await server.quiet()
    server.queries.clear()
    response, _ = await together([waiting, send()])
    assert contents(response) == [{"a": 1}]
    assert not [query for query in server.queries if query.lstrip().startswith("SELECT") and "shards" not in query]


async def test_a_transaction_brings_its_messages_once(server: TestServer) -> None:
    alice, bob = await pair(server)
    other = await alice.login("LAPTOP")
    messages = {bob.user_id: {"PHONE": {"a": 1}}}
    await together([alice.send("1", messages) for _ in range(3)])
    await alice.send("1", messages)
    assert len(contents(await bob.sync())) == 1
    await other.send("1", messages)
    await alice.send("1", messages, "m.other")
    assert len(contents(await bob.sync())) == 3


async def test_who_has_had_a_message_does_not_keep_it_from_a_neighbour(server: TestServer) -> None:
    alice, bob = await pair(server)
    shard = fresh_shard(USER, bob.user_id)
    name = next(each for each in (f"n{index}" for index in range(5000)) if fresh_shard(USER, f"@{each}:test") == shard)
    neighbour = await KeyDevice.register(server, name)
    await alice.send("0", {bob.user_id: {"PHONE": {"n": 0}}})
    await server.homeserver.front(ToDevice).deliver(
        bob.user_id, Transaction(alice.user_id, "PHONE", "m.test/1"), {"PHONE": '{"content":{"n":1}}'}
    )
    await alice.send("1", {who.user_id: {"PHONE": {"n": 2}} for who in (bob, neighbour)})
    assert contents(await bob.sync()) == [{"n": 0}, {"n": 1}]
    assert contents(await neighbour.sync()) == [{"n": 2}]


async def test_what_two_processes_bring_of_a_request_is_delivered_once(server: TestServer) -> None:
    alice, bob = await pair(server)
    to_device = server.homeserver.front(ToDevice)
    request = Transaction(alice.user_id, "PHONE", "m.test/1")
    messages = {"PHONE": '{"content":{"n":1}}', "LAPTOP": '{"content":{"n":2}}'}
    await together([to_device.deliver(bob.user_id, request, messages) for _ in range(2)])
    await to_device.deliver(bob.user_id, request, messages)
    assert contents(await bob.sync()) == [{"n": 1}]


async def test_a_transaction_is_known_after_a_restart(tmp_path: Path) -> None:
    config = settings("sqlite", tmp_path, {})
    before = await start(config)
    alice, bob = await pair(before)
    messages = {bob.user_id: {"PHONE": {"a": 1}}}
    await alice.send("1", messages)
    first = await bob.sync()
    await before.homeserver.stop()
    after = TestServer(Homeserver(build_kit(config, reactor)))
    await after.homeserver.start()
    try:
        alice.server = bob.server = after
        await alice.send("1", {**messages, alice.user_id: {"PHONE": {"b": 1}}})
        assert contents(await bob.sync(first["next_batch"])) == []
        assert contents(await alice.sync()) == [{"b": 1}]
        await bob.sync(first["next_batch"])
    finally:
        await after.homeserver.stop()


async def test_many_users_are_few_statements(server: TestServer) -> None:
    alice = await KeyDevice.register(server, "alice")
    counts = []
    for amount in (2, 8):
        users = [(await KeyDevice.register(server, f"u{amount}x{index}")).user_id for index in range(amount)]
        await alice.send(f"warm{amount}", {user_id: {"PHONE": {}} for user_id in users})
        await server.caught_up()
        await server.quiet()
        server.queries.clear()
        await alice.send(f"cold{amount}", {user_id: {"PHONE": {}} for user_id in users})
        counts.append(len(server.queries))
    assert counts[0] == counts[1] <= 4, server.queries


async def test_messages_end_with_their_device(server: TestServer) -> None:
    alice, bob = await pair(server)
    laptop = await bob.login("LAPTOP")
    await alice.send("1", {bob.user_id: {"*": {"a": 1}}})
    await laptop.ok("POST", "/logout", {})
    assert await inbox(server) == 1
    again = await bob.login("LAPTOP")
    assert contents(await again.sync()) == []


async def test_who_does_not_exist_gets_nothing(server: TestServer) -> None:
    alice, bob = await pair(server)
    messages: dict[str, Any] = {
        "@nobody:test": {"*": {}},
        bob.user_id: {"NOTHING": {}, "\u00e4": {}},
        "@far:elsewhere.example": {"X": {}},
    }
    await alice.send("1", messages)
    assert await inbox(server) == 0


@pytest.mark.parametrize(
    "messages",
    [
        5,
        {"x": {"*": {}}},
        {"@bob:test": []},
        {"@bob:test": {"*": 5}},
        {"@bob:test": {"*": {"a": "x" * 70000}}},
        {"@bob:test": {"\0": {}}},
        {"@bob:test": {f"d{index}": {} for index in range(10_001)}},
    ],
)
async def test_odd_messages_are_refused(server: TestServer, messages: Any) -> None:
    alice, bob = await pair(server)
    body = {"messages": messages}
    answer = await server.request("PUT", "/sendToDevice/m.test/1", body, token=alice.token)
    assert answer.status in (400, 413)
    assert contents(await bob.sync()) == []


async def test_an_inbox_that_nobody_empties_is_trimmed(server: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_like.features.to_device.logic.INBOX_LIMIT", 5)
    alice, bob = await pair(server)
    for index in range(8):
        await alice.send(f"{index}", {bob.user_id: {"PHONE": {"n": index}}})
    await server.homeserver.front(ToDevice).trim()
    assert [content["n"] for content in contents(await bob.sync())] == [3, 4, 5, 6, 7]


async def test_what_another_server_brings_is_delivered_once(server: TestServer) -> None:
    _, bob = await pair(server)
    to_device: ToDevice = server.homeserver.front(ToDevice)
    sender = "@far:elsewhere.example"
    messages: dict[str, Any] = {bob.user_id: {"PHONE": {"a": 1}}, "@x:third.example": {"*": {}}}
    for _ in range(2):
        await to_device.receive("elsewhere.example", sender, "m.test", "id", messages)
    response = await bob.sync()
    assert response["to_device"]["events"] == [{"type": "m.test", "sender": sender, "content": {"a": 1}}]
    with pytest.raises(InvalidParam):
        await to_device.receive("third.example", sender, "m.test", "id2", messages)
