"""Two of our servers that are parted and meet again: each gets what it missed, and both agree."""

from typing import Any
from urllib.parse import quote

from synapse_like.federation.outbound import Backoffs, Sender
from tests.kit.encryption import KeyDevice
from tests.kit.homeserver import TestServer
from tests.kit.pair import Pair, pair
from tests.kit.remote_servers import let_lag

__all__ = ["pair"]


async def shared_room(pair: Pair) -> tuple[KeyDevice, KeyDevice, str]:
    """Alice of `one` and Bob of `two` in a room."""
    one, two = pair.servers["one"], pair.servers["two"]
    alice = KeyDevice(one, await one.register("alice", device_id="PHONE"), "@alice:one", "PHONE")
    bob = KeyDevice(two, await two.register("bob", device_id="PHONE"), "@bob:two", "PHONE")
    levels = {"users_default": 50}
    room_id = await one.create_room(alice.token, preset="public_chat", room_version="11")
    await one.ok(
        "PUT",
        f"/rooms/{quote(room_id)}/state/m.room.power_levels",
        {**levels, "users": {"@alice:one": 100}},
        token=alice.token,
    )
    await two.ok("POST", f"/join/{quote(room_id)}?server_name=one", {}, token=bob.token)
    await pair.settled()
    return alice, bob, room_id


async def texts(server: TestServer, token: str, room_id: str) -> list[str]:
    """The messages of a room, oldest first."""
    page = await server.ok("GET", f"/rooms/{quote(room_id)}/messages?dir=b&limit=200", token=token)
    return [event["content"]["body"] for event in reversed(page["chunk"]) if event["type"] == "m.room.message"]


async def state(server: TestServer, token: str, room_id: str) -> dict[tuple[str, str], Any]:
    """The state of a room."""
    events = await server.ok("GET", f"/rooms/{quote(room_id)}/state", token=token)
    return {(event["type"], event["state_key"]): event["event_id"] for event in events}


async def heal(pair: Pair) -> None:
    """Let the servers meet again, and try each other at once."""
    pair.net.cut.clear()
    for server in pair.servers.values():
        for name in pair.servers:
            server.homeserver.front(Backoffs).reset(name)
    await pair.settled()
    await pair.settled()


async def test_both_sides_of_a_partition_agree_afterwards(pair: Pair) -> None:
    alice, bob, room_id = await shared_room(pair)
    pair.net.cut.add("two")
    for number in range(20):
        await pair.servers["one"].send(alice.token, room_id, f"one {number}")
        await pair.servers["two"].send(bob.token, room_id, f"two {number}")
    for device, name in ((alice, "by one"), (bob, "by two")):
        await device.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.topic", {"topic": name})
    await alice.ok("PUT", f"/rooms/{quote(room_id)}/state/m.room.name", {"name": "A name"})
    await pair.settled()
    await heal(pair)
    for device in (alice, bob):
        found = await texts(device.server, device.token, room_id)
        for side in ("one", "two"):
            assert [text for text in found if text.startswith(side)] == [f"{side} {number}" for number in range(20)]
    mine, theirs = [await state(device.server, device.token, room_id) for device in (alice, bob)]
    assert mine == theirs


async def test_who_lagged_meets_the_room_as_it_is(pair: Pair) -> None:
    alice, bob, room_id = await shared_room(pair)
    one, two = pair.servers["one"], pair.servers["two"]
    pair.net.cut.add("two")
    await one.send(alice.token, room_id, "one 0")
    await pair.settled()
    let_lag(one.homeserver.front(Sender), "two")
    for number in range(1, 30):
        await one.send(alice.token, room_id, f"one {number}")
    await alice.upload()
    await alice.send("t1", {"@bob:two": {"PHONE": {"text": "while you were away"}}})
    since = (await bob.sync())["next_batch"]
    await pair.settled()
    await heal(pair)
    assert await texts(two, bob.token, room_id) == [f"one {number}" for number in range(30)]
    answer = await bob.sync(since)
    assert [event["content"] for event in answer["to_device"]["events"]] == [{"text": "while you were away"}]
    assert answer["device_lists"]["changed"] == ["@alice:one"]


async def test_encrypted_talk_needs_keys_messages_and_lists_from_across(pair: Pair) -> None:
    alice, bob, _room_id = await shared_room(pair)
    since = (await bob.sync())["next_batch"]
    await alice.upload(1)
    await pair.settled()
    assert (await bob.sync(since))["device_lists"]["changed"] == ["@alice:one"]
    found = await bob.query("@alice:one")
    assert found["device_keys"]["@alice:one"]["PHONE"]["keys"] == alice.device_keys["keys"]
    claimed = await bob.claim("@alice:one", "PHONE")
    assert claimed and not await bob.claim("@alice:one", "PHONE")
    await pair.settled()
    before = _asked_of_users(pair)
    await bob.query("@alice:one")
    assert _asked_of_users(pair) == before, "the list is kept"
    laptop = await alice.login("LAPTOP")
    await laptop.upload()
    await pair.settled()
    assert (await bob.query("@alice:one"))["device_keys"]["@alice:one"].keys() == {"PHONE", "LAPTOP"}
    await laptop.ok("POST", "/logout", {})
    await pair.settled()
    assert (await bob.query("@alice:one"))["device_keys"]["@alice:one"].keys() == {"PHONE"}


async def test_typing_receipts_and_presence_cross_over(pair: Pair) -> None:
    alice, bob, room_id = await shared_room(pair)
    one, two = pair.servers["one"], pair.servers["two"]
    event_id = await one.send(alice.token, room_id, "read this")
    await pair.settled()
    since = (await alice.sync())["next_batch"]
    await bob.ok("PUT", f"/rooms/{quote(room_id)}/typing/@bob:two", {"typing": True, "timeout": 20000})
    await bob.ok("POST", f"/rooms/{quote(room_id)}/receipt/m.read/{quote(event_id)}", {})
    await bob.ok("PUT", "/presence/@bob:two/status", {"presence": "online", "status_msg": "hello"})
    seen: dict[str, Any] = {}
    for _ in range(200):
        await pair.settled()
        answer = await alice.sync(since)
        since = answer["next_batch"]
        room = answer.get("rooms", {}).get("join", {}).get(room_id, {})
        seen |= {event["type"]: event["content"] for event in room.get("ephemeral", {}).get("events", [])}
        seen |= {event["sender"]: event["content"] for event in answer.get("presence", {}).get("events", [])}
        if {"m.typing", "m.receipt", "@bob:two"} <= seen.keys():
            break
        await two.homeserver.kit.clock.sleep(0.01)
    assert seen["m.typing"] == {"user_ids": ["@bob:two"]}
    assert "@bob:two" in seen["m.receipt"][event_id]["m.read"]
    assert seen["@bob:two"]["presence"] == "online" and seen["@bob:two"]["status_msg"] == "hello"


def _asked_of_users(pair: Pair) -> int:
    """How often one of the servers has asked the other about devices or keys of its users."""
    return sum("/federation/v1/user/" in request[3] for request in pair.net.requests)
