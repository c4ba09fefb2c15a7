"""Who hears of changed keys, in /sync and at GET /keys/changes."""

from typing import Any

import pytest

from synapse_like.features.device_lists import DeviceLists
from synapse_like.toolkit.together import together
from tests.kit.encryption import KeyDevice, cross_signing_keys, sign_user
from tests.kit.homeserver import TestServer, server

__all__ = ["server"]


def lists(response: Any) -> tuple[set[str], set[str]]:
    found = response.get("device_lists", {})
    return set(found.get("changed", [])), set(found.get("left", []))


async def pair(server: TestServer, *, has_room: bool = True) -> tuple[KeyDevice, KeyDevice, str]:
    alice, bob = await KeyDevice.register(server, "alice"), await KeyDevice.register(server, "bob")
    await alice.upload()
    await bob.upload()
    room_id = await server.create_room(alice.token, preset="public_chat") if has_room else ""
    if has_room:
        await server.join(bob.token, room_id)
    return alice, bob, room_id


async def place(device: KeyDevice, since: str | None = None) -> str:
    """A place at which nothing is new, second looks at changes of before included."""
    await device.server.quiet()
    while (response := await device.sync(since)).get("device_lists") or since is None:
        since = response["next_batch"]
    return str(response["next_batch"])


async def told(device: KeyDevice, since: str) -> tuple[set[str], set[str]]:
    """What /sync and /keys/changes tell, which must be the same."""
    response = await device.sync(since)
    found = await device.ok("GET", "/keys/changes", query={"from": since, "to": response["next_batch"]})
    assert (set(found["changed"]), set(found["left"])) == lists(response)
    return lists(response)


async def test_a_first_sync_tells_nothing(server: TestServer) -> None:
    alice, _, _ = await pair(server)
    assert "device_lists" not in await alice.sync()


async def test_keys_and_names_and_the_end_of_devices_are_told(server: TestServer) -> None:
    alice, bob, _ = await pair(server)
    carol = await KeyDevice.register(server, "carol")
    since, strange = await place(bob), await place(carol)
    laptop = await alice.login("LAPTOP")
    assert await told(bob, since) == (set(), set()), "a device without keys is nobody's business"
    for act in (
        laptop.upload(),
        laptop.ok("PUT", "/devices/LAPTOP", {"display_name": "x"}),
        laptop.ok("POST", "/logout", {}),
        alice.ok("POST", "/keys/device_signing/upload", cross_signing_keys(alice.user_id)),
    ):
        since = await place(bob, since)
        await act
        assert await told(bob, since) == ({alice.user_id}, set())
    await alice.upload(5)
    assert await told(bob, await place(bob, since)) == (set(), set()), "the same keys again, and one-time keys"
    assert await told(carol, strange) == (set(), set())


async def test_one_hears_of_oneself(server: TestServer) -> None:
    alice, _, _ = await pair(server, has_room=False)
    laptop = await alice.login("LAPTOP")
    since = await place(alice)
    await laptop.upload()
    assert await told(alice, since) == ({alice.user_id}, set())


async def test_coming_and_going_are_told(server: TestServer) -> None:
    alice, bob, room_id = await pair(server)
    carol = await KeyDevice.register(server, "carol")
    since, bobs, carols = [await place(each) for each in (alice, bob, carol)]
    await server.join(carol.token, room_id)
    assert await told(alice, since) == ({carol.user_id}, set())
    changed, left = await told(carol, carols)
    assert (changed - {carol.user_id}, left) == ({alice.user_id, bob.user_id}, set())
    since, bobs, carols = await place(alice, since), await place(bob, bobs), await place(carol, carols)
    await carol.ok("POST", f"/rooms/{room_id}/leave", {})
    assert await told(alice, since) == (set(), {carol.user_id})
    assert await told(carol, carols) == (set(), {alice.user_id, bob.user_id})
    await alice.ok("POST", f"/rooms/{room_id}/kick", {"user_id": bob.user_id})
    assert await told(bob, bobs) == (set(), {alice.user_id, carol.user_id})


async def test_who_shares_another_room_is_not_gone(server: TestServer) -> None:
    alice, bob, room_id = await pair(server)
    other = await server.create_room(bob.token, preset="public_chat")
    await server.join(alice.token, other)
    since, bobs = await place(alice), await place(bob)
    await bob.ok("POST", f"/rooms/{room_id}/leave", {})
    assert await told(alice, since) == (set(), set())
    assert await told(bob, bobs) == (set(), set())


async def test_those_who_leave_after_one_are_gone_too(server: TestServer) -> None:
    alice, bob, room_id = await pair(server)
    since = await place(alice)
    await alice.ok("POST", f"/rooms/{room_id}/leave", {})
    carol = await KeyDevice.register(server, "carol")
    await server.join(carol.token, room_id)
    await bob.ok("POST", f"/rooms/{room_id}/leave", {})
    assert await told(alice, since) == (set(), {bob.user_id})


async def test_a_refused_invitation_names_nobody(server: TestServer) -> None:
    alice, bob, _ = await pair(server, has_room=False)
    room_id = await server.create_room(alice.token, invite=[bob.user_id])
    since = await place(bob)
    await bob.ok("POST", f"/rooms/{room_id}/leave", {})
    assert await told(bob, since) == (set(), set())


async def test_another_name_is_no_change_of_keys(server: TestServer) -> None:
    alice, bob, room_id = await pair(server)
    since = await place(bob)
    member = {"membership": "join", "displayname": "Alice"}
    await alice.ok("PUT", f"/rooms/{room_id}/state/m.room.member/{alice.user_id}", member)
    assert await told(bob, since) == (set(), set())


async def test_members_of_large_rooms_are_told_where_they_encrypt(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synapse_like.features.device_lists.changes.FEW_MEMBERS", 1)
    alice, bob, room_id = await pair(server, has_room=False)
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    plain = await server.create_room(alice.token, preset="public_chat")
    secret = await server.create_room(alice.token, preset="public_chat", initial_state=[encryption])
    await server.join((await KeyDevice.register(server, "carol")).token, plain)
    for room_id, expected in ((plain, set()), (secret, {alice.user_id})):
        since = await place(bob)
        await server.join(bob.token, room_id)
        changed, left = await told(bob, since)
        assert (changed - {bob.user_id}, left) == (expected, set())


async def test_a_signature_is_told_to_its_makers_devices(server: TestServer) -> None:
    alice, bob, _ = await pair(server)
    laptop = await alice.login("LAPTOP")
    for each in (alice, bob):
        await each.ok("POST", "/keys/device_signing/upload", cross_signing_keys(each.user_id))
    since, bobs = await place(laptop), await place(bob)
    key_id, value = sign_user(alice.user_id, bob.user_id)
    await alice.ok("POST", "/keys/signatures/upload", {bob.user_id: {key_id: value}})
    assert await told(laptop, since) == ({bob.user_id}, set())
    assert await told(bob, bobs) == (set(), set())


async def test_a_change_ends_a_long_poll(server: TestServer) -> None:
    alice, bob, _ = await pair(server)
    laptop = await alice.login("LAPTOP")
    since = await place(bob)
    await server.quiet()
    server.queries.clear()
    response, _ = await together([bob.sync(since, timeout=10000), laptop.upload()])
    assert lists(response) == ({alice.user_id}, set())


async def test_an_old_place_asks_the_same_however_many_rooms(server: TestServer) -> None:
    alice, bob, _ = await pair(server)
    counts = []
    for rooms in (1, 6):
        since = (await bob.sync())["next_batch"]
        for _ in range(rooms):
            room_id = await server.create_room(alice.token, preset="public_chat")
            await server.join(bob.token, room_id)
        await server.caught_up()
        await server.quiet()
        tries = []
        for _ in range(3):  # what is written once in a while, whoever asks, may fall between
            server.queries.clear()
            await bob.ok("GET", "/keys/changes", query={"from": since, "to": since})
            tries.append(len(server.queries))
        counts.append(min(tries))
    assert counts[0] == counts[1] <= 10, server.queries


async def test_a_room_joined_while_the_change_is_stored_is_told(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rooms of the fact were read before the join was committed."""
    alice, bob, _ = await pair(server)
    front: DeviceLists = server.homeserver.front(DeviceLists)
    monkeypatch.setattr(front, "rooms_of", lambda transaction, user_id: ())
    laptop = await alice.login("LAPTOP")
    since = await place(bob)
    response, _ = await together([bob.sync(since, timeout=10000), laptop.upload()])
    assert lists(response) == ({alice.user_id}, set())


async def test_an_unknown_place_is_everything(server: TestServer) -> None:
    _alice, bob, _ = await pair(server)
    since = await place(bob)
    answer = await server.request("GET", "/keys/changes", token=bob.token, query={"from": "x", "to": since})
    assert answer.status == 400
    answer = await server.request("GET", "/keys/changes", token=bob.token)
    assert answer.status == 400


async def test_keys_of_a_user_of_another_server_are_told(server: TestServer) -> None:
    alice, _, _ = await pair(server)
    since = await place(alice)
    await server.homeserver.front(DeviceLists).remote_changed("@far:elsewhere.example", ["X"])
    assert await told(alice, since) == (set(), set())
